"""The store keeps what it acknowledged, refuses what is not its own, and survives cancelled callers."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from controller.errors import StoreError
from controller.jobs.store import APPLICATION_ID, Store, migrations


def _flags(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM flag WHERE name NOT IN ('station', 'epoch')")]


def _set_flag(db: sqlite3.Connection, name: str) -> None:
    db.execute("INSERT INTO flag VALUES (?, '1')", (name,))


async def test_runs_wal_with_full_sync_and_foreign_keys(store: Store) -> None:
    settings = await store.read(
        lambda db: [db.execute(f"PRAGMA {n}").fetchone()[0] for n in ("journal_mode", "synchronous", "foreign_keys")]
    )
    assert settings == ["wal", 2, 1]


async def test_a_committed_change_is_there_after_reopening(tmp_path: Path) -> None:
    first = await Store.open(tmp_path)
    await first.transact(_set_flag, "a")
    await first.close()
    again = await Store.open(tmp_path)
    assert await again.read(_flags) == ["a"]
    await again.close()


async def test_a_failing_transaction_leaves_nothing(store: Store) -> None:
    def fails(db: sqlite3.Connection) -> None:
        _set_flag(db, "half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.transact(fails)
    assert await store.read(_flags) == []


async def test_a_cancelled_caller_leaves_no_open_transaction(store: Store) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        entered.set()
        go_on.wait(5)
        _set_flag(db, "whole")

    caller = asyncio.create_task(store.transact(slow))
    await asyncio.to_thread(entered.wait, 5)
    caller.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await store.read(_flags) == ["whole"]
    assert await store.read(lambda db: db.in_transaction) is False


async def test_a_second_daemon_on_the_same_folder_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another print-station is running"):
        await Store.open(tmp_path / "state")


async def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "station.db") as db:
        db.execute("CREATE TABLE somebody_elses (x)")
    db.close()
    with pytest.raises(StoreError, match=r"station.db is not a print-station database; move it away.*store restore"):
        await Store.open(tmp_path)


async def test_a_newer_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "station.db") as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"has schema 99.*install the newer print-station: 'apt install print-station'"):
        await Store.open(tmp_path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "station.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"station.db is damaged.*store check"):
        await Store.open(tmp_path)


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used as the state folder"):
        await Store.open(tmp_path / "file")


def test_migrations_are_numbered_without_gaps() -> None:
    assert len(migrations()) >= 1
