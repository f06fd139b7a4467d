"""The storage is looked after beside the work: damage ends the station in good order, a failed journal ends it at once."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from controller.errors import StoreBroken
from controller.jobs import queue, store_check
from controller.jobs.snapshot import Interrupted, read_manifest, read_only
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import DATABASE
from controller.jobs.store import Store
from controller.jobs.upkeep import SNAPSHOTS_KEPT, Upkeep, in_background


class Told:
    """Whom the upkeep tells."""

    def __init__(self) -> None:
        self.errors: list[StoreBroken] = []
        self.stopped = asyncio.Event()


def _upkeep(store: Store, told: Told) -> Upkeep:
    return Upkeep(store, Spool(store.state_dir / "spool", reserve_bytes=0), told.errors.append, settle_s=0, answer_s=0)


async def test_a_journal_that_fails_ends_the_watch_with_the_reason(store: Store) -> None:
    told = Told()
    watch = asyncio.create_task(_upkeep(store, told).watch())

    def fails(_db: sqlite3.Connection) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(StoreBroken):
        await store.transact(fails)
    with pytest.raises(StoreBroken, match="the disk reports an error"):
        await watch
    assert [error.problem.code for error in told.errors] == ["store.io"]


async def test_damage_that_is_found_stops_the_station_in_good_order(tmp_path: Path) -> None:
    first, spool = await Store.open(tmp_path), Spool(tmp_path / "spool", reserve_bytes=0)
    for number in range(200):
        await first.transact(queue.accept, spool, f"digest-{number}", f"record-{number}", str(number).encode())
    await first.close()
    with (tmp_path / DATABASE).open("rb+") as file:
        file.seek(-4096 * 3, 2)
        file.write(b"\xff" * 4096)
    store, told = await Store.open(tmp_path), Told()
    care = _upkeep(store, told)
    task = asyncio.create_task(care.run(told.stopped.set))
    await asyncio.wait_for(told.stopped.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(StoreBroken, match=r"station.db is damaged"):
        care.raise_damage()
    with pytest.raises(StoreBroken):
        store.must_be_trusted()
    await store.close()


async def test_a_whole_database_stops_nothing(store: Store) -> None:
    told = Told()
    care = _upkeep(store, told)
    await care._look_for_damage()
    care.raise_damage()
    assert told.errors == []


async def test_a_snapshot_is_taken_once_a_day(store: Store) -> None:
    care = _upkeep(store, Told())
    out = await care.snapshot_if_due()
    assert out is not None
    assert out.name.startswith("000001-")
    assert read_manifest(out).jobs == 0
    assert await care.snapshot_if_due() is None


@pytest.mark.parametrize("jump_s", [-3 * 86400, 3 * 86400])
async def test_only_the_last_snapshots_are_kept_whatever_the_clock_does(store: Store, jump_s: int) -> None:
    care, folder = _upkeep(store, Told()), store.state_dir / "snapshots"
    for number in range(1, SNAPSHOTS_KEPT + 3):
        out = await care.snapshot_if_due()
        assert out is not None
        assert out.name.startswith(f"{number:06}-")
        os.utime(out, (out.stat().st_mtime + jump_s,) * 2)
    kept = sorted(path.name[:6] for path in folder.iterdir())
    assert kept == [f"{number:06}" for number in range(3, SNAPSHOTS_KEPT + 3)]


async def test_folders_that_staff_put_beside_the_snapshots_are_theirs(store: Store) -> None:
    folder = store.state_dir / "snapshots"
    for name in ("1-before-update", "2026-copy", *(f"00000{number}-mine" for number in range(9))):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (1, 1))
    out = await _upkeep(store, Told()).snapshot_if_due()
    assert out is not None
    assert out.name.startswith("000001-")
    assert len(list(folder.iterdir())) == 12


async def test_a_snapshot_folder_that_is_none_is_only_said(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    (store.state_dir / "snapshots").write_bytes(b"")
    assert await _upkeep(store, Told()).snapshot_if_due() is None
    assert "no snapshot" in caplog.text


async def test_the_spool_is_swept_beside_the_work(store: Store) -> None:
    spool = Spool(store.state_dir / "spool", reserve_bytes=0)
    job = (await store.transact(queue.accept, spool, "digest", "a", b"record")).job
    orphan = spool.put(b"orphan")
    (spool.folder / "lost+found").mkdir()
    assert await _upkeep(store, Told()).sweep() == 1
    assert (spool.holds(job.payload), spool.holds(orphan)) == (True, False)


async def test_a_record_that_came_during_the_sweep_stays(store: Store) -> None:
    spool = Spool(store.state_dir / "spool", reserve_bytes=0)
    job = (await store.transact(queue.accept, spool, "digest", "a", b"record")).job
    assert await store.read(_upkeep(store, Told())._discard, [f"{job.payload}.json"]) == 0
    assert spool.holds(job.payload)


async def test_a_spool_that_cannot_be_read_ends_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    care = _upkeep(store, Told())
    (store.state_dir / "spool").rmdir()
    assert await care.sweep() == 0
    assert "spool not swept" in caplog.text


async def test_no_snapshot_is_taken_where_room_is_scarce(store: Store) -> None:
    care = Upkeep(store, Spool(store.state_dir / "spool", reserve_bytes=1 << 60), Told().errors.append)
    assert await care.snapshot_if_due() is None
    assert not (store.state_dir / "snapshots").exists()


async def test_background_work_is_told_to_stop_and_waited_for() -> None:
    entered, ended = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        entered.set()
        stop.wait(10)
        ended.set()

    task = asyncio.create_task(in_background(work))
    await asyncio.to_thread(entered.wait, 5)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()


async def test_background_work_runs_at_the_lowest_priority() -> None:
    nice = await in_background(lambda _stop: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert nice == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


async def test_the_look_for_damage_can_be_interrupted(store: Store) -> None:
    stop = threading.Event()
    stop.set()
    with read_only(store.state_dir / DATABASE) as db, pytest.raises(Interrupted):
        list(store_check.structure_faults(db, stop))
