"""Payload files are whole or absent, and proven by their hash."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from controller.errors import PayloadLost, StoreError, StoreFull
from controller.jobs.spool import Spool


def test_a_payload_comes_back_as_it_was_stored(spool: Spool) -> None:
    payload = spool.put(b"record")
    assert payload == hashlib.sha256(b"record").hexdigest()
    assert spool.get(payload) == b"record"


def test_storing_twice_is_one_file(spool: Spool) -> None:
    spool.put(b"record")
    spool.put(b"record")
    assert len(list(spool.folder.iterdir())) == 1


def test_a_payload_file_is_private(spool: Spool) -> None:
    assert spool.path(spool.put(b"record")).stat().st_mode & 0o777 == 0o600


def test_a_changed_payload_is_refused(spool: Spool) -> None:
    payload = spool.put(b"record")
    spool.path(payload).write_bytes(b"forged")
    with pytest.raises(PayloadLost, match=rf"{payload}.json was changed.*print-station submit"):
        spool.get(payload)
    assert not spool.holds(payload)


def test_a_missing_payload_is_named_with_the_way_out(spool: Spool) -> None:
    with pytest.raises(PayloadLost, match=r"0{64}.json is missing; hand the record in again with 'print-station submit'"):
        spool.get("0" * 64)
    assert not spool.holds("0" * 64)


def test_a_full_disk_stores_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(StoreFull, match="nothing was stored"):
        spool.put(b"record")
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_written_says_so(spool: Spool) -> None:
    spool.folder.rmdir()
    spool.folder.write_bytes(b"")
    with pytest.raises(StoreError, match=re.escape(str(spool.folder))):
        spool.put(b"record")


def test_a_spool_that_is_only_read_is_not_made(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "nowhere", reserve_bytes=0, make=False)
    assert not spool.holds("0" * 64)
    assert not spool.folder.exists()


def test_the_sweep_leaves_what_is_not_the_stations(spool: Spool) -> None:
    (spool.folder / "lost+found").mkdir()
    (spool.folder / f"{'a' * 64}.json").mkdir()
    (spool.folder / "notes.txt").write_bytes(b"of staff")
    assert (spool.strays(set()), spool.sweep(set())) == ([], 0)
    assert len(list(spool.folder.iterdir())) == 3


def test_a_stray_that_became_a_jobs_meanwhile_stays(spool: Spool) -> None:
    orphan, late = spool.put(b"orphan"), spool.put(b"late")
    strays = spool.strays(set())
    assert spool.discard(strays, {late}) == 1
    assert (spool.holds(orphan), spool.holds(late)) == (False, True)


def test_the_sweep_removes_torn_and_unwanted_files_only(spool: Spool) -> None:
    wanted, orphan = spool.put(b"wanted"), spool.put(b"orphan")
    (spool.folder / f".{wanted}.tmp").write_bytes(b"torn")
    assert spool.sweep({wanted}) == 2
    assert spool.get(wanted) == b"wanted"
    assert not spool.path(orphan).exists()
