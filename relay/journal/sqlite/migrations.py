"""The tables of the embedded engine, as the steps from one version of them to the next.

A step runs whole or not at all. What stands in `MIGRATIONS` is never edited after a release: a
change is a further step. Moments are whole microseconds since 1970 in UTC, which keeps them exact.
"""

from __future__ import annotations

_FIRST = """
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
    json          TEXT NOT NULL
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

CREATE TABLE dedupe_keys (
    hash        BLOB PRIMARY KEY,       -- SHA-256 of the key
    fingerprint TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    seen_at     INTEGER NOT NULL        -- when it was last taken as new
) STRICT, WITHOUT ROWID;

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
    degraded      INTEGER NOT NULL,
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
                      ((1 - critical) * 2 + (failures > 0 OR snoozed)) VIRTUAL
) STRICT;
CREATE INDEX pending_by_lane ON deliveries (target, turn, due_at, seq) WHERE state = 'pending';
CREATE INDEX pending_by_age ON deliveries (target, seq) WHERE state = 'pending';
CREATE INDEX pending_by_account ON deliveries (account) WHERE state = 'pending';
CREATE INDEX parked_by_lane ON deliveries (target, orphan, seq, due_at) WHERE state = 'parked';
CREATE INDEX parked_by_account ON deliveries (account) WHERE state = 'parked';
CREATE INDEX claimed ON deliveries (seq) WHERE state = 'claimed';
CREATE INDEX dead ON deliveries (seq) WHERE state = 'dead';
CREATE INDEX deliveries_of_event ON deliveries (event_id, seq);
CREATE INDEX deliveries_by_destination ON deliveries (destination, seq);
CREATE INDEX deliveries_by_time ON deliveries (created_at);

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
CREATE TRIGGER attempts_stand BEFORE UPDATE ON attempts WHEN OLD.outcome IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has its outcome is never changed');
END;

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    size   INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    body   BLOB
) STRICT;
CREATE INDEX quarantine_by_time ON quarantine (at);

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
    fingerprint TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (
    key      TEXT PRIMARY KEY,
    began_at INTEGER NOT NULL,
    text     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rules_versions (
    version   INTEGER PRIMARY KEY,
    loaded_at INTEGER NOT NULL,
    files     TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;

-- How many events and deliveries are in each state, so that the balance never scans them.
CREATE TABLE counts (
    noun  TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (noun, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_in AFTER INSERT ON events WHEN NEW.source IN ('partner', 'waba')
BEGIN
    INSERT INTO counts VALUES ('events', NEW.state, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER events_move AFTER UPDATE OF state ON events
    WHEN NEW.source IN ('partner', 'waba') AND OLD.state <> NEW.state
BEGIN
    UPDATE counts SET count = count - 1 WHERE noun = 'events' AND state = OLD.state;
    INSERT INTO counts VALUES ('events', NEW.state, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER deliveries_in AFTER INSERT ON deliveries
BEGIN
    INSERT INTO counts VALUES ('deliveries', NEW.state, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER deliveries_move AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state
BEGIN
    UPDATE counts SET count = count - 1 WHERE noun = 'deliveries' AND state = OLD.state;
    INSERT INTO counts VALUES ('deliveries', NEW.state, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
"""

