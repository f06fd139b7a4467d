"""The station's event log: append-only, hash-chained rows in the same commit as the fact they tell (docs/event-log.md).

A row's body is canonical JSON (RFC 8785) of {"seq", "prev", "kind", "facts", "time"}; its hash is SHA-256 of those bytes and the
next row's `prev`. `link` is pure; `append` adds the clock and the table. Order is `seq`, never the clock.

Never a resident's data: no record content, no names, no free text that staff typed. Ids, digests, codes and who (staff) are fine.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.clock import TimeStamp, time_stamp
from controller.jobs.storage_faults import DATABASE, broken
from controller.model import LogHead
from controller.records.canonical import Json, canonical_bytes

GENESIS_PREV = "0" * 64
MAX_BODY_BYTES = 16 * 1024  # a row has 300 to 600 bytes; verify_log.py refuses what is far longer before it reads it
_MAX_INT = 2**53 - 1  # RFC 8785: the largest whole number every reader keeps exact


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: what it tells and the names its facts may have."""

    tells: str
    facts: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "genesis": Kind("the log begins: random station id, the station's name, its public key", ("station", "name", "key")),
    "checkpoint": Kind("the station's signature over all rows before this one", ("key", "signature")),
    "station_started": Kind("the daemon is up", ("version",)),
    "station_stopped": Kind("the daemon ends in good order", ()),
    "hold": Kind("staff pressed HOLD: no card is fed", ("who",)),
    "go": Kind("staff pressed GO", ("who",)),
    "job_accepted": Kind("a record became a job; `record` is the digest of its sealed content", ("job", "record")),
    "job_changed": Kind(
        "a job moved along the state table; `reason` is a code", ("job", "event", "state", "reason", "remakes", "who")
    ),
    "payload_restored": Kind("the spool had lost a job's record; it was handed in again", ("job",)),
    "state_restored": Kind(
        "the state was restored from a snapshot: what happened between `head` and this row is not known here. Jobs that are not "
        "done are held, and `adopted` records of the spool became held jobs; `records`: SHA-256 of their digests, a line each",
        ("epoch", "taken_us", "head", "held", "unknown", "adopted", "records", "who"),
    ),
    "state_trusted": Kind(
        "a person vouches for the state as it is after a loss or a restore; after a lost WAL jobs are held as after a restore",
        ("epoch", "held", "unknown", "adopted", "records", "who"),
    ),
    "passage_begun": Kind("a blank is to be fed for a job", ("passage", "job", "lane", "printer", "reader")),
    "intent": Kind("a stage is about to act; `facts` are the witnesses before it", ("passage", "stage", "facts")),
    "outcome": Kind("the stage that was under way ended; `facts` are the witnesses after it", ("passage", "outcome", "facts")),
    "verdict": Kind(
        "what became of a passage's card; `missing`: nobody has it; `who`: a person who said so",
        ("passage", "job", "verdict", "condition", "uid", "who", "missing"),
    ),
    "question": Kind("a person must say what became of a card; `row` is of the verdict table", ("passage", "kind", "row")),
    "answer": Kind(
        "what a person or the desk reader said led to this row of the verdict table", ("passage", "row", "answer", "who")
    ),
    "ledger_entry": Kind(
        "blanks or ribbons moved between accounts; the reason a person typed is there as its SHA-256",
        ("entry", "source", "target", "quantity", "batch", "passage", "who", "reason", "document"),
    ),
    "batch": Kind(
        "a batch was received; `uids` is the digest of its list",
        ("batch", "number", "item", "quantity", "document", "uids", "who"),
    ),
    "stock_count": Kind("a blind count", ("count", "account", "counted", "ledger", "who")),
    "incident_opened": Kind("something contradicted the ledger", ("incident", "kind", "lane", "passage")),
    "care_begun": Kind(
        "a person has the printer clean itself or print its own test card; `reason` is the SHA-256 of what they typed",
        ("care", "act", "lane", "printer", "who", "reason"),
    ),
    "care_ended": Kind("how that ended; `counted`: cards that the printer counted", ("care", "outcome", "condition", "counted")),
    "settings_accepted": Kind(
        "what a printer says of its settings is what it should say from now on: its first reading, or a person's word",
        ("lane", "printer", "settings", "who", "reason"),
    ),
    "incident_explained": Kind("a person explained it", ("incident", "kind", "lane", "who")),
}


