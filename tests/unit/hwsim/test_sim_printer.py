"""The simulated Evolis printer behind its two endpoints (printers.md 3)."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from hwsim.devices.evolis_commands import COMMANDS
from hwsim.devices.evolis_queries import QUERIES
from hwsim.devices.parts import fitted_ribbon
from hwsim.wires.usbip import Setup, Stall
from hwsim.world import Place, Spot
from tests.unit.hwsim.printer_bench import CHIP, DOTS, LANE, PROFILE, Bench, settle

FIRST = "blank-00001"


async def test_one_card_goes_from_hopper_to_output_bin() -> None:
    async with Bench(2).on() as bench:
        assert set(await bench.print_card()) == {"OK"}
        assert bench.world.where(FIRST) == Place(Spot.OUTPUT, LANE)
        assert bench.count(Spot.HOPPER) == 1


async def test_what_the_card_touches_on_its_way() -> None:
    async with Bench(1).on() as bench:
        await bench.print_card()
        in_field = f"{FIRST} in field"
        assert bench.notes.lines == ["feed_beam", in_field, "field empty", in_field, "field empty", "exit_beam", f"{FIRST} left"]


async def test_every_panel_arrives_once_with_its_own_dots() -> None:
    async with Bench(1).on() as bench:
        await bench.print_card()
        printed = bench.world.blank(FIRST).printed
        assert {one.panel: one.sha256 for one in printed} == {p: hashlib.sha256(d).hexdigest() for p, d in DOTS.items()}
        assert all(one.complete for one in printed)


async def test_counters_and_ribbon_follow_what_was_really_done() -> None:
    async with Bench(1).on() as bench:
        before = await bench.ask("Rco;c", "Rco;p", "Rrt;count")
        await bench.print_card()
        assert (before, await bench.ask("Rco;c", "Rco;p", "Rrt;count")) == (["1000", "5000", "200"], ["1001", "5005", "199"])


async def test_a_held_card_says_card_and_then_contactless_card() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Pneab;E", "Ss", "Sr")
        await bench.download("k")
        assert await bench.ask("Se", "Rlr;p", "Sic", "Rlr;p", "Sis", "Rlr;p") == [
            "OK",
            "CARD",
            "OK",
            "CONTACTLESS CARD",
            "OK",
            "SMART CARD",
        ]


async def test_without_no_eject_the_end_of_printing_ejects() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Ss", "Sr")
        await bench.download("ymcko")
        assert await bench.ask("Se", "Rlr;p") == ["OK", "OK"]
        assert bench.count(Spot.OUTPUT) == 1


async def test_se_with_nothing_to_print_ejects_even_when_printing_would_hold() -> None:
    async with Bench(1).on() as bench:
        assert await bench.ask("Pneab;E", "Sic", "Se", "Rlr;p") == ["OK"] * 4
        assert bench.count(Spot.OUTPUT) == 1


@pytest.mark.parametrize("insert", ["Si", "Sic", "Sis", "Sib"])
async def test_an_insert_with_a_card_inside_feeds_no_second_one(insert: str) -> None:
    async with Bench(3).on() as bench:
        assert await bench.ask("Sic", insert, "Ss", "Sr") == ["OK"] * 4
        await bench.download("k")
        assert (bench.count(Spot.INSIDE), bench.count(Spot.HOPPER)) == (1, 2)


async def test_a_sequence_without_a_card_feeds_when_the_first_panel_is_due() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Ss", "Sr")
        assert bench.count(Spot.INSIDE) == 0
        await bench.download("y")
        assert bench.count(Spot.INSIDE) == 1


@pytest.mark.parametrize("command", ["Ser", "Seb"])
async def test_a_rejected_card_passes_the_reject_beam(command: str) -> None:
    async with Bench(1).on() as bench:
        assert await bench.ask("Sic", command) == ["OK", "OK"]
        assert bench.count(Spot.REJECT) == 1
        assert bench.notes.lines[-2:] == ["reject_beam", f"{FIRST} left"]


async def test_panels_outside_a_sequence_only_fill_the_memory_and_sp_prints_them_later() -> None:
    async with Bench(1).on() as bench:
        await bench.download("k")
        assert bench.count(Spot.INSIDE) == 0
        assert await bench.ask("Sp;o", "Ss", "Sp;k", "Se") == ["ERROR PARAMETRES", "OK", "OK", "OK"]
        assert bench.printed() == ["fk"]


async def test_a_filled_panel_prints_with_the_next_sequence() -> None:
    async with Bench(1).on() as bench:
        assert await bench.ask("Wcb;o;255", "Ss", "Sr", "Se") == ["OK"] * 4
        assert bench.world.blank(FIRST).printed[0].dots == b"\xff" * 82_296


async def test_each_side_takes_its_own_ribbon_set() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Ss", "Sr")
        await bench.download("yk")
        await bench.ask("Sv")
        await bench.download("k")
        assert await bench.ask("Se", "Rrt;count") == ["OK", "198"]
        assert bench.printed() == ["fy", "fk", "bk"]


async def test_printing_twice_on_one_card_shows_as_an_overprint() -> None:
    async with Bench(1).on() as bench:
        for _ in range(2):
            await bench.ask("Pneab;E", "Ss", "Sr")
            await bench.download("k")
            await bench.ask("Se")
        assert bench.printed() == ["fk", "fk"]


async def test_a_panel_is_taken_in_while_the_one_before_is_printed() -> None:
    async with Bench(1, speed=40).on() as bench:
        await bench.ask("Ss")
        await bench.download("yk")
        assert [one.complete for one in bench.world.blank(FIRST).printed] == [False]


async def test_a_bitmap_that_is_being_printed_is_not_overwritten() -> None:
    async with Bench(1, speed=40).on() as bench:
        await bench.ask("Ss")
        await bench.download("kk")
        assert bench.world.blank(FIRST).printed[0].complete


async def test_a_query_waits_until_the_head_rests() -> None:
    async with Bench(1, speed=40).on() as bench:
        await bench.ask("Ss")
        await bench.download("k")
        assert await bench.ask("Rco;p") == ["5001"]


# What goes wrong in host error mode


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


# Power, bus resets, USB


async def test_power_forgets_settings_and_sequence_but_not_the_card() -> None:
    bench = Bench(1)
    async with bench.on():
        await bench.ask("Pem;2", "Pneab;E", "Sic", "Ss")
    async with bench.on():
        assert await bench.ask("Rem", "Rlr;p", "Se", "Rlr;p") == ["0;0", "CONTACTLESS CARD", "OK", "OK"]


async def test_a_profile_may_throw_the_card_out_at_power_on() -> None:
    bench = Bench(1, profile=replace(PROFILE, power_on_ejects=True))
    async with bench.on():
        await bench.ask("Sic")
    async with bench.on():
        assert await bench.ask("Rlr;p") == ["OK"]
    assert bench.count(Spot.OUTPUT) == 1


async def test_a_software_reset_does_not_answer_and_forgets() -> None:
    async with Bench(0).on() as bench:
        await bench.ask("Pem;2")
        await bench.printer.bulk_out(1, b"Srs\r")
        await settle()
        assert await bench.ask("Rem") == ["0;0"]


async def test_a_bus_reset_loses_half_a_panel_and_replies_nobody_fetched() -> None:
    async with Bench(0).on() as bench:
        await bench.printer.bulk_out(1, b"Rok\rDb;k;2;" + bytes(100))
        await settle()
        bench.printer.bus_reset()
        assert await bench.ask("Rtp") == ["Evolis Primacy"]


async def test_a_panel_one_byte_short_swallows_the_next_command() -> None:
    async with Bench(1).on() as bench:
        await bench.printer.bulk_out(1, b"Db;k;2;" + DOTS["k"][:-3] + b"\r")
        await bench.printer.bulk_out(1, b"Rok\r")
        assert await bench.reply() == "OK"  # of the panel: R and o were its last dots
        assert await bench.reply() == "ERROR CDE"  # what was left of Rok


async def test_the_device_id_counts_its_own_length() -> None:
    bench = Bench(0)
    text = await bench.printer.control(Setup(0xA1, 0, 0, 0, 255), b"")
    assert int.from_bytes(text[:2], "big") == len(text)
    assert b"MFG:Evolis;MDL:Primacy;" in text


async def test_an_unknown_class_request_stalls() -> None:
    with pytest.raises(Stall):
        await Bench(0).printer.control(Setup(0xC1, 9, 0, 0, 1), b"")


async def test_a_stalled_transfer_takes_nothing_in() -> None:
    async with Bench(0).on() as bench:
        bench.printer.stalls = 1
        with pytest.raises(Stall):
            await bench.printer.bulk_out(1, b"Rtp\r")
        assert await bench.ask("Rok") == ["OK"]


async def test_commands_beyond_the_inbox_are_not_taken_while_one_is_executed() -> None:
    bench = Bench(0)  # switched off: nothing is executed
    await bench.printer.bulk_out(1, b"Rok\rRok\rRok\r")
    held = asyncio.create_task(bench.printer.bulk_out(1, b"Rok\r"))
    await asyncio.sleep(0)
    assert not held.done()
    held.cancel()
    await asyncio.wait([held])


# The tables


@pytest.mark.parametrize("text", sorted(QUERIES))
async def test_every_query_answers_something(text: str) -> None:
    async with Bench(20).on() as bench:
        (reply,) = await bench.ask(text)
        assert reply
        assert reply not in ("ERROR CDE", "ERROR PARAMETRES")


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {text.partition(";")[0] for text in QUERIES}))
async def test_every_command_answers_within_its_turn(name: str) -> None:
    async with Bench(20).on() as bench:
        assert await bench.ask(name) != ["ERROR CDE"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("rok", "ERROR CDE"),
        ("Rco;z", "ERROR PARAMETRES"),
        ("Pem;x", "ERROR PARAMETRES"),
        ("Pr;gold", "ERROR PARAMETRES"),
        ("Pneab;Q", "ERROR PARAMETRES"),
        ("Wcb;q", "ERROR PARAMETRES"),
        ("Db;y;100;", "ERROR PARAMETRES"),
        ("Dm;1;A", "OPT NOT AVAILABLE"),
        ("Rip", "OPT NOT AVAILABLE"),
    ],
)
async def test_what_a_printer_cannot_do_is_refused_in_its_own_words(command: str, reply: str) -> None:
    async with Bench(0).on() as bench:
        assert await bench.ask(command) == [reply]
