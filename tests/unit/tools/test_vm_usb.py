"""The parts of make vm-usb that need no guest: the archive, the order of modules, and the word where it cannot be done."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from tools.vm_usb import __main__ as command
from tools.vm_usb.cpio import Archive
from tools.vm_usb.parts import MODULES, with_dependencies


def entries(raw: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name, read as the kernel reads it: everything starts at a multiple of four."""
    found, place = {}, 0
    while place < len(raw):
        assert raw[place : place + 6] == b"070701"
        mode, size, name_size = (int(raw[place + at : place + at + 8], 16) for at in (14, 54, 94))
        name = raw[place + 110 : place + 110 + name_size - 1].decode()
        start = (place + 110 + name_size + 3) // 4 * 4
        found[name] = (mode, raw[start : start + size])
        place = (start + size + 3) // 4 * 4
    return found


def test_a_tree_is_archived_with_its_links_modes_and_folders(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_bytes(b"#!x")
    (tmp_path / "bin/tool").chmod(0o700)
    (tmp_path / "lib").symlink_to("bin")
    (tmp_path / "__pycache__").mkdir()
    out = io.BytesIO()
    archive = Archive(out)
    archive.add_tree(tmp_path, "usr/local", skip=["__pycache__"])
    archive.add_console()
    archive.end()
    found = entries(out.getvalue())
    assert found["usr/local/bin/tool"] == (stat.S_IFREG | 0o755, b"#!x")
    assert found["usr/local/lib"] == (stat.S_IFLNK | 0o777, b"bin")
    assert stat.S_ISCHR(found["dev/console"][0])
    assert list(found)[-1] == "TRAILER!!!"
    assert "usr/local/__pycache__" not in found


def test_folders_come_before_what_is_in_them_and_only_once() -> None:
    out = io.BytesIO()
    archive = Archive(out)
    archive.add_folder("a/b")
    archive.add_folder("a/c")
    archive.end()
    assert list(entries(out.getvalue())) == ["a", "a/b", "a/c", "TRAILER!!!"]


def module(folder: Path, name: str, needs: str) -> tuple[str, Path]:
    file = folder / f"{name}.ko"
    file.write_bytes(b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=" + name.encode() + b"\0")
    return name.replace("-", "_"), file


def test_a_module_comes_after_those_it_needs(tmp_path: Path) -> None:
    rows = {"e1000": "", "vhci-hcd": "usbip-core,usbcore", "usbip-core": "usbcore", "usblp": "usbcore", "usbcore": "usb-common",
            "usb-common": ""}  # fmt: skip
    files = dict(module(tmp_path, name, needs) for name, needs in rows.items())
    order = list(with_dependencies(files))
    assert order == ["e1000", "usb_common", "usbcore", "usbip_core", "vhci_hcd", "usblp"]
    assert {name.replace("-", "_") for name in MODULES} <= set(order)


def test_where_it_cannot_be_done_it_says_so_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SKIPPED: ")
    assert "this needs Debian" in said or "x86_64" in said
