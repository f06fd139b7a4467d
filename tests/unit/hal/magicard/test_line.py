"""The driver on a line that misbehaves: late, split, merged, missing, garbled and endless replies, stalls, pulled cables.

What must hold: nothing is ever taken for the answer to a newer question, and the error says what may have happened.
"""

from __future__ import annotations

import asyncio

import pytest

from controller.errors import DeviceAbsent, DeviceUnknown
from controller.model import CardPosition, PrinterIdentity, PrinterWitness
from tests.fakes.magicard_usb import FIELDS, SERIAL, ScriptedMagicard, Wired, errors, info, opened, wired
from tests.fakes.scripted_usb import BUSID

WITNESS = PrinterWitness(CardPosition.UNTOLD, 1000, 4000, 187)


wire = pytest.fixture(opened)


def other(number: int, value: str) -> list[str]:
    fields = list(FIELDS)
    fields[number] = value
    return fields


async def test_open_tells_who_is_there() -> None:
    async with wired() as wire:
        assert await wire.driver.open() == PrinterIdentity("Enduro", "1.06", SERIAL)


async def test_open_asks_more_errors_than_an_earlier_process_can_have_left_unanswered() -> None:
    async with wired() as wire:
        await wire.driver.open()
        assert wire.device.heard == ["ERR", "ERR", "ERR", "INF"]


async def test_opening_again_only_looks_whether_the_printer_is_still_there(wire: Wired) -> None:
    await wire.driver.open()
    assert wire.device.heard == ["ERR", "INF"]


async def test_a_witness_is_the_counters_and_the_ribbon_and_no_position(wire: Wired) -> None:
    assert await wire.driver.witness() == WITNESS


async def test_a_reply_byte_by_byte_is_one_reply(wire: Wired) -> None:
    wire.device.say("INF", *(bytes([byte]) for byte in info()))
    assert await wire.driver.witness() == WITNESS


async def test_empty_packets_and_filler_are_no_reply(wire: Wired) -> None:
    wire.device.say("ERR", b"", b"\0\0", errors(), b"\0", b"")
    assert await wire.driver.witness() == WITNESS


async def test_no_reply_in_time_is_late_and_tells_the_port(wire: Wired) -> None:
    wire.device.say("INF")
    with pytest.raises(DeviceUnknown, match="printer_late: no reply to INF in time; port status 18h"):
        await wire.driver.witness()


async def test_a_reply_that_does_not_end_is_late(wire: Wired) -> None:
    wire.device.say("INF", info()[:-1])
    with pytest.raises(DeviceUnknown, match=r"printer_late: .*a reply has begun and does not end"):
        await wire.driver.witness()


async def test_after_that_nothing_is_sent_until_the_printer_is_opened_again(wire: Wired) -> None:
    wire.device.say("ERR")
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    for ask in (wire.driver.witness(), wire.driver.examine(), wire.driver.care()):
        with pytest.raises(DeviceAbsent, match="printer_lost: the printer has to be opened first"):
            await ask
    assert wire.device.heard == ["ERR"]


async def test_a_printer_that_was_not_opened_cannot_be_examined() -> None:
    async with wired() as wire:
        with pytest.raises(DeviceAbsent, match="has to be opened first"):
            await wire.driver.examine()
        assert wire.device.heard == []


@pytest.mark.parametrize(
    "late",
    [
        errors(),
        info(),
        errors() + info(),
        info() + errors(),
        errors() * 3,
        info()[:20],
        b"garbage",
        b"\0",
        b"\x01STA,VRS9.99,\x03",
    ],
)
async def test_what_comes_late_answers_nothing_after_open(wire: Wired, late: bytes) -> None:
    wire.device.say("ERR")
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    wire.device.emit(late)
    wire.device.rise()
    await wire.driver.open()
    assert (await wire.driver.witness()).cards_fed == 1001


@pytest.mark.parametrize("stale", [info(other(9, "7")), errors(), errors() + info(other(9, "7")), info(other(9, "7")) + errors()])
@pytest.mark.parametrize("missing", ["ERR", "INF"])
async def test_an_old_reply_right_before_the_answers_to_open_is_dropped(wire: Wired, missing: str, stale: bytes) -> None:
    wire.device.say(missing)
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    wire.device.say("ERR", stale + errors())
    await wire.driver.open()
    assert (await wire.driver.witness()).cards_fed == 1000


async def test_more_old_replies_than_anybody_expects_are_not_taken_either() -> None:
    async with wired() as wire:
        old = info(other(9, "7"))
        wire.device.say("ERR", old, errors(), errors(), old, errors())
        await wire.driver.open()
        assert (await wire.driver.witness()).cards_fed == 1000
        assert wire.device.heard == ["ERR", "ERR", "ERR", "INF", "ERR", "INF"]


@pytest.mark.parametrize("stale", [errors(), info(other(9, "7"))])
async def test_a_stale_reply_in_front_of_a_witness_is_not_taken(wire: Wired, stale: bytes) -> None:
    wire.device.emit(stale)
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: the reply to (ERR|INF) was: "):
        await wire.driver.witness()


