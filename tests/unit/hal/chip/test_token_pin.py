"""Where a key holder's PIN may come from, and what is no PIN. Its text is in no message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.errors import DeviceRefused
from controller.hal.chip.token_pin import CREDENTIALS, PinSource


def pin_file(folder: Path, text: bytes, mode: int = 0o400) -> PinSource:
    path = folder / "pin"
    path.write_bytes(text)
    path.chmod(mode)
    return PinSource(path)


def refusal(source: PinSource) -> str:
    with pytest.raises(DeviceRefused) as refused:
        source.read()
    assert refused.value.condition == "sam_locked"
    return refused.value.detail


@pytest.mark.parametrize("text", [b"482913", b"482913\n", b"482913\r\n"])
def test_a_file_of_mode_0400_is_read_without_its_line_end(tmp_path: Path, text: bytes) -> None:
    assert pin_file(tmp_path, text).read() == "482913"


@pytest.mark.parametrize("mode", [0o600, 0o440, 0o404, 0o500])
def test_a_file_with_any_other_right_is_refused(tmp_path: Path, mode: int) -> None:
    assert f"has mode {mode:04o}; give it to its owner alone: chmod 0400" in refusal(pin_file(tmp_path, b"482913", mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    source = pin_file(tmp_path, b"482913")
    os.chown(tmp_path / "pin", 65534, -1)
    assert "belongs to user 65534" in refusal(source)


@pytest.mark.parametrize("text", [b"", b"\n", b"48\n2913\n", b"\xff\xfe", b"1" * 256])
def test_what_is_no_pin_is_refused_without_being_shown(tmp_path: Path, text: bytes) -> None:
    detail = refusal(pin_file(tmp_path, text))
    assert "must be one line of 1 to 255 ASCII characters" in detail
    assert "2913" not in detail


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "none' cannot be read: No such file" in refusal(PinSource(tmp_path / "none"))


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pin", 0o400)
    assert "is not a file" in refusal(PinSource(tmp_path / "pin"))


@pytest.mark.parametrize(("mode", "read"), [(0o400, True), (0o444, False)])
def test_of_a_link_the_file_it_leads_to_is_judged(tmp_path: Path, mode: int, read: bool) -> None:
    pin_file(tmp_path, b"482913", mode)
    (tmp_path / "link").symlink_to("pin")
    source = PinSource(tmp_path / "link")
    assert source.read() == "482913" if read else "has mode 0444" in refusal(source)


def test_a_huge_file_is_read_no_further_than_a_pin_may_be(tmp_path: Path) -> None:
    source = pin_file(tmp_path, b"")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading all of it would never end
    (tmp_path / "huge").chmod(0o400)
    assert "must be one line" in refusal(PinSource(tmp_path / "huge"))
    assert "must be one line" in refusal(source)


@pytest.mark.parametrize("text", [b" 482913", b"482913 ", b"482913\n\n", b"482913\r\r\n"])
def test_only_one_line_end_is_taken_off(tmp_path: Path, text: bytes) -> None:
    source = pin_file(tmp_path, text)
    if text.endswith(b"\n"):
        assert "must be one line" in refusal(source)
    else:
        assert source.read() == text.decode()  # a blank may be part of a PIN


def test_no_text_of_a_source_holds_the_pin(tmp_path: Path) -> None:
    source = pin_file(tmp_path, b"739154")
    source.read()
    assert "739154" not in f"{source!r} {source.place}"


def test_a_credential_is_read_from_where_systemd_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CREDENTIALS, str(tmp_path))
    pin_file(tmp_path, b"482913", 0o440)  # systemd's rights are not ours to judge
    assert PinSource(credential="pin").read() == "482913"


def test_without_systemd_there_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CREDENTIALS, raising=False)
    assert "credential 'pin' cannot be read: this process was given no credentials" in refusal(PinSource(credential="pin"))
