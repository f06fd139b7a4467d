"""Starts the station's real store on what a power cut left, and says what is not as it was promised."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.errors import PayloadLost, StoreError
from controller.jobs import journal, ledger, queue
from controller.jobs.snapshot import read_manifest
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import DATABASE, SNAPSHOTS
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from controller.verify_log import verify as verify_log_file
from tools.powercut.digest import digest


@dataclass(frozen=True, slots=True)
class Promised:
    """What the program had said when the power went."""

    states: Sequence[str]  # digests of the database after each commit that was begun, in order
    acknowledged: int  # so many of them were said to be durable
    snapshots: Sequence[str] = ()  # that were said to be taken


async def losses(root: Path, promised: Promised, *, verify_log: bool = False) -> list[str]:
    """What is lost of what was promised, each as `kind: detail`; nothing when all is well. Changes the folder as a start does.

    With `verify_log` the stand-alone verifier goes through the event log as well: 20 ms.
    """
    try:
        store = await Store.open(root / "state")
    except StoreError as error:
        return [f"no start: {error}"]
    try:
        found = await store.read(_missing_commits, promised)
        spool = Spool(root / "state" / "spool", reserve_bytes=0)
        await LogKeeper(store, "cut station", spool.has_room, lambda: None).begin()
        await store.transact(journal.suspect_all)
        found += await store.read(_broken, spool)
        found += _lost_snapshots(root / "state" / SNAPSHOTS, promised.snapshots)
    except StoreError as error:
        return [f"no start: {error}"]
    else:
        return found + (_log_findings(root / "state" / DATABASE) if verify_log else [])
    finally:
        await store.close()


def _missing_commits(db: sqlite3.Connection, promised: Promised) -> list[str]:
    """The database is in the state of the last acknowledged commit, or of one that was begun after it, and in no other."""
    state = digest(db)
    if state in promised.states[max(0, promised.acknowledged - 1) :]:
        return []
    if state in promised.states:
        behind = promised.acknowledged - 1 - promised.states.index(state)
        return [f"commits lost: {behind}"]
    if promised.acknowledged == 0:
        return (
            [] if db.execute("SELECT count(*) FROM job").fetchone()[0] == 0 else ["unknown state: jobs before the first commit"]
        )
    return ["unknown state: no commit ever left the database like this"]


def _broken(db: sqlite3.Connection, spool: Spool) -> list[str]:
    """After the sweep that follows every start."""
    wanted = queue.payloads(db)
    spool.sweep(wanted)
    found = [f"corrupt: {row[0]}" for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
    for payload in wanted:
        try:
            spool.get(payload)
        except PayloadLost as error:
            found.append(f"payload lost: {error}")
    found += [f"books: {fault}" for fault in ledger.faults(db)]
    total = sum(ledger.balances(db).values())
    live = db.execute("SELECT count(*) FROM passage WHERE state = 'live'").fetchone()[0]
    rows = ((f"books: the sum is {total}", total != 0), (f"live after a start: {live} passages", live > 0))
    return found + [text for text, applies in rows if applies]


def _lost_snapshots(folder: Path, promised: Sequence[str]) -> list[str]:
    """Every snapshot that was taken is there, and every one that is there is whole; what is under way begins with a dot."""
    there = {path.name for path in folder.glob("[!.]*")}
    found = [f"snapshot lost: {name}" for name in promised if name not in there]
    for name in there:
        try:
            read_manifest(folder / name)
        except StoreError as error:
            found.append(f"snapshot broken: {error}")
    return found


def _log_findings(database: Path) -> list[str]:
    """What verify_log.py says of the log; it ends as the program that it is."""
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        verify_log_file(database, anchor="", key="")
    lines = said.getvalue().splitlines()
    return [] if lines[-1].startswith("INTACT") else [f"log: {'; '.join(lines)}"]
