-- Jobs, passages, the journal of their stages, and the blanks that moved.
-- Times are microseconds since 1970 for people; order always comes from the row id.

CREATE TABLE job (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    record_digest  TEXT    NOT NULL UNIQUE,          -- the same sealed content is one job, however often it is sent
    record_id      TEXT    NOT NULL,                 -- the centre's name for the record
    payload        TEXT    NOT NULL,                 -- sha256 of the stored record = its file name in the spool
    payload_bytes  INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('held', 'ready', 'active', 'issued', 'handed_over', 'failed', 'cancelled')),
    reason         TEXT    NOT NULL DEFAULT '',      -- why it is held, failed or ready again: a code
    reason_id      TEXT    NOT NULL DEFAULT '',      -- the same for staff: one sentence and one action, never the record's content
    reason_en      TEXT    NOT NULL DEFAULT '',
    staff_note     TEXT    NOT NULL DEFAULT '',      -- who last cancelled or retried it, and why, in their words
    remakes        INTEGER NOT NULL DEFAULT 0,       -- rejects of its blanks since it was accepted or retried
    received_us    INTEGER NOT NULL,
    changed_us     INTEGER NOT NULL
) STRICT;

CREATE INDEX job_by_state ON job (state, id);

CREATE TABLE passage (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id         INTEGER NOT NULL REFERENCES job (id),
    lane           TEXT    NOT NULL,
    plan           TEXT    NOT NULL,                 -- which passage table it runs
    printer_serial TEXT    NOT NULL,
    chip_uid       TEXT,                             -- the blank's identity, once it was read
    state          TEXT    NOT NULL CHECK (state IN ('live', 'unknown', 'ended')),
    verdict        TEXT    CHECK (verdict IN ('good', 'spoiled', 'still_blank')),
    reason         TEXT    NOT NULL DEFAULT '',      -- why it is not good: a key of conditions.CONDITIONS
    resolved_by    TEXT    NOT NULL DEFAULT '',      -- the person who settled an unknown passage
    resolved_why   TEXT    NOT NULL DEFAULT '',      -- and why, in their words
    started_us     INTEGER NOT NULL,
    ended_us       INTEGER,
    CHECK ((state = 'ended') = (verdict IS NOT NULL))
) STRICT;

-- What no program error may do: two cards at once for a job or in a lane, a second good card, a chip used twice.
CREATE UNIQUE INDEX one_open_passage_per_job ON passage (job_id) WHERE state <> 'ended';
CREATE UNIQUE INDEX one_open_passage_per_lane ON passage (lane) WHERE state <> 'ended';
CREATE UNIQUE INDEX one_good_card_per_job ON passage (job_id) WHERE verdict = 'good';
CREATE UNIQUE INDEX one_passage_per_chip ON passage (chip_uid) WHERE chip_uid IS NOT NULL AND verdict IS NOT 'still_blank';

CREATE TABLE stage (
    passage_id     INTEGER NOT NULL REFERENCES passage (id),
    seq            INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    intent_us      INTEGER NOT NULL,
    intent         TEXT    NOT NULL,                 -- JSON: the witnesses before the act
    outcome        TEXT    CHECK (outcome IN ('done', 'failed')),
    outcome_us     INTEGER,
    evidence       TEXT,                             -- JSON: the witnesses after it, or the condition that ended it
    elapsed_ms     INTEGER,
    PRIMARY KEY (passage_id, seq),
    CHECK ((outcome IS NULL) = (outcome_us IS NULL))
) STRICT;

CREATE TABLE blank_move (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us          INTEGER NOT NULL,
    lane           TEXT    NOT NULL,
    source         TEXT    NOT NULL CHECK (source IN ('outside', 'hopper', 'passage')),
    target         TEXT    NOT NULL CHECK (target IN ('outside', 'hopper', 'passage')),
    quantity       INTEGER NOT NULL CHECK (quantity > 0),
    passage_id     INTEGER REFERENCES passage (id),
    who            TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    CHECK (source <> target)
) STRICT;

CREATE INDEX blank_move_by_lane ON blank_move (lane, id);

CREATE TRIGGER blank_move_is_append_only_update BEFORE UPDATE ON blank_move BEGIN SELECT RAISE(ABORT, 'blank_move is append-only'); END;
CREATE TRIGGER blank_move_is_append_only_delete BEFORE DELETE ON blank_move BEGIN SELECT RAISE(ABORT, 'blank_move is append-only'); END;

CREATE TABLE flag (
    name           TEXT PRIMARY KEY,                 -- what staff asked for and must survive a restart: 'hold'
    value          TEXT NOT NULL
) STRICT, WITHOUT ROWID;
