"""Which targets and accounts are out of order, and what waits for them.

The bulk moves here are SQL, because ten thousand deliveries may wait for one target; the tests
hold them to `park`, `unpark` and the rest of `relay.deliveries`, row by row.

While a trouble stands, nothing is pending behind it but what a probe or an operator put there. An
orphan is a parked delivery whose destination is no longer known: no cure brings it back, only the
destination does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from relay import deliveries
from relay.deliveries import Delivery, State
from relay.journal import Aim, Trouble
from relay.journal.sql.rows import micros, packed, plain
from relay.journal.sql.writing import Writing
from relay.outcomes import Scope

UNKNOWN_DESTINATION = "its destination is no longer known"

_COVERING = (
    "FROM troubles AS t WHERE (t.scope, t.key) IN"
    " (VALUES ('target', deliveries.target), ('account', deliveries.account))"
)
_KNOWN = "SELECT 1 FROM aims AS a WHERE a.destination = deliveries.destination"
_UNPARK = "SET state = 'pending', due_at = :now, tried_since = :now, reason = NULL"


def place(connection: Writing, delivery: Delivery) -> tuple[Delivery, bool]:
    """A delivery as it is stored while troubles stand, and whether it is an orphan.

    Its target follows its destination; a pending one is parked if nothing can be sent there.
    """
    aims, ills = connection.aims, connection.troubles
    aim = aims.get(plain(delivery.destination))
    if aim is not None and (delivery.target, delivery.account, delivery.channel) != (
        aim.target,
        aim.account,
        aim.channel,
    ):
        delivery = replace(delivery, target=aim.target, account=aim.account, channel=aim.channel)
    orphan = aim is None and bool(aims)
    if delivery.state is not State.PENDING:
        return delivery, orphan
    if orphan:
        return deliveries.park(delivery, UNKNOWN_DESTINATION), True
    if ills:
        for about in (Scope.ACCOUNT, delivery.account), (Scope.TARGET, delivery.target):
            if (reason := ills.get(about)) is not None:
                return deliveries.park(delivery, reason), False
    return delivery, False


def due_since(connection: Writing, delivery: Delivery) -> int | None:
    """Since when it is due, where a fallback may come to be owed for it from now on."""
    aim = connection.aims.get(plain(delivery.destination))
    if aim is None or not aim.falls_back or delivery.cause not in deliveries.FALLING_BACK:
        return None
    over = delivery.state in (State.DELIVERED, State.DEAD, State.SUPPRESSED)
    return None if over else micros(delivery.due_at)


def begin(connection: Writing, trouble: Trouble, *, now: datetime) -> None:
    """Remember a trouble and park all that is pending behind it."""
    connection.execute(
        "INSERT INTO troubles (scope, key, reason, fingerprint, since) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (scope, key) DO UPDATE"
        " SET reason = excluded.reason, fingerprint = excluded.fingerprint",
        (
            trouble.scope.value,
            plain(trouble.key),
            plain(trouble.reason),
            trouble.fingerprint,
            micros(trouble.since or now),
        ),
    )
    connection.changed()
    column = "target" if trouble.scope is Scope.TARGET else "account"
    connection.move_all(
        State.PENDING,
        State.PARKED,
        "UPDATE deliveries INDEXED BY pending_by_lane SET state = 'parked', reason = ?"
        f" WHERE state = 'pending' AND {column} = ?",
        (plain(trouble.reason), plain(trouble.key)),
    )


def is_stale(connection: Writing, trouble: Trouble) -> bool:
    """Whether a trouble is about settings that its destinations no longer have."""
    key = plain(trouble.key)
    has = {
        aim.fingerprint
        for aim in connection.aims.values()
        if key == (aim.target if trouble.scope is Scope.TARGET else aim.account)
    }
    return bool(trouble.fingerprint and has) and trouble.fingerprint not in has


def end(connection: Writing, keys: Sequence[str], *, now: datetime) -> None:
    """Forget the troubles of targets and accounts that work; what waited for them is due now."""
    if not any(key in keys for _, key in connection.troubles):
        return  # whatever is parked waits for something else
    wanted = packed([plain(key) for key in keys])
    connection.execute(
        "DELETE FROM troubles WHERE key IN (SELECT value FROM json_each(?))", (wanted,)
    )
    connection.changed()
    for column in ("target", "account"):
        connection.move_all(
            State.PARKED,
            State.PENDING,
            f"UPDATE deliveries INDEXED BY parked_by_lane {_UNPARK}"
            f" WHERE state = 'parked' AND {column} IN (SELECT value FROM json_each(:keys))"
            f" AND orphan = 0 AND NOT EXISTS (SELECT 1 {_COVERING})",
            {"now": micros(now), "keys": wanted},
        )


def aim(
    connection: Writing, aims: Mapping[str, Aim], *, now: datetime, version: int | None = None
) -> None:
    """Point unfinished deliveries at where their destinations are now."""
    newest = connection.execute("SELECT max(version) FROM rules_versions").get
    if version is not None and newest is not None and version < newest:
        return  # another relay adopted other rules meanwhile
    wanted = {
        plain(name): replace(at, target=plain(at.target), account=plain(at.account))
        for name, at in aims.items()
    }
    if wanted and wanted == connection.aims:
        return  # all that is unfinished is placed by these
    connection.execute("DELETE FROM aims")
    connection.executemany(
        "INSERT INTO aims (destination, target, account, channel, fingerprint, falls_back)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (name, at.target, at.account, at.channel, at.fingerprint, int(at.falls_back))
            for name, at in wanted.items()
        ],
    )
    connection.execute(
        "DELETE FROM troubles WHERE NOT EXISTS (SELECT 1 FROM aims AS a"
        " WHERE troubles.key = CASE troubles.scope WHEN 'target' THEN a.target ELSE a.account END"
        " AND troubles.fingerprint IN ('', a.fingerprint))"
    )
    connection.changed()
    follow(connection, orphans=True)
    connection.move_all(
        State.PARKED,
        State.PENDING,
        f"UPDATE deliveries INDEXED BY parked_by_lane {_UNPARK}"
        f" WHERE state = 'parked' AND orphan = 0 AND NOT EXISTS (SELECT 1 {_COVERING})",
        {"now": micros(now)},
    )
    for state, index in ((State.PARKED, "parked_by_lane"), (State.PENDING, "pending_by_lane")):
        connection.move_all(
            state,
            State.PARKED,
            f"UPDATE deliveries INDEXED BY {index} SET state = 'parked',"
            f" reason = (SELECT t.reason {_COVERING} ORDER BY t.scope LIMIT 1)"
            f" WHERE state = '{state.value}' AND orphan = 0 AND EXISTS (SELECT 1 {_COVERING})",
            (),
        )
    if any(at.falls_back for at in wanted.values()):
        _watch(connection)


def _watch(connection: Writing) -> None:
    """What is unfinished at destinations that have a fallback may come to owe it from now on."""
    causes = ", ".join(f"'{cause.value}'" for cause in sorted(deliveries.FALLING_BACK))
    for state, index in (("parked", "parked_by_lane"), ("pending", "pending_by_lane")):
        connection.execute(
            f"UPDATE deliveries INDEXED BY {index} SET due_since = created_at"
            f" WHERE state = '{state}' AND due_since IS NULL AND fell_back_to IS NULL"
            f" AND cause IN ({causes}) AND EXISTS ({_KNOWN} AND a.falls_back <> 0)"
        )


def follow(connection: Writing, *, orphans: bool) -> None:
    """Unfinished deliveries follow their destinations; those without one are parked.

    With `orphans` also when no destination is known at all: that is news only when the rules
    have just said so, and nothing before they have spoken.
    """
    for state, index in (
        ("pending", "pending_by_lane"),
        ("claimed", "claimed"),
        ("parked", "parked_by_lane"),
        ("held", "held_by_lane"),
    ):
        connection.execute(
            f"UPDATE deliveries INDEXED BY {index}"
            " SET target = a.target, account = a.account, channel = a.channel, orphan = 0"
            " FROM aims AS a WHERE a.destination = deliveries.destination"
            f" AND deliveries.state = '{state}' AND (deliveries.orphan <> 0 OR"
            " (deliveries.target, deliveries.account, deliveries.channel)"
            " <> (a.target, a.account, a.channel))"
        )
    if not orphans and not connection.aims:
        return
    for before, index in ((State.PENDING, "pending_by_lane"), (State.PARKED, "parked_by_lane")):
        connection.move_all(
            before,
            State.PARKED,
            f"UPDATE deliveries INDEXED BY {index}"
            " SET state = 'parked', orphan = 1, reason = ?"
            f" WHERE state = '{before.value}' AND orphan = 0 AND NOT EXISTS ({_KNOWN})",
            (UNKNOWN_DESTINATION,),
        )
