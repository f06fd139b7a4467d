"""How long an APDU is on the air between reader and chip, ISO 14443-4 at 106 to 848 kbit/s (chip.md 6.6). Pure.

Each byte is nine bits, of type B ten with its start and stop bit; each block of at most 256 bytes carries a block number and a
checksum, is answered by the other side, and each change of direction takes a while (E: 0.2 ms, the shortest frame delays and a
reader's firmware together).
"""

from __future__ import annotations

_BITS, _BITS_TYPE_B = 9, 10
_BLOCK_BYTES = 253  # of an APDU in one block
_OVERHEAD_BYTES = 3
_TURN_S = 0.0002


def air_s(command_bytes: int, response_bytes: int, rate_kbit: int, *, type_b: bool = False) -> float:
    """Seconds from the first bit of the command to the last of the response."""
    return sum(one_way_s(size, rate_kbit, type_b=type_b) for size in (command_bytes, response_bytes))


def one_way_s(size: int, rate_kbit: int, *, type_b: bool = False) -> float:
    """Seconds that a command or a response takes, with half of the turn between the two."""
    blocks = max(1, -(-size // _BLOCK_BYTES))
    further = blocks - 1  # each block before the last of its chain is acknowledged by one of its own
    total = size + (blocks + further) * _OVERHEAD_BYTES
    return total * (_BITS_TYPE_B if type_b else _BITS) / (rate_kbit * 1000) + (further + 0.5) * _TURN_S
