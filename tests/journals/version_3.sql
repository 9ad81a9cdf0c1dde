-- A journal as version 3 of the tables left it: work in every state, of three days, one of them closed.
CREATE TABLE aims (                     -- the destinations of the live rules
    destination TEXT PRIMARY KEY,
    target      TEXT NOT NULL,
    account     TEXT NOT NULL,
    channel     TEXT NOT NULL,
    fingerprint TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO aims VALUES('broken','slack:#broken','slack','slack','f1');
INSERT INTO aims VALUES('other','slack:#other','slack','slack','f1');
INSERT INTO aims VALUES('wa','slack:#wa','slack','slack','f1');

CREATE TABLE alarms (
    key      TEXT PRIMARY KEY,
    began_at INTEGER NOT NULL,
    text     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO alarms VALUES('out-of-order:slack:#broken',1795424400123456,'support is out of order');

CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    delivery    INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    claim       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    outcome     TEXT,
    reason      TEXT,
    duration_ms INTEGER
) STRICT;
INSERT INTO attempts VALUES(1,2,1,1795424400123456,NULL,NULL,NULL);
INSERT INTO attempts VALUES(2,3,1,1795424400123456,'transient','HTTP 503',0);
INSERT INTO attempts VALUES(3,5,1,1795424400123456,'out_of_order','channel_not_found',0);
INSERT INTO attempts VALUES(4,7,1,1795424400123456,'refused','invalid_blocks',0);
INSERT INTO attempts VALUES(5,7,2,1795424400123456,'refused','invalid_blocks',0);
INSERT INTO attempts VALUES(6,8,1,1795424400123456,'sent','sent',0);
INSERT INTO attempts VALUES(7,10,1,1795424400123456,'refused','too_long',0);
CREATE INDEX attempts_of_delivery ON attempts (delivery, id);
CREATE TRIGGER attempts_stand BEFORE UPDATE ON attempts
    WHEN OLD.outcome IS NOT NULL AND NOT (
        (NEW.id, NEW.delivery, NEW.claim, NEW.at, NEW.outcome, NEW.duration_ms)
            IS (OLD.id, OLD.delivery, OLD.claim, OLD.at, OLD.outcome, OLD.duration_ms)
        AND NEW.reason IS '[forgotten]')
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has its outcome is never changed');
END;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;
INSERT INTO audit VALUES(1,1795424400123456,'ada','discard','5d748d959ad04f541035');
INSERT INTO audit VALUES(2,1795424400123456,'ada','directory','1 contacts import');
INSERT INTO audit VALUES(3,1795424400123456,'ada','forget','scrypt:778bbd7145f74bb4:17562394b4789c9d069407bee1afd817: 1 events');

CREATE TABLE dedupe_keys (
    hash        BLOB PRIMARY KEY,       -- SHA-256 of the key
    fingerprint TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    seen_at     INTEGER NOT NULL        -- when it was last taken as new
) STRICT, WITHOUT ROWID;
INSERT INTO dedupe_keys VALUES(X'06B29BB318814108E94270528FE7994C096308B3692923723BF1AE6F98D50B4F','c0e2b80ed68fcd671c5bef9f9428933887c1f77fa7c955dfac3bdf430dfffad2','06b29bb318814108e942',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'28A3A5E81D1E89F0EFC70B63BF717B921373FC7FAC70BC1B7E4D466799C0C6B0','feb1fa20380b4f96120151301db1a5d228020cdbd3554fc5d5e9725961ac1f12','28a3a5e81d1e89f0efc7',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'318C5AD51E9B36FF5924AE323DD59031245413A3E0F2AA3E03CC42902E9E7ACC','a56b440aabceb80e1da886efb3dc45e4500e4a12a0e8dc67a5e692f425b4f68e','318c5ad51e9b36ff5924',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'373E0712C83CFFE15FF427B60E788B549F82496FE5FD5391F7921832B04C6B20','fdbb6bbb15fc6c0451a97fde4fc4d93137cb121ee80725ccdc5708c6e4780192','373e0712c83cffe15ff4',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'3C8CAB8B47D6D0AC0E1BB0A3C209B836F5CF1A61E851626DC7A5D7F011A7E5DD','703b47fdfcceb7d4598a32e737c017da2b6085bfc6fad6bca0040e4c67cc5783','3c8cab8b47d6d0ac0e1b',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'62A2FED3D6E08C44835FCE71F02210B1DDABFB066E39EDF1E6C261988F824DD3','79b3bc71da626efaf5840425619557d2493ae0e4ff40a706a579a579eaeff13d','62a2fed3d6e08c44835f',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'88F6811AB5D8FC6D3177F9B7609AE0FCEBFDA187E5046B62D38BB539E88B74D7','0fbf09c8d671f97a9551f3aaff21e3de8dc8b4ce0f24a7e1c3af4db7dde7c853','88f6811ab5d8fc6d3177',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'8FDB32DDBB0C798822B914A583072E97F011C49275E223FD8D8F5E1F52EDB248','b79e613ed426b70b5a76bf04b4cea51e5f7ee48863a002b02b577c4a2c20355d','8fdb32ddbb0c798822b9',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'915C0F60E80855F6455A521D4D3DF9E7A5F9C78452335B3DEB332DBFF239B594','9c2c03b6f1d13358a1e88709600ae057b148e03a5a3f41a8e239348369696b7d','915c0f60e80855f6455a',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'B90BC9390BCD6BAD933160C81FB4D7016601531FDBDCFEB8C31F71904BD9673B','b52153c90b65aa58a0daa3f04c46df1ef700fff738af8a477f1a2492b802e5df','b90bc9390bcd6bad9331',1795338000123456);
INSERT INTO dedupe_keys VALUES(X'BBE7D3D2E328E1F6BFDA920A268B216D1E22BF41BD028CDF6162BFCD2B826178','68f06e80c45e8b4aff7bd40d5450067aea733367c2ac60bda4a148821e73bd6e','bbe7d3d2e328e1f6bfda',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'D79D3458A58877CD8E48C18EBAF4C27B9D5C1A9CB5DFBDAC769A7A21D8A1022E','ab0ebfbe1d4cdb0e6b149f8008e85559c969aea61fadda76f94eff6e715b9505','d79d3458a58877cd8e48',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'ED74AB0076BFFB3A037DD0DF014FE3D09EB5EC3654E068F76F051B9851D2787A','8d261f9b9f7b797fd0810550bca7689110fe499e202543559166b12ce863175c','ed74ab0076bffb3a037d',1795424400123456);
INSERT INTO dedupe_keys VALUES(X'F63D5B6B4DE4FCA716F2BE8A179211B92682DC2E030B7063AEA1D4A210F40033','bfb8b44dd9ce046c04849f8e14529885684110e23228a1a4edb087d8bdae82e0','f63d5b6b4de4fca716f2',1795424400123456);
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
, day INTEGER NOT NULL DEFAULT 0, own INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO deliveries VALUES(1,'bba230d48762a6f1c275','d79d3458a58877cd8e48','wa','slack','slack:#wa','slack','rule',1795424400123456,1795424400123456,'R',1,NULL,0,'claimed',NULL,0,0,'[]','{}',0,0,1,NULL,'{}',NULL,0,0,NULL,1795424400123456,NULL,20780,0);
INSERT INTO deliveries VALUES(2,'2684050b70d9342e9f66','b90bc9390bcd6bad9331','wa','slack','slack:#wa','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'claimed',NULL,0,0,'[]','{}',0,0,1,NULL,'{}',NULL,0,0,NULL,1795424400123456,NULL,20779,0);
INSERT INTO deliveries VALUES(3,'969f9f7b992c0ddda67a','06b29bb318814108e942','wa','slack','slack:#wa','slack','rule',1795424402623456,1795424400123456,'Numbers that go live',1,NULL,0,'pending',NULL,0,0,'[]','{}',1,0,1,'HTTP 503','{}',NULL,0,0,NULL,1795424400123456,NULL,20779,0);
INSERT INTO deliveries VALUES(4,'a41e65477b1256fec1b6','62a2fed3d6e08c44835f','wa','slack','slack:#wa','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,1,'pending',NULL,0,0,'[]','{}',0,0,0,NULL,'{}',NULL,0,0,NULL,1795424400123456,NULL,20780,0);
INSERT INTO deliveries VALUES(5,'45998ba89b2b6986adc7','bbe7d3d2e328e1f6bfda','broken','slack','slack:#broken','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'parked',NULL,0,0,'[]','{}',0,0,1,'channel_not_found','{}',NULL,0,0,NULL,1795424400123456,NULL,20780,0);
INSERT INTO deliveries VALUES(6,'5f1f0c3ffa6da9e8e5a2','88f6811ab5d8fc6d3177','gone','slack','slack:#gone','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'parked',NULL,0,0,'[]','{}',0,0,0,'its destination is no longer known','{}',NULL,0,1,NULL,1795424400123456,NULL,20779,0);
INSERT INTO deliveries VALUES(7,'af12aefae39e6dd565c2','28a3a5e81d1e89f0efc7','other','slack','slack:#other','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'dead',NULL,1,0,'[]','{}',2,0,2,'invalid_blocks','{}',NULL,0,0,'{"title":"T","text":"x","payload":{"a":1}}',1795424400123456,1795424400123456,20780,0);
INSERT INTO deliveries VALUES(8,'6ac774600bb534e2dfcd','373e0712c83cffe15ff4','other','slack','slack:#other','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'delivered','posted',0,0,'[]','{}',0,0,1,NULL,'{"ts":"1.2","channel":"C1"}',NULL,0,0,'{"title":"Gr\u00fc\u00dfe","text":"x"}',1795424400123456,1795424400123456,20779,0);
INSERT INTO deliveries VALUES(9,'5d748d959ad04f541035','f63d5b6b4de4fca716f2','other','slack','slack:#other','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'suppressed',NULL,0,0,'[]','{}',0,0,0,'discarded by ada','{}',NULL,0,0,NULL,1795424400123456,1795424400123456,20780,0);
INSERT INTO deliveries VALUES(10,'7d1c9c8512e6ac9ec09a','3c8cab8b47d6d0ac0e1b','other','slack','slack:#other','slack','rule',1795424400123456,1795424400123456,'Numbers that go live',1,NULL,0,'pending',NULL,1,0,'[]','{}',1,0,1,'too_long','{}',NULL,0,0,NULL,1795424400123456,NULL,20780,0);
INSERT INTO deliveries VALUES(11,'replay00000000000000','373e0712c83cffe15ff4','other','slack','slack:#other','slack','replay',1795510800123456,1795424400123456,'Numbers that go live',1,NULL,0,'pending',NULL,0,0,'[]','{}',0,0,0,NULL,'{}',NULL,0,0,NULL,1795424400123456,NULL,20779,0);
INSERT INTO deliveries VALUES(12,'5ab5ffb243d353ae69c0','5e94ec139442cfe98f5c','other','slack','slack:#other','slack','alarm',1795510800123456,1795424400123456,'Numbers that go live',1,NULL,0,'pending',NULL,0,0,'[]','{}',0,0,0,NULL,'{}',NULL,0,0,NULL,1795424400123456,NULL,20780,1);
CREATE INDEX claimed ON deliveries (seq) WHERE state = 'claimed';
CREATE INDEX dead ON deliveries (seq) WHERE state = 'dead';
CREATE INDEX deliveries_by_day ON deliveries (day, own, state);
CREATE INDEX deliveries_by_destination ON deliveries (destination, seq);
CREATE INDEX deliveries_by_time ON deliveries (created_at);
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
CREATE INDEX deliveries_of_event ON deliveries (event_id, seq);
CREATE INDEX parked_by_account ON deliveries (account) WHERE state = 'parked';
CREATE INDEX parked_by_lane ON deliveries (target, orphan, seq, due_at) WHERE state = 'parked';
CREATE INDEX pending_by_account ON deliveries (account) WHERE state = 'pending';
CREATE INDEX pending_by_age ON deliveries (target, seq) WHERE state = 'pending';
CREATE INDEX pending_by_lane ON deliveries (target, turn, due_at, seq) WHERE state = 'pending';

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
INSERT INTO directory VALUES('client','dev001CL','name','Musterladen GmbH',1795424400123456,'channel_live','f63d5b6b4de4fca716f2',NULL,NULL,NULL);
INSERT INTO directory VALUES('phone','+491713920011','client','dev001CL',1795424400123456,'channel_live','f63d5b6b4de4fca716f2',NULL,NULL,NULL);
INSERT INTO directory VALUES('phone','+491713920011','waba','100000000000101',1795424400123456,'channel_live','f63d5b6b4de4fca716f2',NULL,NULL,NULL);
INSERT INTO directory VALUES('waba','100000000000101','client','dev001CL',1795424400123456,'channel_live','f63d5b6b4de4fca716f2',NULL,NULL,NULL);
CREATE INDEX directory_phones ON directory (object, subject)
    WHERE noun = 'phone' AND relation = 'waba';

CREATE TABLE event_phones (
    phone TEXT NOT NULL,
    event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (phone, event)
) STRICT, WITHOUT ROWID;
INSERT INTO event_phones VALUES('+491713920011',1);
INSERT INTO event_phones VALUES('+491713920011',2);
INSERT INTO event_phones VALUES('+491713920011',3);
INSERT INTO event_phones VALUES('+491713920011',4);
INSERT INTO event_phones VALUES('+491713920011',6);
INSERT INTO event_phones VALUES('+491713920011',7);
INSERT INTO event_phones VALUES('+491713920011',8);
INSERT INTO event_phones VALUES('+491713920011',9);
INSERT INTO event_phones VALUES('+491713920011',10);
INSERT INTO event_phones VALUES('+491713920011',11);
INSERT INTO event_phones VALUES('+491713920011',12);
INSERT INTO event_phones VALUES('+491713920011',13);
INSERT INTO event_phones VALUES('+491713920011',14);
INSERT INTO event_phones VALUES('+491713920011',15);
CREATE INDEX phones_of_event ON event_phones (event);

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
, forgotten_at INTEGER, twin TEXT) STRICT;
INSERT INTO events VALUES(1,'62a2fed3d6e08c44835f','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"62a2fed3d6e08c44835f","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"pending"}}}',NULL,NULL);
INSERT INTO events VALUES(2,'06b29bb318814108e942','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795338000123456,'{"id":"06b29bb318814108e942","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"retry"}}}',NULL,NULL);
INSERT INTO events VALUES(3,'d79d3458a58877cd8e48','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"d79d3458a58877cd8e48","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"claimed"}}}',NULL,NULL);
INSERT INTO events VALUES(4,'b90bc9390bcd6bad9331','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795338000123456,'{"id":"b90bc9390bcd6bad9331","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"tried"}}}',NULL,NULL);
INSERT INTO events VALUES(5,'bbe7d3d2e328e1f6bfda','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"bbe7d3d2e328e1f6bfda","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":null,"phones":[],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"parked"}}}',1795424400123456,NULL);
INSERT INTO events VALUES(6,'88f6811ab5d8fc6d3177','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795338000123456,'{"id":"88f6811ab5d8fc6d3177","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"orphan"}}}',NULL,NULL);
INSERT INTO events VALUES(7,'28a3a5e81d1e89f0efc7','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"28a3a5e81d1e89f0efc7","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"dead"}}}',NULL,NULL);
INSERT INTO events VALUES(8,'373e0712c83cffe15ff4','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795338000123456,'{"id":"373e0712c83cffe15ff4","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"delivered"}}}',NULL,NULL);
INSERT INTO events VALUES(9,'f63d5b6b4de4fca716f2','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"f63d5b6b4de4fca716f2","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"suppressed"}}}',NULL,NULL);
INSERT INTO events VALUES(10,'915c0f60e80855f6455a','partner','channel_live','dev001cl','musterladen gmbh','unmatched',NULL,1,1795338000123456,'{"id":"915c0f60e80855f6455a","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"unmatched"}}}',NULL,NULL);
INSERT INTO events VALUES(11,'8fdb32ddbb0c798822b9','partner','channel_live','dev001cl','musterladen gmbh','muted','No news',1,1795424400123456,'{"id":"8fdb32ddbb0c798822b9","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"muted"}}}',NULL,NULL);
INSERT INTO events VALUES(12,'318c5ad51e9b36ff5924','partner','channel_live','dev001cl','musterladen gmbh','received',NULL,NULL,1795338000123456,'{"id":"318c5ad51e9b36ff5924","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-22T09:00:00.123456Z","data":{"channel":{"id":"received"}}}',NULL,NULL);
INSERT INTO events VALUES(13,'ed74ab0076bffb3a037d','partner','channel_live','dev001cl','musterladen gmbh','received',NULL,NULL,1795424400123456,'{"id":"ed74ab0076bffb3a037d","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"received too"}}}',NULL,NULL);
INSERT INTO events VALUES(14,'3c8cab8b47d6d0ac0e1b','partner','channel_live','dev001cl','musterladen gmbh','routed',NULL,1,1795424400123456,'{"id":"3c8cab8b47d6d0ac0e1b","source":"partner","kind":"channel_live","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":null,"waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"degraded"}},"completed":{"phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":"100000000000101","waba_360":null,"origins":{"waba":{"through":"number +491713920011","kind":"channel_live","event_id":"f63d5b6b4de4fca716f2","at":"2026-11-23T09:00:00.123456Z"}}}}',NULL,NULL);
INSERT INTO events VALUES(15,'5e94ec139442cfe98f5c','relay','relay_alarm','dev001cl','musterladen gmbh','routed',NULL,NULL,1795424400123456,'{"id":"5e94ec139442cfe98f5c","source":"relay","kind":"relay_alarm","detail":null,"topic":"onboarding","phone":"+491713920011","phones":["+491713920011"],"phone_name":null,"client":{"id":"dev001CL","name":"Musterladen GmbH"},"country":null,"waba":null,"waba_360":null,"severity":"info","direction":"better","title":"Number is live","test":false,"occurred_at":null,"received_at":"2026-11-23T09:00:00.123456Z","data":{"channel":{"id":"alarm"}}}',NULL,NULL);
CREATE INDEX events_by_client_id ON events (client_id, seq) WHERE client_id IS NOT NULL;
CREATE INDEX events_by_client_name ON events (client_name, seq) WHERE client_name IS NOT NULL;
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE INDEX events_by_time ON events (received_at, source, state);
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
CREATE INDEX events_unrouted ON events (seq) WHERE state = 'received';

CREATE TABLE ledger (                   -- in which state it is now
    day    INTEGER NOT NULL,
    noun   TEXT NOT NULL,
    state  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0,  -- so many of them have no row any more: retention
    PRIMARY KEY (day, noun, state)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger VALUES(20380,'deliveries','claimed',0,0);
INSERT INTO ledger VALUES(20380,'deliveries','delivered',1,1);
INSERT INTO ledger VALUES(20380,'deliveries','pending',0,0);
INSERT INTO ledger VALUES(20380,'events','received',0,0);
INSERT INTO ledger VALUES(20380,'events','routed',1,1);
INSERT INTO ledger VALUES(20779,'deliveries','claimed',1,0);
INSERT INTO ledger VALUES(20779,'deliveries','delivered',1,0);
INSERT INTO ledger VALUES(20779,'deliveries','parked',1,0);
INSERT INTO ledger VALUES(20779,'deliveries','pending',2,0);
INSERT INTO ledger VALUES(20779,'events','received',1,0);
INSERT INTO ledger VALUES(20779,'events','routed',4,0);
INSERT INTO ledger VALUES(20779,'events','unmatched',1,0);
INSERT INTO ledger VALUES(20780,'deliveries','claimed',1,0);
INSERT INTO ledger VALUES(20780,'deliveries','dead',1,0);
INSERT INTO ledger VALUES(20780,'deliveries','parked',1,0);
INSERT INTO ledger VALUES(20780,'deliveries','pending',2,0);
INSERT INTO ledger VALUES(20780,'deliveries','suppressed',1,0);
INSERT INTO ledger VALUES(20780,'events','muted',1,0);
INSERT INTO ledger VALUES(20780,'events','received',1,0);
INSERT INTO ledger VALUES(20780,'events','routed',6,0);
INSERT INTO ledger VALUES(20780,'own','pending',1,0);

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO meta VALUES('version','3');

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    size   INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    body   BLOB
, route TEXT) STRICT;
INSERT INTO quarantine VALUES(1,1795424400123456,'conflict: event 62a2fed3d6e08c44835f came before with another content',34,'a83d34f0be3c03cbb442b8e39090eb49105c19b54f1339e98445203fa4f233db',X'7B226964223A2270656E64696E67222C22636F6E74656E74223A226F74686572227D',NULL);
INSERT INTO quarantine VALUES(2,1795424400123456,'not JSON',3,'0000000000000000000000000000000000000000000000000000000000000000',X'7B7B7B','/webhooks/meta');
CREATE INDEX quarantine_bodies ON quarantine (at) WHERE body IS NOT NULL;
CREATE INDEX quarantine_by_time ON quarantine (at);

CREATE TABLE rules_versions (
    version   INTEGER PRIMARY KEY,
    loaded_at INTEGER NOT NULL,
    files     TEXT NOT NULL
) STRICT;
INSERT INTO rules_versions VALUES(1,1760864400123456,'{"rules.yaml":"version: 1\n"}');

CREATE TABLE taken (                    -- what ever came in, counted once and never changed
    day   INTEGER NOT NULL,
    noun  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, noun)
) STRICT, WITHOUT ROWID;
INSERT INTO taken VALUES(20380,'deliveries',1);
INSERT INTO taken VALUES(20380,'events',1);
INSERT INTO taken VALUES(20779,'deliveries',5);
INSERT INTO taken VALUES(20779,'events',6);
INSERT INTO taken VALUES(20780,'deliveries',6);
INSERT INTO taken VALUES(20780,'events',8);
INSERT INTO taken VALUES(20780,'own',1);

CREATE TABLE tallies (
    hour  INTEGER NOT NULL,             -- hours since 1970 in UTC
    name  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, name)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies VALUES(498729,'duplicate',1);
INSERT INTO tallies VALUES(498729,'ignored',1);
INSERT INTO tallies VALUES(498729,'quarantined',2);
INSERT INTO tallies VALUES(498729,'refused',3);

CREATE TABLE troubles (
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    reason      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    since       INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
INSERT INTO troubles VALUES('target','slack:#broken','channel_not_found','f1',1795424400123456);

CREATE TABLE twin_tokens (
    token BLOB NOT NULL,                -- a hash of what happened and to whom
    event INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (token, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_event ON twin_tokens (event);


CREATE VIEW tallies_by_day AS
    SELECT date(hour * 3600, 'unixepoch') AS day, name, sum(count) AS count
      FROM tallies GROUP BY 1, 2;
