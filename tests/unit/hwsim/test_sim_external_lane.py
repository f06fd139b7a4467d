"""A lane whose chip reader stands beside the printer: a person carries each card between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.arming import arm
from hwsim.config import SimConfig, load_config
from hwsim.devices.magicard import MagicardPrinter
from hwsim.errors import SimError
from hwsim.hands import put
from hwsim.world import Place, Spot
from tests.unit.hwsim.magicard_bench import page
from tests.unit.hwsim.station_bench import Rig, running

UID, FIRST, ENDURO = "FFCA000000", "blank-00001", "magicard-enduro"
JOB = page("HFDON,OVROFF", k=bytes(97_536))


async def printed(rig: Rig) -> None:
    """Wait until the printer is free."""
    assert isinstance(rig.lane.printer, MagicardPrinter)
    await rig.lane.printer.machine.free.wait()


async def test_a_card_goes_from_the_stack_to_the_reader_through_the_slot_and_to_the_reader_again(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2, printer=ENDURO) as rig:
        uid = rig.station.world.blank(FIRST).uid.hex().upper() + "9000"
        assert put(rig.station, "next", "reader", rig.lane) == FIRST
        assert await rig.reader.ask(UID) == [uid]
        put(rig.station, FIRST, "slot", rig.lane)
        await rig.lane.printer.bulk_out(1, JOB[:90_000])
        await rig.lane.printer.bulk_out(1, JOB[90_000:])
        await printed(rig)
        assert rig.station.world.where(FIRST) == Place(Spot.OUTPUT, "1")
        put(rig.station, FIRST, "reader", rig.lane)
        assert await rig.reader.ask(UID) == [uid]


async def test_no_chip_is_heard_while_the_card_is_in_the_printer(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, printer=ENDURO) as rig:
        put(rig.station, "next", "reader", rig.lane)
        put(rig.station, FIRST, "slot", rig.lane)
        row = rig.station.world_json()["lanes"][0]
        assert (rig.lane.slot.connected, row["reader"], row["slot"], row["external"]) == (False, None, FIRST, True)


async def test_the_reader_takes_one_card_and_gives_it_back(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2, printer=ENDURO) as rig:
        put(rig.station, "next", "reader", rig.lane)
        with pytest.raises(SimError, match="the reader of lane 1 is full: 1 cards lie there"):
            put(rig.station, "next", "reader", rig.lane)
        assert rig.lane.take(Spot.READER) == [FIRST]
        assert rig.station.world.where(FIRST) == Place(Spot.PERSON)


async def test_the_slot_takes_one_card(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2, printer=ENDURO) as rig:
        put(rig.station, "next", "slot", rig.lane)
        with pytest.raises(SimError, match="blank-00001 is in the slot of lane 1"):
            put(rig.station, "next", "slot", rig.lane)
        assert rig.lane.take(Spot.INSIDE) == [FIRST]


async def test_another_card_may_come_back_from_the_printer(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, printer=ENDURO) as rig:
        arm(rig.station, "wrong_chip", None, {"presentation": "2"})
        put(rig.station, "next", "reader", rig.lane)
        first = await rig.reader.ask(UID)
        rig.lane.take(Spot.READER)
        put(rig.station, FIRST, "reader", rig.lane)
        assert await rig.reader.ask(UID) != first


@pytest.mark.parametrize("where", ["reader", "slot"])
async def test_no_hand_reaches_what_is_inside_an_evolis(tmp_path: Path, where: str) -> None:
    async with running(tmp_path, blanks=1) as rig:
        with pytest.raises(SimError, match=r"no hand reaches it|has no hand-feed slot"):
            put(rig.station, "next", where, rig.lane)
        assert rig.station.world.count(Spot.HOPPER, "1") == 1


async def test_next_is_nothing_when_the_stack_is_empty(tmp_path: Path) -> None:
    async with running(tmp_path, printer=ENDURO) as rig:
        with pytest.raises(SimError, match="lane 1 has no blank left"):
            put(rig.station, "next", "reader", rig.lane)


async def test_an_evolis_may_have_its_reader_beside_it_too(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, external=True) as rig:
        assert (await rig.ask("Sic", "Rlr;p"), rig.lane.slot.connected) == (["OK", "CONTACTLESS CARD"], False)


async def test_the_printer_gives_up_when_a_fault_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, printer=ENDURO, hand_feed_wait_s=600.0) as rig:
        await rig.lane.printer.bulk_out(1, JOB)
        arm(rig.station, "hand_feed_over", None, {"delay": "1"})
        while rig.lane.printer.port_status != 0x10:
            assert rig.station.world_json()["lanes"][0]["printer"]["port_status"] == rig.lane.printer.port_status
            await rig.request("REQ,ERR")
        arm(rig.station, "printer_cancel", None, {})
        await printed(rig)
        assert rig.lane.printer.port_status == 0x18


async def test_settings_and_firmware_of_a_unit_drift(tmp_path: Path) -> None:
    async with running(tmp_path, printer=ENDURO) as rig:
        arm(rig.station, "setting", None, {"name": "head_position", "value": "47"})
        arm(rig.station, "firmware", None, {"text": "2.5"})
        arm(rig.station, "swapped_printer", None, {"serial": "ELSE"})
        fields = (await rig.request("REQ,INF")).split(b",")
        assert (fields[16], fields[6], fields[3]) == (b"47", b"2.5", b"ELSE")


# Wiring


def config(tmp_path: Path, **changes: str) -> SimConfig:
    """The example with lines of the lane changed; an empty text leaves the line out."""
    text = Path("examples/hw-sim.toml").read_text(encoding="utf-8").replace("evolis-primacy", ENDURO)
    lane, panel, rest = text.partition("[desk_reader]")
    lines = [changes.get(line.partition(" ")[0], line) for line in lane.splitlines()]
    path = tmp_path / "hw-sim.toml"
    path.write_text("\n".join([*lines, panel + rest]), encoding="utf-8")
    return load_config(path)


def test_pins_are_optional_and_pins_need_gpio(tmp_path: Path) -> None:
    assert config(tmp_path, pins="").lanes[0].pins == {}
    with pytest.raises(SimError, match="lane '1' has pins and no gpio"):
        config(tmp_path, gpio="")


def test_the_front_panel_needs_gpio(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="lane '1' has no gpio"):
        config(tmp_path, gpio="", pins="")


async def test_a_lane_without_beams_needs_an_external_reader(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="lane 1: pins are missing"):
        async with running(tmp_path, pins={}):
            pass


async def test_a_lane_without_beams_prints(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1, printer=ENDURO, pins={}) as rig:
        put(rig.station, "next", "slot", rig.lane)
        await rig.lane.printer.bulk_out(1, JOB)
        await printed(rig)
        assert rig.station.world.count(Spot.OUTPUT, "1") == 1


async def test_a_ribbon_may_be_chosen_and_must_exist(tmp_path: Path) -> None:
    async with running(tmp_path, printer=ENDURO, ribbon_type="ko") as rig:
        assert b",KO," in await rig.request("REQ,INF")
    with pytest.raises(SimError, match="lane 1: there is no ribbon 'gold'; there are: ymcko, ko, k"):
        async with running(tmp_path, printer=ENDURO, ribbon_type="gold"):
            pass
