"""The trace that recorder.c writes: every change below one folder, in order. One record is a `head`, two texts, and data."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_HEAD = struct.Struct("=IIIIQQ")  # op, lengths of path, other path and data, inode, offset


class Op(StrEnum):
    """What was done. Same letters as in recorder.c."""

    ROOT = "G"  # a process began to record; its folder
    OPEN = "O"  # with O_CREAT: made the file unless it was there
    TRUNCATE = "T"  # length set to `offset`
    WRITE = "W"
    EXTEND = "F"  # fallocate: at least `offset` long
    FSYNC = "S"
    FDATASYNC = "D"
    SYNC_RANGE = "R"  # promises nothing: no disk cache is flushed, no length and no name is written
    UNLINK = "U"
    RMDIR = "X"
    MKDIR = "M"
    RENAME = "N"
    LINK = "L"
    MARK = "A"  # what the program says, e.g. which promise it has given
    MAPPED = "E"  # a file that is no durable state was made or mapped
    UNSUPPORTED = "!"  # `other` says what cannot be replayed


@dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded."""

    op: Op
    path: str
    other: str
    inode: int
    offset: int
    data: bytes


class TraceError(Exception):
    """The trace does not tell how the folder came to be as it is."""


def read_trace(file: Path) -> Sequence[Call]:
    """All calls in order. Raises TraceError when the file does not end with a whole record."""
    return list(_calls(file.read_bytes()))


def _calls(raw: bytes) -> Iterator[Call]:
    at = 0
    while at < len(raw):
        if len(raw) - at < _HEAD.size:
            raise TraceError("the trace ends within a record")
        op, path_len, other_len, data_len, inode, offset = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        path_end, other_end = at + path_len, at + path_len + other_len
        end = other_end + data_len
        if end > len(raw):
            raise TraceError("the trace ends within a record")
        yield Call(Op(chr(op)), raw[at:path_end].decode(), raw[path_end:other_end].decode(), inode, offset, raw[other_end:end])
        at = end
