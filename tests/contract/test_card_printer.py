"""The contract of the port `CardPrinter`, held against the fake and against the Evolis driver over real USB/IP to hw-sim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, RenderError
from controller.hal.evolis.driver import EvolisPrinter
from controller.hal.ports import CardPrinter
from controller.hal.profiles.printer import EvolisProfile
from controller.model import CardPosition, Panel, PrinterIdentity
from hwsim.clock import Clock
from hwsim.config import load_config
from hwsim.devices.replies import Trick
from hwsim.lane import Lane
from hwsim.profiles import load_chip, load_printer
from hwsim.wires.usbip import UsbIpServer
from hwsim.world import Spot, World
from tests.fakes.fast_chip import FastCard
from tests.fakes.fast_lane import FastLane
from tests.fakes.fast_printer import FastPrinter
from tests.fakes.lane import FakeLane
from tests.fakes.printer import FakePrinter
from tests.fakes.usb_printer import evolis_profile, panels_for

SERIAL = "SIM-E-0001"
PROFILE = evolis_profile()
ONE_ACT = replace(
    PROFILE,
    plan="ejecting",
    acts=replace(PROFILE.acts, print=None, to_chip_station=None, deliver=None, print_and_deliver=("Ss", "Sr", "@panels", "Se")),
)
PANELS = panels_for(PROFILE)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hw-sim.toml"


class Rig(Protocol):
    """A printer and what a person can see and do around it."""

    @property
    def printer(self) -> CardPrinter: ...
    def load(self, blanks: int) -> None: ...
    def counts(self) -> tuple[int, int, int]:
        """Blanks in the hopper, the output bin and the reject bin."""

    def dots(self) -> list[list[Panel]]:
        """What was printed, card by card, in panels."""

    def unplug(self) -> None: ...
    def plug(self) -> None: ...


class FakeRig:
    def __init__(self, profile: EvolisProfile) -> None:
        self.printer = self.fake = FakePrinter(profile, SERIAL)

    def load(self, blanks: int) -> None:
        self.fake.hopper += blanks

    def counts(self) -> tuple[int, int, int]:
        return self.fake.hopper, self.fake.output, self.fake.rejected

    def dots(self) -> list[list[Panel]]:
        return self.fake.printed

    def unplug(self) -> None:
        self.fake.present = False

    def plug(self) -> None:
        self.fake.present = True


class LaneRig:
    """The lane in memory that the tests of `controller.jobs` use."""

    def __init__(self, profile: EvolisProfile) -> None:
        self.printer = self.lane = FakeLane(profile, SERIAL, opened=False)

    def load(self, blanks: int) -> None:
        self.lane.load(blanks)

    def counts(self) -> tuple[int, int, int]:
        return len(self.lane.hopper), len(self.lane.output), len(self.lane.rejected)

    def dots(self) -> list[list[Panel]]:
        inside = [] if self.lane.inside is None else [self.lane.inside]
        return [card.face for card in (*self.lane.output, *self.lane.rejected, *inside) if card.face]

    def unplug(self) -> None:
        self.lane.unplug()

    def plug(self) -> None:
        self.lane.plug()


class FastRig:
    """The lane in memory that the soak uses; its cards hold hashes, so the dots are caught on their way."""

    def __init__(self, profile: EvolisProfile) -> None:
        self._dots: list[list[Panel]] = []
        self.lane = FastLane(profile, SERIAL, on_print=lambda panels: self._dots.append(list(panels)))
        self.printer = FastPrinter(self.lane)

    def load(self, blanks: int) -> None:
        self.lane.load([FastCard(f"04{number:012X}") for number in range(blanks)])

    def counts(self) -> tuple[int, int, int]:
        return len(self.lane.hopper), len(self.lane.tray), len(self.lane.rejected)

    def dots(self) -> list[list[Panel]]:
        return self._dots

    def unplug(self) -> None:
        self.lane.unplug()

    def plug(self) -> None:
        self.lane.plug()


class SimRig:
    """One lane of hw-sim at full speed on its own USB/IP server; its other wires stay shut."""

    def __init__(self, profile: EvolisProfile, lane: Lane, server: UsbIpServer, world: World) -> None:
        self.lane, self.world = lane, world
        self.printer = EvolisPrinter.at(profile, f"usbip://127.0.0.1:{server.port}", SERIAL)

    def load(self, blanks: int) -> None:
        self.lane.load(blanks, frozenset())

    def counts(self) -> tuple[int, int, int]:
        hopper, output, reject = (
            self.world.count(spot, self.lane.config.name) for spot in (Spot.HOPPER, Spot.OUTPUT, Spot.REJECT)
        )
        return hopper, output, reject

    def dots(self) -> list[list[Panel]]:
        cards = [
            [Panel(one.panel, one.levels, one.dots or b"") for one in blank.printed if one.complete] for blank in self.world.all()
        ]
        return [card for card in cards if card]

    def unplug(self) -> None:
        self.lane.unplug()

    def plug(self) -> None:
        self.lane.plug()


async def sim_rig(profile: EvolisProfile) -> AsyncIterator[SimRig]:
    server, world = UsbIpServer("127.0.0.1", 0), World(1)
    await server.start()
    config = load_config(EXAMPLE).lanes[0]
    lane = Lane(
        config, world, Clock(None), (load_printer(config.printer_profile), load_chip(config.chip_profile)), server, lambda _: None
    )
    async with asyncio.TaskGroup() as group:
        lane.switch_on(group)
        await asyncio.sleep(0)  # power-on forgets what was sent before
        rig = SimRig(profile, lane, server, world)
        yield rig
        await rig.printer.close()
        lane.switch_off()
        await server.close()


MEMORY: dict[str, Callable[[EvolisProfile], Rig]] = {"fake": FakeRig, "lane": LaneRig, "fast": FastRig}


async def make(kind: str, profile: EvolisProfile) -> AsyncIterator[Rig]:
    if kind in MEMORY:
        yield MEMORY[kind](profile)
        return
    async for rig in sim_rig(profile):
        yield rig


@pytest.fixture(params=[*MEMORY, "sim"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async for made in make(request.param, PROFILE):
        yield made


@pytest.fixture(params=[*MEMORY, "sim"])
async def one_act(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A printer that cannot hold the card after printing."""
    async for made in make(request.param, ONE_ACT):
        yield made


