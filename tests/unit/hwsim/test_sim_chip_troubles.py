"""What happens to simulated chips: torn pages, wrong and short answers, other UIDs, time on the air, and the SAM's slot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest

from hwsim.arming import arm, plan
from hwsim.clock import Clock
from hwsim.devices.chip import ATR, ATR_TYPE_B
from hwsim.devices.chip_air import air_s
from hwsim.devices.chip_apdu import ChipDied
from hwsim.devices.chip_eeprom import PAGE_BYTES, TORN, ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.field import FieldCard, Speed
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges
from hwsim.profiles import load_chip
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import CardDied
from hwsim.world import Blank, Spot, World
from tests.unit.hwsim.chip_bench import SELECT_DF, SamHost, new_blank, present, sent
from tests.unit.hwsim.station_bench import Rig, running

SELECT, OLD, NEW = "00A40000026FF1", b"o" * 100, b"N" * 100
GET_UID = "FFCA000000"


def torn(page: str, cut: int) -> bytes:
    """What was written, after power was lost."""
    return torn_file(page, cut)[2:102]


def torn_file(page: str, cut: int) -> bytes:
    """A file after power was lost in the write of 100 over 100 old ones behind the length."""
    blank, troubles = new_blank(), ChipTroubles()
    blank.chip.write(0x6FF1, 2, OLD)
    host = SamHost(present(blank, troubles))
    host.authenticate()
    host.ask(SELECT)
    troubles.cut_in_bytes, troubles.cut_page = cut, page
    with pytest.raises(ChipDied):
        host.ask("00D6000264" + NEW.hex())
    return bytes(blank.chip.files[0x6FF1])


@pytest.mark.parametrize("cut", [0, 1, 29, 30, 31, 62, 99])
def test_a_torn_write_leaves_new_pages_before_and_old_pages_behind(cut: int) -> None:
    start = max(0, (cut + 2) // PAGE_BYTES * PAGE_BYTES - 2)
    end = min(100, (cut + 2) // PAGE_BYTES * PAGE_BYTES + PAGE_BYTES - 2)
    assert torn("cut", cut) == NEW[:cut] + OLD[cut:]
    assert torn("old", cut) == NEW[:start] + OLD[start:]
    assert torn("new", cut) == NEW[:end] + OLD[end:]
    mixed = torn("mix", cut)
    assert (mixed[:start], mixed[end:]) == (NEW[:start], OLD[end:])
    assert {byte & ~(NEW[0] ^ OLD[0]) for byte in mixed[start:end]} == {NEW[0] & OLD[0]}  # what both have is there


def test_a_mix_is_neither_old_nor_new() -> None:
    assert set(torn("mix", 50)[30:62]) == set(b"oNnO")  # they differ in two bits


def test_a_write_whose_answer_alone_is_lost_is_whole() -> None:
    assert {torn(page, 100) for page in TORN} == {NEW}


@pytest.mark.parametrize(("page", "value"), [("erased", b"\x00"), ("blank", b"\xff")])
def test_a_page_that_was_erased_and_not_written_has_lost_what_was_not_to_be_written_too(page: str, value: bytes) -> None:
    assert torn(page, 50) == NEW[:30] + value * PAGE_BYTES + OLD[62:]
    assert torn(page, 3) == value * 30 + OLD[30:]  # the length before it is in the same page
    assert torn(page, 99) == NEW[:94] + value * 6
    assert torn_file(page, 3)[:2] == value * 2
    assert torn_file(page, 99)[100:132] == value * 28 + bytes(4)


@pytest.mark.parametrize(("acts", "content"), [(False, b"\0\0\0"), (True, b"ABC")])
def test_a_wrong_status_word_comes_once_and_the_chip_may_have_acted(acts: bool, content: bytes) -> None:
    troubles = ChipTroubles()
    host = SamHost(present(new_blank(), troubles))
    host.authenticate()
    host.ask(SELECT)
    troubles.wrong_in_apdus, troubles.wrong_word, troubles.wrong_acts = 1, 0x6581, acts
    assert host.ask("00D6000203414243") == "6581"
    assert bytes(host.chip.memory.files[0x6FF1][2:5]) == content


def test_a_short_reply_lacks_bytes_before_the_status_word() -> None:
    chip = present(new_blank(), ChipTroubles(short_in_apdus=3, short_bytes=2))
    replies = [sent(chip, apdu) for apdu in (SELECT_DF, "00A40000026FF0", "00B0000004", "00B0000004")]
    assert (replies[2], replies[3][:4], len(replies[3])) == ("00339000", "0033", 12)


def test_a_chip_of_type_b_tells_its_uid_itself() -> None:
    blank = new_blank(uid_type="b")
    chip, uid = present(blank), blank.uid.hex().upper()
    assert [sent(chip, apdu) for apdu in ("00DD000008", "00DF000000")] == [uid + "9000"] * 2
    assert (sent(chip, GET_UID), chip.atr) == (uid[-8:] + "9000", ATR_TYPE_B)


def test_a_chip_of_type_a_knows_no_such_command() -> None:
    chip = present(new_blank())
    assert ([sent(chip, apdu) for apdu in ("00DD000008", "00DF000000")], chip.atr) == (["6D00"] * 2, ATR)


# Time


@pytest.mark.parametrize(("rate", "milliseconds"), [(106, 22.2), (212, 11.2), (424, 5.7), (848, 2.96)])
def test_a_block_of_208_bytes_is_on_the_air_for_some_time(rate: int, milliseconds: float) -> None:
    assert air_s(236, 16, rate) * 1000 == pytest.approx(milliseconds, rel=0.02)


def test_type_b_takes_ten_bits_for_a_byte() -> None:
    turn_s = 0.0002
    assert (air_s(236, 16, 106, type_b=True) - turn_s) / (air_s(236, 16, 106) - turn_s) == pytest.approx(10 / 9)


def test_longer_commands_are_chained() -> None:
    assert air_s(1000, 2, 106) > air_s(250, 2, 106) * 3.5


class Motions(Clock):
    """Takes no time and notes what was asked for."""

    asked: ClassVar[list[float]] = []

    async def motion(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.mark.parametrize(("speed", "times"), [(None, 0), (1.0, 2)])
async def test_the_air_takes_time_unless_the_speed_is_max(speed: float | None, times: int) -> None:
    clock, troubles = Motions(speed), ChipTroubles()
    clock.asked.clear()
    card = FieldCard(present(new_blank()), clock, LaneMeter(), Exchanges(), Speed(rf_kbit=424), troubles)
    assert await card.apdu(bytes.fromhex(GET_UID)) is not None  # its reader knows
    assert clock.asked == []
    assert await card.apdu(bytes.fromhex(SELECT_DF)) == b"\x90\x00"
    assert len(clock.asked) == times
    assert sum(clock.asked) == pytest.approx(air_s(7, 2, 424) if times else 0)


# Faults of the table


async def asked(rig: Rig, *apdus: str) -> list[str]:
    """A card is fed, and its chip asked."""
    await rig.ask("Sic")
    return await rig.reader.ask(*apdus)


async def test_a_blank_may_have_a_uid_of_another_kind(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2) as rig:
        arm(rig.station, "wrong_uid", None, {"kind": "single"})
        assert [len(uid) for uid in await asked(rig, GET_UID)] == [2 * (4 + 2)]


async def test_new_blanks_may_all_be_of_type_b(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, uid_type="b") as rig:
        blank = rig.station.world.all()[0]
        assert await asked(rig, "00DD000008") == [blank.uid.hex().upper() + "9000"]


async def test_a_blank_may_be_locked_or_another_offices(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2, chip="gp-scp03") as rig:
        arm(rig.station, "locked_chip", None, {"blank": "1"})
        arm(rig.station, "foreign_chip", None, {"blank": "2"})
        chips = [blank.chip for blank in rig.station.world.all()]
        assert ([chip.life for chip in chips], [chip.foreign for chip in chips]) == ([0x0F, 0x07], [False, True])


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("torn_chip", {"page": "half"}, "a torn page is cut, old, new, mix, erased, blank, not 'half'"),
        ("wrong_status", {"word": "12"}, "a status word is four hex digits"),
        ("wrong_status", {"word": "wrong"}, "a status word is four hex digits"),
        ("wrong_uid", {"kind": "c"}, "a UID is of kind a, b, single, not 'c'"),
        ("locked_chip", {"blank": "9"}, "lane 1 has no blank 9"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused(tmp_path: Path, name: str, values: dict[str, str], words: str) -> None:
    async with running(tmp_path, blanks=1) as rig:
        with pytest.raises(SimError, match=words):
            arm(rig.station, name, None, values)


# The SAM's slot

FORGET, TOKEN = "00FF000000", "00F1000143" + "00" * 67


async def test_the_lanes_sam_answers_in_the_second_slot(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert [len(answer) // 2 for answer in await rig.sam_reader.ask(FORGET, TOKEN)] == [2, 42]


async def test_a_sam_may_be_taken_out_and_put_back(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.sam_reader.ask(FORGET)
        arm(rig.station, "sam_absent", None, {})
        assert rig.lane.sam.card is None
        arm(rig.station, "sam_back", None, {})
        assert await rig.sam_reader.ask(FORGET) == ["9000"]


async def test_a_sam_may_be_blocked_and_its_issuer_helps(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "sam_locked", None, {})
        assert rig.lane.sam.card is not None
        assert [rig.lane.sam.card.transmit(bytes.fromhex(apdu)).hex() for apdu in (FORGET, TOKEN)] == ["6983", "6983"]
        arm(rig.station, "sam_unlocked", None, {})
        assert (await rig.sam_reader.ask(FORGET, TOKEN))[1].endswith("9000")


async def test_another_offices_sam_has_other_keys(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "sam_wrong", None, {})
        assert rig.lane.sam.card is not None
        assert rig.lane.sam.card.masters == load_masters().foreign()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_sam_may_be_taken_out_at_one_of_its_commands(tmp_path: Path, when: str) -> None:
    async with running(tmp_path) as rig:
        act = plan(rig.station, "sam_absent", None, {})
        rig.lane.exchanges.arm("sam", 2, when, act)
        assert await rig.sam_reader.ask(FORGET, TOKEN) == ["9000", ""]
        assert (rig.lane.exchanges.counts["sam"], rig.lane.sam.card) == (2, None)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_chip_may_die_at_one_of_its_commands(tmp_path: Path, when: str) -> None:
    async with running(tmp_path, blanks=1) as rig:
        rig.lane.exchanges.arm("apdu", 2, when, plan(rig.station, "dead_chip", None, {"blank": "0"}))
        assert await asked(rig, GET_UID, SELECT_DF) == [rig.station.world.all()[0].uid.hex().upper() + "9000", ""]


async def test_a_chip_whose_field_was_lost_answers_again_and_has_forgotten_what_was_selected(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        rig.lane.exchanges.arm("apdu", 3, "before", plan(rig.station, "field_lost", None, {}))
        assert (await asked(rig, GET_UID, SELECT_DF, SELECT))[2] == ""
        assert await rig.reader.ask(GET_UID, SELECT) == [rig.station.world.all()[0].uid.hex().upper() + "9000", "6A82"]


@pytest.mark.parametrize("back", [True, False])
async def test_a_torn_chip_may_have_its_field_back(back: bool) -> None:
    troubles, called = ChipTroubles(), asyncio.Event()
    host = SamHost(present(new_blank(), troubles))
    host.authenticate()
    host.ask(SELECT)
    troubles.cut_in_bytes, troubles.cut_back = 3, back
    card = FieldCard(host.chip, Clock(None), LaneMeter(), Exchanges(), Speed(), troubles, called.set)
    with pytest.raises(CardDied):
        await card.apdu(host.wrap("00D6000264" + NEW.hex()))
    await asyncio.sleep(0)
    assert called.is_set() is back


@pytest.mark.parametrize(("card", "places"), [("yes", [Spot.PERSON, Spot.INSIDE]), ("no", [Spot.INSIDE, Spot.SUPPLY])])
async def test_a_chip_may_be_exchanged_so_quickly_that_the_driver_keeps_its_connection(
    tmp_path: Path, card: str, places: list[Spot]
) -> None:
    async with running(tmp_path, blanks=1) as rig:
        rig.lane.exchanges.arm("apdu", 1, "after", plan(rig.station, "swap_now", None, {"card": card}))
        answers = await asked(rig, SELECT_DF, SELECT, GET_UID)
        ours, other = rig.station.world.all()
        assert answers == ["9000", "6A82", ours.uid.hex().upper() + "9000"]  # the reader knows of no other
        assert [rig.station.world.where(blank.id).spot for blank in (ours, other)] == places
        arm(rig.station, "field_lost", None, {})
        assert await rig.reader.ask(GET_UID) == [other.uid.hex().upper() + "9000"]


def heard_of(blank: Blank, troubles: ChipTroubles) -> FieldCard:
    return FieldCard(present(blank, troubles), Clock(None), LaneMeter(), Exchanges(), Speed(), troubles)


async def asks(card: FieldCard, *apdus: str) -> list[str]:
    """What it answers; "" for nothing."""
    return [(await card.apdu(bytes.fromhex(apdu)) or b"").hex().upper() for apdu in apdus]


async def test_a_reader_tells_the_uid_that_it_heard_until_it_activates_another_chip() -> None:
    ours, other = new_blank(), new_blank(uid_type="b")
    card = heard_of(ours, ChipTroubles())
    card.exchange(present(other))
    assert (await asks(card, GET_UID), card.atr) == ([ours.uid.hex().upper() + "9000"], ATR)
    card.reset()
    assert (await asks(card, GET_UID), card.atr) == ([other.uid[-4:].hex().upper() + "9000"], ATR_TYPE_B)


async def test_no_trouble_of_a_chip_meets_what_its_reader_answers() -> None:
    troubles, uid = ChipTroubles(wrong_in_apdus=1, short_in_apdus=2), new_blank().uid.hex().upper() + "9000"
    card = heard_of(new_blank(), troubles)
    assert await asks(card, GET_UID, SELECT_DF, GET_UID) == [uid, "6581", uid]
    troubles.hang_in_apdus = 1
    assert await asks(card, SELECT_DF, GET_UID, SELECT_DF) == ["", uid, ""]


async def test_no_two_chips_of_a_lane_and_no_two_presentations_give_the_same_challenge(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=4, chip="ektp") as rig:
        given = []
        for _ in range(4):
            for again in ("", "Si"):
                await rig.ask(*filter(None, (again, "Sic")))
                given.append((await rig.reader.ask(SELECT_DF, "0084000008"))[1])
            await rig.ask("Se")
        assert (len(set(given)), {len(one) for one in given}) == (8, {20})


async def test_a_sam_that_is_put_back_gives_other_tokens(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        given = []
        for _ in range(3):
            assert rig.lane.sam.card is not None
            given.append(rig.lane.sam.card.transmit(bytes.fromhex(TOKEN)).hex())
            rig.lane.sam.put()
        assert (len(set(given)), {len(one) for one in given}) == (3, {84})


def test_a_random_uid_is_another_at_every_presentation_and_reset() -> None:
    world = World(seed=1)
    blank = world.blank(world.make(1, load_chip("ektp"), "single")[0])
    heard = []
    for seed in range(2):
        chip = EktpChip(blank, load_chip("ektp"), ChipTroubles(), seed, load_masters())
        heard.append(sent(chip, GET_UID))
        assert sent(chip, GET_UID) == heard[-1]
        chip.reset()
        heard.append(sent(chip, GET_UID))
    assert (len(set(heard)), {uid[:2] for uid in heard}, {len(uid) for uid in heard}) == (4, {"08"}, {12})


async def test_a_sam_may_be_silent_for_a_while(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "sam_silent", None, {})
        asked = asyncio.create_task(rig.sam_reader.ask(FORGET))
        assert not (await asyncio.wait([asked], timeout=0.05))[0]
        arm(rig.station, "sam_answers", None, {})
        assert await asked == ["9000"]


async def test_the_world_tells_the_tries_of_the_lanes_own_sam(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "sam_locked", None, {})
        arm(rig.station, "sam_unlocked", None, {})
        rig.lane.sam.memory.blob = bytes(32)
        assert (await rig.sam_reader.ask("00F0000020" + "01" * 32, "00F0000020" + "00" * 32)) == ["63C2", "9000"]
        told = {"inside": True, "tries": 3, "openings": 1, "refused": 1}
        assert rig.station.world_json()["lanes"][0]["sam"] == told
        arm(rig.station, "sam_wrong", None, {})
        assert rig.station.world_json()["lanes"][0]["sam"] == told | {"inside": False}


async def test_a_lane_without_a_sam_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, sam=None) as rig:
        with pytest.raises(SimError, match=r"lane 1 has no SAM: its hw-sim\.toml has no sam"):
            arm(rig.station, "sam_absent", None, {})
