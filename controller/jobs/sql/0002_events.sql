-- The event log: one row for each fact, written in the fact's own commit; each row holds the hash of the one before.
-- Its words are in docs/event-log.md. The triggers keep honest programs from mistakes; against others stand hashes and signatures.

CREATE TABLE event (
    seq            INTEGER PRIMARY KEY,              -- 1, 2, 3, ... without a gap
    body           TEXT    NOT NULL,                 -- canonical JSON (RFC 8785) of seq, prev, kind, facts and time
    hash           TEXT    NOT NULL CHECK (length(hash) = 64)  -- SHA-256 of body, lower-case hex
) STRICT;

CREATE TRIGGER event_is_append_only_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER event_is_append_only_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
-- Also stops INSERT OR REPLACE, which fires no delete trigger.
CREATE TRIGGER event_has_no_gap BEFORE INSERT ON event WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM event), 0)
BEGIN SELECT RAISE(ABORT, 'event is append-only and has no gap'); END;
