"""What a power cut may leave of a traced folder. Pure.

The model is what POSIX promises and not a promise more; every file system that keeps its word leaves one of these images:

- An fsync or fdatasync of a file makes its content and length durable, and no name.
- An fsync of a folder makes the names in it durable: made, removed, renamed, linked. A rename within a folder is there whole or
  not at all.
- Of everything later, any part may be on the disk: each 512-byte sector on its own in any of its unsynced versions, the length
  in any of its unsynced values (sectors that never arrived read as zeros), each change of a folder on its own, in any order.
  A truncation is there whole or not at all: a length is one number, and SQLite relies on that when it truncates a WAL.
- Nothing that was synced is ever lost. (A disk that lies about flushes is another test: reliability.md 4.4, `rig.py --lie`.)

ext4 with data=ordered keeps more: names and lengths arrive in the order of the calls, a length never before the data it covers,
and an fsync of a new file carries its name. So the images are a superset of what ext4 leaves, torn pages included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import PurePosixPath
from random import Random

from tools.powercut.inodes import Content, File, Folder, Node
from tools.powercut.trace import Call, Op, TraceError

GARBAGE_BYTES = 32 * 1024  # what may lie in a file that is no durable state; the size of SQLite's first piece of -shm
GARBAGE_CHANCE = 0.5

Image = Mapping[str, Content | None]  # by path relative to the root, parents first; None: a folder


class Disk:
    """The traced folder as the disk sees it, moved on call by call. Starts empty."""

    def __init__(self) -> None:
        self._root: Folder | None = None
        self._root_path = ""
        self._nodes: dict[int, Node] = {}
        self._numbers = count(1)
        self._ephemeral: set[str] = set()

    def apply(self, call: Call) -> None:
        """Replay one call. Raises TraceError when it cannot follow from what was traced before."""
        if call.op is Op.UNSUPPORTED:
            raise TraceError(f"{call.other} on {call.path} cannot be replayed")
        if call.op is Op.ROOT:
            self._begin(call)
        elif call.op in _ON_FILES:
            self._change_content(call)
        elif call.op in _ON_NAMES:
            self._change_names(call)
        elif call.op is Op.MAPPED:
            self._ephemeral.add(self._relative(call.path))

    def image(self, chance: float, rng: Random) -> Image:
        """One folder that a cut at this point may leave: each unsynced change is there with this chance."""
        found = self._walk(lambda folder: folder.after_cut(chance, rng), lambda file: file.after_cut(chance, rng))
        for path in sorted(self._ephemeral):
            folder = path.rpartition("/")[0]
            if (folder == "" or folder in found) and rng.random() < GARBAGE_CHANCE:
                found[path] = Content(None, rng.randbytes(GARBAGE_BYTES), GARBAGE_BYTES)
        return found

    def whole(self) -> Image:
        """The folder as the program sees it, without what is no durable state."""
        return self._walk(lambda folder: folder.live, lambda file: Content(None, file.live, file.size))

    def _walk(
        self, names: Callable[[Folder], Mapping[str, Node]], content: Callable[[File], Content]
    ) -> dict[str, Content | None]:
        found: dict[str, Content | None] = {}
        todo = [] if self._root is None else [("", self._root)]
        while todo:
            path, folder = todo.pop()
            for name, node in names(folder).items():
                below = f"{path}{name}"
                if isinstance(node, Folder):
                    found[below] = None
                    todo.append((f"{below}/", node))
                else:
                    found[below] = content(node)
        return found

    def _begin(self, call: Call) -> None:
        if self._root is None:
            self._root, self._root_path = Folder(call.inode), call.path
            self._nodes[call.inode] = self._root
        elif (self._root.inode, self._root_path) != (call.inode, call.path):
            raise TraceError(f"{call.path} is another folder than before")

    def _change_content(self, call: Call) -> None:
        node = self._nodes.get(call.inode)
        if node is None:
            raise TraceError(f"nobody traced how {call.path} was made")
        if isinstance(node, Folder) or call.op in (Op.FSYNC, Op.FDATASYNC):
            node.sync()
        elif call.op is Op.WRITE:
            node.write(call.offset, call.data)
        elif call.op is Op.TRUNCATE:
            node.truncate(call.offset)
        else:
            node.extend(call.offset)

    def _change_names(self, call: Call) -> None:
        folder, name = self._find(call.path)
        if call.op in (Op.OPEN, Op.MKDIR):
            self._make(folder, name, call)
            return
        node = folder.live.get(name)
        if node is None:
            raise TraceError(f"nobody traced how {call.path} was made")
        if call.op in (Op.UNLINK, Op.RMDIR):
            folder.change({name: None})
            return
        into, new_name = self._find(call.other)
        if into is not folder:
            raise TraceError(f"{call.path} goes into another folder: this model has no such change")
        if call.op is Op.LINK:
            folder.change({new_name: node})
        elif name != new_name:
            folder.change({name: None, new_name: node})

    def _make(self, folder: Folder, name: str, call: Call) -> None:
        there = folder.live.get(name)
        if there is None:
            made = File(call.inode, next(self._numbers)) if call.op is Op.OPEN else Folder(call.inode)
            self._nodes[call.inode] = made
            folder.change({name: made})
        elif there.inode != call.inode:
            raise TraceError(f"nobody traced how {call.path} was replaced")

    def _find(self, path: str) -> tuple[Folder, str]:
        """The folder a path lies in, and its last name."""
        *parents, name = PurePosixPath(self._relative(path)).parts
        folder = self._root
        for part in parents:
            below = None if folder is None else folder.live.get(part)
            folder = below if isinstance(below, Folder) else None
        if folder is None:
            raise TraceError(f"nobody traced how the folder of {path} was made")
        return folder, name

    def _relative(self, path: str) -> str:
        relative = path.removeprefix(self._root_path).lstrip("/")
        if self._root is None or not relative:
            raise TraceError(f"{path} is not below the traced folder")
        return relative


_ON_FILES = frozenset({Op.WRITE, Op.TRUNCATE, Op.EXTEND, Op.FSYNC, Op.FDATASYNC})
_ON_NAMES = frozenset({Op.OPEN, Op.MKDIR, Op.UNLINK, Op.RMDIR, Op.RENAME, Op.LINK})
