"""What is said to a chip, as generators that yield commands and take responses.

    script  --Command-->  drive()  --bytes-->  reader link, or a card in this process
            <-Response--           <--bytes--

A script knows no reader, thread or time, so the same one runs over PC/SC and against a card in a test. A secure channel is
one more generator between the two (`controller.chips.channel`); `controller.chips.steps` makes the scripts of a chip profile.

Errors: DeviceRefused with the step and the status word when the chip says no or its answer breaks the file format;
DeviceUnknown when there was no answer. Their text never holds data of the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from controller.chips.apdu import ApduError, Command, Response, follow_up
from controller.chips.profile import ChipProfile
from controller.chips.status_words import meaning_of
from controller.errors import DeviceRefused, DeviceUnknown

T = TypeVar("T")
Script = Generator[Command, Response, T]

UID_A_BYTES, UID_B_BYTES = 7, 8  # a shorter UID may be random and identifies nothing
MAX_ROUNDS = 4  # one 6Cxx and one 61xx, each allowed twice: a short answer needs no more


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


def read_uid(profile: ChipProfile) -> Script[tuple[bytes, str]]:
    """What the reader says of the chip, and the UID in upper-case hex. The reader knows the UID of type A, at no time on the air.

    Of type B it only knows what the chip called itself this time (PUPI): the chip is asked, in clear, before anything else.
    """
    mark, uid = yield from _mark_and_uid(profile)
    if len(uid) not in (UID_A_BYTES, UID_B_BYTES):
        raise DeviceRefused(
            "chip_refused", f"read UID: {len(mark)} bytes; a type A chip has {UID_A_BYTES}, type B has {UID_B_BYTES}"
        )
    return mark, uid.hex().upper()


def read_mark(profile: ChipProfile) -> Script[bytes]:
    """What tells this chip from one that is swapped in, as long as it has power."""
    return ask(profile.select.uid, "read UID")


def name_chip(profile: ChipProfile) -> Script[str]:
    """What tells whichever chip is there from others, in upper-case hex: its UID, or what it calls itself; ours have a UID."""
    mark, uid = yield from _mark_and_uid(profile)
    return (uid or mark).hex().upper()


def _mark_and_uid(profile: ChipProfile) -> Script[tuple[bytes, bytes]]:
    mark = yield from read_mark(profile)
    if len(mark) == UID_A_BYTES or profile.select.uid_b is None:
        return mark, mark
    return mark, (yield from _uid_b(profile.select.uid_b))


def _uid_b(command: Command) -> Script[bytes]:
    response = yield command
    return response.data if meaning_of(response.sw).success and len(response.data) == UID_B_BYTES else b""


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