@dataclass(frozen=True, slots=True)
class Genesis:
    """Whose log it is."""

    station: str
    key: str  # the public key its checkpoints are signed with, hex


def describe() -> str:
    """The table of kinds, for docs/event-log.md."""
    facts = {name: ", ".join(f"`{fact}`" for fact in kind.facts) or "-" for name, kind in KINDS.items()}
    rows = [f"| `{name}` | {kind.tells} | {facts[name]} |" for name, kind in KINDS.items()]
    return "\n".join(["| kind | tells | facts |", "|---|---|---|", *rows])


def append(db: sqlite3.Connection, kind: str, facts: Mapping[str, Any]) -> LogHead:
    """Write one event as part of the caller's transaction; returns the new head.

    `kind` is a key of KINDS and `facts` has only its names; values are whole numbers, text, booleans, None, or lists and objects
    of these. Raises ValueError otherwise (a mistake of the program, not of its input) and then the transaction must not commit.
    """
    last = head(db)
    seq, prev = (1, GENESIS_PREV) if last is None else (last.seq + 1, last.hash)
    body, digest = link(seq, prev, kind, facts, time_stamp())
    db.execute("INSERT INTO event (seq, body, hash) VALUES (?, ?, ?)", (seq, body, digest))
    return LogHead(seq, digest)


def head(db: sqlite3.Connection) -> LogHead | None:
    """The newest row; None while the log is empty."""
    row = db.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return None if row is None else LogHead(row[0], row[1])


def genesis(db: sqlite3.Connection) -> Genesis | None:
    """Who the log says it is from; None while it is empty. Raises StoreBroken when its first row is not a genesis row."""
    row = db.execute("SELECT body FROM event WHERE seq = 1").fetchone()
    if row is None and head(db) is None:
        return None
    try:
        event = json.loads(row[0])
        return Genesis(str(event["facts"]["station"]), str(event["facts"]["key"]))
    except (ValueError, TypeError, KeyError) as error:
        folder = Path(db.execute("PRAGMA database_list").fetchone()[2]).parent
        raise broken("no_genesis", folder, DATABASE, f"{type(error).__name__}") from error


def link(seq: int, prev: str, kind: str, facts: Mapping[str, Any], time: TimeStamp) -> tuple[str, str]:
    """The body of the row that follows the row with hash `prev`, and its own hash. Pure. Raises ValueError as `append` does."""
    row = KINDS.get(kind)
    if row is None:
        raise ValueError(f"there is no event kind '{kind}' (controller/jobs/events.py, KINDS)")
    unknown = set(facts) - set(row.facts)
    if unknown:
        raise ValueError(f"event '{kind}' has no fact named {', '.join(sorted(unknown))} (controller/jobs/events.py, KINDS)")
    body = canonical_bytes({"seq": seq, "prev": prev, "kind": kind, "facts": _exact(facts, kind), "time": _clocks(time)})
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"event '{kind}' has {len(body)} bytes, more than {MAX_BODY_BYTES}")
    return body.decode(), hashlib.sha256(body).hexdigest()


def _clocks(time: TimeStamp) -> Json:
    """As `asdict` gives it, which copies deeply: a fifth of the cost of a row."""
    return {
        "wall_us": time.wall_us,
        "synchronised": time.synchronised,
        "boot_id": time.boot_id,
        "monotonic_us": time.monotonic_us,
    }


def _exact(value: Any, kind: str) -> Json:
    """The value, if every reader of JSON gets exactly it back."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # half a surrogate pair cannot be written as UTF-8
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, int) and abs(value) <= _MAX_INT:
        return value
    if isinstance(value, Mapping):
        return {str(name): _exact(part, kind) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(part, kind) for part in value]
    raise ValueError(f"event '{kind}': a {type(value).__name__} is not an exact fact: {value!r}")
