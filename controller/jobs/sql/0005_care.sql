-- Care of printers: the settings that were accepted for each unit, what people had it do between passages, and its pacing.

CREATE TABLE printer_setting (
    serial         TEXT    NOT NULL,
    name           TEXT    NOT NULL,                 -- the profile's name of the setting
    accepted       TEXT    NOT NULL,                 -- what it should be, as the printer says it
    accepted_by    TEXT    NOT NULL,                 -- 'station' for the first reading ever
    accepted_why   TEXT    NOT NULL,
    accepted_us    INTEGER NOT NULL,
    seen           TEXT    NOT NULL,                 -- what it was when last read; differs: an incident was raised for it
    PRIMARY KEY (serial, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE care_act (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    lane           TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('clean', 'test_card')),
    who            TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    asked_us       INTEGER NOT NULL,
    begun_us       INTEGER,
    serial         TEXT    NOT NULL DEFAULT '',      -- these three as the printer said just before it was begun
    cards_fed      INTEGER,
    ribbon         INTEGER,
    ended_us       INTEGER,
    outcome        TEXT    NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'refused', 'failed', 'unknown')),
    condition      TEXT    NOT NULL DEFAULT '',      -- why it was not done: a key of conditions.CONDITIONS
    detail         TEXT    NOT NULL DEFAULT '',
    counted        INTEGER,                          -- cards that the printer counted in it
    CHECK ((ended_us IS NULL) = (outcome = '')),
    CHECK (begun_us IS NULL OR cards_fed IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX one_open_care_act_per_lane ON care_act (lane) WHERE ended_us IS NULL;
CREATE INDEX care_act_by_lane ON care_act (lane, kind, id);

CREATE TRIGGER ended_care_acts_stay BEFORE UPDATE ON care_act WHEN OLD.ended_us IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'an ended care act cannot change'); END;
CREATE TRIGGER care_acts_are_kept BEFORE DELETE ON care_act BEGIN SELECT RAISE(ABORT, 'care acts are kept'); END;

CREATE TABLE printer_pace (
    serial         TEXT    PRIMARY KEY,
    cards          INTEGER NOT NULL CHECK (cards > 0),  -- printed in a row, without a rest between them
    boot_id        TEXT    NOT NULL,                 -- in which monotonic_us counts; another boot: nobody knows how long ago
    monotonic_us   INTEGER NOT NULL                  -- when the last of them ended
) STRICT, WITHOUT ROWID;

CREATE INDEX roll_by_lane ON roll (lane, id);
