"""Starts the station's real store on what a power cut left, and says what is not as it was promised."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import PayloadLost, StoreError
from controller.jobs import journal, queue
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from tools.powercut.digest import digest


@dataclass(frozen=True, slots=True)
class Promised:
    """What the program had said when the power went."""

    states: Sequence[str]  # digests of the database after each commit that was begun, in order
    acknowledged: int  # so many of them were said to be durable


async def losses(root: Path, promised: Promised) -> list[str]:
    """What is lost of what was promised, each as `kind: detail`; nothing when all is well. Changes the folder as a start does."""
    try:
        store = await Store.open(root / "state")
    except StoreError as error:
        return [f"no start: {error}"]
    try:
        spool = Spool(root / "state" / "spool", reserve_bytes=0)
        found = await store.read(_missing_commits, promised)
        await store.transact(journal.suspect_all)
        await store.read(lambda db: spool.sweep(queue.payloads(db)))
        return found + await store.read(_broken, spool)
    except StoreError as error:
        return [f"no start: {error}"]
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
        return [] if db.execute("SELECT count(*) FROM job").fetchone()[0] == 0 else ["unknown state: jobs before the first commit"]
    return ["unknown state: no commit ever left the database like this"]


def _broken(db: sqlite3.Connection, spool: Spool) -> list[str]:
    found = []
    verdict = db.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        found.append(f"corrupt: {verdict}")
    for payload in queue.payloads(db):
        try:
            spool.get(payload)
        except PayloadLost as error:
            found.append(f"payload lost: {error}")
    live = db.execute("SELECT count(*) FROM passage WHERE state = 'live'").fetchone()[0]
    return [*found, *([f"live passages after a start: {live}"] if live else [])]
