"""The simulated Evolis printer behind its two endpoints: cards on their way (printers.md 3)."""

from __future__ import annotations

import hashlib

import pytest

from hwsim.dots import picture
from hwsim.world import Place, Spot
from tests.unit.hwsim.printer_bench import DOTS, LANE, Bench

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


async def test_filled_panels_print_in_the_order_of_the_ribbon_and_with_their_value() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Wcb;o;255", "Wcb;k;255", "Wcb;y;128", "Ss", "Sr", "Se")
        assert bench.printed() == ["fy", "fk", "fo"]
        dots = picture(bench.world.blank(FIRST).printed[0])
        assert dots is not None
        assert set(dots.flat) == {64}


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