_SECOND = """
ALTER TABLE events ADD COLUMN forgotten_at INTEGER;     -- a number of it was erased
ALTER TABLE quarantine ADD COLUMN route TEXT;
CREATE INDEX quarantine_bodies ON quarantine (at) WHERE body IS NOT NULL;
CREATE INDEX dedupe_by_time ON dedupe_keys (seen_at);
DROP INDEX events_by_time;
CREATE INDEX events_by_time ON events (received_at, source, state);

ALTER TABLE deliveries ADD COLUMN day INTEGER NOT NULL DEFAULT 0;   -- its event's, as in `ledger`
ALTER TABLE deliveries ADD COLUMN own INTEGER NOT NULL DEFAULT 0;   -- of an alarm or a test
UPDATE deliveries SET (day, own) = (
    SELECT coalesce(max(e.received_at), deliveries.created_at) / 86400000000,
           coalesce(max(e.source NOT IN ('partner', 'waba')), 0)
      FROM events AS e WHERE e.id = deliveries.event_id);
CREATE INDEX deliveries_by_day ON deliveries (day, own, state);

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
INSERT INTO ledger (day, noun, state, count)
    SELECT received_at / 86400000000, 'events', state, count(*) FROM events
     WHERE source IN ('partner', 'waba') GROUP BY 1, 3;
INSERT INTO ledger (day, noun, state, count)
    SELECT day, iif(own, 'own', 'deliveries'), state, count(*) FROM deliveries GROUP BY 1, 2, 3;
-- What version 1 counted and has no row was lost before: it stays visible, on a day of its own.
INSERT INTO ledger (day, noun, state, count)
    SELECT 0, c.noun, c.state, c.count - coalesce(sum(l.count), 0) AS missing
      FROM counts AS c LEFT JOIN ledger AS l ON l.state = c.state
       AND l.noun IN (c.noun, iif(c.noun = 'deliveries', 'own', c.noun))
     GROUP BY c.noun, c.state HAVING missing <> 0
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
INSERT INTO taken SELECT day, noun, sum(count) FROM ledger GROUP BY 1, 2;

DROP TRIGGER events_in;
DROP TRIGGER events_move;
DROP TRIGGER deliveries_in;
DROP TRIGGER deliveries_move;
DROP TABLE counts;
CREATE TRIGGER events_in AFTER INSERT ON events WHEN NEW.source IN ('partner', 'waba')
BEGIN
    INSERT INTO taken VALUES (NEW.received_at / 86400000000, 'events', 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
    INSERT INTO ledger VALUES (NEW.received_at / 86400000000, 'events', NEW.state, 1, 0)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER events_move AFTER UPDATE OF state ON events
    WHEN NEW.source IN ('partner', 'waba') AND OLD.state <> NEW.state
BEGIN
    UPDATE ledger SET count = count - 1
     WHERE day = OLD.received_at / 86400000000 AND noun = 'events' AND state = OLD.state;
    INSERT INTO ledger VALUES (NEW.received_at / 86400000000, 'events', NEW.state, 1, 0)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER deliveries_in AFTER INSERT ON deliveries
BEGIN
    INSERT INTO taken VALUES (NEW.day, iif(NEW.own, 'own', 'deliveries'), 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
    INSERT INTO ledger VALUES (NEW.day, iif(NEW.own, 'own', 'deliveries'), NEW.state, 1, 0)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER deliveries_move AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state
BEGIN
    UPDATE ledger SET count = count - 1
     WHERE day = OLD.day AND noun = iif(OLD.own, 'own', 'deliveries') AND state = OLD.state;
    INSERT INTO ledger VALUES (NEW.day, iif(NEW.own, 'own', 'deliveries'), NEW.state, 1, 0)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;

DROP TRIGGER attempts_stand;
CREATE TRIGGER attempts_stand BEFORE UPDATE ON attempts
    WHEN OLD.outcome IS NOT NULL AND NOT (
        (NEW.id, NEW.delivery, NEW.claim, NEW.at, NEW.outcome, NEW.duration_ms)
            IS (OLD.id, OLD.delivery, OLD.claim, OLD.at, OLD.outcome, OLD.duration_ms)
        AND NEW.reason IS '[forgotten]')
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has its outcome is never changed');
END;
"""

_THIRD = """
CREATE TABLE directory (
    noun       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    relation   TEXT NOT NULL,
    object     TEXT NOT NULL,
    said_at    INTEGER,
    said_kind  TEXT,
    said_by    TEXT,                    -- the event's id; empty where people said it
    ended_at   INTEGER,
    ended_kind TEXT,
    ended_by   TEXT,
    PRIMARY KEY (noun, subject, relation, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_phones ON directory (object, subject)
    WHERE noun = 'phone' AND relation = 'waba';

ALTER TABLE events ADD COLUMN twin TEXT;        -- the other report of the same happening
CREATE TABLE twin_tokens (
    token BLOB NOT NULL,                -- a hash of what happened and to whom
    event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (token, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_event ON twin_tokens (event);
"""

_FOURTH = """
ALTER TABLE deliveries ADD COLUMN fault TEXT;   -- why the plain message stands for the usual one
UPDATE deliveries SET fault = 'refused by the target: ' || coalesce(reason, '') WHERE degraded;
ALTER TABLE deliveries DROP COLUMN degraded;
"""

_FIFTH = """
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
-- Of each subject and relation the newest fact alone: what a subject can collect is bounded.
ALTER TABLE directory RENAME TO told;
DROP INDEX directory_phones;
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

_EIGHTH = """
CREATE TABLE watched (                  -- numbers at 360dialog, as the last complete look saw them
    key  TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_NINTH = """
ALTER TABLE rules_versions ADD COLUMN who TEXT NOT NULL DEFAULT '';
"""

MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH, _NINTH)
"""The step at index n leads from version n to version n + 1."""
VERSION = len(MIGRATIONS)
