"""What must be in the state folder, so that a station never starts empty where a state should be.

`station.json` says that a station has lived here: who it is, how often its state was restored (epoch), and whether the
database is open. It is written after the database exists and before the first job is accepted; so a marker without a database
is a lost database, never a first start. `examine` is pure: facts in, all problems out; `look` gathers the facts.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.jobs.spool import sync_folder, write_synced
from controller.jobs.storage_faults import DATABASE, SNAPSHOTS, SPOOL, WAL, broken

MARKER = "station.json"
LOG_KEY = "log-key"  # made and checked by the event log; a snapshot carries it
EXPORT = "export"  # daily files of the event log
RESTORING = "station.db.restoring"  # what a restore builds; it becomes station.db
ASIDE = "broken-"  # begins the name of a folder that holds what a restore moved aside
FORMAT = 1
_MAX_MARKER_BYTES = 4096  # ours has 100


@dataclass(frozen=True, slots=True)
class Marker:
    """What station.json says."""

    station: str  # random, made at the first start; the database holds it as well
    epoch: int = 1  # one more with every restore
    open: bool = False  # the daemon has the database open: then the WAL must be there
    format: int = FORMAT

    @classmethod
    def new(cls) -> Marker:
        """A station that was never here before."""
        return cls(secrets.token_hex(16))


class MarkerWrong(ValueError):
    """The marker cannot be read; `newer` tells that a later program wrote it."""

    def __init__(self, detail: str, *, newer: bool = False) -> None:
        super().__init__(detail)
        self.newer = newer


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a state folder."""

    marker: Marker | MarkerWrong | None = None
    database_bytes: int | None = None  # None: there is no database
    wal: bool = False
    spool: bool = False
    payloads: bool = False  # the spool holds at least one stored record
    traces: bool = False  # something else that only a station leaves: a key, a snapshot, an export, a restore that broke off


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a station may not start on a folder; `code` is a row of `storage_faults`."""

    code: str
    file: str
    detail: str = ""


def examine(found: Found) -> list[Trouble]:
    """Everything that is wrong with a folder that a station is to start on. Pure."""
    marker = found.marker
    if isinstance(marker, MarkerWrong):
        return [Trouble("marker_newer" if marker.newer else "marker", MARKER, str(marker))]
    lived = marker is not None or found.payloads or found.traces
    rows = (
        (Trouble("missing", DATABASE), lived and found.database_bytes is None),
        (Trouble("empty", DATABASE), lived and found.database_bytes == 0),
        (Trouble("wal_missing", WAL), marker is not None and marker.open and bool(found.database_bytes) and not found.wal),
    )
    return [trouble for trouble, applies in rows if applies]


def examine_identity(marker: Marker | None, station: str | None, epoch: int) -> list[Trouble]:
    """Whether the database, which says `station` and `epoch`, is the one the marker was written for. Pure."""
    if marker is None:
        return []
    if marker.station != station:
        return [Trouble("other_station", DATABASE, f"it says {station}, {MARKER} says {marker.station}")]
    if epoch < marker.epoch:
        return [Trouble("older_state", DATABASE, f"it says {epoch}, {MARKER} says {marker.epoch}")]
    return []


def refuse(folder: Path, troubles: list[Trouble]) -> None:
    """Raise StoreBroken when there is trouble: the first, which is the one to deal with first."""
    for trouble in troubles:
        raise broken(trouble.code, folder, trouble.file, trouble.detail)


def look(folder: Path) -> Found:
    """What lies in the folder now. Never opens the database: closing it again would drop SQLite's locks. Raises OSError."""
    spool = folder / SPOOL
    return Found(
        marker=_marker_or_fault(folder),
        database_bytes=(folder / DATABASE).stat().st_size if (folder / DATABASE).exists() else None,
        wal=(folder / WAL).exists(),
        spool=spool.is_dir(),
        payloads=spool.is_dir() and _holds_payloads(spool),
        traces=_has_traces(folder),
    )


def read_marker(folder: Path) -> Marker | None:
    """The folder's marker, None when there is none. Raises MarkerWrong, OSError."""
    try:
        with (folder / MARKER).open("rb") as file:
            raw = file.read(_MAX_MARKER_BYTES)
    except FileNotFoundError:
        return None
    return parse_marker(raw)


def parse_marker(raw: bytes) -> Marker:
    """The marker in these bytes. Raises MarkerWrong."""
    try:
        facts = json.loads(raw)
    except ValueError as error:
        raise MarkerWrong("it is not JSON") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise MarkerWrong("it has no format")
    if facts["format"] != FORMAT:
        raise MarkerWrong(f"has format {facts['format']}, this program knows {FORMAT}", newer=True)
    try:
        marker = Marker(**facts)
    except TypeError as error:
        raise MarkerWrong("it has other fields than a marker") from error
    if not (isinstance(marker.station, str) and isinstance(marker.epoch, int) and isinstance(marker.open, bool)):
        raise MarkerWrong("a field has the wrong type")
    return marker


def write_marker(folder: Path, marker: Marker) -> None:
    """Replace the marker durably. Raises OSError."""
    temp = folder / f".{MARKER}.tmp"
    write_synced(temp, json.dumps(asdict(marker), sort_keys=True).encode() + b"\n")
    temp.replace(folder / MARKER)
    sync_folder(folder)


def _marker_or_fault(folder: Path) -> Marker | MarkerWrong | None:
    try:
        return read_marker(folder)
    except MarkerWrong as error:
        return error


def _has_traces(folder: Path) -> bool:
    """Database and marker are on the disk before any of these is made, so none of them is left by a first start."""
    names = (LOG_KEY, RESTORING, f"{SNAPSHOTS}/*", f"{EXPORT}/*", f"{ASIDE}*")
    return any(next(folder.glob(name), None) is not None for name in names)


def _holds_payloads(spool: Path) -> bool:
    """Looks no further than the first: with 100,000 of them a whole look takes 0.1 s of the start."""
    with os.scandir(spool) as entries:
        return any(entry.name.endswith(".json") for entry in entries)
