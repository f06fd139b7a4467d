"""The log's key: made once, kept private, never made anew over a log."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.errors import StoreBroken
from controller.jobs.log_key import FILE, LogKey, checkpoint_message, open_key
from controller.model import LogHead


def test_a_first_start_makes_a_private_key(tmp_path: Path) -> None:
    key = open_key(tmp_path, None)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert open_key(tmp_path, key.public).public == key.public


def test_a_key_that_no_log_has_used_yet_is_kept(tmp_path: Path) -> None:
    """A power cut between the key and the genesis row."""
    first = open_key(tmp_path, None)
    assert open_key(tmp_path, None).public == first.public


def test_two_stations_have_two_keys(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert open_key(tmp_path / "a", None).public != open_key(tmp_path / "b", None).public


def test_a_missing_key_of_a_log_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(StoreBroken, match="log-key is missing although the event log was signed with it; bring it back"):
        open_key(tmp_path, "ab" * 32)
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_another_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(bytes(32))
    with pytest.raises(StoreBroken, match=r"log-key is not the key of the event log in station\.db; bring the right one back"):
        open_key(tmp_path, "ab" * 32)
    assert (tmp_path / FILE).read_bytes() == bytes(32)


@pytest.mark.parametrize("content", [b"", b"short", bytes(33), bytes(10_000)])
@pytest.mark.parametrize("public", [None, "ab" * 32])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes, public: str | None) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreBroken, match="log-key is not a key: a key has 32 bytes"):
        open_key(tmp_path, public)


def test_a_checkpoint_signs_station_row_and_hash() -> None:
    key, head = LogKey(bytes(range(32))), LogHead(7, "ab" * 32)
    message = checkpoint_message("station", head)
    assert message == b"print-station checkpoint 1\nstation\n7\n" + b"ab" * 32
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
    public.verify(b64decode(key.sign("station", head)), message)
