"""BER-TLV data objects as cards use them: tags of one or two bytes, definite lengths up to 65535 (ISO 7816-4, 5.2). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class TlvError(ValueError):
    """These bytes are not data objects."""


def tlv(tag: int, value: bytes) -> bytes:
    """One data object."""
    if len(value) > 0xFFFF:
        raise TlvError(f"{len(value)} bytes in one data object")
    size = len(value).to_bytes(2, "big").lstrip(b"\0") or b"\0"
    length = size if len(value) < 0x80 else bytes((0x80 | len(size),)) + size
    return tag.to_bytes(2 if tag > 0xFF else 1, "big") + length + value


def tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The data objects in `data`, with nothing left over."""
    at = 0
    while at < len(data):
        tag, at = _tag(data, at)
        length, at = _length(data, at)
        if at + length > len(data):
            raise TlvError(f"object {tag:X} claims {length} bytes, {len(data) - at} follow")
        yield tag, data[at : at + length]
        at += length


def find(data: bytes, path: Sequence[int]) -> bytes | None:
    """The value at the end of a path of tags; None when it is not there."""
    for tag in path:
        value = next((value for found, value in tlvs(data) if found == tag), None)
        if value is None:
            return None
        data = value
    return data


def _tag(data: bytes, at: int) -> tuple[int, int]:
    size = 2 if data[at] & 0x1F == 0x1F else 1
    if at + size > len(data):
        raise TlvError("the data ends inside a tag")
    return int.from_bytes(data[at : at + size], "big"), at + size


def _length(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise TlvError("the data ends before a length")
    if data[at] < 0x80:
        return data[at], at + 1
    size = data[at] & 0x7F
    if size not in (1, 2) or at + 1 + size > len(data):
        raise TlvError("a length that is none")
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size
