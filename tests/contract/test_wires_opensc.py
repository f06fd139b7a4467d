"""Simulated chips and SAM cards under a client that nobody here wrote: opensc-tool through a real pcscd. Needs tools/sandbox."""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.chips.profile import find_profile
from hwsim.clock import Clock
from hwsim.config import Address, SamConfig
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.field import Field, Speed
from hwsim.devices.sam import ATR as SAM_ATR
from hwsim.devices.sam_slot import SamSlot
from hwsim.exchanges import Exchanges
from hwsim.profiles import load_chip
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import Blank, World
from tests.fakes.chip import needs_sandbox
from tools.pcscd import reader_name, vpcd_port

pytestmark = [needs_sandbox, pytest.mark.skipif(shutil.which("opensc-tool") is None, reason="opensc is not installed")]

PROFILES = Path(__file__).parents[2] / "firmware_profiles" / "chips"
CHIP, SAM = reader_name(1), reader_name(1).removesuffix("00") + "01"
SEEN_S = 5.0  # pcscd looks every 0.4 s
SELECT_DF, CONTROL, PHOTO, BIODATA = "00A40000027F0A", "00A40000026FF0", "00A40000026FF2", "00A40000026FF1"


@asynccontextmanager
async def in_field(profile: str, uid_type: str = "a") -> AsyncIterator[Blank]:
    """A chip with a photo stands over the antenna."""
    world, chip = World(seed=1), load_chip(profile)
    blank = world.blank(world.make(1, chip, uid_type)[0])
    blank.chip.write(0x6FF2, 0, b"\x00\x05PHOTO")
    slot = VpcdSlot("127.0.0.1", vpcd_port(1))
    await slot.start()
    field = Field("1", world, chip, slot, Clock(None), LaneMeter(), Exchanges(), load_masters(), Speed())
    field.arrive(blank.id)
    try:
        yield blank
    finally:
        await slot.close()
        await tool_says(CHIP, wanted=False)  # a chip that comes sooner would be taken for this one


async def opensc(reader: str, *apdus: str) -> tuple[str, list[str]]:
    """The ATR, and each answer in hex, once the reader has its card."""
    said = await tool_says(reader, *(word for apdu in apdus for word in ("-s", apdu)), wanted=True)
    return said.splitlines()[0].replace(":", "").upper(), [_answer(part) for part in said.split("Sending:")[1:]]


async def tool_says(reader: str, *arguments: str, wanted: bool) -> str:
    """What it prints, when it finds a card as wanted, or none."""
    command = ["opensc-tool", "-r", reader, "-c", "default", "-a", *arguments]
    async with asyncio.timeout(SEEN_S):
        while True:
            tool = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
            said = (await tool.communicate())[0].decode()
            if (tool.returncode == 0) == wanted:
                return said
            await asyncio.sleep(0.1)


def _answer(part: str) -> str:
    """What was received: lines of up to 16 bytes with their letters behind them, and the status word."""
    word = re.search(r"SW1=0x(..), SW2=0x(..)", part)
    assert word is not None, part
    rows = re.findall(r"^((?:[0-9A-F]{2} ){1,16})", part.partition("):")[2], re.MULTILINE)
    return "".join(rows).replace(" ", "") + word[1] + word[2]


async def test_it_reads_what_the_profile_says_of_ektp() -> None:
    async with in_field("ektp") as blank:
        control = blank.chip.content(0x6FF0).hex().upper()
        atr, answers = await opensc(CHIP, "FFCA000000", SELECT_DF, CONTROL, "00B0000035", PHOTO, "00B0000007")
    uid = blank.uid.hex().upper() + "9000"
    assert atr == "3B80800101"
    assert answers == [uid, "9000", "9000", "0033" + control + "9000", "9000", "000550484F544F9000"]


async def test_it_reads_nothing_that_the_profile_protects() -> None:
    async with in_field("ektp"):
        for row in find_profile(PROFILES, "ektp").files:
            _atr, answers = await opensc(CHIP, SELECT_DF, f"00A4000002{row.fid:04X}", "00B0000002")
            assert (answers[-1] == "6982") == (row.read == "channel"), row.name


async def test_it_writes_nothing() -> None:
    async with in_field("ektp") as blank:
        assert (await opensc(CHIP, SELECT_DF, PHOTO, "00D6000201FF"))[1][-1] == "6982"
    assert blank.chip.content(0x6FF2) == b"PHOTO"


async def test_it_hears_a_chip_of_type_b() -> None:
    async with in_field("ektp", "b") as blank:
        atr, answers = await opensc(CHIP, SELECT_DF, "00DD000008")
    assert (atr[:8], answers[-1]) == ("3B888001", blank.uid.hex().upper() + "9000")


async def test_it_reads_what_a_globalplatform_chip_tells() -> None:
    async with in_field("gp-scp03") as blank:
        _atr, answers = await opensc(CHIP, "00A4040000", "80CA00CF00", "80CA00E000", "80500000080001020304050607", "80E2880000")
    assert answers[0] == "6F108408A000000151000000A5049F6501FF9000"
    assert answers[1:3] == [f"CF0A000080{blank.uid.hex().upper()}9000", "E012C00401308810C00402308810C004033088109000"]
    assert (answers[3][:26], len(answers[3])) == (f"000080{blank.uid.hex().upper()}300370", 2 * (32 + 2))
    assert answers[4] == "6982"


async def test_it_finds_the_sam_in_the_second_slot() -> None:
    slot = SamSlot(SamConfig(Address("127.0.0.1", vpcd_port(1) + 1)), load_masters(), 1, Exchanges())
    await slot.start()
    atr, answers = await opensc(SAM, "00FF000000", "00F1000143" + "00" * 67, "00F3000005" + "00B0000005")
    await slot.close()
    assert (atr, answers[0], len(answers[1]), answers[2]) == (SAM_ATR.hex().upper(), "9000", 2 * 42, "6985")