@pytest.fixture
async def opened(rig: Rig) -> Rig:
    await rig.printer.open()
    rig.load(2)
    return rig


def soon() -> Deadline:
    return Deadline.after(30)


async def test_open_tells_the_identity_and_may_be_repeated(rig: Rig) -> None:
    first = await rig.printer.open()
    assert isinstance(first, PrinterIdentity)
    assert (first.serial, first.model) == (SERIAL, PROFILE.model)
    assert await rig.printer.open() == first


async def test_nothing_is_done_before_open(rig: Rig) -> None:
    rig.load(1)
    for ask in (rig.printer.witness(), rig.printer.examine(), rig.printer.feed(soon()), rig.printer.reject(soon())):
        with pytest.raises(DeviceAbsent, match="has to be opened first"):
            await ask
    assert rig.counts() == (1, 0, 0)


async def test_an_examination_tells_what_a_witness_tells_and_moves_nothing(opened: Rig) -> None:
    await opened.printer.feed(soon())
    before = await opened.printer.witness()
    assert await opened.printer.examine() == before
    assert (await opened.printer.witness(), opened.counts()) == (before, (1, 0, 0))


async def test_a_printer_that_is_gone_cannot_be_examined(opened: Rig) -> None:
    opened.unplug()
    with pytest.raises(DeviceError):
        await opened.printer.examine()


async def test_an_empty_printer_says_so(opened: Rig) -> None:
    witness = await opened.printer.witness()
    assert witness.position is CardPosition.NONE
    assert witness.ribbon_remaining is not None


async def test_a_fed_blank_stands_at_the_contactless_station_and_is_counted(opened: Rig) -> None:
    before = await opened.printer.witness()
    await opened.printer.feed(soon())
    after = await opened.printer.witness()
    assert (after.position, after.cards_fed - before.cards_fed) == (CardPosition.CONTACTLESS, 1)
    assert opened.counts() == (1, 0, 0)


async def test_an_empty_hopper_refuses_and_nothing_is_inside(rig: Rig) -> None:
    await rig.printer.open()
    with pytest.raises(DeviceRefused, match="hopper_empty"):
        await rig.printer.feed(soon())
    assert (await rig.printer.witness()).position is CardPosition.NONE


