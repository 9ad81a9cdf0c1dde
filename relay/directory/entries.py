"""One number as the directory knows it, concluded from the facts.

Where facts contradict each other the newer one wins, and what belonged to the older one goes
with it: a number that moved to another account leaves its client behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relay.directory.facts import Evidence, Facts, Noun, Relation, Tie, newest
from relay.events import iso


@dataclass(frozen=True, slots=True)
class Found:
    """A value with the evidence for it."""

    value: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one number now; None is not known, or over."""

    phone: str
    """E.164, as the senders spell it."""
    name: Found | None = None
    waba: Found | None = None
    """Meta's id; 360dialog's where that is all there is."""
    waba_360: Found | None = None
    channel: Found | None = None
    client_id: Found | None = None
    client_name: Found | None = None
    gone: Evidence | None = None
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
        newest_said = self.evidence
        return {
            "phone": self.phone,
            **{name: one.value if one else None for name, one in found.items()},
            "gone": self.gone is not None,
            "kind": newest_said.kind if newest_said else None,
            "event_id": newest_said.event_id if newest_said else None,
            "at": iso(newest_said.at) if newest_said else None,
        }

    @property
    def evidence(self) -> Evidence | None:
        """The newest evidence for anything here."""
        latest = self.gone
        for found in (self.name, self.waba, self.channel, self.client_id, self.client_name):
            latest = newest(latest, found.evidence if found else None)
        return latest


def entry_of(known: Facts, key: str, ignoring: str | None = None) -> Entry:
    """The entry of the number with this key; ends that the event `ignoring` tells do not count."""
    if ignoring not in known.enders():
        ignoring = None
    return known.conclude((key, ignoring), lambda: _entry_of(known, key, ignoring))


def _entry_of(known: Facts, key: str, ignoring: str | None) -> Entry:
    spelling = known.last(Noun.PHONE, key, Relation.SPELLING)
    phone = spelling.object if spelling else key
    channel = known.last(Noun.PHONE, key, Relation.CHANNEL)
    waba = known.last(Noun.PHONE, key, Relation.WABA)
    client = known.last(Noun.PHONE, key, Relation.CLIENT)
    gone = _gone(known, ignoring, channel, waba, client)
    moved_on = gone is not None and _is_of_another_account(known, key, waba, gone, ignoring)

    def alive(tie: Tie | None) -> Tie | None:
        if tie is None or tie.said is None or tie.ended_after(ignoring) is not None:
            return None
        return tie if moved_on or gone is None or tie.said.at > gone.at else None

    waba, client, channel = alive(waba), alive(client), alive(channel)
    name = alive(known.last(Noun.PHONE, key, Relation.NAME))
    client_name = alive(known.last(Noun.PHONE, key, Relation.CLIENT_NAME))
    if gone is not None and not any((waba, client, channel, name)):
        return Entry(phone, gone=gone)
    waba, client = _agreed(known, key, waba, client)
    meta, d360 = account_ids(known, _found(waba))
    client_id = _found(client)
    return Entry(
        phone=phone,
        name=_found(name),
        waba=meta,
        waba_360=d360,
        channel=_found(channel),
        client_id=client_id,
        client_name=name_of_client(
            known, client_id.value if client_id else None, meta.value if meta else None
        )
        or _found(client_name),
    )


def _gone(
    known: Facts, ignoring: str | None, channel: Tie | None, *others: Tie | None
) -> Evidence | None:
    """The newest end of what the number is by now; the end of what it was before is no news."""
    found: Evidence | None = None
    for tie in (channel, *others):
        found = newest(found, tie.ended_after(ignoring) if tie else None)
    if channel is not None and channel.said is not None:
        closed = known.last(Noun.CHANNEL, channel.object, Relation.GONE)
        said = closed.said if closed else None
        if said is not None and said.event_id != ignoring and said.at >= channel.said.at:
            found = newest(found, said)
    return found


def _is_of_another_account(
    known: Facts, key: str, waba: Tie | None, gone: Evidence, ignoring: str | None
) -> bool:
    """Whether an end is about an account that the number had left before."""
    if waba is None or waba.ended_after(ignoring) is not None:
        return False
    ids = ids_of_waba(known, waba.object)
    ties = known.ties(Noun.PHONE, key, Relation.WABA).values()
    return any(tie.ended == gone for tie in ties if tie.object not in ids) and not any(
        tie.ended == gone for tie in ties if tie.object in ids
    )


def _agreed(
    known: Facts, key: str, waba: Tie | None, client: Tie | None
) -> tuple[Tie | None, Tie | None]:
    """Account and client of a number, so that they do not contradict each other."""
    if waba is None or waba.said is None:
        return None, client
    owner = client_of_waba(known, waba.object)
    if owner is not None and owner.said is not None:
        if client is None or client.said is None or client.object == owner.object:
            return waba, owner
        if client.said.at <= max(waba.said.at, owner.said.at):
            return waba, owner
        return None, client
    if client is not None and client.said is not None:
        ids = ids_of_waba(known, waba.object)
        for other in known.ties(Noun.PHONE, key, Relation.WABA).values():
            if other.object not in ids and other.said and other.said.at >= client.said.at:
                return waba, None
    return waba, client


def client_of_waba(known: Facts, waba: str) -> Tie | None:
    """The client that was said last to own an account, under either of its ids."""
    return _of_account(known, waba, Relation.CLIENT)


def ids_of_waba(known: Facts, waba: str) -> frozenset[str]:
    """Both ids of an account, as far as they are known."""
    others = (
        known.last(Noun.WABA, waba, relation) for relation in (Relation.META_ID, Relation.D360_ID)
    )
    return frozenset({waba} | {tie.object for tie in others if tie is not None})


def account_ids(known: Facts, waba: Found | None) -> tuple[Found | None, Found | None]:
    """Meta's id and 360dialog's id of the account that is named by either."""
    if waba is None:
        return None, None
    meta = known.last(Noun.WABA, waba.value, Relation.META_ID)
    if meta is not None:
        return _found(meta), waba
    return waba, _found(known.last(Noun.WABA, waba.value, Relation.D360_ID))


def name_of_client(known: Facts, client_id: str | None, waba: str | None) -> Found | None:
    """The client's name: its own, else the one that somebody told for its account."""
    own = known.last(Noun.CLIENT, client_id, Relation.NAME)
    if own is not None or waba is None:
        return _found(own)
    return _found(_of_account(known, waba, Relation.CLIENT_NAME))


def _of_account(known: Facts, waba: str, relation: Relation) -> Tie | None:
    """What was said last under either id of an account."""
    ties = [known.last(Noun.WABA, one, relation) for one in sorted(ids_of_waba(known, waba))]
    said = [(tie.said.rank, tie.object, tie) for tie in ties if tie is not None and tie.said]
    return max(said, key=lambda found: found[:2])[2] if said else None


def _found(tie: Tie | None) -> Found | None:
    return None if tie is None or tie.said is None else Found(tie.object, tie.said)
