"""A station never starts empty where a state should be, and never on a state that is not its own latest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import StoreBroken
from controller.jobs import epoch, queue, state_folder
from controller.jobs.spool import Spool
from controller.jobs.state_folder import Found, Marker, MarkerWrong, examine, examine_identity, parse_marker
from controller.jobs.storage_faults import DATABASE, WAL, broken
from controller.jobs.store import SNAPSHOT_ID, WAL_BYTES, Store

MARKER = Marker("ab" * 16)


@pytest.fixture
async def lived(tmp_path: Path) -> Path:
    """A folder on which a station has worked, stopped in good order, with one ready job."""
    store, spool = await Store.open(tmp_path), Spool(tmp_path / "spool", reserve_bytes=0)
    await store.transact(queue.accept, spool, "digest", "a", b"record")
    await store.close()
    return tmp_path


async def _refused(folder: Path) -> str:
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(StoreBroken) as caught:
        await Store.open(folder)
    assert {path.name for path in folder.iterdir()} - before <= {"lock"}, "a refused start leaves nothing behind"
    assert caught.value.problem.id
    return str(caught.value)


def _database(folder: Path, statement: str) -> None:
    db = sqlite3.connect(folder / DATABASE, isolation_level=None)
    db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (Found(), []),
        (Found(database_bytes=0), []),  # a first start that was cut off
        (Found(database_bytes=4096), []),  # the same, a little later
        (Found(MARKER, database_bytes=4096), []),
        (Found(MARKER), ["missing"]),
        (Found(MARKER, database_bytes=0), ["empty"]),
        (Found(payloads=True), ["missing"]),
        (Found(traces=True), ["missing"]),
        (Found(traces=True, database_bytes=0), ["empty"]),
        (Found(payloads=True, database_bytes=0), ["empty"]),
        (Found(replace(MARKER, open=True), database_bytes=4096), ["wal_missing"]),
        (Found(replace(MARKER, open=True), database_bytes=4096, wal=True), []),
        (Found(MarkerWrong("x")), ["marker"]),
        (Found(MarkerWrong("x", newer=True), database_bytes=4096), ["marker_newer"]),
    ],
    ids=str,
)
def test_a_folder_is_judged_by_what_lies_in_it(found: Found, codes: list[str]) -> None:
    assert [trouble.code for trouble in examine(found)] == codes


@pytest.mark.parametrize(
    ("marker", "station", "number", "codes"),
    [
        (None, None, 0, []),
        (None, "other", 3, []),
        (MARKER, MARKER.station, 1, []),
        (MARKER, MARKER.station, 2, []),  # a restore that was cut off before its last step
        (MARKER, None, 0, ["other_station"]),
        (MARKER, "other", 1, ["other_station"]),
        (replace(MARKER, epoch=2), MARKER.station, 1, ["older_state"]),
    ],
)
def test_the_database_must_be_the_one_of_the_marker(
    marker: Marker | None, station: str | None, number: int, codes: list[str]
) -> None:
    assert [trouble.code for trouble in examine_identity(marker, station, number)] == codes


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"[]", "has no format"),
        (b'{"format": 2, "station": "x"}', "has format 2, this program knows 1"),
        (b'{"format": 1}', "other fields"),
        (b'{"format": 1, "station": 7}', "wrong type"),
    ],
)
def test_a_damaged_marker_is_told_from_a_missing_one(raw: bytes, says: str) -> None:
    with pytest.raises(MarkerWrong, match=says):
        parse_marker(raw)


async def test_a_first_start_leaves_a_marker_that_a_stop_closes(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    running = state_folder.read_marker(tmp_path)
    await store.close()
    assert running == store.marker == replace(store.marker, open=True)
    assert state_folder.read_marker(tmp_path) == replace(store.marker, open=False)


async def test_the_station_stays_who_it_is_over_a_lost_marker(lived: Path) -> None:
    before = state_folder.read_marker(lived)
    (lived / state_folder.MARKER).unlink()
    store = await Store.open(lived)
    await store.close()
    assert state_folder.read_marker(lived) == before


async def test_a_deleted_database_is_never_begun_anew(lived: Path) -> None:
    (lived / DATABASE).unlink()
    said = await _refused(lived)
    assert f"{lived / DATABASE} is missing" in said
    assert f"'print-station store restore SNAPSHOT {lived}'" in said


async def test_a_lost_database_is_noticed_by_the_spool_alone(lived: Path) -> None:
    (lived / DATABASE).unlink()
    (lived / state_folder.MARKER).unlink()
    assert "is missing" in await _refused(lived)


@pytest.mark.parametrize("trace", ["log-key", "station.db.restoring", "snapshots/x", "export/x", "broken-2026/station.db"])
async def test_a_lost_database_is_noticed_by_whatever_a_station_leaves(tmp_path: Path, trace: str) -> None:
    (tmp_path / trace).parent.mkdir(exist_ok=True)
    (tmp_path / trace).write_bytes(b"x")
    assert "station.db is missing although this station has worked before" in await _refused(tmp_path)


async def test_a_first_start_writes_database_and_marker_before_the_key(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    there = {path.name for path in tmp_path.iterdir()}
    await store.close()
    assert {DATABASE, state_folder.MARKER} <= there
    assert state_folder.LOG_KEY not in there


async def test_an_emptied_database_is_never_begun_anew(lived: Path) -> None:
    (lived / DATABASE).write_bytes(b"")
    assert f"{lived / DATABASE} is empty" in await _refused(lived)


async def test_the_newest_snapshot_is_named_as_the_way_back(lived: Path) -> None:
    for name in ("000009-20260101T000000Z", "000010-20260102T000000Z", "000011-before-update"):
        (lived / "snapshots" / name).mkdir(parents=True)
    (lived / DATABASE).unlink()
    assert f"'print-station store restore {lived}/snapshots/000010-20260102T000000Z {lived}'" in await _refused(lived)


async def test_a_spool_that_is_gone_while_jobs_need_it_is_refused(lived: Path) -> None:
    (lived / "spool").rename(lived / "elsewhere")
    said = await _refused(lived)
    assert f"{lived / 'spool'} is missing" in said
    assert "print-station submit" in said


async def test_a_wal_that_is_gone_after_a_kill_is_refused(lived: Path) -> None:
    marker = state_folder.read_marker(lived)
    assert marker is not None
    state_folder.write_marker(lived, replace(marker, open=True))  # as a kill leaves it
    assert f"{lived / WAL} is missing" in await _refused(lived)


async def test_the_database_of_another_station_is_refused(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    await (await Store.open(other)).close()
    (other / DATABASE).replace(lived / DATABASE)
    assert "belongs to another station" in await _refused(lived)


async def test_a_state_from_before_the_last_restore_is_refused(lived: Path) -> None:
    marker = state_folder.read_marker(lived)
    assert marker is not None
    state_folder.write_marker(lived, replace(marker, epoch=2))
    assert "is older than the last restore" in await _refused(lived)


async def test_a_snapshot_that_was_copied_over_the_database_is_refused(lived: Path) -> None:
    _database(lived, f"PRAGMA application_id = {SNAPSHOT_ID}")
    assert "is a snapshot and not a station's state; use 'print-station store restore" in await _refused(lived)


async def test_a_shortened_database_is_refused(lived: Path) -> None:
    _database(lived, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (lived / DATABASE).open("rb+") as file:
        file.truncate(8192)
    said = await _refused(lived)
    assert f"{lived / DATABASE} is damaged" in said
    assert f"'print-station store check {lived}'" in said


async def test_a_wal_that_cannot_be_opened_is_named(lived: Path) -> None:
    (lived / WAL).mkdir()
    assert f"{lived / WAL} cannot be opened" in await _refused(lived)


async def test_an_open_database_has_room_for_its_journal(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    assert await store.keep_room()
    await store.transact(epoch.doubt)
    blocks = (tmp_path / WAL).stat().st_blocks * 512
    assert await store.read(lambda db: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0]) == 0
    await store.close()
    assert blocks >= WAL_BYTES


async def test_what_is_committed_into_the_room_is_there_after_a_kill(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store, copy = await Store.open(tmp_path), tmp_path_factory.mktemp("copy")
    await store.keep_room()
    await store.transact(epoch.doubt)
    for name in (DATABASE, WAL, state_folder.MARKER):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    await store.close()
    again = await Store.open(copy)
    assert await again.read(epoch.is_doubted)
    await again.close()


def _raises(error: BaseException) -> Callable[[sqlite3.Connection], None]:
    def work(db: sqlite3.Connection) -> None:
        raise error

    return work


async def test_after_a_disk_error_nothing_is_tried_again(store: Store) -> None:
    with pytest.raises(StoreBroken, match=r"the disk reports an error.*'dmesg'"):
        await store.transact(_raises(OSError(5, "Input/output error")))
    with pytest.raises(StoreBroken, match="the disk reports an error"):
        await store.transact(epoch.doubt)
    assert (await store.until_broken()).problem.code == "store.io"


async def test_a_full_disk_breaks_nothing(store: Store) -> None:
    with pytest.raises(Exception, match=r"is full .*free some space on"):
        await store.transact(_raises(OSError(28, "No space left on device")))
    await store.transact(epoch.doubt)
    assert await store.read(epoch.is_doubted)


async def test_a_store_that_is_distrusted_takes_no_work_but_finishes_what_it_has(store: Store) -> None:
    store.must_be_trusted()
    store.distrust(broken("corrupt", store.state_dir, DATABASE))
    with pytest.raises(StoreBroken):
        store.must_be_trusted()
    await store.transact(epoch.doubt)
