"""Genesis, checkpoints and the daily export, written by the running station."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller import cli, log_export, log_keeper, verify_log
from controller.errors import StoreBroken, StoreError, StoreFull
from controller.jobs import events
from controller.jobs.store import Store
from controller.log_export import DailyFile, export, export_day
from controller.log_keeper import LogKeeper
from controller.model import LogHead, StationSnapshot
from controller.station import Station


def _keeper(store: Store, moved: Callable[[], None] = lambda: None) -> LogKeeper:
    return LogKeeper(store, "Kantor Contoh", lambda _size: True, moved)


def _kinds(db: sqlite3.Connection) -> list[str]:
    return [json.loads(row[0])["kind"] for row in db.execute("SELECT body FROM event ORDER BY seq")]


def _holds(db: sqlite3.Connection, count: int) -> None:
    for _ in range(count):
        events.append(db, "hold", {})


def _now(head: LogHead | None) -> StationSnapshot:
    return replace(Station("Contoh", ["1"]).snapshot, log=head)


def _verify(path: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, verify_log.__file__, str(path), *more]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return result.returncode, result.stdout + result.stderr


async def test_a_first_start_writes_genesis_start_and_signature(store: Store) -> None:
    await _keeper(store).begin()
    assert await store.read(_kinds) == ["genesis", "station_started", "checkpoint"]
    genesis = await store.read(events.genesis)
    assert genesis is not None
    assert (genesis.station, len(genesis.key)) == (store.marker.station, 64)


async def test_a_later_start_goes_on_with_the_same_log(store: Store) -> None:
    for _ in range(2):
        keeper = _keeper(store)
        await keeper.begin()
        await keeper.finish()
    run = ["station_started", "checkpoint", "station_stopped", "checkpoint"]
    assert await store.read(_kinds) == ["genesis", *run, *run]
    assert _verify(store.state_dir / "station.db")[0] == 0


async def test_a_start_without_the_key_is_refused_and_writes_nothing(store: Store) -> None:
    await _keeper(store).begin()
    (store.state_dir / "log-key").unlink()
    with pytest.raises(StoreBroken, match="Never make a new one"):
        await _keeper(store).begin()
    assert not (store.state_dir / "log-key").exists()


async def test_a_signature_is_written_only_when_there_is_something_to_sign(store: Store) -> None:
    moves: list[str] = []
    keeper = _keeper(store, lambda: moves.append("moved"))
    await keeper.begin()
    await keeper.sign()
    assert (len(await store.read(_kinds)), moves) == (3, [])
    await store.transact(_holds, 1)
    await keeper.sign()
    assert ((await store.read(_kinds))[3:], moves) == (["hold", "checkpoint"], ["moved"])


@pytest.mark.parametrize("cause", ["a passage", "many rows"])
async def test_it_signs_soon_after(store: Store, cause: str) -> None:
    signed = asyncio.Event()
    keeper = _keeper(store, signed.set)
    await keeper.begin()
    task = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    await store.transact(_holds, log_keeper.SIGN_ROWS if cause == "many rows" else 1)
    keeper.passage_over() if cause == "a passage" else keeper.look_at(_now(await store.read(events.head)))
    await asyncio.wait_for(signed.wait(), 5)
    task.cancel()
    assert (await store.read(_kinds))[-1] == "checkpoint"


async def test_few_rows_wait_for_the_next_checkpoint(store: Store) -> None:
    keeper = _keeper(store)
    await keeper.begin()
    keeper.look_at(_now(LogHead(3 + log_keeper.SIGN_ROWS - 1, "0" * 64)))
    assert not keeper._due.is_set()
    keeper.look_at(_now(None))
    assert not keeper._due.is_set()


async def test_the_log_is_exported_while_the_station_works(store: Store, tmp_path: Path) -> None:
    await _keeper(store).begin()
    head = await asyncio.to_thread(export, store.state_dir, tmp_path / "out.jsonl")
    code, said = _verify(tmp_path / "out.jsonl", "--anchor", head.anchor)
    assert (code, "INTACT: head 3:" in said) == (0, True)
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600


async def test_daily_exports_follow_each_other(store: Store) -> None:
    keeper, made = _keeper(store), []
    await keeper.begin()
    for day in ("2026-11-21", "2026-11-21", "1970-01-01"):
        made.append(export_day(store.state_dir, day, lambda _size: True))
        await store.transact(_holds, 2)
        await keeper.sign()
    assert made == [DailyFile(1, 3, "2026-11-21"), None, DailyFile(4, 9, "1970-01-01")]
    joined = store.state_dir / "joined"
    joined.write_bytes(b"".join(path.read_bytes() for path in sorted((store.state_dir / "export").iterdir())))
    code, said = _verify(joined)
    assert (code, "rows 1 to 9\n" in said) == (0, True)


async def test_the_oldest_daily_exports_make_room(store: Store) -> None:
    await _keeper(store).begin()
    for day in range(log_export.KEPT_FILES + 2):
        export_day(store.state_dir, f"2026-00-{day:02}", lambda _size: True)
        await store.transact(_holds, 1)
    kept = [path.name[-8:-6] for path in sorted((store.state_dir / "export").iterdir())]
    assert kept == [f"{day:02}" for day in range(2, log_export.KEPT_FILES + 2)]


async def test_a_daily_export_never_touches_the_reserve(store: Store) -> None:
    await _keeper(store).begin()
    with pytest.raises(StoreFull, match="without touching the journal's reserve"):
        export_day(store.state_dir, "2026-11-21", lambda size: size < 1000)
    assert list((store.state_dir / "export").iterdir()) == []


async def test_what_a_torn_export_left_is_cleared(store: Store) -> None:
    await _keeper(store).begin()
    (store.state_dir / "export").mkdir()
    (store.state_dir / "export/.log-1.jsonl.tmp").write_bytes(b"half")
    export_day(store.state_dir, "2026-11-21", lambda _size: True)
    assert [path.suffix for path in (store.state_dir / "export").iterdir()] == [".jsonl"]


async def test_a_running_keeper_exports_once_a_day(store: Store) -> None:
    keeper = _keeper(store)
    await keeper.begin()
    task = asyncio.create_task(keeper.run())
    async with asyncio.timeout(5):
        while not list(store.state_dir.glob("export/log-*.jsonl")):
            await asyncio.sleep(0.01)
    task.cancel()
    assert len(list(store.state_dir.glob("export/*"))) == 1


async def test_an_empty_log_cannot_be_exported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the event log is empty"):
        await asyncio.to_thread(export, store.state_dir, tmp_path / "out")


def test_a_folder_without_a_station_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"station\.db"):
        export(tmp_path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


async def test_exports_that_cannot_be_written_leave_the_log_signed(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    keeper = _keeper(store)
    await keeper.begin()
    (store.state_dir / "export").write_bytes(b"no folder")
    task = asyncio.create_task(keeper.run())
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0.05)
        await store.transact(_holds, 1)
        keeper.passage_over()
        while (await store.read(_kinds))[-1] != "checkpoint":
            await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()


async def test_a_day_of_many_rows_becomes_several_files_without_a_gap(store: Store) -> None:
    keeper = _keeper(store)
    await keeper.begin()
    await store.transact(_holds, 7)
    await keeper.sign()
    assert export_day(store.state_dir, "2026-11-21", lambda _size: True, max_rows=4) == DailyFile(9, 11, "2026-11-21")
    code, said = _verify(_joined(store))
    assert (code, "rows 1 to 11\n" in said) == (0, True)


async def test_daily_files_of_another_history_are_set_aside(store: Store) -> None:
    keeper = _keeper(store)
    await keeper.begin()
    export_day(store.state_dir, "2026-11-21", lambda _size: True)
    (kept,) = (store.state_dir / "export").iterdir()
    other = kept.with_name("log-000000000004-000000000009-2026-11-22.jsonl")
    other.write_bytes(b'{"anchor":"9:' + b"0" * 64 + b'"}\n')
    await store.transact(_holds, 7)
    await keeper.sign()
    assert export_day(store.state_dir, "2026-11-23", lambda _size: True) == DailyFile(4, 11, "2026-11-23")
    assert other.with_name(f"{other.name}.other").exists()
    assert _verify(_joined(store))[0] == 0


def _joined(store: Store) -> Path:
    joined = store.state_dir / "joined"
    joined.write_bytes(b"".join(path.read_bytes() for path in sorted((store.state_dir / "export").glob("*.jsonl"))))
    return joined


async def test_a_file_that_cannot_be_written_is_not_blamed_on_the_station(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await _keeper(store).begin()
    out = tmp_path / "no/such/folder"
    assert await asyncio.to_thread(cli.main, ["export-log", str(out), "--state-dir", str(store.state_dir)]) == 1
    said = capsys.readouterr().err
    assert f"{out}: ekspor tidak dapat ditulis" in said
    assert f"{out}: the export cannot be written: No such file or directory; choose another place." in said
    assert "chown" not in said


async def test_an_export_cannot_begin_after_the_end(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await _keeper(store).begin()
    command = ["export-log", str(tmp_path / "out"), "--state-dir", str(store.state_dir), "--first", "4"]
    assert await asyncio.to_thread(cli.main, command) == 1
    assert "the event log ends at row 3, before row 4; choose an earlier row" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


async def test_a_log_with_a_wrong_first_row_needs_a_person(store: Store) -> None:
    await store.transact(_holds, 1)
    with pytest.raises(StoreBroken, match=r"station.db: the event log does not begin with a genesis row .*; restore with"):
        await _keeper(store).begin()


async def test_the_command_writes_a_new_file_only(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await _keeper(store).begin()
    command = ["export-log", str(tmp_path / "out"), "--state-dir", str(store.state_dir)]
    assert await asyncio.to_thread(cli.main, command) == 0
    assert "rows 1 to 3, anchor 3:" in capsys.readouterr().out
    assert await asyncio.to_thread(cli.main, command) == 1
    assert "exists already" in capsys.readouterr().err
