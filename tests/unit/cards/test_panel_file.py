"""The panel file: what was written comes back, and nothing else does."""

from pathlib import Path

import pytest

from controller.cards.panel_file import read_panel_file, write_panel_file
from controller.errors import RenderError, StoreError
from controller.model import Panel

PANELS = (Panel("y", 128, bytes(range(70))), Panel("k", 2, b"\x0f" * 9), Panel("o", 2, b""))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "job.panels"
    write_panel_file(path, "evolis-primacy", PANELS)
    return path


def test_panels_come_back_in_order(path: Path) -> None:
    assert read_panel_file(path) == PANELS


def test_writing_replaces_and_leaves_no_temp_file(path: Path) -> None:
    write_panel_file(path, "evolis-primacy", PANELS[:1])
    assert read_panel_file(path) == PANELS[:1]
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_says_draw_again(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="not in the spool; draw it again"):
        read_panel_file(tmp_path / "none")


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_panel_file(tmp_path / "none" / "job.panels", "evolis-primacy", PANELS)


def test_a_file_that_cannot_be_read_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        read_panel_file(tmp_path)


def test_every_changed_byte_of_data_is_seen(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RenderError, match="hash differs"):
        read_panel_file(path)


def test_a_cut_file_is_seen(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RenderError, match="shorter than its header says"):
        read_panel_file(path)


def test_a_tail_is_seen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RenderError, match="longer than its header says"):
        read_panel_file(path)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (b"print-station", b"paint-station", "not a panel file"),
        (b'{"format"', b'"format"', "header unreadable"),
        (b'"format":1', b'"format":2', "header makes no sense"),
        (b'"levels":128', b'"levels":1', "header makes no sense"),
        (b'"size_bytes":70', b'"size_bytes":-1', "header makes no sense"),
        (b'"size_bytes":70', b'"size_bytes":9999999', "header makes no sense"),
        (b'"offset":70', b'"offset":71', "header makes no sense"),
        (b'"size_bytes":70', b'"size_bytes":"70"', "header unreadable"),
        (b'"name":"y"', b'"name":5', "header makes no sense"),
        (b'"panels"', b'"panel"', "header unreadable"),
    ],
)
def test_a_wrong_header_is_seen(path: Path, before: bytes, after: bytes, reason: str) -> None:
    whole = path.read_bytes()
    assert before in whole
    path.write_bytes(whole.replace(before, after, 1))
    with pytest.raises(RenderError, match=reason):
        read_panel_file(path)
