"""What goes wrong in the simulated Evolis, in both error modes (printers.md 3.3, 3.4, 3.12)."""

from __future__ import annotations

import asyncio

import pytest

from hwsim.devices.parts import fitted_ribbon
from hwsim.world import Place, Spot
from tests.unit.hwsim.printer_bench import CHIP, LANE, PROFILE, Bench, settle

FIRST = "blank-00001"


# In host error mode


async def refused(bench: Bench, *commands: str) -> str:
    """The last reply in host error mode."""
    return (await bench.ask("Pem;2", *commands))[-1]


async def test_an_empty_feeder_is_said_and_moves_nothing() -> None:
    async with Bench(0).on() as bench:
        assert await refused(bench, "Sic") == "FEEDER EMPTY"
        assert await bench.ask("Rse;f", "Rco;c") == ["0,00 Volts", "1000"]


async def test_a_misfeed_times_out_and_the_next_feed_works() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.troubles.misfeeds = 1
        assert await bench.ask("Pem;2", "Sic", "Rlr;p", "Sic") == ["OK", "ERROR TIME OUT", "OK", "OK"]


async def test_a_double_feed_takes_two_blanks_under_one_count() -> None:
    async with Bench(3).on() as bench:
        bench.mechanics.troubles.double_feeds = 1
        assert await bench.ask("Sic", "Rco;c", "Se") == ["OK", "1001", "OK"]
        assert bench.count(Spot.OUTPUT) == 2
        assert bench.notes.lines.count("exit_beam") == 1


@pytest.mark.parametrize(
    ("stage", "commands"), [("feed", ["Sic"]), ("eject", ["Sic", "Se"]), ("reject", ["Sic", "Ser"]), ("move", ["Sic", "Si"])]
)
async def test_a_card_jams_at_its_stage_and_stays_there(stage: str, commands: list[str]) -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.troubles.jam_at.add(stage)
        assert await refused(bench, *commands) == "CARD JAM"
        assert bench.count(Spot.INSIDE) == len(commands) - 1


async def test_a_cover_opened_while_printing_leaves_an_unfinished_panel() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Pem;2", "Ss", "Sr")
        await bench.download("y")
        bench.mechanics.troubles.cover_open = True
        assert await bench.ask("Se", "Rse;o") == ["COVER OPEN", "0,00 Volts"]
        assert [one.complete for one in bench.world.blank(FIRST).printed] == [False]


async def test_an_error_drops_the_sequence_and_keeps_the_card() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.ribbon.remaining = 0
        await bench.ask("Pem;2", "Ss", "Sr")
        assert await bench.download("yk") == ["ERROR RIBBON", "OK"]
        assert (bench.count(Spot.INSIDE), bench.printed()) == (1, [])


async def test_the_wrong_ribbon_is_refused_when_it_is_chosen_and_when_it_prints() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.ribbon = fitted_ribbon(PROFILE, "k")
        assert await refused(bench, "Pr;ymcko") == "ERR RIBBON TYPE"
        await bench.ask("Ss")
        assert await bench.download("y") == ["ERR RIBBON TYPE"]


async def test_an_unreadable_ribbon_tag_is_told_by_every_tag_query() -> None:
    async with Bench(0).on() as bench:
        bench.mechanics.ribbon.readable = False
        assert set(await bench.ask("Rrt;zone", "Rrt;qty", "Rrt;count")) == {"ERR RIB DETECTION"}


async def test_a_full_output_bin_keeps_the_card_inside() -> None:
    async with Bench(2, bins=1).on() as bench:
        assert await bench.ask("Pem;2", "Sie", "Sic", "Se") == ["OK", "OK", "OK", "HOPPER FULL"]
        assert bench.count(Spot.INSIDE) == 1


async def test_a_lost_card_leaves_without_the_exit_beam() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.troubles.unseen_exits = 1
        await bench.ask("Sic", "Se")
        assert "exit_beam" not in bench.notes.lines
        assert bench.count(Spot.OUTPUT) == 1


# The printer's own error mode


async def test_in_its_own_error_mode_it_does_not_answer_until_the_blanks_are_there() -> None:
    async with Bench(0).on() as bench:
        await bench.ask("Pem;0")
        await bench.printer.bulk_out(1, b"\x1bSic\r")
        waiting = asyncio.create_task(bench.reply())
        await settle()
        assert (await bench.status(), waiting.done()) == (0x38, False)
        bench.world.move(bench.world.make(1, CHIP)[0], Place(Spot.HOPPER, LANE))
        bench.mechanics.touched()
        assert (await waiting, await bench.status()) == ("OK", 0x18)


async def test_in_its_own_error_mode_the_endpoint_naks_until_the_cover_is_shut() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.troubles.cover_open = True
        await bench.printer.bulk_out(1, b"Sic\r")
        await settle()
        assert await bench.status() == 0x10
        held = asyncio.create_task(bench.printer.bulk_out(1, b"Rok\r"))
        await settle()
        assert not held.done()
        bench.mechanics.troubles.cover_open = False
        bench.mechanics.touched()
        assert [await bench.reply(), await bench.reply()] == ["OK", "OK"]
        await held


async def test_a_panel_that_met_an_obstacle_is_printed_after_all_once_it_is_gone() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Ss")
        await bench.download("y")
        bench.mechanics.troubles.cover_open = True
        await bench.printer.bulk_out(1, b"Se\r")
        await settle()
        bench.mechanics.troubles.cover_open = False
        bench.mechanics.touched()
        assert await bench.reply() == "OK"
        assert [one.complete for one in bench.world.blank(FIRST).printed] == [False, True]


async def test_a_head_that_stops_with_nothing_else_to_do_tells_it_and_goes_on_by_itself() -> None:
    async with Bench(1, speed=4).on() as bench:
        await bench.ask("Ss")
        await bench.download("y")
        bench.mechanics.troubles.cover_open = True
        async with asyncio.timeout(10):  # it has not begun to print, prints, then stops
            while await bench.status() != 0x10:
                await asyncio.sleep(0.01)
        bench.mechanics.troubles.cover_open = False
        bench.mechanics.touched()
        assert (await bench.ask("Se"), await bench.status()) == (["OK"], 0x18)
        assert [one.complete for one in bench.world.blank(FIRST).printed] == [False, True]


async def test_the_error_mode_is_told_as_it_was_given() -> None:
    async with Bench(0).on() as bench:
        assert await bench.ask("Pem;38", "Rem", "Sic", "Pem;0;s", "Rem") == ["OK", "38;0", "FEEDER EMPTY", "OK", "0;0"]