async def test_a_print_keeps_the_card_and_uses_one_ribbon_set(opened: Rig) -> None:
    await opened.printer.feed(soon())
    before = await opened.printer.witness()
    await opened.printer.print(PANELS, soon())
    after = await opened.printer.witness()
    assert (after.position, after.panels_printed - before.panels_printed) == (CardPosition.PRINT, 5)
    assert (before.ribbon_remaining or 0) - (after.ribbon_remaining or 0) == 1
    assert opened.counts() == (1, 0, 0)


async def test_the_dots_that_arrive_are_the_dots_that_were_given(opened: Rig) -> None:
    await opened.printer.feed(soon())
    await opened.printer.print(PANELS, soon())
    assert opened.dots() == [PANELS]


async def test_a_printed_card_goes_back_to_the_chip_station_and_no_second_blank_is_fed(opened: Rig) -> None:
    await opened.printer.feed(soon())
    await opened.printer.print(PANELS, soon())
    await opened.printer.to_chip_station(soon())
    assert (await opened.printer.witness()).position is CardPosition.CONTACTLESS
    assert opened.counts() == (1, 0, 0)


async def test_a_delivered_card_is_in_the_output_bin(opened: Rig) -> None:
    await opened.printer.feed(soon())
    await opened.printer.print(PANELS, soon())
    await opened.printer.deliver(soon())
    assert ((await opened.printer.witness()).position, opened.counts()) == (CardPosition.NONE, (1, 1, 0))


async def test_a_rejected_blank_is_in_the_reject_bin(opened: Rig) -> None:
    await opened.printer.feed(soon())
    await opened.printer.reject(soon())
    assert ((await opened.printer.witness()).position, opened.counts()) == (CardPosition.NONE, (1, 0, 1))


async def test_after_a_delivered_card_the_next_print_holds_its_card_again(opened: Rig) -> None:
    for _ in range(2):
        await opened.printer.feed(soon())
        await opened.printer.print(PANELS, soon())
        assert (await opened.printer.witness()).position is CardPosition.PRINT
        await opened.printer.deliver(soon())
    assert opened.counts() == (0, 2, 0)


@pytest.mark.parametrize(
    "wrong", [PANELS[:4], PANELS[::-1], [replace(PANELS[0], data=b""), *PANELS[1:]]], ids=["missing", "order", "size"]
)
async def test_panels_of_the_wrong_shape_are_refused_before_anything_moves(opened: Rig, wrong: list[Panel]) -> None:
    await opened.printer.feed(soon())
    with pytest.raises(RenderError, match="do not fit the printer"):
        await opened.printer.print(wrong, soon())
    assert (opened.dots(), (await opened.printer.witness()).position) == ([], CardPosition.CONTACTLESS)


async def test_an_act_the_profile_does_not_have_is_refused(opened: Rig) -> None:
    await opened.printer.feed(soon())
    with pytest.raises(DeviceRefused, match=r"option_missing: .*no act 'print_and_deliver'"):
        await opened.printer.print_and_deliver(PANELS, soon())
    assert opened.counts() == (1, 0, 0)


async def test_a_printer_that_cannot_hold_the_card_prints_and_delivers_in_one_act(one_act: Rig) -> None:
    await one_act.printer.open()
    one_act.load(1)
    await one_act.printer.feed(soon())
    await one_act.printer.print_and_deliver(PANELS, soon())
    assert (one_act.dots(), one_act.counts()) == ([PANELS], (0, 1, 0))


async def test_a_pulled_cable_is_absent_and_comes_back_with_open(opened: Rig) -> None:
    opened.unplug()
    with pytest.raises(DeviceAbsent):
        await opened.printer.feed(soon())
    with pytest.raises(DeviceAbsent, match="printer_absent"):
        await opened.printer.open()
    opened.plug()
    await opened.printer.open()
    await opened.printer.feed(soon())
    assert opened.counts() == (1, 0, 0)


async def test_closing_twice_is_fine_and_after_it_nothing_is_done(opened: Rig) -> None:
    await opened.printer.close()
    await opened.printer.close()
    for ask in (opened.printer.witness(), opened.printer.feed(soon()), opened.printer.open()):
        with pytest.raises(DeviceAbsent, match="printer_lost"):
            await ask
    assert opened.counts() == (2, 0, 0)


@pytest.fixture
async def sim() -> AsyncIterator[SimRig]:
    async for made in sim_rig(PROFILE):
        await made.printer.open()
        made.load(2)
        yield made


