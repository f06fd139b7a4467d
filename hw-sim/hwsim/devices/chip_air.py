"""How long an APDU is on the air between reader and chip, ISO 14443-4 at 106 to 848 kbit/s (chip.md 6.6). Pure.

Each byte is nine bits; each block of at most 256 bytes carries a block number and a checksum, is answered by the other side, and
each change of direction takes a while (E: 0.2 ms, the shortest frame delays and a reader's firmware together).
"""

from __future__ import annotations

_BITS = 9
_BLOCK_BYTES = 253  # of an APDU in one block
_OVERHEAD_BYTES = 3
_TURN_S = 0.0002


def air_s(command_bytes: int, response_bytes: int, rate_kbit: int) -> float:
    """Seconds from the first bit of the command to the last of the response."""
    blocks = _blocks(command_bytes) + _blocks(response_bytes)
    further = blocks - 2  # each block before the last of its chain is acknowledged by one of its own
    total = command_bytes + response_bytes + (blocks + further) * _OVERHEAD_BYTES
    return total * _BITS / (rate_kbit * 1000) + (1 + further) * _TURN_S


def _blocks(size: int) -> int:
    return max(1, -(-size // _BLOCK_BYTES))
