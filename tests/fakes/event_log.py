"""Event logs made by hand: with a known key, at fixed times, without a database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.clock import TimeStamp
from controller.jobs.events import GENESIS_PREV, link
from controller.jobs.log_key import LogKey
from controller.log_export import FORMAT
from controller.model import LogHead

Row = tuple[str, str]  # body, hash

KEY = LogKey(bytes(range(32)))
OTHER_KEY = LogKey(bytes(32))
STATION = "00112233445566778899aabbccddeeff"
BOOT = "9d3a3a3e-0000-4000-8000-000000000001"


class LogMaker:
    """Appends rows as a station would."""

    def __init__(self, key: LogKey = KEY, station: str = STATION) -> None:
        self.key, self.station = key, station
        self.rows: list[Row] = []
        self.add("genesis", station=station, name="Kantor Contoh", key=key.public)

    @property
    def head(self) -> LogHead:
        return LogHead(len(self.rows), self.rows[-1][1] if self.rows else GENESIS_PREV)

    def add(self, kind: str, **facts: Any) -> LogMaker:
        seq = len(self.rows) + 1
        time = TimeStamp(1_795_000_000_000_000 + seq * 1000, None if seq < 3 else seq % 2 == 0, BOOT, seq * 1000)
        self.rows.append(link(seq, self.head.hash, kind, facts, time))
        return self

    def sign(self) -> LogMaker:
        return self.add("checkpoint", key=self.key.public, signature=self.key.sign(self.station, self.head))


def a_day(key: LogKey = KEY, station: str = STATION, jobs: int = 5) -> LogMaker:
    """A small log: start, some jobs, one passage, stop; its last row is a checkpoint."""
    log = LogMaker(key, station).add("station_started", version="0.1.0").sign()
    for job in range(1, jobs + 1):
        log.add("job_accepted", job=job, record=hashlib.sha256(str(job).encode()).hexdigest())
    log.add("passage_begun", passage=1, job=1, lane="1", printer="E1", reader="hw-sim 00 00")
    log.add("intent", passage=1, stage="feed", facts={"position": "none", "cards_fed": 12, "ribbon_remaining": None})
    log.add("outcome", passage=1, outcome="done", facts={"position": "print", "cards_fed": 13}).sign()
    log.add("verdict", passage=1, job=1, verdict="good", condition="", uid="04A1B2C3D4E5F6", who="", missing=False).sign()
    log.add("job_changed", job=2, event="cancel", state="cancelled", reason="", remakes=0, who='Ani "Petugas" Suryāni')
    return log.add("station_stopped").sign()


def header(log: LogMaker, first: int = 1, **changes: object) -> dict[str, object]:
    """The first line of an export."""
    return {"format": FORMAT, "station": log.station, "key": log.key.public, "first": first, "anchor": log.head.anchor} | changes


def as_export(rows: Sequence[Row], head: Mapping[str, object]) -> bytes:
    """An export file's bytes."""
    return b"".join(map(line, [head, *({"body": body, "hash": digest} for body, digest in rows)]))


def line(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def changed(row: Row, **fields: Any) -> Row:
    """The row with other fields and a hash that fits them."""
    body = json.dumps(json.loads(row[0]) | fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return body, hashlib.sha256(body.encode()).hexdigest()


def rechained(rows: Sequence[Row], start: int) -> list[Row]:
    """The rows with every `prev` and hash from index `start` on made to fit: what somebody without the key can do."""
    made = list(rows[:start])
    for row in rows[start:]:
        made.append(changed(row, prev=made[-1][1] if made else GENESIS_PREV, seq=len(made) + 1))
    return made


def write(path: Path, log: LogMaker) -> Path:
    """The whole log as an export file."""
    path.write_bytes(as_export(log.rows, header(log)))
    return path
