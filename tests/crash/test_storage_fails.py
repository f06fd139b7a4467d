"""Storage that fails: nothing acknowledged is lost, the message names file and command, and no start is an empty one.

The disk's errors are injected into the real system calls of the real store (strace); damage is done to the real files.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from controller.errors import StoreFull
from controller.jobs import snapshot, store_check
from controller.jobs.storage_faults import DATABASE, WAL
from controller.jobs.store import Store
from tests.crash.storing import payload
from tools.pcscd import SANDBOX_VARIABLE

ROOT = Path(__file__).parents[2]
RECORDS = 12
LIMIT_S = 60.0


@dataclass(frozen=True)
class Run:
    """What one process said."""

    code: int
    lines: list[str]

    @property
    def acknowledged(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines if line.startswith("ACK")]

    def told(self, word: str) -> str:
        return "\n".join(line for line in self.lines if line.startswith(word))


def _run(state_dir: Path, *strace: str, first: int = 0, count: int = RECORDS) -> Run:
    prefix = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", *strace] if strace else []
    command = [*prefix, sys.executable, "-m", "tests.crash.storing", str(state_dir), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=ROOT)
    assert "Traceback" not in done.stderr, done.stderr
    return Run(done.returncode, done.stdout.splitlines())


def _inject(call: str, error: str, when: str) -> tuple[str, ...]:
    return ("-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}")


@cache
def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-D", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


needs_strace = pytest.mark.skipif(not _strace_works(), reason="strace cannot attach here: the disk's errors cannot be injected")


def _must_hold(state_dir: Path, acknowledged: list[int]) -> None:
    """Every acknowledged record is a job with its payload, whatever else there is."""
    again = _run(state_dir, first=100, count=1)
    assert again.acknowledged == [100], again.lines
    with snapshot.read_only(state_dir / DATABASE) as db:
        kept = {row["record_id"]: row["payload"] for row in db.execute("SELECT record_id, payload FROM job")}
    for number in acknowledged:
        assert (state_dir / "spool" / f"{kept[f'record-{number}']}.json").read_bytes() == payload(number)
    assert [problem.en for problem in store_check.check(state_dir)] == []


# The disk refuses


@needs_strace
@pytest.mark.parametrize("when", [1, 3, 4, 6, 9])  # the second is of the folder: SQLite takes no notice of it, so we flush it too
def test_a_flush_that_fails_is_the_last_thing_the_store_does(tmp_path: Path, when: int) -> None:
    _run(tmp_path, count=1, first=50)
    run = _run(tmp_path, *_inject("fdatasync", "EIO", str(when)))
    assert run.code == 74
    assert f"{tmp_path}/station.db" in run.told("BROKEN")
    assert "the disk reports an error" in run.told("BROKEN")
    assert f"'print-station store check {tmp_path}'" in run.told("BROKEN")
    _must_hold(tmp_path, [50, *run.acknowledged])


@needs_strace
@pytest.mark.parametrize("call", ["fsync", "pwrite64"])
@pytest.mark.parametrize("when", [4, 9, 14, 23])
def test_an_error_of_the_disk_stops_the_work_wherever_it_comes(tmp_path: Path, call: str, when: int) -> None:
    _run(tmp_path, count=1, first=50)
    run = _run(tmp_path, *_inject(call, "EIO", str(when)))
    assert run.code == 74
    assert "the disk reports an error" in run.told("BROKEN")
    _must_hold(tmp_path, [50, *run.acknowledged])


@needs_strace
@pytest.mark.parametrize("when", ["1+", "2+", "6+", "9+"])
def test_a_disk_that_is_full_from_some_moment_on_costs_no_record(tmp_path: Path, when: str) -> None:
    _run(tmp_path, count=1, first=50)
    run = _run(tmp_path, "-P", str(tmp_path / WAL), *_inject("pwrite64", "ENOSPC", when))
    assert run.code == 0
    assert "is full" in run.told("FULL")
    assert "free some space on" in run.told("FULL")
    assert len(run.acknowledged) < RECORDS
    _must_hold(tmp_path, [50, *run.acknowledged])


@needs_strace
def test_one_full_moment_costs_one_refusal(tmp_path: Path) -> None:
    _run(tmp_path, count=1, first=50)
    run = _run(tmp_path, "-P", str(tmp_path / WAL), *_inject("pwrite64", "ENOSPC", "6"))
    assert len(run.told("FULL").splitlines()) == 1
    assert len(run.acknowledged) == RECORDS - 1
    _must_hold(tmp_path, [50, *run.acknowledged])


# Somebody else fills the disk, or takes away the right to write


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if SANDBOX_VARIABLE not in os.environ:
        pytest.skip("sandbox: a disk is mounted")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb") as file:
        room = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    assert os.statvfs(disk).f_bavail == 0


async def test_the_journal_goes_on_when_somebody_else_fills_the_disk(disk: Path) -> None:
    store = await Store.open(disk / "state")
    assert await store.keep_room()
    _fill(disk)
    pages = 8 * 16 * 10  # eight cards in hand, each with the commits of a whole passage
    await _write_all(store)
    written = await store.read(lambda db: db.execute("SELECT count(*) FROM flag WHERE name LIKE 'page%'").fetchone()[0])
    assert written == pages
    await store.close()


async def _write_all(store: Store) -> None:
    for number in range(8 * 16):
        await store.transact(_write_pages, number)


def _write_pages(db: sqlite3.Connection, number: int) -> None:
    """As much as a commit of the journal writes at the very most: ten pages."""
    for page in range(10):
        db.execute("INSERT INTO flag (name, value) VALUES (?, ?)", (f"page-{number}-{page}", "x" * 3500))


async def test_without_room_of_its_own_the_journal_would_stop(disk: Path) -> None:
    store = await Store.open(disk / "state")
    _fill(disk)
    with pytest.raises(StoreFull, match="free some space"):
        await _write_all(store)
    await store.close()


def test_a_disk_without_a_byte_is_told_at_the_start_and_all_is_there_later(disk: Path) -> None:
    first = _run(disk / "state")
    _fill(disk)
    run = _run(disk / "state", first=20)
    assert run.acknowledged == []
    assert "is full" in run.told("FULL")
    (disk / "filler").unlink()
    _must_hold(disk / "state", first.acknowledged)


def test_a_read_only_disk_is_told_with_the_command(disk: Path) -> None:
    first = _run(disk / "state")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    run = _run(disk / "state", first=20)
    assert run.code == 74
    assert f"is read-only; see 'dmesg', then 'mount -o remount,rw {disk}'" in run.told("BROKEN")
    assert [problem.en for problem in store_check.check(disk / "state")] == []
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    _must_hold(disk / "state", first.acknowledged)


# Damage


@pytest.fixture
def lived(tmp_path: Path) -> tuple[Path, list[int]]:
    """A state folder with acknowledged records, and a snapshot of it beside it."""
    state = tmp_path / "state"
    run = _run(state)
    snapshot.take(state, tmp_path / "snapshot")
    return state, run.acknowledged


def _restored(state: Path, acknowledged: list[int]) -> None:
    command = [sys.executable, "-m", "controller", "store", "restore", str(state.parent / "snapshot"), str(state)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "broken-" in done.stdout
    _must_hold(state, acknowledged)
    with snapshot.read_only(state / DATABASE) as db:
        assert {row[0] for row in db.execute("SELECT DISTINCT state FROM job")} == {"held"}


def _refused(state: Path, says: str) -> None:
    before = sorted(path.name for path in (state / "spool").iterdir())
    run = _run(state)
    assert (run.code, run.acknowledged) == (74, []), run.lines
    assert says in run.told("BROKEN")
    assert "'print-station store restore" in run.told("BROKEN")
    assert sorted(path.name for path in (state / "spool").iterdir()) == before


def test_a_database_that_was_deleted(lived: tuple[Path, list[int]]) -> None:
    state, acknowledged = lived
    (state / DATABASE).rename(state.parent / "deleted.db")
    (state / "lock").touch()
    _refused(state, f"{state / DATABASE} is missing")
    (state / "station.db-wal").unlink(missing_ok=True)
    (state / DATABASE).write_bytes(b"")
    _refused(state, f"{state / DATABASE} is empty")
    _restored(state, acknowledged)


def test_a_database_that_was_cut_short(lived: tuple[Path, list[int]]) -> None:
    state, acknowledged = lived
    os.truncate(state / DATABASE, 3 * 4096)
    _refused(state, f"{state / DATABASE} is damaged")
    _restored(state, acknowledged)


def test_a_database_of_somebody_else(lived: tuple[Path, list[int]]) -> None:
    state, acknowledged = lived
    (state / DATABASE).unlink()
    with sqlite3.connect(state / DATABASE) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    _refused(state, f"{state / DATABASE} is not a print-station database")
    _restored(state, acknowledged)


def test_a_database_of_a_newer_program(lived: tuple[Path, list[int]]) -> None:
    state, acknowledged = lived
    with sqlite3.connect(state / DATABASE) as db:
        have = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = 99")
    run = _run(state)
    assert run.code == 74
    assert "has schema 99" in run.told("BROKEN")
    assert "'apt install print-station'" in run.told("BROKEN")
    db.execute(f"PRAGMA user_version = {have}")
    db.close()
    _must_hold(state, acknowledged)


@pytest.mark.parametrize("bit", [3, 100 * 8, 4096 * 8 + 1, 2 * 4096 * 8 + 12, 5 * 4096 * 8 + 40])
def test_a_flipped_bit_is_refused_found_or_harmless(lived: tuple[Path, list[int]], bit: int) -> None:
    """In the header a start is refused; in a page the check finds it; nothing acknowledged is given up either way."""
    state, acknowledged = lived
    data = bytearray((state / DATABASE).read_bytes())
    data[bit // 8] ^= 1 << (bit % 8)
    (state / DATABASE).write_bytes(data)
    problems = [problem.en for problem in store_check.check(state)]
    assert problems
    assert str(state / DATABASE) in problems[0]
    assert "store restore" in problems[0]
    _restored(state, acknowledged)


def test_a_payload_that_was_deleted_comes_back_with_its_record(lived: tuple[Path, list[int]]) -> None:
    state, acknowledged = lived
    victim = next((state / "spool").iterdir())
    victim.unlink()
    assert [f"{victim} is missing or changed" in problem.en for problem in store_check.check(state)] == [True]
    again = _run(state)  # every record is handed in again
    assert again.acknowledged == acknowledged
    _must_hold(state, acknowledged)
