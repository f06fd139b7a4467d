"""Looks at an ICC profile's head and tag table: can the rendering child make a printer's colours with it? Source: ICC.1:2022.

Standard library only, because the daemon asks at its start. What only a colour engine can find, the child finds when it starts.
"""

from __future__ import annotations

from pathlib import Path

from controller.errors import ConfigError, Problem

MAX_ICC_BYTES = 8 << 20  # the largest profiles of presses have some 3 MB
_HEAD_BYTES, _TAG_BYTES = 128, 12
_MAX_TAGS = 100  # profiles have 10 to 30
_MAKES_PRINTER_COLOURS = (b"B2A0", b"rTRC")  # a table from Lab to the printer, or an RGB matrix, which works both ways


def read_icc(path: Path, place: str = "") -> bytes:
    """The profile. Raises ConfigError, with `place`, when it is missing or cannot be a printer's."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_ICC_BYTES + 1)
    except OSError as error:
        raise _refusal(place, path, f"tidak dapat dibaca ({error.strerror})", f"cannot be read ({error.strerror})") from error
    fault = _fault_of(data)
    if fault is not None:
        raise _refusal(place, path, *fault)
    return data


def _fault_of(data: bytes) -> tuple[str, str] | None:
    """What is wrong, in Indonesian and English."""
    if len(data) > MAX_ICC_BYTES:
        return f"lebih dari {MAX_ICC_BYTES} byte", f"has more than {MAX_ICC_BYTES} bytes"
    if len(data) < _HEAD_BYTES + 4 or data[36:40] != b"acsp":
        return "bukan profil ICC", "is no ICC profile"
    if int.from_bytes(data[:4], "big") != len(data):
        return "terpotong atau rusak: panjangnya tidak cocok", "is cut short or damaged: its length is not what it says"
    if data[12:16] != b"prtr" and data[16:20] != b"RGB ":
        return "bukan profil printer (kelas prtr)", "is no printer's profile (class prtr)"
    if data[16:20] not in (b"CMYK", b"RGB "):
        return "ruang warnanya bukan CMYK atau RGB", "has a colour space that is neither CMYK nor RGB"
    return _tag_fault(data)


def _tag_fault(data: bytes) -> tuple[str, str] | None:
    count = int.from_bytes(data[_HEAD_BYTES : _HEAD_BYTES + 4], "big")
    table = data[_HEAD_BYTES + 4 :][: min(count, _MAX_TAGS) * _TAG_BYTES]
    rows = [table[at : at + _TAG_BYTES] for at in range(0, len(table), _TAG_BYTES)]
    ends = [int.from_bytes(row[4:8], "big") + int.from_bytes(row[8:12], "big") for row in rows]
    if count != len(rows) or any(len(row) < _TAG_BYTES for row in rows) or any(end > len(data) for end in ends):
        return "rusak: daftar isinya tidak masuk akal", "is damaged: its table of contents makes no sense"
    if not any(row[:4] in _MAKES_PRINTER_COLOURS for row in rows):
        return "tidak memuat tabel ke warna printer (B2A0)", "has no table to the printer's colours (B2A0)"
    return None


def _refusal(place: str, path: Path, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem("config.icc", place, f"{path}: {indonesian}.", f"{path}: {english}.")])
