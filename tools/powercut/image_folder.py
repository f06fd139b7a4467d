"""A folder that is made to hold one image after the other; what did not change since the last one is not written again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from tools.powercut.disk import Image
from tools.powercut.inodes import Content


class ImageFolder:
    """`folder` is made, and belongs to this object. Files below the folders named `settled` are changed by nobody else (they may
    be removed): only there an equal stamp saves the writing."""

    def __init__(self, folder: Path, settled: Collection[str]) -> None:
        self.folder = folder
        self._settled = tuple(f"{name}/" for name in settled)
        self._stamps: dict[str, tuple[int, int]] = {}
        folder.mkdir(parents=True)

    def lay(self, image: Image) -> None:
        """Make the folder hold exactly this image."""
        there = self._clear(image)
        for path, content in image.items():
            if content is None:
                if path not in there:
                    (self.folder / path).mkdir()
            elif content.stamp is None or path not in there or self._stamps.get(path) != content.stamp:
                _write(self.folder / path, content)
                self._remember(path, content.stamp)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)

    def _clear(self, image: Image) -> set[str]:
        """Remove what the image does not have; returns what is left."""
        left: set[str] = set()
        todo = [""]
        while todo:
            parent = todo.pop()
            for entry in list(os.scandir(self.folder / parent)):
                path = f"{parent}/{entry.name}" if parent else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if path not in image:
                    shutil.rmtree(entry.path) if is_folder else Path(entry.path).unlink()
                    continue
                left.add(path)
                if is_folder:
                    todo.append(path)
        return left

    def _remember(self, path: str, stamp: tuple[int, int] | None) -> None:
        if stamp is not None and path.startswith(self._settled):
            self._stamps[path] = stamp
        else:
            self._stamps.pop(path, None)


def _write(path: Path, content: Content) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        written = os.write(fd, content.data)
        os.ftruncate(fd, content.size)
    finally:
        os.close(fd)
    if written != len(content.data):
        raise OSError(f"{path}: only {written} of {len(content.data)} bytes were written")
