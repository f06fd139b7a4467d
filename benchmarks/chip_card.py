"""A chip in a reader and a SAM in the slot beside it, in a process of their own, as hw-sim runs them.

`python -m benchmarks.chip_card PROFILE` serves the reader of lane 1 until its standard input ends. For each line it puts the same
chip and the same SAM there, fresh: they will say the same "random" numbers again, and pcscd notices nothing. It answers a line.
"""

from __future__ import annotations

import asyncio
import sys

from hwsim.clock import Clock
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_keys import Masters, load_masters
from hwsim.devices.field import KINDS, FieldCard, Speed
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.exchanges import Exchanges
from hwsim.profiles import ChipProfile, load_chip
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import World
from tools.pcscd import vpcd_port

SEED = 1


async def serve(name: str) -> None:
    """Until standard input ends."""
    profile, masters = load_chip(name), load_masters()
    slot, sam_slot = (VpcdSlot("127.0.0.1", vpcd_port(1) + number) for number in (0, 1))
    slot.insert(_fresh(profile))
    sam_slot.insert(_fresh_sam(masters))
    await slot.start(after_another=True)
    await sam_slot.start(after_another=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        slot.exchange(_fresh(profile))
        sam_slot.exchange(_fresh_sam(masters))
        print("fresh", flush=True)
    await slot.close()
    await sam_slot.close()


def _fresh(profile: ChipProfile) -> FieldCard:
    world, troubles = World(SEED), ChipTroubles()
    blank = world.blank(world.make(1, profile)[0])
    chip = KINDS[profile.channel](blank, profile, troubles, SEED, load_masters())
    return FieldCard(chip, Clock(None), LaneMeter(), Exchanges(), Speed(), troubles)


def _fresh_sam(masters: Masters) -> SamCard:
    return SamCard(masters, SamMemory(bytes(8)), SEED)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
