"""Files to a chip and from it, as scripts: measure, write by UPDATE BINARY or STORE DATA, read by READ BINARY.

Content goes first and its length last, so a file that is not complete has length 0 (chip.md 9): UPDATE BINARY writes the length
prefix as a command of its own, and a chip that takes STORE DATA sets it when a file's DGI is whole.
Errors: DeviceRefused with the step and the status word; never with data of the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.chips.apdu import Command
from controller.chips.profile import ChipProfile
from controller.chips.profile_tables import LENGTH_PREFIX_BYTES, FileRow
from controller.chips.script import Script, ask
from controller.errors import DeviceRefused
from controller.model import ChipFile

MAX_STORE_BLOCKS = 256  # the block number is one byte

_READ_BINARY, _UPDATE_BINARY, _STORE_DATA = 0xB0, 0xD6, 0xE2
_DGI, _LAST = 0x08, 0x80  # in P1 of STORE DATA
_LONG_DGI = 0xFF  # the length follows in two bytes


def refuse_misfits(profile: ChipProfile, files: Sequence[ChipFile]) -> None:
    """Raise DeviceRefused("chip_refused", "nothing written: ...") unless every file belongs on the chip and all of them fit."""
    fids = [file.fid for file in files]
    wrong = [f"{fid:04X} is given more than once" for fid in sorted(set(fids)) if fids.count(fid) > 1]
    for file in files:
        row = profile.row(file.fid)
        if row is None or not row.personalised:
            wrong.append(f"{file.fid:04X} is not a file to be written")
        elif len(file.content) > row.max_bytes:
            wrong.append(f"{file.fid:04X} gets {len(file.content)} bytes and holds {row.max_bytes}")
    blocks = len(_blocks(_dgis(files), profile.invented.block_bytes))
    if profile.invented.write == "store data" and blocks > MAX_STORE_BLOCKS:
        wrong.append(f"{blocks} blocks of data; one run holds {MAX_STORE_BLOCKS}")
    if wrong:
        raise DeviceRefused("chip_refused", f"nothing written: {'; '.join(wrong)}")


def empty(profile: ChipProfile) -> Script[bool]:
    """Whether every personalised file has length 0."""
    for row in profile.personalised:
        yield from _select(profile, row.fid)
        start = yield from _read_exactly(row.fid, 0, LENGTH_PREFIX_BYTES)
        if _length(row, start) != 0:
            return False
    return True


def write_files(profile: ChipProfile, files: Sequence[ChipFile]) -> Script[None]:
    """Write the files to a fresh chip. The caller has called `refuse_misfits`."""
    yield from _WRITERS[profile.invented.write](profile, files)


def read_files(profile: ChipProfile, fids: Sequence[int]) -> Script[list[ChipFile]]:
    """The content of each file, in the order asked for."""
    files = []
    for fid in fids:
        content = yield from read_content(profile, fid)
        files.append(ChipFile(fid, content))
    return files


def read_content(profile: ChipProfile, fid: int) -> Script[bytes]:
    """The content of one file: its first block tells the length."""
    row = profile.row(fid)
    if row is None:
        raise DeviceRefused("chip_refused", f"{fid:04X} is not a file of this chip")
    yield from _select(profile, fid)
    block = profile.read.block_bytes
    blocks = [(yield from _read_exactly(fid, 0, min(block, LENGTH_PREFIX_BYTES + row.max_bytes)))]
    size = LENGTH_PREFIX_BYTES + _length(row, blocks[0])
    for at in range(block, size, block):
        part = yield from _read_exactly(fid, at, min(block, size - at))
        blocks.append(part)
    return b"".join(blocks)[LENGTH_PREFIX_BYTES:size]


def _length(row: FileRow, start: bytes) -> int:
    length = int.from_bytes(start[:LENGTH_PREFIX_BYTES], "big")
    if length > row.max_bytes:
        raise DeviceRefused("chip_refused", f"{row.fid:04X} claims {length} bytes and holds {row.max_bytes}")
    return length


def _select(profile: ChipProfile, fid: int) -> Script[bytes]:
    return ask(profile.select_file(fid), f"select {fid:04X}")


def _read_exactly(fid: int, offset: int, count: int) -> Script[bytes]:
    step = f"read {count} bytes of {fid:04X} at {offset}"
    data = yield from ask(Command(0x00, _READ_BINARY, offset >> 8, offset & 0xFF, le=count), step)
    if len(data) != count:
        raise DeviceRefused("chip_refused", f"{step}: {len(data)} came")
    return data


def _update_binary(profile: ChipProfile, files: Sequence[ChipFile]) -> Script[None]:
    block = profile.invented.block_bytes
    for file in files:
        yield from _select(profile, file.fid)
        for at in range(0, len(file.content), block):
            yield from _update(file.fid, LENGTH_PREFIX_BYTES + at, file.content[at : at + block])
        yield from _update(file.fid, 0, len(file.content).to_bytes(LENGTH_PREFIX_BYTES, "big"))


def _update(fid: int, offset: int, data: bytes) -> Script[bytes]:
    command = Command(0x00, _UPDATE_BINARY, offset >> 8, offset & 0xFF, data)
    return ask(command, f"write {len(data)} bytes to {fid:04X} at {offset}")


def _store_data(profile: ChipProfile, files: Sequence[ChipFile]) -> Script[None]:
    blocks = _blocks(_dgis(files), profile.invented.block_bytes)
    for number, block in enumerate(blocks):
        last = _LAST if number == len(blocks) - 1 else 0
        yield from ask(Command(0x80, _STORE_DATA, last | _DGI, number, block), f"store block {number} of {len(blocks)}")


def _dgis(files: Sequence[ChipFile]) -> bytes:
    """Each file as the data grouping of its id."""
    return b"".join(file.fid.to_bytes(2, "big") + _dgi_length(len(file.content)) + file.content for file in files)


def _dgi_length(length: int) -> bytes:
    return bytes((length,)) if length < _LONG_DGI else bytes((_LONG_DGI,)) + length.to_bytes(2, "big")


def _blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


_WRITERS: dict[str, Callable[[ChipProfile, Sequence[ChipFile]], Script[None]]] = {
    "update binary": _update_binary,
    "store data": _store_data,
}
