"""Every fault of disk and database names its file and a command, in both languages."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from controller.errors import StoreBroken, StoreError, StoreFull
from controller.jobs.storage_faults import _WORDS, broken, fault_of


def _sqlite(code: int, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


@pytest.mark.parametrize("code", sorted(_WORDS))
def test_every_row_names_the_file_and_what_to_do_in_both_languages(code: str, tmp_path: Path) -> None:
    problem = broken(code, tmp_path, "station.db", "some detail").problem
    for text in (problem.id, problem.en):
        assert str(tmp_path / "station.db" if "{file}" in _WORDS[code][1] else tmp_path) in text
        assert "{" not in text
    assert problem.id != problem.en
    assert any(mark in problem.en for mark in "',;"), "what to do"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EIO, "Input/output error"), "store.io"),
        (OSError(errno.EROFS, "Read-only file system"), "store.readonly"),
        (OSError(errno.EACCES, "Permission denied"), "store.denied"),
        (OSError(errno.EUCLEAN, "Structure needs cleaning"), "store.corrupt"),
        (_sqlite(sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT"), "store.corrupt"),
        (_sqlite(sqlite3.SQLITE_NOTADB, "SQLITE_NOTADB"), "store.corrupt"),
        (_sqlite(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"), "store.io"),
        (_sqlite(sqlite3.SQLITE_IOERR_SHMSIZE, "SQLITE_IOERR_SHMSIZE"), "store.io"),
        (_sqlite(sqlite3.SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED"), "store.readonly"),
        (_sqlite(sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN"), "store.denied"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_person_must_mend_stops_the_station(error: Exception, code: str, tmp_path: Path) -> None:
    fault = fault_of(error, tmp_path)
    assert isinstance(fault, StoreBroken)
    assert fault.problem.code == code


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), OSError(errno.EDQUOT, "Quota"), _sqlite(sqlite3.SQLITE_FULL, "SQLITE_FULL")]
)
def test_a_full_disk_is_waited_for(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(StoreFull, match=r"free some space on .*'df -h"):
        raise fault_of(error, tmp_path)


def test_the_file_of_a_system_call_is_named(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "Input/output error", str(tmp_path / "spool" / "x.json"))
    assert str(fault_of(error, tmp_path)).startswith(f"{tmp_path}/spool/x.json: the disk reports an error")


def test_a_mistake_of_the_program_stops_nothing_for_good(tmp_path: Path) -> None:
    fault = fault_of(sqlite3.IntegrityError("UNIQUE constraint failed"), tmp_path)
    assert type(fault) is StoreError
    assert "UNIQUE" in str(fault)
