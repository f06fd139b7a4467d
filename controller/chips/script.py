"""What is said to a chip, as generators that yield commands and take responses: identify, write files, read files.

    script  --Command-->  drive()  --bytes-->  reader link, or a card in this process
            <-Response--           <--bytes--

A script knows no reader, thread or time, so the same one runs over PC/SC and against a card in a test. A secure channel is
one more generator between the two: it wraps the commands of the script inside it and unwraps the responses; a SAM is another
party its commands are driven to.

Errors: DeviceRefused with the step and the status word when the chip says no or its answer breaks the file format;
DeviceUnknown when there was no answer. Their text never holds data of the chip. After any error from `write_files` the chip
holds length 0 in every file that is not complete, because the length prefix goes last (chip.md 9).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from controller.chips.apdu import ApduError, Command, Response, follow_up
from controller.chips.profile import LENGTH_PREFIX_BYTES, ChipProfile
from controller.chips.status_words import meaning_of
from controller.errors import DeviceRefused, DeviceUnknown
from controller.model import ChipFile, ChipSight

T = TypeVar("T")
Script = Generator[Command, Response, T]

UID_BYTES = (7, 8)  # type A, type B; a 4-byte UID may be random and identifies nothing
MAX_ROUNDS = 4  # one 6Cxx and one 61xx, each allowed twice: a short answer needs no more

_READ_BINARY = 0xB0


def drive(script: Script[T], transceive: Callable[[bytes], bytes]) -> T:
    """Run a script to its end over `transceive`, which sends one command and returns the answer."""
    with closing(script):
        try:
            command = next(script)
            while True:
                command = script.send(_answer(transceive(command.encode())))
        except StopIteration as end:
            result: T = end.value
            return result


def identify(profile: ChipProfile) -> Script[ChipSight]:
    """The chip's UID, and whether every personalised file still has length 0."""
    uid = yield from read_uid(profile)
    yield from ask(profile.select.df, "select DF")
    for row in profile.personalised:
        if (yield from _select_and_measure(profile, row.fid)) != 0:
            return ChipSight(uid, fresh=False)
    return ChipSight(uid, fresh=True)


def write_files(profile: ChipProfile, files: Sequence[ChipFile]) -> Script[None]:
    """Write each file to a fresh chip: content from offset 2 in blocks, then its length prefix.

    Raises DeviceRefused before the first command when any file does not belong on the chip or does not fit.
    """
    _refuse_misfits(profile, files)
    yield from ask(profile.select.df, "select DF")
    for file in files:
        yield from _write_file(profile, file)


def read_files(profile: ChipProfile, fids: Sequence[int]) -> Script[list[ChipFile]]:
    """The content of each file, in the order asked for."""
    yield from ask(profile.select.df, "select DF")
    files = []
    for fid in fids:
        content = yield from _read_content(profile, fid)
        files.append(ChipFile(fid, content))
    return files


def for_chip(profile: ChipProfile, uid: str, script: Script[T]) -> Script[T]:
    """`script`, but only on the chip with this UID: DeviceRefused("chip_swapped") before its first command otherwise."""
    with closing(script):
        if (yield from read_uid(profile)) != uid:
            raise DeviceRefused("chip_swapped", "another chip answered than the one identified")
        return (yield from script)


def read_uid(profile: ChipProfile) -> Script[str]:
    """The UID in upper-case hex. The reader answers it, so it costs no time on the air."""
    uid = yield from ask(profile.select.uid, "read UID")
    if len(uid) not in UID_BYTES:
        raise DeviceRefused("chip_refused", f"read UID: {len(uid)} bytes; a type A chip has 7, type B has 8")
    return uid.hex().upper()


def ask(command: Command, step: str) -> Script[bytes]:
    """Send one command with what 61xx and 6Cxx require after it; the whole answer, or DeviceRefused naming `step`."""
    data = b""
    for _ in range(MAX_ROUNDS):
        response = yield command
        data += response.data
        further = follow_up(command, response)
        if further is None:
            break
        command = further
    else:
        raise DeviceRefused("chip_refused", f"{step}: {response.sw:04X} after {MAX_ROUNDS} rounds, no end in sight")
    word = meaning_of(response.sw)
    if word.condition is not None:
        raise DeviceRefused(word.condition, f"{step}: {response.sw:04X}, {word.meaning}")
    return data


def _answer(raw: bytes) -> Response:
    try:
        return Response.decode(raw)
    except ApduError as error:
        raise DeviceUnknown("chip_silent", str(error)) from error


def _refuse_misfits(profile: ChipProfile, files: Sequence[ChipFile]) -> None:
    fids = [file.fid for file in files]
    wrong = [f"{fid:04X} is given more than once" for fid in sorted(set(fids)) if fids.count(fid) > 1]
    for file in files:
        row = profile.row(file.fid)
        if row is None or not row.personalised:
            wrong.append(f"{file.fid:04X} is not a file to be written")
        elif len(file.content) > row.max_bytes:
            wrong.append(f"{file.fid:04X} gets {len(file.content)} bytes and holds {row.max_bytes}")
    if wrong:
        raise DeviceRefused("chip_refused", f"nothing written: {'; '.join(wrong)}")


def _write_file(profile: ChipProfile, file: ChipFile) -> Script[None]:
    yield from ask(profile.select_file(file.fid), f"select {file.fid:04X}")
    block = profile.invented.write_block_bytes
    for at in range(0, len(file.content), block):
        yield from _update(profile, file.fid, LENGTH_PREFIX_BYTES + at, file.content[at : at + block])
    yield from _update(profile, file.fid, 0, len(file.content).to_bytes(LENGTH_PREFIX_BYTES, "big"))


def _update(profile: ChipProfile, fid: int, offset: int, data: bytes) -> Script[None]:
    command = Command(0x00, profile.invented.write_ins, offset >> 8, offset & 0xFF, data)
    yield from ask(command, f"write {len(data)} bytes to {fid:04X} at {offset}")


def _read_content(profile: ChipProfile, fid: int) -> Script[bytes]:
    left = yield from _select_and_measure(profile, fid)
    blocks = []
    offset = LENGTH_PREFIX_BYTES
    while left > 0:
        block = yield from _read_exactly(fid, offset, min(left, profile.read.block_bytes))
        blocks.append(block)
        offset += len(block)
        left -= len(block)
    return b"".join(blocks)


def _select_and_measure(profile: ChipProfile, fid: int) -> Script[int]:
    """Make `fid` the current file and return the length of its content; DeviceRefused when the length cannot be true."""
    row = profile.row(fid)
    if row is None:
        raise DeviceRefused("chip_refused", f"{fid:04X} is not a file of this chip")
    yield from ask(profile.select_file(fid), f"select {fid:04X}")
    length = int.from_bytes((yield from _read_exactly(fid, 0, LENGTH_PREFIX_BYTES)), "big")
    if length > row.max_bytes:
        raise DeviceRefused("chip_refused", f"{fid:04X} claims {length} bytes and holds {row.max_bytes}")
    return length


def _read_exactly(fid: int, offset: int, count: int) -> Script[bytes]:
    step = f"read {count} bytes of {fid:04X} at {offset}"
    data = yield from ask(Command(0x00, _READ_BINARY, offset >> 8, offset & 0xFF, le=count), step)
    if len(data) != count:
        raise DeviceRefused("chip_refused", f"{step}: {len(data)} came")
    return data
