"""The contract of the port `CardPrinter` for a printer that is fed by hand: the Magicard driver over real USB/IP to hw-sim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, RenderError
from controller.hal.magicard.driver import MagicardPrinter
from controller.hal.magicard.shift import move
from controller.hal.ports import CardPrinter
from controller.hal.profiles.printer import MagicardProfile, find_profile
from controller.model import CardPosition, Panel
from hwsim.clock import Clock
from hwsim.config import load_config
from hwsim.devices.replies import Trick
from hwsim.lane import Lane
from hwsim.profiles import load_chip, load_printer
from hwsim.wires.usbip import UsbIpServer
from hwsim.world import Spot, World
from tests.fakes.magicard_usb import PROFILES

SERIAL = "SIM-M-0001"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hw-sim.toml"
MODELS = ("magicard-enduro", "magicard-alto")


def profile_of(name: str) -> MagicardProfile:
    profile = find_profile(PROFILES, name)
    assert isinstance(profile, MagicardProfile)
    return profile


def panels_of(profile: MagicardProfile, hole: str = "") -> list[Panel]:
    """Planes that differ from each other and within themselves."""
    raster = profile.raster_for(profile.ribbon)
    area = f"OVRON,PCT0,0,{raster.height_lines - 1},641{hole}".encode()
    return [
        Panel(row.name, row.levels, (row.name.encode() + bytes(range(95))) * (row.size_bytes // 96) or area)
        for row in raster.panels
    ]


class Rig:
    """One lane of hw-sim at full speed on its own USB/IP server, and the person beside it."""

    def __init__(self, profile: MagicardProfile, lane: Lane, server: UsbIpServer, world: World) -> None:
        self.profile, self.lane, self.world = profile, lane, world
        self.panels = panels_of(profile)
        self.printer: CardPrinter = MagicardPrinter.at(profile, f"usbip://127.0.0.1:{server.port}", SERIAL)

    def put_in(self) -> str:
        """A person puts one new blank into the slot."""
        (blank,) = self.lane.load(1, frozenset())
        self.lane.take_one(blank)
        self.lane.lay(blank, Spot.INSIDE)
        return blank

    async def print(self, within_s: float = 30) -> None:
        await self.printer.print_by_hand(self.panels, Deadline.after(within_s))

    @property
    def printed(self) -> list[list[tuple[str, bytes]]]:
        """The planes on each card in the tray."""
        cards = (self.world.blank(blank) for blank in self.world.at(Spot.OUTPUT, self.lane.config.name))
        return [[(one.panel, one.dots or b"") for one in card.printed if one.panel != "o"] for card in cards]

    @property
    def given(self) -> list[tuple[str, bytes]]:
        return [(panel.name, panel.data) for panel in self.panels if panel.name != "o"]


@asynccontextmanager
async def simulated(name: str = MODELS[0], patience_s: float = 0.2) -> AsyncIterator[Rig]:
    server, world = UsbIpServer("127.0.0.1", 0), World(1)
    await server.start()
    config = replace(
        load_config(EXAMPLE).lanes[0], printer_profile=name, serial=SERIAL, pins={}, gpio=None, external=True, ribbon_cards=None,
        hand_feed_wait_s=patience_s,
    )  # fmt: skip
    lane = Lane(config, world, Clock(None), (load_printer(name), load_chip(config.chip_profile)), server, lambda _: None)
    async with asyncio.TaskGroup() as group:
        lane.switch_on(group)
        await asyncio.sleep(0)  # power-on forgets what was sent before
        rig = Rig(profile_of(name), lane, server, world)
        try:
            yield rig
        finally:
            await rig.printer.close()
            lane.switch_off()
            await server.close()


@pytest.fixture(params=MODELS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with simulated(request.param) as made:
        await made.printer.open()
        yield made


@pytest.fixture
async def enduro() -> AsyncIterator[Rig]:
    async with simulated() as made:
        await made.printer.open()
        yield made


async def test_open_tells_the_identity_and_may_be_repeated(rig: Rig) -> None:
    first = await rig.printer.open()
    assert (first.serial, first.model) == (SERIAL, rig.profile.model.partition(" ")[2])
    assert await rig.printer.open() == first


async def test_a_card_put_into_the_slot_is_printed_counted_and_comes_out(rig: Rig) -> None:
    before = await rig.printer.witness()
    rig.put_in()
    await rig.print()
    after = await rig.printer.witness()
    assert (after.position, after.cards_fed - before.cards_fed) == (CardPosition.UNTOLD, 1)
    assert (before.ribbon_remaining or 0) - (after.ribbon_remaining or 0) == 1
    assert rig.printed == [rig.given]


async def test_a_card_that_comes_while_the_printer_waits_is_printed(rig: Rig) -> None:
    printing = asyncio.create_task(rig.print())
    while rig.lane.printer.port_status != 0x08:
        await asyncio.sleep(0.01)
    rig.put_in()
    await printing
    assert rig.printed == [rig.given]


async def test_without_a_card_the_job_is_dropped_and_the_next_card_gets_its_own(rig: Rig) -> None:
    before = await rig.printer.witness()
    with pytest.raises(DeviceRefused, match=r"card_not_fed: .* - 11:01"):
        await rig.print()
    assert await rig.printer.examine() == before
    rig.put_in()
    await rig.print()
    assert rig.printed == [rig.given]


async def test_the_picture_is_moved_for_a_head_that_stands_elsewhere(enduro: Rig) -> None:
    enduro.lane.printer.adjust("head_position", "46")
    enduro.put_in()
    await enduro.print()
    assert enduro.printed == [[(name, move(data, "kge2", 4)) for name, data in enduro.given]]


async def test_an_examination_tells_what_a_witness_tells(rig: Rig) -> None:
    assert await rig.printer.examine() == await rig.printer.witness()


async def test_two_cards_one_after_the_other_get_one_job_each(enduro: Rig) -> None:
    for _ in range(2):
        enduro.put_in()
        await enduro.print()
    assert enduro.printed == [enduro.given] * 2


@pytest.mark.parametrize("trouble", ["jam", "cover", "head"])
async def test_an_error_nobody_knows_is_told_in_the_printers_words(enduro: Rig, trouble: str) -> None:
    troubles = enduro.lane.mechanics.troubles
    {"jam": lambda: troubles.jam_at.add("print"), "cover": lambda: setattr(troubles, "cover_open", True),
     "head": lambda: setattr(troubles, "head_error", True)}[trouble]()  # fmt: skip
    enduro.put_in()
    with pytest.raises((DeviceRefused, DeviceUnknown), match=r"99:99"):
        await enduro.print()


async def test_settings_and_cleaning_are_read(rig: Rig) -> None:
    care = await rig.printer.care()
    assert care.settings == {"head_position": "50", "image_start": "0", "image_end": "0"}
    assert care.cards_until_cleaning == 700


async def test_a_cleaning_cycle_and_a_test_card_are_followed_to_their_end(rig: Rig) -> None:
    rig.lane.load(1, frozenset())
    await rig.printer.print_test_card(Deadline.after(10))
    assert (await rig.printer.care()).cards_until_cleaning == 699
    await rig.printer.clean(Deadline.after(10))
    assert (await rig.printer.care()).cards_until_cleaning == 700


async def test_an_empty_hopper_gives_no_test_card(enduro: Rig) -> None:
    with pytest.raises(DeviceRefused, match="card_not_fed"):
        await enduro.printer.print_test_card(Deadline.after(10))


async def test_acts_with_a_station_are_refused_and_panels_of_another_shape_too(enduro: Rig) -> None:
    soon = Deadline.after(5)
    for act in (enduro.printer.feed(soon), enduro.printer.to_chip_station(soon), enduro.printer.deliver(soon),
                enduro.printer.reject(soon), enduro.printer.print(enduro.panels, soon)):  # fmt: skip
        with pytest.raises(DeviceRefused, match="option_missing"):
            await act
    enduro.panels = panels_of(profile_of("magicard-alto"))
    with pytest.raises(RenderError, match="do not fit the printer"):
        await enduro.print()


async def test_the_wrong_unit_is_found_out_before_a_card_moves(enduro: Rig) -> None:
    enduro.lane.printer.becomes({"serial": "SIM-M-0002"})
    enduro.put_in()
    with pytest.raises(DeviceAbsent, match="printer_swapped"):
        await enduro.print()
    assert enduro.printed == []


async def test_a_pulled_cable_is_absent_and_comes_back_with_open(enduro: Rig) -> None:
    enduro.lane.unplug()
    with pytest.raises(DeviceError):
        await enduro.printer.examine()
    with pytest.raises(DeviceAbsent, match="printer_absent"):
        await enduro.printer.open()
    enduro.lane.plug()
    await enduro.printer.open()
    enduro.put_in()
    await enduro.print()
    assert enduro.printed == [enduro.given]


async def test_power_lost_after_the_job_leaves_it_unknown(enduro: Rig) -> None:
    enduro.lane.printer.on_command.append(lambda got: enduro.lane.switch_off() if "JOB" in got.text.upper() else None)
    enduro.put_in()
    with pytest.raises(DeviceUnknown, match="printer_lost"):
        await enduro.print()


async def test_a_part_of_a_job_that_a_host_left_behind_spoils_no_card() -> None:
    async with simulated() as rig:
        await rig.lane.printer.bulk_out(1, b"\x05\x01,NOC1,IMFBGRK,SZB585216\x1c" + bytes(1000))
        await rig.printer.open()
        rig.put_in()
        await rig.print()
        assert rig.printed == [rig.given]


async def test_an_old_job_for_which_no_card_was_drawn_in_is_dropped() -> None:
    async with simulated() as rig:
        await rig.lane.printer.bulk_out(1, b"\x01,NOC1,KGE2,HFDON,SZK0\x1c\x1cK:\x03")
        while rig.lane.printer.port_status != 0x10:
            await asyncio.sleep(0.01)
        assert (await rig.printer.open()).serial == SERIAL
        assert rig.lane.printer.port_status == 0x18
        rig.put_in()
        await rig.print()
        assert rig.printed == [rig.given]


async def test_a_card_is_made_although_every_reply_is_disturbed(enduro: Rig) -> None:
    enduro.lane.printer.replies.tricks.extend((Trick("split"), Trick("late", seconds=0.01)) * 15)
    enduro.put_in()
    await enduro.print()
    assert enduro.printed == [enduro.given]


async def test_late_replies_of_a_host_that_died_are_nobodys_answers() -> None:
    async with simulated() as rig:
        await rig.lane.printer.bulk_out(1, b"\x01,REQ,INF,\x1c\x03\x01,REQ,ERR,\x1c\x03")
        await rig.printer.open()
        assert (await rig.printer.witness()).cards_fed == rig.lane.mechanics.cards_fed


async def test_closing_twice_is_fine_and_after_it_nothing_is_done(enduro: Rig) -> None:
    await enduro.printer.close()
    await enduro.printer.close()
    for ask in (enduro.printer.witness(), enduro.printer.open(), enduro.print()):
        with pytest.raises(DeviceAbsent, match="printer_lost"):
            await ask
