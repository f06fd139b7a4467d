"""A whole simulated station: faults, power, what people do, and the truth it tells."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hwsim.arming import arm
from hwsim.clock import Clock
from hwsim.errors import SimError
from hwsim.faults import FAULTS
from hwsim.station import SimStation
from hwsim.world import Place, Spot
from tests.unit.hwsim.printer_bench import settle
from tests.unit.hwsim.station_bench import Rig, config_for, running

UID, SELECT_DF, SELECT_BIODATA, WRITE = "FFCA000000", "00A40000027F0A", "00A40000026FF1", "00D6000203414243"
FIRST = "blank-00001"


def uid_of(rig: Rig, blank: str = FIRST) -> str:
    return rig.station.world.blank(blank).uid.hex().upper() + "9000"


async def test_a_chip_is_heard_while_its_card_stands_at_the_station(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        assert await rig.ask("Sic") == ["OK"]
        assert await rig.reader.ask(UID) == [uid_of(rig)]
        await rig.ask("Si")
        assert not rig.lane.slot.connected


async def test_what_is_written_to_the_chip_is_in_the_truth(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await rig.ask("Sic")
        assert await rig.reader.ask(SELECT_DF, SELECT_BIODATA, WRITE, "00D60000020003") == ["9000"] * 4
        biodata = rig.station.world_json()["blanks"][0]["chip"]["files"]["6FF1"]
        assert (biodata["length"], biodata["raw"], biodata["written_bytes"]) == (3, "QUJD", 5)


async def test_the_truth_is_plain_json_and_counts_every_blank(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=3) as rig:
        await rig.ask("Sic", "Se", "Sic", "Ser", "Sic")
        world = json.loads(json.dumps(rig.station.world_json()))
        nowhere = {"supply": 0, "hopper": 0, "person": 0, "desk": 0, "reader": 0}
        assert world["totals"] == {**nowhere, "inside": 1, "output": 1, "reject": 1, "all": 3}
        assert [card["end"] for card in world["lanes"][0]["cards"]] == ["output", "reject"]
        assert world["blanks"][2]["station"] == "contactless"


async def test_a_dead_chip_is_never_inserted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.lane.load(2, frozenset({1}))
        await rig.ask("Sic", "Ser", "Sic")
        assert await rig.reader.ask(UID) == [uid_of(rig, "blank-00002")]
        assert len(rig.lane.meter.finished[0].silences) == 1


@pytest.mark.parametrize(("count", "dead"), [(0, set()), (101, set()), (2, {3}), (2, {0})])
async def test_a_load_that_cannot_be_is_refused_and_changes_nothing(tmp_path: Path, count: int, dead: set[int]) -> None:
    async with running(tmp_path) as rig:
        with pytest.raises(SimError, match=r"room for 100 blanks|must be numbered"):
            rig.lane.load(count, frozenset(dead))
        assert rig.station.world.all() == []


async def test_the_contacts_of_hopper_and_bin_follow_the_blanks(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        pins, bank = rig.lane.config.pins, rig.lane.bank
        levels = [[bank.level(pins[name]) for name in ("hopper_low", "hopper_empty", "bin_full")]]
        rig.lane.load(11, frozenset())
        levels.append([bank.level(pins[name]) for name in ("hopper_low", "hopper_empty", "bin_full")])
        assert levels == [[0, 0, 1], [1, 1, 1]]


async def test_taking_the_card_out_of_the_printer_leaves_the_field_empty(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await rig.ask("Sic")
        await rig.reader.ask(UID)
        assert (rig.lane.take(Spot.INSIDE), rig.lane.slot.connected) == ([FIRST], False)
        assert (rig.station.world.where(FIRST), await rig.ask("Rlr;p")) == (Place(Spot.PERSON), ["OK"])
        assert rig.lane.meter.finished[-1].end == "person"


# Faults


NEED_A_CARD = {"field_lost", "swap_now"}


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_every_fault_of_the_table_happens(tmp_path: Path, name: str) -> None:
    magicard = "(Magicard)" in FAULTS[name].about
    values = {"name": "contrast_yellow"} if name == "setting" else {}
    async with running(tmp_path, blanks=2, printer="magicard-enduro" if magicard else "evolis-primacy") as rig:
        if name in NEED_A_CARD:
            await rig.ask("Sic")
        assert arm(rig.station, name, None, values) == "done"
        assert arm(rig.station, name, "1", {"at": "Rok", "delay": "1"}) == "armed"


@pytest.mark.parametrize(
    ("name", "lane", "values", "words"),
    [
        ("printer_ok", None, {}, "the printer of lane 1 is no Magicard"),
        ("setting", None, {"name": "taste"}, "a setting is one of contrast_yellow, "),
        ("setting", None, {"name": "Rc;y", "value": "much"}, "a setting is a number, not 'much'"),
        ("printer_error", None, {"stage": "lunch"}, "an error comes now or at one of feed, move"),
        ("gremlin", None, {}, "there is no fault 'gremlin'; there are: bin_emptied, "),
        ("misfeed", "9", {}, "there is no lane '9'; there are: 1"),
        ("misfeed", None, {"cards": "1"}, "misfeed does not take 'cards'; it takes: times, at, after, delay"),
        ("misfeed", None, {"times": "two"}, "misfeed: times must be a number, not 'two'"),
        ("misfeed", None, {"times": "-1"}, "times must be from 0 to"),
        ("torn_chip", None, {"kills": "maybe"}, "kills must be yes or no"),
        ("card_jam", None, {"stage": "lunch"}, "a card jams at one of feed, move, print, eject, reject"),
        ("ribbon_new", None, {"type": "gold"}, "there is no ribbon 'gold'"),
        ("dead_chip", None, {"blank": "7"}, "lane 1 has no blank 7"),
        ("dead_chip", None, {"blank": "0"}, "lane 1 has no blank 0"),
        ("field_lost", None, {}, "no card stands over the antenna of lane 1"),
        ("swap_now", None, {}, "no card stands over the antenna of lane 1"),
        ("twin_printer", None, {"busid": "1-1"}, "cannot be plugged in at '1-1'"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused(
    tmp_path: Path, name: str, lane: str | None, values: dict[str, str], words: str
) -> None:
    async with running(tmp_path, blanks=1) as rig:
        with pytest.raises(SimError, match=words):
            arm(rig.station, name, lane, values)


async def test_a_fault_waits_for_its_command(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2) as rig:
        arm(rig.station, "reply_wrong", None, {"text": "NO", "at": "Rco", "after": "2"})
        assert await rig.ask("Rok", "Rco;c", "Rok", "Rco;p", "Rco;p") == ["OK", "1000", "OK", "NO", "5000"]
        assert rig.told[-1] == "fault reply_wrong happened on lane 1"


async def test_a_fault_refused_later_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "dead_chip", None, {"after": "1"})
        assert await rig.ask("Rok") == ["OK"]
        assert rig.told[-1].startswith("fault dead_chip did not happen: lane 1 has no blank 1")


async def test_a_torn_write_ends_the_session_and_the_next_presentation_works(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, "torn_chip", None, {"bytes": "2"})
        await rig.ask("Sic")
        assert await rig.reader.ask(SELECT_DF, SELECT_BIODATA, WRITE) == ["9000", "9000", ""]
        await rig.ask("Si", "Sic")
        assert await rig.reader.ask(SELECT_DF, SELECT_BIODATA, "00B0000005") == ["9000", "9000", "00004142009000"]


async def test_a_hung_chip_answers_again_when_it_is_presented_anew(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, "hung_chip", None, {})
        await rig.ask("Sic")
        with pytest.raises(TimeoutError):
            await rig.reader.ask(UID, SELECT_DF)
        await rig.ask("Si", "Sic")
        assert await rig.reader.ask(UID, SELECT_DF) == [uid_of(rig), "9000"]


async def test_a_hung_reader_answers_only_when_it_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, "reader_hang", None, {"at": "Rok"})
        await rig.ask("Sic", "Rok", "Si", "Sic")
        assert not rig.lane.slot.connected
        arm(rig.station, "reader_thaw", None, {})
        assert await rig.reader.ask() == []
        assert await rig.reader.ask(UID) == [uid_of(rig)]


@pytest.mark.parametrize(("name", "inside"), [("wrong_chip", FIRST), ("swapped_card", "blank-00002")])
async def test_at_the_second_presentation_another_chip_answers(tmp_path: Path, name: str, inside: str) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, name, None, {})
        await rig.ask("Sic")
        assert await rig.reader.ask(UID) == [uid_of(rig)]
        await rig.ask("Si", "Sic")
        assert await rig.reader.ask(UID) == [uid_of(rig, "blank-00002")]
        assert rig.station.world.at(Spot.INSIDE, "1") == [inside]


async def test_an_emptied_hopper_is_empty_for_printer_and_pins(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=20) as rig:
        arm(rig.station, "feeder_empty", None, {})
        assert await rig.ask("Pem;2", "Sic") == ["OK", "FEEDER EMPTY"]
        assert rig.lane.bank.level(rig.lane.config.pins["hopper_empty"]) == 0


async def test_power_off_stops_the_printer_and_power_on_brings_it_back_with_its_card(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await rig.ask("Pem;2", "Sic")
        rig.station.power_printer(rig.lane, on=False)
        rig.station.power_printer(rig.lane, on=True)
        plugged = [rig.lane.plugged]
        await settle()
        assert [*plugged, rig.lane.plugged] == [False, True]
        assert await rig.ask("Rem", "Rlr;p") == ["0;0", "CONTACTLESS CARD"]


async def test_power_lost_while_printing_leaves_an_unfinished_panel(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        rig.station.clock = rig.lane.mechanics._clock = type(rig.station.clock)(speed=100)
        await rig.ask("Ss")
        assert await rig.ask_raw(b"Db;k;2;" + bytes(82_296) + b"\r") == "OK"
        await settle()
        rig.station.power_printer(rig.lane, on=False)
        assert [one.complete for one in rig.station.world.blank(FIRST).printed] == [False]


async def test_a_killed_pin_server_comes_back_on_its_port(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        port = rig.lane.gpio.port
        arm(rig.station, "gpio_kill", None, {})
        await settle()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        arm(rig.station, "gpio_restart", None, {})
        await settle()
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


async def test_a_second_hopper_load_wakes_a_printer_that_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        feeding = asyncio.create_task(rig.ask("Sic"))
        await settle()
        assert not feeding.done()
        rig.lane.load(1, frozenset())
        assert await feeding == ["OK"]


async def test_two_lanes_have_their_own_hoppers_and_wires(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    second = replace(config.lanes[0], name="2", busid="2-1", serial="SIM-E-0002", hopper_blanks=3)
    told: list[str] = []
    station = SimStation(replace(config, lanes=(*config.lanes, second)), Clock(None), None, told.append)
    life = asyncio.create_task(station.run(station.stopping.set))
    await life
    assert [(lane["name"], lane["busid"]) for lane in station.ports_json()["lanes"]] == [("1", "1-1"), ("2", "2-1")]
    assert [lane["hopper"] for lane in station.world_json()["lanes"]] == [0, 3]


# Pictures, and the end


async def test_finished_cards_are_kept_as_pictures_by_blank_and_their_dots_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    async with running(tmp_path, blanks=2, pictures=folder) as rig:
        await rig.ask("Ss")
        await rig.ask_raw(b"Db;k;2;" + bytes(82_296) + b"\r")
        await rig.ask("Se", "Sic", "Ser")
        assert rig.station.world.blank(FIRST).printed[0].dots is None
    kept = {f"{FIRST}.{end}" for end in ("png", "overlay.png", "json", "dots.npz")}
    assert {path.name for path in folder.iterdir()} == kept


async def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (tmp_path / "display").is_symlink()
        port = rig.station.usb.port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert list(tmp_path.iterdir()) == []


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        config = config_for(tmp_path / "other")
        taken = replace(config, usbip=replace(config.usbip, port=rig.station.usb.port))
        with pytest.RaisesGroup(pytest.RaisesExc(SimError, match="a wire cannot be opened: .*address already in use")):
            await SimStation(taken, Clock(None), None, rig.told.append).run(lambda: None)