async def test_a_second_task_on_one_printer_is_a_bug_and_raises(sim: SimRig) -> None:
    feeding = asyncio.create_task(sim.printer.feed(soon()))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="second call"):
        await sim.printer.witness()
    await feeding


@pytest.mark.parametrize(("command", "fed"), [("Sic", 0), ("Ss", 1), ("Se", 1)])
async def test_power_lost_within_an_act_leaves_it_unknown_and_no_blank_is_lost(sim: SimRig, command: str, fed: int) -> None:
    if fed:
        await sim.printer.feed(soon())
    sim.lane.printer.on_command.append(lambda got: sim.lane.switch_off() if got.text == command else None)
    with pytest.raises(DeviceUnknown, match="printer_lost"):
        await (sim.printer.print(PANELS, soon()) if fed else sim.printer.feed(soon()))
    with pytest.raises(DeviceAbsent):
        await sim.printer.witness()
    assert sum(sim.counts()) + sim.world.count(Spot.INSIDE, "1") == 2


async def test_an_examination_drops_what_was_still_on_its_way(sim: SimRig) -> None:
    await sim.printer.feed(soon())
    sim.lane.printer.replies.tricks.append(Trick("late", seconds=0.05))
    assert (await sim.printer.examine()).position is CardPosition.CONTACTLESS


async def test_a_reply_that_comes_too_late_is_not_the_answer_to_the_next_act(sim: SimRig) -> None:
    sim.lane.printer.replies.tricks.extend((Trick("late"), Trick("late", seconds=0.4)))  # the mark, then the feed
    with pytest.raises(DeviceUnknown, match="printer_late: no reply to Sic"):
        await sim.printer.feed(Deadline.after(0.2))
    await sim.printer.open()
    await sim.printer.print(PANELS, soon())
    assert (await sim.printer.witness()).position is CardPosition.PRINT


async def test_an_act_whose_deadline_is_over_is_not_begun(sim: SimRig) -> None:
    with pytest.raises(DeviceAbsent, match="printer_late: the deadline was over before anything was sent"):
        await sim.printer.feed(Deadline.after(0.0))
    assert sim.counts() == (2, 0, 0)


@pytest.mark.parametrize("kind", ["split", "late"])
async def test_a_card_is_made_although_every_reply_is_disturbed(sim: SimRig, kind: str) -> None:
    sim.lane.printer.replies.tricks.extend(Trick(kind, seconds=0.01) for _ in range(30))
    await sim.printer.feed(soon())
    await sim.printer.print(PANELS, soon())
    await sim.printer.deliver(soon())
    assert sim.counts() == (1, 1, 0)


async def test_a_jam_is_refused_in_the_words_of_the_printer_and_the_card_can_be_asked_for(sim: SimRig) -> None:
    await sim.printer.feed(soon())
    sim.lane.mechanics.troubles.jam_at.add("print")
    with pytest.raises(DeviceRefused, match=r"card_jam: .*CARD JAM"):
        await sim.printer.print(PANELS, soon())
    assert (await sim.printer.witness()).position is CardPosition.PRINT


async def test_two_printers_with_one_serial_number_are_not_opened() -> None:
    async for made in sim_rig(PROFILE):
        made.lane._usb.plug("1-9", made.lane.twin())
        with pytest.raises(DeviceAbsent, match=r"printer_doubled: .*found at 1-1, 1-9"):
            await made.printer.open()


@pytest.fixture
async def hasty() -> AsyncIterator[SimRig]:
    """A driver that soon gives up waiting, at a simulated printer."""
    async for made in sim_rig(replace(PROFILE, timeouts_s=replace(PROFILE.timeouts_s, query=0.3))):
        yield made


async def test_a_printer_left_in_the_middle_of_a_panel_is_brought_back(hasty: SimRig) -> None:
    await hasty.lane.printer.bulk_out(1, b"\x1bDb;k;2;" + bytes(1000))
    assert (await hasty.printer.open()).serial == SERIAL


async def test_late_replies_of_a_host_that_died_are_nobodys_answers(hasty: SimRig) -> None:
    hasty.load(1)
    await hasty.lane.printer.bulk_out(1, b"\x1bRlr;p\r\x1bSic\r\x1bRlr;p\r")
    await hasty.printer.open()
    assert (await hasty.printer.witness()).position is CardPosition.CONTACTLESS
