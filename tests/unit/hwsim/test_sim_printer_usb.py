"""The simulated Evolis on its cable: power, resets, transfers, and a reply to every command (printers.md 2, 3.2-3.6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hwsim.devices.evolis import PIECE_BYTES
from hwsim.devices.evolis_commands import COMMANDS
from hwsim.devices.evolis_queries import QUERIES
from hwsim.wires.usbip import Setup, Stall
from hwsim.world import Spot
from tests.unit.hwsim.printer_bench import DOTS, PROFILE, Bench, settle


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


@pytest.mark.parametrize("flood", [b"A\r" * 100_000, b"A" * 200_000])
async def test_a_flood_in_one_transfer_is_taken_in_piece_by_piece(flood: bytes) -> None:
    bench = Bench(0)  # switched off: nothing is executed
    sending = asyncio.create_task(bench.printer.bulk_out(1, flood + b"\r"))
    await settle()
    assert sending.done() is (b"\r" not in flood)
    assert len(bench.printer._inbox) <= PIECE_BYTES
    sending.cancel()
    await asyncio.wait([sending])


async def test_a_vendor_job_may_come_in_one_transfer() -> None:
    async with Bench(1).on() as bench:
        job = b"\x1bSs\r\x1bSr\r" + b"".join(b"\x1bDb;%c;2;" % panel + DOTS["k"] + b"\r\0" for panel in b"ko") + b"\x1bSe;1\r"
        await bench.printer.bulk_out(1, job + bytes(32))
        assert [await bench.reply() for _ in range(5)] == ["OK"] * 5
        assert (bench.printed(), bench.count(Spot.OUTPUT)) == (["fk", "fo"], 1)


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
        ("Pem;64", "ERROR PARAMETRES"),
        ("Pc;y;=;--5", "ERROR PARAMETRES"),
        ("Pc;y;=;" + "9" * 200, "ERROR PARAMETRES"),
        ("Dbpc;y;128;0;99999999;1300000;", "ERROR PARAMETRES"),
        ("Pms;1", "OK"),
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
