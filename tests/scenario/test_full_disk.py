"""A full disk: submits are refused whole, the lane says so, jobs stay what they are, and all goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.records import as_bytes, fresh_record
from tests.scenario.scene import Scene, texts

DISK_MB = 64
RESERVE_MB = 32  # of examples/station.toml, which keeps the default


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station whose state folder is a small disk of its own."""
    folder = tmp_path_factory.mktemp("shared")
    state = folder / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "tmpfs", state], check=True)
    try:
        scene = Scene(folder)
        with scene.rig:
            yield scene.start()
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)


def _fill(scene: Scene, leave_bytes: int) -> Path:
    """Fill the disk up to so many bytes."""
    path = scene.rig.folder / "state" / "filler"
    room = os.statvfs(path.parent)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave_bytes)
    return path


def test_a_submit_to_a_full_disk_is_refused_and_leaves_nothing_behind(scene: Scene) -> None:
    spool = scene.rig.folder / "state" / "spool"
    before = sorted(spool.iterdir())
    filler = _fill(scene, RESERVE_MB * 1024 * 1024)
    record = fresh_record()
    answer = scene.rig.post("/api/v1/jobs", as_bytes(record))
    assert answer.status == 507
    assert "The disk is full; free some space." in texts(answer)
    assert sorted(spool.iterdir()) == before
    filler.unlink()
    scene.until_state("issued", scene.hand_in(record))


def test_a_disk_too_full_to_draw_a_card_leaves_the_jobs_ready_over_a_restart(scene: Scene) -> None:
    scene.press("hold")
    scene.until_waits("held_by_operator")
    numbers = scene.submit(2)
    assert scene.rig.stop_station() == 0
    filler = _fill(scene, 500_000)  # room for the journal, not for a drawn card
    scene.rig.start_station()
    scene.until_waits("disk_full")
    scene.press("go")
    scene.until_shown("DISK PENUH")
    scene.until_lit("red")
    assert {scene.state(number) for number in numbers} == {"ready"}
    filler.unlink()
    scene.until_state("issued", *numbers)


def test_a_disk_without_a_byte_left_costs_no_record(scene: Scene) -> None:
    filler = _fill(scene, 0)
    record = fresh_record()
    answer = scene.rig.post("/api/v1/jobs", as_bytes(record))
    assert answer.status == 507
    filler.unlink()
    scene.until_state("issued", scene.hand_in(record))
