"""What a person's hand does: cards from anywhere to the desk reader, the bins and the hopper."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hwsim import cli
from hwsim.clock import Clock
from hwsim.control import ask
from hwsim.errors import SimError
from hwsim.hands import put
from hwsim.station import SimStation
from hwsim.world import Place, Spot
from tests.unit.hwsim.station_bench import Rig, config_for, running

UID = "FFCA000000"
FIRST, SECOND, THIRD = "blank-00001", "blank-00002", "blank-00003"


def uid_of(rig: Rig, blank: str = FIRST) -> str:
    return rig.station.world.blank(blank).uid.hex().upper()


def hand(rig: Rig, which: str, where: str) -> str:
    return put(rig.station, which, where, rig.lane)


def place(rig: Rig, blank: str = FIRST) -> Place:
    return rig.station.world.where(blank)


async def test_a_card_from_the_bin_is_heard_on_the_desk_and_no_longer_when_it_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await rig.ask("Sic", "Se")
        assert hand(rig, uid_of(rig), "desk") == FIRST
        assert await rig.desk_reader.ask(UID) == [uid_of(rig) + "9000"]
        assert (rig.station.desk_reader.clear(), rig.station.desk_reader.slot.connected) == ([FIRST], False)
        assert place(rig) == Place(Spot.PERSON)


async def test_where_a_card_was_taken_is_in_the_truth_until_it_is_back_in_a_lane(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2) as rig:
        await rig.ask("Sic", "Se")
        hand(rig, FIRST, "desk")
        seen = [rig.station.world_json()["blanks"][0]["taken_from"], rig.station.world_json()["desk"]]
        hand(rig, FIRST, "reject")
        seen.append(rig.station.world_json()["blanks"][0]["taken_from"])
        assert seen == [{"place": "output", "lane": "1"}, {"blank": FIRST}, None]


async def test_a_card_taken_out_of_the_printer_leaves_its_reader(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2) as rig:
        await rig.ask("Sic")
        await rig.reader.ask(UID)
        hand(rig, FIRST, "person")
        assert (place(rig), rig.lane.slot.connected, await rig.ask("Rlr;p")) == (Place(Spot.PERSON), False, ["OK"])


async def test_a_card_put_into_the_hopper_is_fed_last_and_ends_the_emptiness(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await rig.ask("Sic", "Se")
        assert rig.lane.bank.level(rig.lane.config.pins["hopper_empty"]) == 0
        hand(rig, FIRST, "hopper")
        assert rig.lane.bank.level(rig.lane.config.pins["hopper_empty"]) == 1
        assert await rig.ask("Sic", "Rlr;p") == ["OK", "CONTACTLESS CARD"]


async def test_a_new_card_is_one_that_nobody_knew_of(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        assert hand(rig, "new", "desk") == SECOND
        assert await rig.desk_reader.ask(UID) == [uid_of(rig, SECOND) + "9000"]


@pytest.mark.parametrize(
    ("which", "where", "words"),
    [
        ("blank-99999", "reject", "there is no card 'blank-99999': name it by its id or its UID, or 'new'"),
        (SECOND, "desk", f"{FIRST} lies on the desk reader; take it away first"),
        ("new", "desk", f"{FIRST} lies on the desk reader"),
        ("new", "hopper", "the hopper of lane 1 is full: 3 cards lie there"),
    ],
)
async def test_a_hand_that_finds_no_card_or_no_room_moves_nothing(tmp_path: Path, which: str, where: str, words: str) -> None:
    async with running(tmp_path, blanks=4) as rig:
        hand(rig, FIRST, "desk")
        rig.lane.config = replace(rig.lane.config, hopper_capacity=3)
        before = rig.station.world_json()["blanks"]
        with pytest.raises(SimError, match=words):
            hand(rig, which, where)
        assert rig.station.world_json()["blanks"] == before


async def test_a_station_without_a_desk_reader_says_so(tmp_path: Path) -> None:
    station = SimStation(replace(config_for(tmp_path), desk=None), Clock(None), None, print)
    with pytest.raises(SimError, match=r"has no \[desk_reader\]"):
        put(station, "new", "desk", station.lane(None))
    assert station.world_json()["desk"] is None


async def test_the_command_line_puts_and_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path, blanks=1) as rig:
        control = ["--control", str(rig.station.config.control)]
        assert await asyncio.to_thread(cli.main, ["put", FIRST, "desk", *control]) == 0
        assert await asyncio.to_thread(cli.main, ["take", "desk", *control]) == 0
        assert (capsys.readouterr().out.split(), place(rig)) == ([FIRST, FIRST], Place(Spot.PERSON))


async def test_apdus_of_the_desk_are_counted_apart(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        hand(rig, FIRST, "desk")
        await rig.desk_reader.ask(UID, UID)
        counts = (await asyncio.to_thread(ask, rig.station.config.control, {"command": "exchanges"}))["exchanges"]
        assert (counts["desk"]["apdu"], counts["1"]["apdu"]) == (2, 0)


async def test_the_brief_truth_names_only_what_was_written(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=2) as rig:
        await rig.ask("Sic")
        await rig.reader.ask("00A40000027F0A", "00A40000026FF1", "00D6000203414243", "00D60000020003")
        full, brief = rig.station.world_json(), rig.station.world_json(brief=True)
        written = full["blanks"][0]["chip"]["files"]["6FF1"]
        del written["raw"]
        assert [blank["chip"]["files"] for blank in brief["blanks"]] == [{"6FF1": written}, {}]
        assert "cards" not in brief["lanes"][0]
