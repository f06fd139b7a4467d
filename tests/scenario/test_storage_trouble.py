"""Storage trouble under the real daemon: the card in hand is finished on a disk that somebody else fills, a journal that cannot
be written ends the daemon with the reason, and no start is an empty one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.commands.run import NEEDS_A_PERSON
from tests.scenario.records import as_bytes, fresh_record
from tests.scenario.scene import NewScene, Scene

SPEED = "20"  # a card takes long enough to be interfered with


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[None]:
    """The state folder is a small disk of its own."""
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "tmpfs", state], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", state], check=True)


@pytest.fixture
def scene(small_disk: None, new_scene: NewScene) -> Scene:
    """A station on the small disk; it is compared with the truth and ended before its disk goes (the order of the fixtures)."""
    return new_scene(speed=SPEED)


def _fill(scene: Scene) -> Path:
    path = scene.rig.folder / "state" / "filler"
    room = os.statvfs(path.parent)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    assert os.statvfs(path.parent).f_bavail == 0
    return path


def _last_line(scene: Scene) -> dict[str, str]:
    line: dict[str, str] = json.loads((scene.rig.folder / "station.log").read_text().splitlines()[-1])
    return line


def _ended(scene: Scene) -> int:
    codes: list[int | None] = []

    def looked() -> bool:
        codes[:] = [scene.rig.station_exit()]
        return codes[0] is not None

    scene.rig.until(looked, "the daemon to end")
    return codes[0] or 0


def test_the_card_in_hand_is_finished_when_somebody_else_fills_the_disk(scene: Scene) -> None:
    scene.start()
    first, second = scene.submit(2)
    scene.until_stage("print")
    filler = _fill(scene)
    scene.until_state("issued", first)
    scene.until_waits("disk_full")
    assert scene.state(second) == "ready"
    assert scene.cards_of(first) == 1
    assert scene.rig.post("/api/v1/jobs", as_bytes(fresh_record())).status == 507
    filler.unlink()
    scene.until_state("issued", second)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace injects the disk's errors")
def test_a_journal_that_cannot_be_flushed_ends_the_daemon_with_the_reason(scene: Scene) -> None:
    scene.start()
    done = scene.issue(1)
    assert scene.rig.stop_station() == 0
    inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=12+"]
    scene.rig.start_station(prefix=["strace", "-D", "-f", "-qq", "-o", "/dev/null", *inject])
    number = scene.hand_in(fresh_record())
    assert _ended(scene) == NEEDS_A_PERSON
    line = _last_line(scene)
    assert (line["level"], line["event"], line["error"]) == ("critical", "station failed", "StoreBroken")
    assert "the disk reports an error" in line["text"]
    assert "'print-station store check" in line["text"]
    scene.rig.start_station()
    assert scene.state(done[0]) == "issued"
    scene.until_state("issued", number)
    assert scene.cards_of(number) == 1


def test_a_state_that_is_gone_is_not_begun_anew_and_comes_back_from_a_snapshot(scene: Scene) -> None:
    scene.start()
    (done,) = scene.issue(1)
    scene.press("hold")
    (waiting,) = scene.submit(1)
    state, out = scene.rig.folder / "state", scene.rig.folder / "saved"
    saved = scene.rig.command("store", "snapshot", out, "--state-dir", state)
    assert saved.returncode == 0, saved.stderr
    assert scene.rig.stop_station() == 0
    (state / "station.db").unlink()
    scene.rig.start_station(wait=False)
    assert _ended(scene) == NEEDS_A_PERSON
    assert f"{state / 'station.db'} is missing" in _last_line(scene)["text"]
    back = scene.rig.command("store", "restore", out, state)
    assert back.returncode == 0, back.stderr
    scene.rig.start_station()
    assert (scene.state(done), scene.state(waiting)) == ("issued", "held")
    job = scene.job(waiting)["job"]
    assert job["reason"] == "restored"
    assert "cadangan" in job["reason_id"]
    assert "make sure that this card was never issued" in job["reason_en"]
    scene.press("go")
    assert scene.rig.command("retry", str(waiting), "--reason", "asked the centre").returncode == 0
    scene.until_state("issued", waiting)


def test_a_lost_record_holds_its_job_until_it_is_handed_in_again(scene: Scene) -> None:
    scene.start()
    scene.press("hold")
    scene.until_waits("held_by_operator")
    record = fresh_record()
    number = scene.hand_in(record)
    assert scene.rig.stop_station() == 0
    next((scene.rig.folder / "state" / "spool").glob("*.json")).unlink()
    scene.rig.start_station()
    scene.press("go")
    scene.until_state("held", number)
    assert scene.job(number)["job"]["reason"] == "payload_lost"
    assert scene.hand_in(record) == number
    scene.until_state("issued", number)


def test_damage_is_found_beside_the_work_and_ends_the_daemon_in_good_order(scene: Scene) -> None:
    scene.start()
    scene.press("hold")
    scene.submit(3)
    state, out = scene.rig.folder / "state", scene.rig.folder / "saved"
    assert scene.rig.command("store", "snapshot", out, "--state-dir", state).returncode == 0
    assert scene.rig.stop_station() == 0
    database = scene.rig.folder / "state" / "station.db"
    with database.open("rb+") as file:
        file.seek(-2 * 4096, 2)
        file.write(b"\xff" * 4096)
    scene.rig.start_station(wait=False)
    assert _ended(scene) == NEEDS_A_PERSON
    assert f"{database} is damaged" in _last_line(scene)["text"]
    check = scene.rig.command("store", "check", database.parent)
    assert check.returncode == 1
    assert f"{database} rusak" in check.stderr
    assert scene.rig.command("store", "restore", out, state).returncode == 0
    scene.rig.start_station()
