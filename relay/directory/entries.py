"""One number as the directory knows it, concluded from the facts.

Where facts contradict each other the newer one wins, and what belonged to the older one goes
with it: a number that moved to another account leaves its client behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relay.directory.facts import Fact, Facts, Noun, Relation, newest
from relay.events import iso


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one number now; None is not known, or over."""

    phone: str
    """E.164, as the senders spell it."""
    name: Fact | None = None
    waba: Fact | None = None
    """Meta's id; 360dialog's where that is all there is."""
    waba_360: Fact | None = None
    channel: Fact | None = None
    client_id: Fact | None = None
    client_name: Fact | None = None
    gone: Fact | None = None
    """The number was cancelled or removed; nothing else is known of it then."""

    def to_json(self) -> dict[str, Any]:
        """One line of `relay directory --json`."""
        found = {
            "name": self.name,
            "waba": self.waba,
            "waba_360": self.waba_360,
            "client_id": self.client_id,
            "client_name": self.client_name,
            "channel_id": self.channel,
        }
        last = self.last
        return {
            "phone": self.phone,
            **{name: one.value if one else None for name, one in found.items()},
            "gone": self.gone is not None,
            "kind": last.evidence.kind if last else None,
            "event_id": last.evidence.event_id if last else None,
            "at": iso(last.at) if last else None,
        }

    @property
    def last(self) -> Fact | None:
        """The newest word on anything here."""
        return newest(
            self.gone, self.name, self.waba, self.channel, self.client_id, self.client_name
        )


def entry_of(known: Facts, key: str, ignoring: str | None = None) -> Entry:
    """The entry of the number with this key; an end that the event `ignoring` tells is none yet."""
    if not known.tells_end(ignoring):
        ignoring = None
    return known.conclude((key, ignoring), lambda: _entry_of(known, key, ignoring))


def _entry_of(known: Facts, key: str, ignoring: str | None) -> Entry:
    def of_number(relation: Relation) -> Fact | None:
        return known.get(Noun.PHONE, key, relation)

    spelling = of_number(Relation.SPELLING)
    phone = spelling.value if spelling else key
    waba, client, channel = map(of_number, (Relation.WABA, Relation.CLIENT, Relation.CHANNEL))
    ids = ids_of_waba(known, waba.value) if waba else frozenset[str]()
    left = of_number(Relation.LEFT_WABA)
    closed = known.get(Noun.CHANNEL, channel.value if channel else None, Relation.GONE)

    def end_of(fact: Fact | None, end: Fact | None, *about: str) -> Fact | None:
        """The end of what was said, unless it was said again later."""
        if fact is None or end is None or end.value not in about or end.at < fact.at:
            return None
        return None if ignoring and end.evidence.event_id == ignoring else end

    ended = (
        end_of(waba, left, *ids),
        end_of(client, of_number(Relation.LEFT_CLIENT), client.value if client else ""),
        end_of(channel, closed, ""),
    )
    gone = newest(*ended)
    # The end of what the number was at an account that it had left before changes nothing else.
    moved_on = (
        gone is not None
        and left is not None
        and left.evidence == gone.evidence
        and waba is not None
        and left.value not in ids
        and not (ended[2] and channel and channel.under in ids)
    )

    def alive(fact: Fact | None, end: Fact | None = None) -> Fact | None:
        if fact is None or end is not None:
            return None
        return fact if moved_on or gone is None or fact.at > gone.at else None

    waba, client, channel = map(alive, (waba, client, channel), ended)
    name = alive(of_number(Relation.NAME))
    if gone is not None and not any((waba, client, channel, name)):
        return Entry(phone, gone=gone)
    waba, client = _agreed(known, waba, client)
    meta, d360 = account_ids(known, waba)
    named = name_of_client(known, client.value if client else None, meta.value if meta else None)
    return Entry(
        phone=phone,
        name=name,
        waba=meta,
        waba_360=d360,
        channel=channel,
        client_id=client,
        client_name=named or alive(of_number(Relation.CLIENT_NAME)),
    )


def numbers_of(
    known: Facts, waba: str, ignoring: str | None = None
) -> tuple[tuple[str, ...], Fact | None]:
    """All numbers that an account has now, sorted, and the newest word on any of them."""
    if not known.tells_end(ignoring):
        ignoring = None

    def found() -> tuple[tuple[str, ...], Fact | None]:
        ids = ids_of_waba(known, waba)
        entries = [entry_of(known, key, ignoring) for key in known.numbers(ids)]
        has = [entry for entry in entries if entry.waba is not None and entry.waba.value in ids]
        numbers = tuple(sorted(entry.phone for entry in has))
        return numbers, newest(*(entry.waba for entry in has))

    return known.conclude(("numbers", waba, ignoring), found)


def _agreed(
    known: Facts, waba: Fact | None, client: Fact | None
) -> tuple[Fact | None, Fact | None]:
    """Account and client of a number, so that they do not contradict each other."""
    if waba is None:
        return None, client
    owner = client_of_waba(known, waba.value)
    if owner is None:
        moved = client and client.under and client.under not in ids_of_waba(known, waba.value)
        return waba, None if moved else client
    if client is None or client.value == owner.value or client.at <= max(waba.at, owner.at):
        return waba, owner
    return None, client


def client_of_waba(known: Facts, waba: str) -> Fact | None:
    """The client that was said last to own an account, under either of its ids."""
    return _of_account(known, waba, Relation.CLIENT)


def ids_of_waba(known: Facts, waba: str) -> frozenset[str]:
    """Both ids of an account, as far as they are known."""
    meta = known.get(Noun.WABA, waba, Relation.META_ID)
    d360 = known.get(Noun.WABA, waba, Relation.D360_ID)
    return frozenset({waba, *(other.value for other in (meta, d360) if other)})


def account_ids(known: Facts, waba: Fact | None) -> tuple[Fact | None, Fact | None]:
    """Meta's id and 360dialog's id of the account that is named by either."""
    if waba is None:
        return None, None
    meta = known.get(Noun.WABA, waba.value, Relation.META_ID)
    if meta is not None:
        return meta, waba
    return waba, known.get(Noun.WABA, waba.value, Relation.D360_ID)


def name_of_client(known: Facts, client_id: str | None, waba: str | None) -> Fact | None:
    """The client's name: its own, else the one that somebody told for its account."""
    own = known.get(Noun.CLIENT, client_id, Relation.NAME)
    if own is not None or waba is None:
        return own
    return _of_account(known, waba, Relation.CLIENT_NAME)


def _of_account(known: Facts, waba: str, relation: Relation) -> Fact | None:
    """What was said last under either id of an account."""
    return newest(*(known.get(Noun.WABA, one, relation) for one in ids_of_waba(known, waba)))
