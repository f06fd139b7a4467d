-- The account books of blanks and ribbons: append-only entries, balances that the database keeps and never lets go below zero.
-- The old moves are entered into the new books; nothing else in the journal changes.

CREATE TABLE batch (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    number         TEXT    NOT NULL COLLATE NOCASE UNIQUE,  -- the supplier's: received twice is a mistake
    item           TEXT    NOT NULL CHECK (item IN ('blank', 'ribbon')),
    quantity       INTEGER NOT NULL CHECK (quantity > 0),
    document       TEXT    NOT NULL,
    uids           INTEGER NOT NULL CHECK (uids IN (0, quantity)),  -- listed one by one, or received by count only
    received_us    INTEGER NOT NULL,
    used           INTEGER NOT NULL DEFAULT 0        -- its chips that did not stay blank; kept by a trigger on entry
) STRICT;

CREATE TABLE uid_range (
    digits         INTEGER NOT NULL CHECK (digits = length(first) AND digits = length(last)),  -- UIDs compare only with their like
    first          TEXT    NOT NULL,
    last           TEXT    NOT NULL CHECK (last >= first),
    batch_id       INTEGER NOT NULL REFERENCES batch (id),
    PRIMARY KEY (digits, first)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER uid_ranges_never_overlap BEFORE INSERT ON uid_range BEGIN
    SELECT RAISE(ABORT, 'this range of UIDs overlaps another') WHERE NEW.first <= (
        SELECT last FROM uid_range WHERE digits = NEW.digits AND first <= NEW.last ORDER BY first DESC LIMIT 1);
END;

CREATE TABLE account (
    name           TEXT    PRIMARY KEY,
    item           TEXT    NOT NULL,
    balance        INTEGER NOT NULL,                 -- kept by the trigger on entry, checked against the sum of entries
    UNIQUE (name, item),
    CHECK (balance >= 0 OR name IN ('supplier', 'surplus', 'ribbon_supplier', 'ribbon_unrecorded')),  -- nothing can lie in these
    CHECK (
        (item = 'blank' AND (name IN ('supplier', 'store', 'issued', 'destroyed', 'returned', 'missing', 'surplus')
                             OR name GLOB 'hopper:?*' OR name GLOB 'passage:?*' OR name GLOB 'reject:?*'))
        OR (item = 'ribbon' AND (name IN ('ribbon_supplier', 'ribbon_store', 'ribbon_used', 'ribbon_wasted',
                                          'ribbon_missing', 'ribbon_unrecorded')
                                 OR name GLOB 'ribbon:?*')))
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us          INTEGER NOT NULL,
    item           TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    target         TEXT    NOT NULL,
    quantity       INTEGER NOT NULL CHECK (quantity > 0),
    batch_id       INTEGER REFERENCES batch (id),
    passage_id     INTEGER REFERENCES passage (id),
    who            TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    document       TEXT    NOT NULL DEFAULT '',
    CHECK (source <> target),
    FOREIGN KEY (source, item) REFERENCES account (name, item),
    FOREIGN KEY (target, item) REFERENCES account (name, item)
) STRICT;

CREATE INDEX entry_by_target ON entry (target, id);
CREATE INDEX entry_by_passage ON entry (passage_id) WHERE passage_id IS NOT NULL;
CREATE INDEX entry_without_batch ON entry (id) WHERE source = 'supplier' AND batch_id IS NULL;

CREATE TRIGGER entry_is_append_only_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END;
CREATE TRIGGER entry_is_append_only_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entry is append-only'); END;

-- RAISE holds even for INSERT OR IGNORE and OR REPLACE, which would get round a CHECK and a delete trigger.
CREATE TRIGGER entry_is_covered BEFORE INSERT ON entry BEGIN
    SELECT RAISE(ABORT, 'entry is append-only') WHERE EXISTS (SELECT 1 FROM entry WHERE id = NEW.id);
    INSERT INTO account (name, item, balance)
        SELECT name, NEW.item, 0 FROM (SELECT NEW.source AS name UNION SELECT NEW.target) AS wanted
        WHERE NOT EXISTS (SELECT 1 FROM account WHERE account.name = wanted.name);
    SELECT RAISE(ABORT, 'an account cannot fall below zero') FROM account WHERE name = NEW.source AND balance < NEW.quantity
        AND name NOT IN ('supplier', 'surplus', 'ribbon_supplier', 'ribbon_unrecorded');
END;

CREATE TRIGGER entry_moves_balances AFTER INSERT ON entry BEGIN
    UPDATE account SET balance = balance - NEW.quantity WHERE name = NEW.source;
    UPDATE account SET balance = balance + NEW.quantity WHERE name = NEW.target;
END;

CREATE TRIGGER entry_uses_batch AFTER INSERT ON entry
WHEN NEW.batch_id IS NOT NULL AND NEW.source GLOB 'passage:*' AND NEW.target NOT GLOB 'hopper:*' BEGIN
    UPDATE batch SET used = used + NEW.quantity WHERE id = NEW.batch_id;
END;

-- The old books let a hopper fall below zero; what was missing there was a surplus nobody had counted in.
CREATE TEMP TABLE old_move AS
    SELECT move.id, move.at_us, move.passage_id, move.quantity, move.who, move.reason, move.lane,
           CASE move.source WHEN 'outside' THEN 'supplier' ELSE move.source || ':' || move.lane END AS source,
           CASE WHEN move.target <> 'outside' THEN move.target || ':' || move.lane
                WHEN passage.verdict = 'good' THEN 'issued' ELSE 'reject:' || move.lane END AS target
    FROM blank_move AS move LEFT JOIN passage ON passage.id = move.passage_id;

INSERT INTO entry (at_us, item, source, target, quantity, who, reason)
    SELECT min(at_us), 'blank', 'surplus', name, -min(running), 'station', 'older than the ledger' FROM (
        SELECT at_us, name, sum(change) OVER (PARTITION BY name ORDER BY id) AS running FROM (
            SELECT id, at_us, target AS name, quantity AS change FROM old_move
            UNION ALL SELECT id, at_us, source, -quantity FROM old_move))
    WHERE name <> 'supplier' GROUP BY name HAVING min(running) < 0;

INSERT INTO entry (at_us, item, source, target, quantity, passage_id, who, reason)
    SELECT at_us, 'blank', source, target, quantity, passage_id, who, reason FROM old_move ORDER BY id;

DROP TABLE old_move;
DROP TABLE blank_move;

CREATE TABLE stock_count (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us          INTEGER NOT NULL,
    account        TEXT    NOT NULL,
    counted        INTEGER NOT NULL CHECK (counted >= 0),
    ledger         INTEGER NOT NULL,                 -- what the books said, told only after the number was given
    who            TEXT    NOT NULL,
    reason         TEXT    NOT NULL
) STRICT;

CREATE TRIGGER stock_count_is_append_only_update BEFORE UPDATE ON stock_count
    BEGIN SELECT RAISE(ABORT, 'stock_count is append-only'); END;
CREATE TRIGGER stock_count_is_append_only_delete BEFORE DELETE ON stock_count
    BEGIN SELECT RAISE(ABORT, 'stock_count is append-only'); END;

CREATE TABLE destroyed_uid (
    uid            TEXT    PRIMARY KEY,
    entry_id       INTEGER NOT NULL REFERENCES entry (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE act (
    key            TEXT    PRIMARY KEY,              -- the caller's own: the same act sent again is answered, not done
    at_us          INTEGER NOT NULL,
    command        TEXT    NOT NULL,                 -- hash of what was asked
    answer         TEXT    NOT NULL                  -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT    NOT NULL,                 -- a key of incidents.KINDS
    place          TEXT    NOT NULL,                 -- a lane, an account such as store or reject:1, or nothing
    detail         TEXT    NOT NULL,
    passage_id     INTEGER REFERENCES passage (id),
    raised_us      INTEGER NOT NULL,
    explained_us   INTEGER,
    explained_by   TEXT    NOT NULL DEFAULT '',
    explanation    TEXT    NOT NULL DEFAULT '',
    CHECK ((explained_us IS NULL) = (explanation = '') AND (explained_us IS NULL) = (explained_by = ''))
) STRICT;

CREATE UNIQUE INDEX one_open_incident_of_a_kind ON incident (kind, place) WHERE explained_us IS NULL;

CREATE TRIGGER explained_incidents_stay BEFORE UPDATE ON incident WHEN OLD.explained_us IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'an explained incident cannot change'); END;
CREATE TRIGGER incidents_are_kept BEFORE DELETE ON incident BEGIN SELECT RAISE(ABORT, 'incidents are kept'); END;

CREATE TABLE printer_seen (
    serial         TEXT    NOT NULL,
    lane           TEXT    NOT NULL,
    cards_fed      INTEGER NOT NULL,                 -- its life counter when the books were last compared with it
    entry_id       INTEGER NOT NULL,                 -- the newest entry then
    PRIMARY KEY (serial, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE roll (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    lane           TEXT    NOT NULL,
    sets           INTEGER NOT NULL CHECK (sets > 0),  -- by its box
    fitted_us      INTEGER NOT NULL,
    used           INTEGER NOT NULL DEFAULT 0,       -- sets printed from it: its measured yield once it is off
    remaining      INTEGER,                          -- by the printer's own counter, when last seen
    removed_us     INTEGER
) STRICT;

CREATE UNIQUE INDEX one_roll_in_a_lane ON roll (lane) WHERE removed_us IS NULL;

-- How many jobs are in each state and passages ended with each verdict: the status is read several times a second for years.
CREATE TABLE tally (
    kind           TEXT    NOT NULL,                 -- job, by its state; passage, by its verdict
    name           TEXT    NOT NULL,
    number         INTEGER NOT NULL CHECK (number >= 0),
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

WITH known (kind, name) AS (
    VALUES ('job', 'held'), ('job', 'ready'), ('job', 'active'), ('job', 'issued'), ('job', 'handed_over'), ('job', 'failed'),
           ('job', 'cancelled'), ('passage', 'good'), ('passage', 'spoiled'), ('passage', 'still_blank'))
INSERT INTO tally SELECT kind, name, CASE kind WHEN 'job' THEN (SELECT count(*) FROM job WHERE state = name)
                                               ELSE (SELECT count(*) FROM passage WHERE verdict = name) END FROM known;

CREATE TRIGGER job_is_tallied_insert AFTER INSERT ON job BEGIN
    UPDATE tally SET number = number + 1 WHERE kind = 'job' AND name = NEW.state;
END;
CREATE TRIGGER job_is_tallied_update AFTER UPDATE OF state ON job WHEN NEW.state <> OLD.state BEGIN
    UPDATE tally SET number = number - 1 WHERE kind = 'job' AND name = OLD.state;
    UPDATE tally SET number = number + 1 WHERE kind = 'job' AND name = NEW.state;
END;
CREATE TRIGGER job_is_tallied_delete AFTER DELETE ON job BEGIN
    UPDATE tally SET number = number - 1 WHERE kind = 'job' AND name = OLD.state;
END;
CREATE TRIGGER passage_is_tallied_insert AFTER INSERT ON passage WHEN NEW.verdict IS NOT NULL BEGIN
    UPDATE tally SET number = number + 1 WHERE kind = 'passage' AND name = NEW.verdict;
END;
CREATE TRIGGER passage_is_tallied_update AFTER UPDATE OF verdict ON passage WHEN NEW.verdict IS NOT OLD.verdict BEGIN
    UPDATE tally SET number = number - 1 WHERE kind = 'passage' AND name = OLD.verdict;
    UPDATE tally SET number = number + 1 WHERE kind = 'passage' AND name = NEW.verdict;
END;
CREATE TRIGGER passage_is_tallied_delete AFTER DELETE ON passage WHEN OLD.verdict IS NOT NULL BEGIN
    UPDATE tally SET number = number - 1 WHERE kind = 'passage' AND name = OLD.verdict;
END;

CREATE INDEX passage_by_job ON passage (job_id);
