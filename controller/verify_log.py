"""Verify a print station's event log: `python3 verify_log.py FILE [--anchor SEQ:HASH] [--key HEX]`. Needs only `cryptography`.

FILE is an export (JSON lines; daily exports may be joined with cat) or the station's database, which is only read. Each row's
hash, its place in the chain and every signed checkpoint are checked, row by row, in constant memory (docs/event-log.md).
Exit codes: 0 intact; 1 rows were changed, removed, inserted or reordered; 2 wrong usage; 3 torn: copy the export again; 4 log of
another station than --key; 5 cannot be judged: no log, or the anchor lies before it; 6 too many last rows without a signature."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

INTACT, TAMPERED, USAGE, TORN, OTHER_STATION, UNJUDGED, UNSIGNED = range(7)
WORDS = ("INTACT", "NOT INTACT", "WRONG USAGE", "TORN", "OTHER STATION", "NOT JUDGED", "UNSIGNED")
FORMAT, GENESIS_PREV = "print-station log 1", "0" * 64
MAX_BYTES = 64 * 1024  # of a line or a body; a station writes at most 16 KiB
MAX_BARE, MAX_FINDINGS = 500, 50  # rows after the last checkpoint: a station signs after 200 or a little more
ANCHOR, KEY = re.compile(r"(?:LOG )?([0-9]{1,15}):([0-9a-f]{10,64})"), re.compile(r"[0-9a-f]{64}")
PAGE = "SELECT seq, substr(body, 1, 65537), substr(hash, 1, 65) FROM event WHERE seq > ? ORDER BY seq LIMIT 99"


def end(code: int, text: str) -> NoReturn:
    print(f"{WORDS[code]}: {text}")
    sys.exit(code)


class Check:
    """The state of one verification; memory does not grow with the log."""

    def __init__(self, key: str, anchor: tuple[int, str]) -> None:
        self.wanted_key, self.key, self.station = key, key, ""
        self.anchor, self.announced, self.hash = anchor, (0, ""), GENESIS_PREV
        self.first = self.seq = self.signed = self.findings = 0
        self.partial = self.torn = self.anchored = False

    def finding(self, text: str) -> None:
        print(f"FINDING {text}")
        self.findings += 1
        if self.findings == MAX_FINDINGS:
            end(TAMPERED, f"{MAX_FINDINGS} findings, the rest was not looked at")

    def header(self, place: str, head: dict[str, Any]) -> None:
        """The first line of an export: whose log it is, where it begins, and the head it must reach."""
        match, first = ANCHOR.fullmatch(str(head.get("anchor"))), head.get("first")
        if head["format"] != FORMAT or match is None or not isinstance(first, int):
            return self.finding(f"{place}: not the first line of an export")
        if not self.announced[0]:
            self.partial, self.seq = first > 1, first - 1
        self.announced = int(match[1]), match[2]
        return self.claim(place, str(head.get("station")), str(head.get("key")))

    def claim(self, place: str, station: str, key: str) -> None:
        """Station and key, as a header or the genesis row says: the first sets them, all must agree."""
        if self.wanted_key and key != self.wanted_key:
            end(OTHER_STATION, f"this is the log of another station: its key is {key!a}, not {self.wanted_key}")
        self.station, self.key = self.station or station, self.key or key
        if (station, key) != (self.station, self.key):
            self.finding(f"{place}: names another station or key than the rows before")

    def row(self, place: str, body: bytes, stated: str, column: int | None = None) -> None:
        """One row as it stands in the file; `column` is its number in a database."""
        digest, event = hashlib.sha256(body).hexdigest(), parse_event(body)
        if digest != stated:
            self.finding(f"{place}: changed: its content does not fit its hash")
        if event is None or column not in (None, event["seq"]):
            return self.finding(f"{place}: {'no event' if event is None else 'holds the event of another row'}")
        seq, prev, facts = event["seq"], event["prev"], event["facts"]
        self.follow(seq, prev)
        self.first = self.first or seq
        if seq == 1 or event["kind"] == "genesis":
            self.claim("row 1", str(facts.get("station")), str(facts.get("key")))
            if (seq, prev, event["kind"]) != (1, GENESIS_PREV, "genesis"):
                self.finding(f"row {seq}: a log begins with one genesis row and has no other")
        if event["kind"] == "checkpoint":
            self.checkpoint(seq, prev, facts)
        for at, wanted in (self.anchor, self.announced):
            if at == seq and not digest.startswith(wanted):
                self.finding(f"row {seq}: not the row {at}:{wanted} of the anchor: the log was written anew")
        self.anchored |= seq == self.anchor[0] and digest.startswith(self.anchor[1])
        self.seq, self.hash = seq, stated
        return None

    def follow(self, seq: int, prev: str) -> None:
        if seq > self.seq + 1:
            self.finding(f"row {seq}: the rows from {self.seq + 1} to {seq - 1} are missing before it")
        elif seq <= self.seq:
            self.finding(f"row {seq}: stands again or out of order, after row {self.seq}")
        elif prev != self.hash and (self.first or not self.partial):
            self.finding(f"row {seq}: does not continue row {self.seq}: one of them was changed or exchanged")

    def checkpoint(self, seq: int, prev: str, facts: dict[str, Any]) -> None:
        message = f"print-station checkpoint 1\n{self.station}\n{seq - 1}\n{prev}".encode(errors="replace")
        try:
            signature = base64.b64decode(str(facts.get("signature")), validate=True)
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key)).verify(signature, message)
            self.signed = seq
        except (InvalidSignature, ValueError):
            other = "was signed by another key" if facts.get("key") != self.key else "does not fit the rows before it"
            self.finding(f"row {seq}: the checkpoint {other}")

    def result(self) -> NoReturn:
        """Say the summary and end."""
        if not self.first:
            end(TAMPERED if self.findings else TORN if self.torn or self.announced[0] else UNJUDGED, "no row could be read")
        at, short, bare = self.anchor[0], self.torn or self.seq < self.announced[0], self.seq - max(self.signed, self.first - 1)
        outside = 0 < at < self.first
        if at > self.seq and not short:
            self.finding(f"cut off: the anchor is row {at}, the log ends at row {self.seq}")
        if self.first == 1 and not self.signed and not short:
            self.finding("no checkpoint at all: a station signs its first start in the commit that writes it")
        print(f"station {self.station!a}, key {self.key!a}{'' if self.wanted_key else ' by its own word (--key makes sure)'}")
        print(f"rows {self.first} to {self.seq}{', a part: earlier rows are not in this file' if self.partial else ''}")
        print(f"hash-chained but not yet signed: {bare}")
        there = "in its place" if self.anchored else "before this file" if outside else "not there"
        print(f"truncation: {f'the anchor, row {at}, is {there}' if at else 'not provable without --anchor'}")
        code = TAMPERED if self.findings else TORN if short else UNSIGNED if bare > MAX_BARE else UNJUDGED if outside else INTACT
        torn = f"ends before row {self.announced[0]}, what is there is right: copy the file again"
        none = f"the last {bare} rows prove nothing: whoever could write the file could have written them"
        head = f"findings: {self.findings}" if self.findings else f"head {self.seq}:{self.hash}"
        end(code, {TORN: torn, UNJUDGED: "take the file that holds the anchor's row", UNSIGNED: none}.get(code, head))


def parse_event(body: bytes) -> dict[str, Any] | None:
    """The event, if the body is in its one canonical form (RFC 8785; a station's names are ASCII, its numbers whole)."""
    event = parse(body)
    if set(event) != {"seq", "prev", "kind", "facts", "time"} or type(event["seq"]) is not int or event["seq"] < 1:
        return None
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    return event if canonical == body and len(body) <= MAX_BYTES and isinstance(event["facts"], dict) else None


def parse(text: bytes) -> dict[str, Any]:
    """The JSON object, or an empty one where there is none; a fraction is none, as int() does not read it."""
    try:
        value = json.loads(text, parse_float=int, parse_constant=int)
        return value if isinstance(value, dict) and json.dumps(value) else {}
    except (ValueError, RecursionError):  # the latter: thousands of brackets
        return {}


def read_export(file: BinaryIO, check: Check) -> None:
    for number, line in enumerate(iter(lambda: file.readline(MAX_BYTES), b""), start=1):
        fields, cut = parse(line), not line.endswith(b"\n") and len(line) < MAX_BYTES
        if "format" in fields:
            check.header(f"line {number}", fields)
        elif fields.keys() == {"body", "hash"} and all(isinstance(part, str) for part in fields.values()):
            check.row(f"line {number}", fields["body"].encode(errors="replace"), fields["hash"])
        elif cut:  # only the last line can be
            check.torn = True
        else:
            check.finding(f"line {number}: no row of a log, or longer than {MAX_BYTES} bytes")
        if not check.announced[0]:
            end(TORN if cut else UNJUDGED, "no export and no database of a station" + cut * ", or a torn one: copy it again")


def read_database(path: Path, check: Check) -> None:
    """Page by page, so that no long read holds up a running station. Without a -wal file nobody has the database open."""
    wal, last = Path(f"{path}-wal"), -1 << 63
    quiet = not wal.exists()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro{quiet * '&immutable=1'}", uri=True)) as db:
        db.text_factory = bytes
        while page := db.execute(PAGE, (last,)).fetchall():
            for last, body, digest in page:
                check.row(f"row {last}", body or b"", (digest or b"").decode(errors="replace"), last)
    if quiet and wal.exists():
        end(UNJUDGED, "the station was started meanwhile: try again")


def verify(path: Path, anchor: str, key: str) -> NoReturn:
    """Verify a file against the anchor and key given ("": none) and end the program with the exit code."""
    match = ANCHOR.fullmatch(anchor or "0:0000000000")
    if match is None or not KEY.fullmatch(key or "0" * 64):
        end(USAGE, "an anchor is SEQ:HASH with at least 10 digits of the hash, a key has 64 hex digits, in lower case")
    check = Check(key, (int(match[1]), match[2]))
    try:
        with path.open("rb") as file:
            read_database(path.resolve(), check) if file.peek(6)[:6] == b"SQLite" else read_export(file, check)
    except (OSError, sqlite3.Error) as error:
        end(UNJUDGED, f"{path} cannot be read: {error}")
    check.result()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("path", type=Path, metavar="FILE")
    for name in ("--anchor", "--key"):
        options.add_argument(name, default="")
    verify(**vars(options.parse_args()))
