"""The tables, and the steps that bring those of an older relay to them.

A step runs whole or not at all, and none is edited after a release: a change is a further step,
and stands in `TABLES` as well. Moments are whole microseconds since 1970 in UTC, which keeps them
exact.
"""

from __future__ import annotations

_BASE = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE events (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    source        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    client_id     TEXT,                 -- folded, as `client_name` is
    client_name   TEXT,
    state         TEXT NOT NULL,
    muted_by      TEXT,
    rules_version INTEGER,
    received_at   INTEGER NOT NULL,
    json          TEXT NOT NULL,
    forgotten_at  INTEGER,              -- a number of it was erased
    twin          TEXT,                 -- the other report of the same happening
    added         TEXT                  -- what the directory added, beside its own words
) STRICT;
CREATE INDEX events_unrouted ON events (seq) WHERE state = 'received';
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE INDEX events_by_client_id ON events (client_id, seq) WHERE client_id IS NOT NULL;
CREATE INDEX events_by_client_name ON events (client_name, seq) WHERE client_name IS NOT NULL;
CREATE INDEX events_by_time ON events (received_at);

CREATE TABLE event_phones (
    phone TEXT NOT NULL,
    event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (phone, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX phones_of_event ON event_phones (event);

CREATE TABLE twin_tokens (
    token BLOB NOT NULL,                -- a hash of what happened and to whom
    event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (token, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_event ON twin_tokens (event);

CREATE TABLE dedupe_keys (
    hash        BLOB PRIMARY KEY,       -- SHA-256 of the key
    fingerprint TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    seen_at     INTEGER NOT NULL        -- when it was last taken as new
) STRICT, WITHOUT ROWID;
CREATE INDEX dedupe_by_time ON dedupe_keys (seen_at);

CREATE TABLE deliveries (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    event_id      TEXT NOT NULL REFERENCES events (id),
    destination   TEXT NOT NULL,
    channel       TEXT NOT NULL,
    target        TEXT NOT NULL,
    account       TEXT NOT NULL,
    cause         TEXT NOT NULL,
    due_at        INTEGER NOT NULL,
    tried_since   INTEGER NOT NULL,
    rule          TEXT,
    rules_version INTEGER NOT NULL,
    template      TEXT,
    critical      INTEGER NOT NULL,
    state         TEXT NOT NULL,
    proof         TEXT,
    ambiguous     INTEGER NOT NULL,
    recipients    TEXT NOT NULL,
    refused       TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    losses        INTEGER NOT NULL,
    claim         INTEGER NOT NULL,
    reason        TEXT,
    reference     TEXT NOT NULL,
    via           TEXT,
    snoozed       INTEGER NOT NULL DEFAULT 0,   -- the target asked to wait: behind first tries
    orphan        INTEGER NOT NULL DEFAULT 0,   -- its destination is no longer known
    rendered      TEXT,
    created_at    INTEGER NOT NULL,
    settled_at    INTEGER,
    turn          INTEGER NOT NULL GENERATED ALWAYS AS
                      ((1 - critical) * 2 + (failures > 0 OR snoozed)) VIRTUAL,
    day           INTEGER NOT NULL DEFAULT 0,   -- its event's, as in `ledger`
    own           INTEGER NOT NULL DEFAULT 0,   -- of an alarm or a test
    fault         TEXT,                         -- why the plain message stands for the usual one
    incident      TEXT,                         -- that its event belongs to
    acts          TEXT NOT NULL DEFAULT '',     -- what of it was done
    due_since     INTEGER,                      -- first due, while its fallback may come to be owed
    instead       TEXT,                         -- of a fallback: for whom it stands in, and why
    fell_back_to  TEXT                          -- who was told in its destination's place
) STRICT;
CREATE INDEX pending_by_lane ON deliveries (target, turn, due_at, seq) WHERE state = 'pending';
CREATE INDEX parked_by_lane ON deliveries (target, orphan, seq, due_at) WHERE state = 'parked';
CREATE INDEX claimed ON deliveries (seq) WHERE state = 'claimed';
CREATE INDEX dead ON deliveries (seq) WHERE state = 'dead';
CREATE INDEX held_by_lane ON deliveries (target, due_at, seq) WHERE state = 'held';
CREATE INDEX deliveries_by_digest ON deliveries (via) WHERE via IS NOT NULL;
CREATE INDEX deliveries_of_event ON deliveries (event_id, seq);
CREATE INDEX deliveries_by_destination ON deliveries (destination, seq);
CREATE INDEX deliveries_by_time ON deliveries (created_at);
CREATE INDEX falling_back ON deliveries (destination, state, due_since) WHERE due_since IS NOT NULL
    AND state IN ('pending', 'claimed', 'parked', 'dead');

CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    delivery    INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    claim       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    outcome     TEXT,
    reason      TEXT,
    duration_ms INTEGER
) STRICT;
CREATE INDEX attempts_of_delivery ON attempts (delivery, id);
CREATE TRIGGER attempts_stand BEFORE UPDATE ON attempts
    WHEN OLD.outcome IS NOT NULL AND NOT (
        (NEW.id, NEW.delivery, NEW.claim, NEW.at, NEW.outcome, NEW.duration_ms)
            IS (OLD.id, OLD.delivery, OLD.claim, OLD.at, OLD.outcome, OLD.duration_ms)
        AND NEW.reason IS '[forgotten]')
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has its outcome is never changed');
END;

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    size   INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    body   BLOB,
    route  TEXT
) STRICT;
CREATE INDEX quarantine_by_time ON quarantine (at);
CREATE INDEX quarantine_bodies ON quarantine (at) WHERE body IS NOT NULL;

CREATE TABLE tallies (
    hour  INTEGER NOT NULL,             -- hours since 1970 in UTC
    name  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, name)
) STRICT, WITHOUT ROWID;
CREATE VIEW tallies_by_day AS
    SELECT date(hour * 3600, 'unixepoch') AS day, name, sum(count) AS count
      FROM tallies GROUP BY 1, 2;

CREATE TABLE troubles (
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    reason      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    since       INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE aims (                     -- the destinations of the live rules
    destination TEXT PRIMARY KEY,
    target      TEXT NOT NULL,
    account     TEXT NOT NULL,
    channel     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    falls_back  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (
    key      TEXT PRIMARY KEY,
    began_at INTEGER NOT NULL,
    text     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rules_versions (
    version   INTEGER PRIMARY KEY,
    loaded_at INTEGER NOT NULL,
    files     TEXT NOT NULL,
    who       TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;

-- Days are counted since 1970 in UTC, by the receipt of the event. Nouns: `events` of senders,
-- `deliveries` of these, and `own` for the deliveries of alarms and tests.
CREATE TABLE taken (                    -- what ever came in, counted once and never changed
    day   INTEGER NOT NULL,
    noun  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, noun)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger (                   -- in which state it is now
    day    INTEGER NOT NULL,
    noun   TEXT NOT NULL,
    state  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0,  -- so many of them have no row any more: retention
    PRIMARY KEY (day, noun, state)
) STRICT, WITHOUT ROWID;
"""

_IGNORED = """
CREATE TABLE ignored (                  -- dropped as private, of a kind that people should know of
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    json        TEXT NOT NULL           -- without data
) STRICT;
CREATE INDEX ignored_by_time ON ignored (received_at);
"""
_DIRECTORY = """
-- Of each subject and relation the newest fact alone: what a subject can collect is bounded.
CREATE TABLE directory (
    noun     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    relation TEXT NOT NULL,
    value    TEXT NOT NULL,
    under    TEXT NOT NULL,             -- of a number's client and channel: the account
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    event    TEXT NOT NULL,             -- empty where people said it
    PRIMARY KEY (noun, subject, relation)
) STRICT, WITHOUT ROWID;
CREATE INDEX numbers_of_account ON directory (value, subject)
    WHERE noun = 'phone' AND relation = 'waba';
"""
_WATCHED = """
CREATE TABLE watched (                  -- numbers at 360dialog, as the last complete look saw them
    key  TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_SILENCES = """
CREATE TABLE silences (
    id            INTEGER PRIMARY KEY,
    phone         TEXT,                 -- these five: what it is about, as it was written
    client        TEXT,
    kind          TEXT,
    topic         TEXT,
    destination   TEXT,
    also_critical INTEGER NOT NULL,
    why           TEXT NOT NULL,
    who           TEXT NOT NULL,
    began_at      INTEGER NOT NULL,
    until         INTEGER NOT NULL,
    zone          TEXT NOT NULL,        -- in which its end was said
    ended_at      INTEGER,
    ended_by      TEXT,                 -- who ended it by hand
    told_at       INTEGER               -- when its end was told
) STRICT;
CREATE TABLE silenced (                 -- what each suppressed
    delivery INTEGER PRIMARY KEY REFERENCES deliveries (seq) ON DELETE CASCADE,
    silence  INTEGER NOT NULL REFERENCES silences (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX silenced_by ON silenced (silence, delivery);
"""

_INCIDENTS = """
CREATE TABLE incidents (
    id         TEXT PRIMARY KEY,        -- that of the event which opened it
    key        TEXT NOT NULL,           -- a hash of matter and subject
    opened_at  INTEGER NOT NULL,
    state_at   INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changes    INTEGER NOT NULL,
    closed_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_key ON incidents (key, opened_at);
CREATE TABLE incident_events (
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    place    INTEGER NOT NULL,
    event    INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (incident, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_of_event ON incident_events (event);
CREATE TABLE incident_targets (         -- what was told where, and is shown there
    incident  TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    first     TEXT NOT NULL,            -- the delivery that was owed there first
    living    TEXT NOT NULL DEFAULT '', -- the one whose message shows the state
    reference TEXT NOT NULL DEFAULT '{}',
    posted    INTEGER NOT NULL DEFAULT 0,   -- so many changes it told when it was posted
    shown     INTEGER NOT NULL DEFAULT 0,   -- so many it shows now
    PRIMARY KEY (incident, target)
) STRICT, WITHOUT ROWID;
"""

TABLES = _BASE + _IGNORED + _DIRECTORY + _WATCHED + _SILENCES + _INCIDENTS

_FOURTH = """
ALTER TABLE deliveries ADD COLUMN fault TEXT;   -- why the plain message stands for the usual one
UPDATE deliveries SET fault = 'refused by the target: ' || coalesce(reason, '') WHERE degraded;
ALTER TABLE deliveries DROP COLUMN degraded;
"""

_SIXTH = """
ALTER TABLE events ADD COLUMN added TEXT;       -- what the directory added, beside its own words
-- The writer counts, once for all that it commits together.
DROP TRIGGER events_in;
DROP TRIGGER events_move;
DROP TRIGGER deliveries_in;
DROP TRIGGER deliveries_move;
-- What no frequent question needs: a count by day reads the rows, a trouble its account's.
DROP INDEX deliveries_by_day;
DROP INDEX pending_by_age;
DROP INDEX pending_by_account;
DROP INDEX parked_by_account;
DROP INDEX events_by_time;
CREATE INDEX events_by_time ON events (received_at);
"""

_SEVENTH = """
ALTER TABLE directory RENAME TO told;
DROP INDEX directory_phones;
"""
_TOLD = """
INSERT INTO directory
    SELECT noun, subject, relation, object,
           iif(noun = 'phone' AND relation IN ('client', 'channel'), coalesce(
               (SELECT min(w.object) FROM told AS w
                 WHERE w.noun = 'phone' AND w.subject = t.subject AND w.relation = 'waba'
                   AND (w.said_at, w.said_by) = (t.said_at, t.said_by)), ''), ''),
           said_at, said_kind, said_by
      FROM (SELECT *, row_number() OVER (
                PARTITION BY noun, subject, relation
                ORDER BY said_at DESC, said_by DESC, said_kind DESC, object DESC) AS place
              FROM told WHERE said_at IS NOT NULL) AS t
     WHERE place = 1;
INSERT INTO directory
    SELECT noun, subject, 'left_' || relation, object, '', ended_at, ended_kind, ended_by
      FROM (SELECT *, row_number() OVER (
                PARTITION BY subject, relation
                ORDER BY ended_at DESC, ended_by DESC, ended_kind DESC, object) AS place
              FROM told WHERE relation IN ('waba', 'client') AND ended_at IS NOT NULL)
     WHERE place = 1;
DROP TABLE told;
"""

_NINTH = """
ALTER TABLE rules_versions ADD COLUMN who TEXT NOT NULL DEFAULT '';
"""

_FOLLOWED = """
ALTER TABLE deliveries ADD COLUMN incident TEXT;
ALTER TABLE deliveries ADD COLUMN acts TEXT NOT NULL DEFAULT '';
"""

_FALLBACKS = """
ALTER TABLE deliveries ADD COLUMN due_since INTEGER;
ALTER TABLE deliveries ADD COLUMN instead TEXT;
ALTER TABLE deliveries ADD COLUMN fell_back_to TEXT;
ALTER TABLE aims ADD COLUMN falls_back INTEGER NOT NULL DEFAULT 0;
CREATE INDEX falling_back ON deliveries (destination, state, due_since) WHERE due_since IS NOT NULL
    AND state IN ('pending', 'claimed', 'parked', 'dead');
"""

_HELD = """
CREATE INDEX held_by_lane ON deliveries (target, due_at, seq) WHERE state = 'held';
CREATE INDEX deliveries_by_digest ON deliveries (via) WHERE via IS NOT NULL;
"""

OLDEST = 3
"""The oldest version of tables that is brought to today's."""
STEPS = (
    _FOURTH,
    _IGNORED,
    _SIXTH,
    _SEVENTH + _DIRECTORY + _TOLD,
    _WATCHED,
    _NINTH,
    _SILENCES,
    _INCIDENTS + _FOLLOWED,
    _FALLBACKS,
    _HELD,
)
"""Each leads from one version to the next, the first of them from `OLDEST`."""
VERSION = OLDEST + len(STEPS)
