"""Simulated chips and SAM cards under a client that nobody here wrote: opensc-tool through a real pcscd. Needs tools/sandbox.

It has no keys: what it must see of a card, fresh and personalised by our own host, is what the chip profile says is free to read.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from controller.chips.profile import ChipProfile
from controller.chips.profile_tables import LENGTH_PREFIX_BYTES, Do, FileRow, Phase
from controller.chips.script import drive
from controller.chips.tlv import find
from controller.hal.chip.pcsc_sam import PcscSam
from hwsim.clock import Clock
from hwsim.config import Address, SamConfig
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.field import KINDS, Field, Speed
from hwsim.devices.sam import ATR as SAM_ATR
from hwsim.devices.sam_slot import SamSlot
from hwsim.exchanges import Exchanges
from hwsim.profiles import load_chip
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import Blank, World
from tests.contract.test_chip_peers import MASTERS, NAMES, Peer, signed
from tests.fakes.apdu_chip import StaticSam
from tests.fakes.chip import needs_sandbox, shipped
from tests.fakes.in_process_slot import InProcessSlot
from tools.pcscd import reader_name, vpcd_port

pytestmark = needs_sandbox

CHIP, SAM = reader_name(1), reader_name(1).removesuffix("00") + "01"
SEEN_S = 5.0  # pcscd looks every 0.4 s
SELECT_DF, CONTROL, PHOTO = "00A40000027F0A", "00A40000026FF0", "00A40000026FF2"


@pytest.fixture(autouse=True)
def the_tool() -> None:
    """Who runs the sandbox wants to know: a test that is left out would pass unseen."""
    assert shutil.which("opensc-tool") is not None, "opensc-tool is not there: install opensc"


def with_photo(blank: Blank, _profile: str) -> None:
    """Nothing but a photo was written."""
    blank.chip.write(0x6FF2, 0, b"\x00\x05PHOTO")


def as_it_came(_blank: Blank, _profile: str) -> None:
    """Fresh."""


def personalised(blank: Blank, name: str) -> None:
    """Written, locked and verified by the station's own code."""
    chip, troubles, profile = load_chip(name), ChipTroubles(), shipped(name)
    sam = PcscSam(InProcessSlot()) if profile.channel.kind == "icao" else StaticSam()
    peer = Peer(profile, KINDS[chip.channel](blank, chip, troubles, 1, MASTERS), troubles, sam)
    files, talk = signed(profile), peer.talk()
    for script in (talk.write(files), talk.lock()):
        drive(script, peer.transmit)
    peer.chip.reset()
    drive(talk.verify([file.fid for file in files]), peer.transmit)


Life = Callable[[Blank, str], None]


@asynccontextmanager
async def in_field(profile: str, uid_type: str = "a", life: Life = with_photo) -> AsyncIterator[Blank]:
    """A chip to which this has happened stands over the antenna."""
    world, chip = World(seed=1), load_chip(profile)
    blank = world.blank(world.make(1, chip, uid_type)[0])
    life(blank, profile)
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


def opening(profile: ChipProfile) -> list[str]:
    """What is sent in clear to reach the files."""
    return [step.command.encode().hex() for step in profile.phase(Phase.OPEN) if step.command is not None]


def reading(row: FileRow, profile: ChipProfile, size: int) -> list[str]:
    """Select a file and read so much content with its length, in blocks of the profile."""
    block, whole = profile.read.block_bytes, LENGTH_PREFIX_BYTES + size
    blocks = [f"00B0{at:04X}{min(block, whole - at):02X}" for at in range(0, whole, block)]
    return [profile.select_file(row.fid).encode().hex(), *blocks]


@pytest.mark.parametrize("life", [as_it_came, personalised])
@pytest.mark.parametrize("name", NAMES)
async def test_it_reads_of_every_file_what_the_profile_allows(name: str, life: Life) -> None:
    profile = shipped(name)
    written = {file.fid: file.content for file in signed(profile)} if life is personalised else {}
    async with in_field(name, life=life) as blank:
        for row in profile.files:
            content = written.get(row.fid, b"") if row.personalised else blank.chip.content(row.fid)
            _atr, answers = await opensc(CHIP, *opening(profile), *reading(row, profile, len(content)))
            told = answers[len(opening(profile)) + 1 :]  # behind SELECT
            if row.read == "channel":
                assert set(told) == {"6982"}, row.name
                continue
            assert {answer[-4:] for answer in told} == {"9000"}, row.name
            assert "".join(answer[:-4] for answer in told) == (len(content).to_bytes(2, "big") + content).hex().upper(), row.name


@pytest.mark.parametrize(("life", "locked"), [(as_it_came, False), (personalised, True)])
async def test_it_sees_the_life_cycle_of_ektp_that_the_profile_asks_for(life: Life, *, locked: bool) -> None:
    step = next(step for step in shipped("ektp").phase(Phase.LOCK) if step.do is Do.STOP_IF)
    assert step.command is not None
    async with in_field("ektp", life=life):
        _atr, answers = await opensc(CHIP, SELECT_DF, step.command.encode().hex())
    told = bytes.fromhex(answers[1].removesuffix("9000"))
    assert (find(told, step.path) == bytes.fromhex(step.value)) == locked


@pytest.mark.parametrize(("life", "version"), [(as_it_came, 0x30), (personalised, 0x01)])
async def test_it_sees_whose_keys_a_globalplatform_chip_has(life: Life, version: int) -> None:
    profile = shipped("gp-scp03")
    assert profile.keys is not None
    assert (profile.keys.version == version) == (life is personalised)
    status = next(step for step in profile.phase(Phase.LOCK) if step.do is Do.STOP_IF)
    assert status.command is not None
    async with in_field("gp-scp03", life=life):
        _atr, answers = await opensc(
            CHIP, *opening(profile), "80CA00E000", "80500000080001020304050607", status.command.encode().hex()
        )
    rows = bytes.fromhex(answers[1].removesuffix("9000"))[2:]
    assert {rows[at + 3] for at in range(0, len(rows), 6)} == {version}
    assert answers[2][20:24] == f"{version:02X}03"  # behind 10 bytes that name the chip: key version, SCP03
    assert answers[3] == "6982"  # the life cycle is told within a session only


@pytest.mark.parametrize("name", NAMES)
async def test_it_writes_nothing_to_a_personalised_chip(name: str) -> None:
    profile = shipped(name)
    async with in_field(name, life=personalised) as blank:
        before = blank.chip.content(0x6FF2)
        select = profile.select_file(0x6FF2).encode().hex()
        _atr, answers = await opensc(CHIP, *opening(profile), select, "00D600020100", "80E2880005" + "6FF2020000", "0044000000")
        assert all(answer.startswith("6") for answer in answers[-3:]), answers
        assert blank.chip.content(0x6FF2) == before


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
