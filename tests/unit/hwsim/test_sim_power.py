"""Power cuts and hosts that die: what stops, what goes on, what is forgotten and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hwsim.arming import arm
from hwsim.devices.parts import Counter
from hwsim.world import Place, Spot, Station
from tests.unit.hwsim.printer_bench import DOTS, PROFILE, Bench, settle
from tests.unit.hwsim.station_bench import running
from tests.unit.hwsim.wires.usbip_host import IN, OUT, Host

FIRST = "blank-00001"
COUNTERS = ("Rco;c", "Rco;p", "Rrt;count")
EJECTS = replace(PROFILE, power_on_ejects=True)
K_PANEL = b"Db;k;2;" + DOTS["k"] + b"\r"
GET_PORT_STATUS, SOFT_RESET = (0xA1, 1, 0, 0, 1), (0x21, 2)
SLOW = 20.0  # times real: a motion of 2 s takes 0.1 s


@asynccontextmanager
async def cut_during(bench: Bench, command: bytes, moment: Callable[[], bool]) -> AsyncIterator[None]:
    """Send a command and cut the power at a moment of its motion; then switch on again."""
    async with bench.on():
        await bench.ask("Pem;2")
        await bench.printer.bulk_out(1, command)
        async with asyncio.timeout(2):
            while not moment():
                await asyncio.sleep(0.001)
        bench.printer.cut_power()
        await settle()
    async with bench.on():
        yield


def place(bench: Bench) -> Place:
    return bench.world.where(FIRST)


# Where the card is


async def test_power_lost_before_the_feed_beam_leaves_the_blank_in_the_hopper() -> None:
    bench = Bench(1, speed=SLOW)
    async with cut_during(bench, b"Sic\r", lambda: bench.printer.busy):
        assert (place(bench), await bench.ask("Rlr;p")) == (Place(Spot.HOPPER, "1"), ["OK"])


async def test_power_lost_behind_the_feed_beam_leaves_the_card_inside_and_uncounted() -> None:
    bench = Bench(1, speed=SLOW)
    async with cut_during(bench, b"Sic\r", lambda: "feed_beam" in bench.notes.lines):
        assert place(bench) == Place(Spot.INSIDE, "1", Station.PRINT)
        assert await bench.ask("Rlr;p", "Rco;c") == ["CARD", "1000"]


async def test_a_card_that_has_reached_the_exit_beam_falls_out_without_power() -> None:
    bench = Bench(1, speed=SLOW)
    async with bench.on():
        await bench.ask("Sic")
    bench.notes.beam_s = 0.5
    async with cut_during(bench, b"Se\r", lambda: "exit_beam" in bench.notes.lines):
        assert place(bench) == Place(Spot.OUTPUT, "1")


async def test_a_card_on_its_way_to_the_exit_beam_stays_inside() -> None:
    bench = Bench(1, speed=SLOW)
    async with bench.on():
        await bench.ask("Sic")
    async with cut_during(bench, b"Se\r", lambda: "field empty" in bench.notes.lines):
        assert (place(bench).spot, bench.notes.lines.count("exit_beam")) == (Spot.INSIDE, 0)


async def test_a_half_printed_card_stays_half_printed() -> None:
    bench = Bench(1, speed=SLOW)
    async with bench.on():
        await bench.ask("Pem;2", "Sic", "Ss")
    async with cut_during(bench, b"Ss\rDb;k;2;" + DOTS["k"] + b"\r", lambda: bool(bench.world.blank(FIRST).printed)):
        assert [one.complete for one in bench.world.blank(FIRST).printed] == [False]
        assert await bench.ask("Rem", "Sp;k", "Rco;p") == ["0;0", "ERROR PARAMETRES", "5000"]


async def test_a_clearing_cycle_takes_its_time_and_passes_the_exit_beam() -> None:
    bench = Bench(1, profile=EJECTS, speed=SLOW)
    async with bench.on():
        await bench.ask("Sic")
    async with bench.on():
        await settle()
        assert (bench.printer.busy, place(bench).spot) == (True, Spot.INSIDE)
        assert await bench.ask("Rlr;p") == ["OK"]
    assert (place(bench).spot, bench.notes.lines[-2:]) == (Spot.OUTPUT, ["exit_beam", f"{FIRST} left"])


async def test_a_clearing_cycle_that_meets_a_full_bin_keeps_the_card() -> None:
    bench = Bench(2, profile=EJECTS, bins=1)
    async with bench.on():
        await bench.ask("Sic", "Se", "Sic")
    async with bench.on():
        assert await bench.ask("Rlr;p") == ["CONTACTLESS CARD"]


async def test_a_command_met_by_the_power_cut_is_not_carried_out() -> None:
    bench = Bench(1)
    async with bench.on():
        bench.printer.on_command.append(lambda _: bench.printer.cut_power())
        await bench.printer.bulk_out(1, b"Sic\r")
        await settle()
    assert (place(bench).spot, bench.mechanics.cards_fed) == (Spot.HOPPER, 1000)


@pytest.mark.parametrize(("word", "there"), [("holds", Spot.INSIDE), ("ejects", Spot.OUTPUT)])
async def test_a_lane_may_say_what_power_on_does(tmp_path: Path, word: str, there: Spot) -> None:
    async with running(tmp_path, blanks=1, card_at_power_on=word) as rig:
        await rig.ask("Sic")
        rig.station.power_printer(rig.lane, on=False)
        rig.station.power_printer(rig.lane, on=True)
        await settle()
        assert rig.station.world.where(FIRST).spot is there


async def test_power_that_goes_again_while_the_printer_starts_leaves_it_off(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for on in (False, True, False):
            rig.station.power_printer(rig.lane, on)
        await settle()
        assert not rig.lane.powered


# Counters


async def test_a_whole_passage_is_counted_and_survives_power() -> None:
    bench = Bench(1)
    async with bench.on():
        await bench.print_card()
        bench.printer.cut_power()
    async with bench.on():
        assert await bench.ask(*COUNTERS) == ["1001", "5005", "199"]


async def test_lagging_counters_lose_their_last_tick_at_a_power_loss() -> None:
    bench = Bench(1)
    bench.mechanics.troubles.lagging_counters = 1
    async with bench.on():
        await bench.print_card()
        bench.printer.cut_power()
    async with bench.on():
        assert await bench.ask(*COUNTERS) == ["1000", "5004", "200"]
        bench.printer.cut_power()
    async with bench.on():
        assert await bench.ask(*COUNTERS) == ["1000", "5004", "200"]
    assert bench.mechanics.ribbon.remaining == 199


async def test_counters_stand_still_until_the_motion_is_over() -> None:
    bench = Bench(1, speed=SLOW)
    async with cut_during(bench, b"Ss\r" + K_PANEL, lambda: bool(bench.world.blank(FIRST).printed)):
        assert await bench.ask(*COUNTERS) == ["1001", "5000", "200"]
    assert bench.mechanics.ribbon.remaining == 199


def test_a_tick_that_was_not_written_down_is_lost() -> None:
    counter = Counter(7)
    counter.count(1)
    seen = [counter.value]
    counter.lose_power(lagging=False)
    assert [*seen, counter.value] == [8, 7]


def test_a_tick_from_before_the_last_power_loss_is_never_lost() -> None:
    counter = Counter(7)
    counter.count(1)
    counter.keep()
    counter.lose_power(lagging=False)
    counter.lose_power(lagging=True)
    assert counter.value == 8


# A host that dies


async def asked(host: Host, data: bytes) -> bytes:
    """Send it, and read one packet."""
    host.submit(1, OUT, data)
    host.submit(2, IN, length=64)
    return b"".join([(await host.reply()).data for _ in range(2)])


async def left(host: Host, data: bytes) -> None:
    """Send it and die without reading anything, when the printer has answered."""
    host.submit(1, OUT, data)
    await host.reply()
    await settle()
    await host.close()


async def test_a_motion_goes_on_when_its_host_dies_and_the_next_host_hears_of_it(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await left(await Host.importing(rig.station.usb.port), b"Sic\r")
        again = await Host.importing(rig.station.usb.port)
        assert [await asked(again, b"Rsn\r"), await asked(again, b"Rok\r")] == [b"OK\0", b"SIM-E-0001\0"]
        assert rig.station.world.where(FIRST).station is Station.CONTACTLESS
        await again.close()


async def test_half_a_panel_of_a_dead_host_swallows_what_the_next_one_says_until_a_soft_reset(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await left(await Host.importing(rig.station.usb.port), K_PANEL[:1000])
        await left(await Host.importing(rig.station.usb.port), b"Rtp\r")
        again = await Host.importing(rig.station.usb.port)
        assert (await again.control(*GET_PORT_STATUS)).data == b"\x18"
        assert rig.lane.exchanges.counts["usb"] == 1  # Rtp never was a command
        await again.control(*SOFT_RESET)
        assert await asked(again, b"Rok\r") == b"OK\0"
        await again.close()


@pytest.mark.parametrize(("loss", "remedy"), [("printer_off", "printer_on"), ("usb_unplug", "usb_replug")])
async def test_power_and_cable_take_the_buffers_with_them(tmp_path: Path, loss: str, remedy: str) -> None:
    async with running(tmp_path) as rig:
        await rig.lane.printer.bulk_out(1, b"Rtp\r" + K_PANEL[:1000])
        await settle()
        arm(rig.station, loss, None, {})
        arm(rig.station, remedy, None, {})
        await settle()
        assert await rig.ask("Rsn") == ["SIM-E-0001"]
