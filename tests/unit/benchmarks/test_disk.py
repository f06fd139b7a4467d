"""The peers on the same disk."""

from __future__ import annotations

from pathlib import Path

from benchmarks.disk import commits_per_s, commits_with_files_per_s


def test_every_commit_is_counted_and_every_file_is_there(tmp_path: Path) -> None:
    assert commits_with_files_per_s(tmp_path / "raw", 3, 1000) > 0
    assert [path.stat().st_size for path in sorted((tmp_path / "raw").glob("*.json"))] == [1000] * 3


def test_raw_commits_leave_their_rows_in_a_database_in_wal_mode(tmp_path: Path) -> None:
    assert commits_per_s(tmp_path / "raw", 3) > 0
    header = (tmp_path / "raw" / "raw.db").read_bytes()
    assert header[18:20] == b"\x02\x02"  # SQLite file format: write and read version 2 are WAL
