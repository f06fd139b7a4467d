"""The least a chip profile can do with, and the least any can: how many commands, how many bytes to the reader and back. Pure.

What a card must go through once: its UID and the channel, every file seen empty, every file written, read back, keys, lock, and
after a reset the UID, the channel, every file read, the life cycle. Blocks are as large as the profile allows. The bytes are
those of ISO 7816-4 in the short form and of the channel around them (chip.md 3.1, 4.2), worked out here anew and not by the code
that is measured. The order of steps is the profile's, though: what a script does needlessly is in `minimum` too. `floor` knows no
script, no files and no channel, only how much content there is and how much fits into one command.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.chips.profile import ChipProfile
from controller.chips.profile_tables import Do, Phase, Step

PREFIX_BYTES = 2
_SW_BYTES, _HEADER_BYTES = 2, 4
_UID_BYTES = 7
_LIFE_CYCLE_BYTES = 12  # the shortest template that tells it, with its path
_KEY_FIELD_BYTES = 1 + 1 + 17 + 1 + 3  # PUT KEY, AES-128: kind, length, block with its length, length of the KCV, KCV


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, before any protection."""

    data: int = 0  # bytes of command data
    answer: int = 0  # bytes of answer data
    secured: bool = True

    @property
    def plain_bytes(self) -> int:
        """Both ways without protection."""
        lc, le = int(self.data > 0), int(self.answer > 0)
        return _HEADER_BYTES + lc + self.data + le + self.answer + _SW_BYTES


_SELECT = Exchange(data=2)


def icao_bytes(exchange: Exchange) -> int:
    """Both ways under 3DES secure messaging."""
    sent = (_object(_padded(exchange.data, 8) + 1) if exchange.data else 0) + (3 if exchange.answer else 0) + 10
    back = (_object(_padded(exchange.answer, 8) + 1) if exchange.answer else 0) + 4 + 10
    return _HEADER_BYTES + 1 + sent + 1 + back + _SW_BYTES


def scp03_bytes(exchange: Exchange, size: int) -> int:
    """Both ways under level 33; `size` bytes a MAC."""
    sent = (_padded(exchange.data, 16) if exchange.data else 0) + size
    back = (_padded(exchange.answer, 16) if exchange.answer else 0) + size
    return _HEADER_BYTES + 1 + sent + int(exchange.answer > 0) + back + _SW_BYTES


_OPENING_COMMANDS = 2  # a challenge and its proof
_BARE_BYTES = _HEADER_BYTES + 1 + _SW_BYTES  # of any command with a length


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least for one card."""

    commands: int
    total_bytes: int  # to the reader and back


def minimum(profile: ChipProfile, sizes: Sequence[int]) -> Minimum:
    """For files of these sizes, in the profile's order."""
    exchanges = list(_card(profile, sizes))
    return Minimum(len(exchanges), sum(_bytes(profile, exchange) for exchange in exchanges))


def floor(content_bytes: int, write_block_bytes: int, read_block_bytes: int) -> Minimum:
    """For content in one piece: written, read, locked and read again, with an opening before and after the lock."""
    writes, reads = (math.ceil(content_bytes / block) for block in (write_block_bytes, read_block_bytes))
    commands = writes + 2 * reads + 2 * _OPENING_COMMANDS + 1
    return Minimum(commands, 3 * content_bytes + commands * _BARE_BYTES)


def _bytes(profile: ChipProfile, exchange: Exchange) -> int:
    if not exchange.secured or profile.channel.kind == "none":
        return exchange.plain_bytes
    return icao_bytes(exchange) if profile.channel.kind == "icao" else scp03_bytes(exchange, profile.channel.size)


def _card(profile: ChipProfile, sizes: Sequence[int]) -> Iterator[Exchange]:
    for phase in (Phase.OPEN, Phase.FRESH, Phase.WRITE, Phase.READ, Phase.LOCK, Phase.OPEN, Phase.VERIFY):
        if phase is Phase.OPEN:
            yield Exchange(answer=_UID_BYTES, secured=False)
        for step in profile.phase(phase):
            yield from _step(profile, step, sizes)


def _step(profile: ChipProfile, step: Step, sizes: Sequence[int]) -> Iterator[Exchange]:
    if step.do is Do.AUTHENTICATE:
        yield from _icao_opening() if profile.channel.kind == "icao" else _scp03_opening(profile.channel.size)
    elif step.do is Do.MEASURE:
        for _ in sizes:
            yield from (_SELECT, Exchange(answer=PREFIX_BYTES))
    elif step.do is Do.WRITE:
        yield from _writing(profile, sizes)
    elif step.do is Do.READ:
        for size in sizes:
            yield _SELECT
            yield from (Exchange(answer=part) for part in _blocks(PREFIX_BYTES + size, profile.read.block_bytes))
    elif step.do is Do.KEYS:
        yield Exchange(data=1 + 3 * _KEY_FIELD_BYTES, answer=1 + 3 * 3)
    elif step.do is Do.REQUIRE and step.command is not None:
        yield Exchange(data=len(step.command.data), answer=_LIFE_CYCLE_BYTES)
    elif step.do is Do.SEND and step.command is not None:
        yield Exchange(data=len(step.command.data), secured=step.phase is not Phase.OPEN)


def _icao_opening() -> Iterator[Exchange]:
    """The card control, the challenge, the two tokens."""
    for data, answer in ((2, 0), (0, PREFIX_BYTES + 51), (0, 8), (40, 40)):
        yield Exchange(data, answer, secured=False)


def _scp03_opening(size: int) -> Iterator[Exchange]:
    """INITIALIZE UPDATE with the card's counter, EXTERNAL AUTHENTICATE with its MAC."""
    yield Exchange(size, 13 + 2 * size + 3, secured=False)
    yield Exchange(2 * size, secured=False)


def _writing(profile: ChipProfile, sizes: Sequence[int]) -> Iterator[Exchange]:
    block = profile.invented.block_bytes
    if profile.invented.write == "store data":
        yield from (Exchange(part) for part in _blocks(sum(size + (3 if size < 255 else 5) for size in sizes), block))
        return
    for size in sizes:
        yield _SELECT
        yield from (Exchange(part) for part in _blocks(size, block))
        yield Exchange(PREFIX_BYTES)


def _blocks(size: int, block: int) -> Iterator[int]:
    """Whole blocks, then the rest."""
    yield from [block] * (size // block)
    if size % block:
        yield size % block


def _padded(size: int, block: int) -> int:
    return (size // block + 1) * block


def _object(size: int) -> int:
    """A data object: one byte of tag, one or two of length."""
    return 1 + (1 if size < 128 else 2) + size
