"""Looks at the outside of JPEG and PNG images before anything decodes them: kind, whole, size in pixels.

Decoding happens later and elsewhere, in the rendering child with its memory limit. This keeps image bombs, cut files and files
with something hidden behind the image out of the spool. Sources: ITU-T T.81 annex B (JPEG), RFC 2083 section 3 (PNG).
"""

from __future__ import annotations

from collections.abc import Callable

from controller.errors import Problem, StationError
from controller.records.refusals import problem

MAX_PIXELS = 4_000_000  # a photo at 1200 dpi; 12 MB once decoded
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"
_SOF_SUPPORTED = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive Huffman
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; C4, C8 and CC are tables
_SOS, _EOI, _FILL = 0xDA, 0xD9, 0xFF
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn and a second SOI carry no length


class _BadImageError(StationError):
    """The image is not acceptable; the argument is the row of refusals. Never leaves this module."""


def image_problem(content: bytes, media_type: str, place: str, *, least_pixels: int) -> Problem | None:
    """Why this image may not be used, or None. `least_pixels` is the least width and height."""
    try:
        width, height = _size(content, media_type)
    except _BadImageError as bad:
        return problem(str(bad), place, media_type=media_type)
    if width * height > MAX_PIXELS:
        return problem("image.too_many_pixels", place, max=MAX_PIXELS)
    if min(width, height) < least_pixels:
        return problem("image.too_few_pixels", place, least=least_pixels)
    return None


def _size(content: bytes, media_type: str) -> tuple[int, int]:
    if not content:
        raise _BadImageError("image.empty")
    magic, read = _KINDS[media_type]
    if not content.startswith(magic[: len(content)]):
        raise _BadImageError("image.kind")
    return read(content)


def _png_size(content: bytes) -> tuple[int, int]:
    size: tuple[int, int] | None = None
    at = len(_PNG_MAGIC)
    while True:
        kind, at, end = content[at + 4 : at + 8], at + 8, at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content) or len(kind) < 4:
            raise _BadImageError("image.truncated")
        if size is None:
            if kind != b"IHDR":
                raise _BadImageError("image.kind")
            size = int.from_bytes(content[at : at + 4], "big"), int.from_bytes(content[at + 4 : at + 8], "big")
        if kind == b"IEND":
            break
        at = end
    if end != len(content):
        raise _BadImageError("image.trailing")
    return size


def _jpeg_size(content: bytes) -> tuple[int, int]:
    size: tuple[int, int] | None = None
    at = 2
    while (marker := _marker(content, at)) != _EOI:
        if marker in _SOF:
            size = _frame_size(marker, content[at + 4 : at + 10], already=size is not None)
        at = _next_marker(content, at, marker)
    if at + 2 != len(content):
        raise _BadImageError("image.trailing")
    if size is None:
        raise _BadImageError("image.truncated")
    return size


def _frame_size(marker: int, frame: bytes, *, already: bool) -> tuple[int, int]:
    if len(frame) < 6:
        raise _BadImageError("image.truncated")
    precision, components = frame[0], frame[5]
    if already or marker not in _SOF_SUPPORTED or precision != 8 or components not in (1, 3):
        raise _BadImageError("image.coding")
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")


def _marker(content: bytes, at: int) -> int:
    if at + 2 > len(content):
        raise _BadImageError("image.truncated")
    if content[at] != 0xFF:
        raise _BadImageError("image.coding")
    return content[at + 1]


def _next_marker(content: bytes, at: int, marker: int) -> int:
    if marker == _FILL:
        return at + 1
    if marker in _NO_LENGTH:
        return at + 2
    length = int.from_bytes(content[at + 2 : at + 4], "big")
    if length < 2:
        raise _BadImageError("image.truncated")
    at += 2 + length
    return _scan_end(content, at) if marker == _SOS else at


def _scan_end(content: bytes, at: int) -> int:
    """Skip entropy-coded data: FF 00 is a data byte, FF D0-D7 restarts within the scan."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        following = content[at + 1]
        if following != 0x00 and not 0xD0 <= following <= 0xD7:
            return at
        at += 2
    raise _BadImageError("image.truncated")


_KINDS: dict[str, tuple[bytes, Callable[[bytes], tuple[int, int]]]] = {
    "image/jpeg": (_JPEG_MAGIC, _jpeg_size),
    "image/png": (_PNG_MAGIC, _png_size),
}
