-- Questions that only a person can answer, and the reader that a passage was begun on.

ALTER TABLE passage ADD COLUMN reader TEXT NOT NULL DEFAULT '';  -- another printer or reader is another epoch

CREATE TABLE question (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    passage_id     INTEGER NOT NULL UNIQUE REFERENCES passage (id),   -- a passage is asked about once: its answer ends it
    lane           TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('tray', 'desk', 'look')),
    evidence       TEXT    NOT NULL,                 -- JSON: what lane and desk reader could tell
    asked_us       INTEGER NOT NULL,
    answered_us    INTEGER,
    verdict        TEXT    CHECK (verdict IN ('good', 'spoiled', 'still_blank')),
    who            TEXT    NOT NULL DEFAULT '',      -- who said so: a person, or the desk reader
    why            TEXT    NOT NULL DEFAULT '',
    CHECK ((answered_us IS NULL) = (verdict IS NULL))
) STRICT;

CREATE UNIQUE INDEX one_open_question_per_lane ON question (lane) WHERE answered_us IS NULL;