@pytest.mark.parametrize("stale", [errors(), info(other(9, "7")), errors() + info(other(9, "7"))])
async def test_an_examination_drops_what_was_on_its_way(wire: Wired, stale: bytes) -> None:
    wire.device.emit(stale)
    assert await wire.driver.examine() == WITNESS


async def test_an_examination_looks_twice(wire: Wired) -> None:
    assert await wire.driver.examine() == WITNESS
    assert wire.device.heard == ["ERR", "INF", "ERR", "INF"]


@pytest.mark.parametrize("number", [9, 11, 23, 16])
async def test_fields_that_change_between_the_looks_are_no_evidence(wire: Wired, number: int) -> None:
    wire.device.say("INF", info(other(number, "49")))
    with pytest.raises(DeviceUnknown, match=rf"printer_moving: REQ,INF fields {number}: 49 became {FIELDS[number]}"):
        await wire.driver.examine()


async def test_two_replies_to_one_question_are_garbled(wire: Wired) -> None:
    wire.device.say("INF", info() + info())
    with pytest.raises(DeviceUnknown, match="printer_garbled: the reply to INF was: INF, INF"):
        await wire.driver.witness()


@pytest.mark.parametrize("garbage", [b"\x01STA\x07\x03", b"OK\0", b"\x01ABC\x03", b"\xff\xfe", b"\x01STAall is well\x03"])
async def test_garbage_is_garbled_and_open_brings_the_line_back(wire: Wired, garbage: bytes) -> None:
    wire.device.say("ERR", garbage)
    with pytest.raises(DeviceUnknown, match="printer_garbled"):
        await wire.driver.witness()
    assert (await wire.driver.open()).serial == SERIAL


@pytest.mark.parametrize("endless", [b"A" * 200, b"\x01STA" + b"A" * 200, b"\0" * 512])
async def test_a_reply_without_end_is_garbled(wire: Wired, endless: bytes) -> None:
    wire.device.say("ERR", endless, *[endless.replace(b"\x01STA", b"")] * 50)
    with pytest.raises(
        DeviceUnknown, match=r"printer_garbled: (a reply of more than 1024 bytes|not a reply|\d+ bytes and no reply)"
    ):
        await wire.driver.witness()


async def test_open_alone_finds_out_that_the_line_is_out_of_step_and_mends_it(wire: Wired) -> None:
    wire.device.emit(info(other(9, "7")))
    await wire.driver.open()
    assert (await wire.driver.witness()).cards_fed == 1000


async def test_replies_of_one_kind_without_end_do_not_come_into_step(wire: Wired) -> None:
    wire.device.say("ERR")
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    wire.device.say("INF", *[errors()] * 40)
    with pytest.raises(DeviceUnknown, match="printer_garbled: the printer's replies do not come into step"):
        await wire.driver.open()


async def test_a_printer_that_talks_without_end_is_not_opened(wire: Wired) -> None:
    wire.device.say("ERR")
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    async with wire.device.talking(errors()):
        with pytest.raises(DeviceUnknown, match="printer_garbled: the printer talks without end"):
            await wire.driver.open()


async def test_a_stall_is_cleared_and_open_brings_the_line_back(wire: Wired) -> None:
    wire.device.stalls = 1
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: write: .*Broken pipe"):
        await wire.driver.witness()
    assert (await wire.driver.open()).serial == SERIAL


async def test_a_silent_printer_is_late_and_was_reset_once() -> None:
    async with wired() as wire:
        for _ in range(2):
            wire.device.say("ERR")
        with pytest.raises(DeviceUnknown, match="printer_late: no reply to ERR in time"):
            await wire.driver.open()
        assert wire.device.resets == 2  # when it was found, and then once


async def test_a_printer_that_takes_questions_for_dots_is_brought_back_by_a_reset(wire: Wired) -> None:
    wire.device.deaf = True
    with pytest.raises(DeviceUnknown):
        await wire.driver.witness()
    assert (await wire.driver.open()).serial == SERIAL


async def test_a_pulled_cable_is_lost_and_then_absent(wire: Wired) -> None:
    wire.server.unplug(BUSID)
    with pytest.raises(DeviceUnknown, match="printer_lost"):
        await wire.driver.witness()
    with pytest.raises(DeviceAbsent, match="printer_absent: USB vendor 0c1f, serial SIM-M-0001: not found"):
        await wire.driver.open()
    wire.server.plug(BUSID, ScriptedMagicard())
    assert (await wire.driver.open()).serial == SERIAL


async def test_closing_ends_a_question_that_waits_and_twice_is_fine() -> None:
    async with wired() as wire:
        await wire.driver.open()
        wire.device.say("ERR")
        reached = asyncio.Event()
        wire.device.at["ERR"] = reached.set
        asking = asyncio.create_task(wire.driver.witness())
        await reached.wait()
        await wire.driver.close()
        await wire.driver.close()
        with pytest.raises(DeviceUnknown, match="printer_lost"):
            await asking
