"""What a power cut may leave: everything that was synced, and any part of the rest."""

from __future__ import annotations

from random import Random

import pytest

from tools.powercut.disk import Disk
from tools.powercut.inodes import SECTOR
from tools.powercut.trace import Call, Op, TraceError

SEEDS = range(200)


def _disk(*steps: tuple[Op, str, int, int | str | bytes]) -> Disk:
    """A disk after these calls on /r, given as (op, name, inode, offset or data or other name)."""
    disk = Disk()
    disk.apply(Call(Op.ROOT, "/r", "", 1, 0, b""))
    for op, name, inode, more in steps:
        path, other = f"/r/{name}".rstrip("/"), f"/r/{more}" if isinstance(more, str) else ""
        disk.apply(Call(op, path, other, inode, more if isinstance(more, int) else 0, more if isinstance(more, bytes) else b""))
    return disk


def _left(disk: Disk, chance: float, seed: int = 0) -> dict[str, bytes | None]:
    """Every file that is left, whole."""
    image = disk.image(chance, Random(seed))
    return {name: None if content is None else bytes(content.data).ljust(content.size, b"\0") for name, content in image.items()}


OPEN_F = (Op.OPEN, "f", 2, 0)
SYNC_NAMES = (Op.FSYNC, "", 1, 0)
OLD, NEW = b"old" * 500, b"new" * 500  # three sectors
WRITE_OLD, WRITE_NEW = (Op.WRITE, "f", 2, OLD), (Op.WRITE, "f", 2, NEW)
SYNC_F = (Op.FDATASYNC, "f", 2, 0)


def test_what_was_synced_is_always_there() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES)
    assert all(_left(disk, chance) == {"f": OLD} for chance in (0.0, 0.1, 0.5, 1.0))


def test_what_was_not_synced_is_there_or_not() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES, WRITE_NEW)
    assert (_left(disk, 0.0), _left(disk, 1.0)) == ({"f": OLD}, {"f": NEW})


def test_each_sector_is_there_on_its_own() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES, WRITE_NEW)
    images = {content for seed in SEEDS if (content := _left(disk, 0.5, seed)["f"]) is not None}
    starts = range(0, len(OLD), SECTOR)
    assert len(images) == 2 ** len(starts)
    assert all(image[at : at + SECTOR] in (OLD[at : at + SECTOR], NEW[at : at + SECTOR]) for image in images for at in starts)


def test_a_sector_may_hold_any_of_its_unsynced_versions() -> None:
    disk = _disk(OPEN_F, SYNC_NAMES, *((Op.WRITE, "f", 2, text) for text in (b"1", b"2", b"3")))
    assert {_left(disk, 0.5, seed)["f"] for seed in SEEDS} == {b"", b"\0", b"1", b"2", b"3"}


def test_a_length_may_arrive_without_its_data() -> None:
    disk = _disk(OPEN_F, SYNC_NAMES, (Op.WRITE, "f", 2, b"x" * 2 * SECTOR))
    images = {_left(disk, 0.5, seed)["f"] for seed in SEEDS}
    empty, full = bytes(SECTOR), b"x" * SECTOR
    assert images == {b"", empty + empty, full + empty, empty + full, full + full}


def test_a_truncation_is_there_whole_or_not_at_all() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES, (Op.TRUNCATE, "f", 2, 700))
    assert {_left(disk, 0.5, seed)["f"] for seed in SEEDS} == {OLD, OLD[:700]}


def test_what_a_truncation_took_away_does_not_come_back_when_the_file_grows() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, (Op.TRUNCATE, "f", 2, 0), (Op.EXTEND, "f", 2, 3000), SYNC_F, SYNC_NAMES)
    assert _left(disk, 0.0) == {"f": bytes(3000)}


def test_a_synced_file_has_no_name_until_its_folder_is_synced() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F)
    assert {tuple(_left(disk, 0.5, seed)) for seed in SEEDS} == {(), ("f",)}


def test_a_removed_file_may_come_back_with_what_it_held() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES, (Op.UNLINK, "f", 0, 0))
    assert (_left(disk, 0.0), _left(disk, 1.0)) == ({"f": OLD}, {})


def test_a_rename_is_there_whole_or_not_at_all() -> None:
    disk = _disk(OPEN_F, (Op.OPEN, "g", 3, 0), SYNC_NAMES, (Op.WRITE, "g", 3, b"g"), SYNC_F, (Op.RENAME, "g", 0, "f"))
    assert {tuple(sorted(_left(disk, 0.5, seed))) for seed in SEEDS} == {("f",), ("f", "g")}


def test_what_lies_in_a_lost_folder_is_lost() -> None:
    disk = _disk((Op.MKDIR, "d", 4, 0), (Op.OPEN, "d/f", 5, 0), (Op.FSYNC, "d/f", 5, 0), (Op.FSYNC, "d", 4, 0))
    assert (_left(disk, 0.0), _left(disk, 1.0)) == ({}, {"d": None, "d/f": b""})


def test_a_number_that_is_used_again_is_another_file() -> None:
    disk = _disk(OPEN_F, WRITE_OLD, SYNC_F, SYNC_NAMES, (Op.UNLINK, "f", 0, 0), OPEN_F, (Op.WRITE, "f", 2, b"x"))
    assert _left(disk, 0.0) == {"f": OLD}
    assert _left(disk, 1.0) == {"f": b"x"}


def test_shared_memory_is_there_or_not_and_holds_anything() -> None:
    disk = _disk(OPEN_F, SYNC_NAMES, (Op.MAPPED, "f-shm", 0, 0))
    images = [_left(disk, 0.0, seed) for seed in range(8)]
    assert {"f-shm" in image for image in images} == {True, False}
    assert len({image["f-shm"] for image in images if "f-shm" in image}) > 1


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ((Op.WRITE, "g", 9, b"x"), "nobody traced how /r/g was made"),
        ((Op.UNLINK, "g", 0, 0), "nobody traced how /r/g was made"),
        ((Op.OPEN, "f", 9, 0), "nobody traced how /r/f was replaced"),
        ((Op.OPEN, "d/f", 9, 0), "nobody traced how the folder of /r/d/f was made"),
        ((Op.UNSUPPORTED, "f", 0, "mmap"), "mmap on /r/f cannot be replayed"),
    ],
)
def test_a_trace_with_a_hole_is_refused(step: tuple[Op, str, int, int | str | bytes], why: str) -> None:
    with pytest.raises(TraceError, match=why):
        _disk(OPEN_F, step)
