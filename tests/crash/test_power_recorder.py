"""The recorder under the power cuts: every change of the folder is in the trace, or the run fails."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.powercut import recorder
from tools.powercut.cuts import prove_complete
from tools.powercut.trace import Call, Op, TraceError, read_trace

HEAD = "import ctypes, mmap, os, shutil, sqlite3; from pathlib import Path; os.chdir('{}'); Path('a').write_bytes(b'a' * 3000);"

CHANGES = {
    "write": "f = os.open('f', os.O_CREAT | os.O_WRONLY); os.write(f, b'12'); os.write(f, b'34')",
    "append": "os.write(os.open('a', os.O_APPEND | os.O_WRONLY), b'x')",
    "pwrite": "os.pwrite(os.open('a', os.O_WRONLY), b'x', 5000)",
    "writev": "os.writev(os.open('a', os.O_WRONLY), [b'x', b'', b'yz'])",
    "pwritev": "os.pwritev(os.open('a', os.O_WRONLY), [b'x', b'yz'], 7)",
    "a copied descriptor": "os.write(os.dup(os.open('a', os.O_WRONLY)), b'x')",
    "a file without a name": "f = os.open('f', os.O_CREAT | os.O_RDWR); os.unlink('f'); os.write(f, b'x')",
    "O_TRUNC": "os.open('a', os.O_WRONLY | os.O_TRUNC)",
    "ftruncate": "os.ftruncate(os.open('a', os.O_WRONLY), 700)",
    "fallocate": "os.posix_fallocate(os.open('a', os.O_WRONLY), 4000, 500)",
    "unlink": "os.unlink('a')",
    "rename": "os.rename('a', 'b')",
    "rename over": "Path('b').touch(); os.replace('b', 'a')",
    "names at a folder": "os.mkdir('d'); d = os.open('d', os.O_RDONLY); os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=d); "
                         "os.rename('f', 'g', src_dir_fd=d, dst_dir_fd=d); os.mkdir('e', dir_fd=d); os.rmdir('e', dir_fd=d)",
    "dots and slashes": "os.mkdir('d//'); os.rename('./a', 'd/../c'); os.rmdir(os.getcwd() + '/d/')",
    "link": "os.link('a', 'b')",
    "folders": "os.makedirs('d/e'); os.rmdir('d/e')",
    "sqlite": "d = sqlite3.connect('x.db', isolation_level=None); d.execute('PRAGMA journal_mode = wal'); "
              "d.execute('CREATE TABLE t (x)'); os._exit(0)",
}  # fmt: skip

NOT_RECORDED = {
    "mmap.mmap(os.open('a', os.O_RDWR), 0)[0:1] = b'x'": "a writable shared mapping on .*/a cannot be replayed",
    "ctypes.CDLL(None).truncate(b'a', 5)": "truncate by path on .*/a cannot be replayed",
    "os.symlink('a', 'b')": "symlink on .*/b cannot be replayed",
    "os.rename('a', '../out')": "rename across the folder's edge on .*/a cannot be replayed",
    "shutil.copyfile('a', 'b')": "sendfile(64)? on .*/b cannot be replayed",
    "c = ctypes.CDLL(None); c.fopen.restype = ctypes.c_void_p; c.fclose(ctypes.c_void_p(c.fopen(b'b', b'w')))":
        "written past the recorder: b",
    "f = os.open('a', os.O_WRONLY); ctypes.CDLL(None).syscall(1, f, b'x', 1)": "written past the recorder: a",
}  # fmt: skip


def _traced(folder: Path, code: str, deaf: Path | None = None) -> Sequence[Call]:
    """The calls of a program that works in `folder`/root."""
    root = folder / "root"
    root.mkdir()
    environment = recorder.environment(root, folder / "trace", deaf)
    subprocess.run([sys.executable, "-c", HEAD.format(root) + code], env=environment, check=True, cwd=folder)
    return read_trace(folder / "trace")


@pytest.mark.parametrize("code", CHANGES.values(), ids=CHANGES.keys())
def test_every_way_to_change_the_folder_is_recorded(tmp_path: Path, code: str) -> None:
    prove_complete(_traced(tmp_path, code), tmp_path / "root")


@pytest.mark.parametrize(("code", "why"), NOT_RECORDED.items(), ids=[why.partition(" on ")[0] for why in NOT_RECORDED.values()])
def test_what_cannot_be_recorded_makes_the_run_fail(tmp_path: Path, code: str, why: str) -> None:
    calls = _traced(tmp_path, code)
    with pytest.raises(TraceError, match=why):
        prove_complete(calls, tmp_path / "root")


def test_syncs_and_marks_stand_where_they_were_made(tmp_path: Path) -> None:
    mark = f"os.write({recorder.MARK_FD}, b'promised')"
    calls = _traced(tmp_path, f"f = os.open('a', os.O_WRONLY); os.write(f, b'x'); os.fsync(f); {mark}; os.fdatasync(f)")
    assert [call.op for call in calls[-4:]] == [Op.WRITE, Op.FSYNC, Op.MARK, Op.FDATASYNC]
    assert calls[-2].data == b"promised"


def test_shared_memory_of_sqlite_is_no_durable_state(tmp_path: Path) -> None:
    calls = _traced(tmp_path, CHANGES["sqlite"])
    on_shm = Counter(call.op for call in calls if call.path.endswith("-shm"))
    assert set(on_shm) == {Op.MAPPED}


def test_what_lies_elsewhere_is_not_recorded(tmp_path: Path) -> None:
    calls = _traced(tmp_path, "Path('../root-not').write_bytes(b'x'); os.unlink('../root-not')")
    assert [call.path for call in calls if "root-not" in call.path] == []


def test_a_deaf_folder_is_never_synced(tmp_path: Path) -> None:
    code = "f = os.open('.', os.O_RDONLY); os.fsync(f); a = os.open('a', os.O_RDONLY); os.fsync(a)"
    calls = _traced(tmp_path, code, deaf=tmp_path / "root")
    assert [Path(call.path).name for call in calls if call.op is Op.FSYNC] == ["a"]


def test_a_mark_without_the_recorder_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        recorder.mark("promised")


def test_a_torn_trace_is_refused(tmp_path: Path) -> None:
    _traced(tmp_path, "")
    whole = (tmp_path / "trace").read_bytes()
    (tmp_path / "trace").write_bytes(whole[:-1])
    with pytest.raises(TraceError, match="ends within a record"):
        read_trace(tmp_path / "trace")
