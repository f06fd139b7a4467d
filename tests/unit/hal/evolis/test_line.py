"""The driver on a line that misbehaves: late, split, merged, missing, garbled and endless replies, stalls, pulled cables.

What must hold: nothing is ever taken for the answer to another command, and the error says what may have happened.
"""

from __future__ import annotations

import asyncio

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.model import CardPosition, PrinterIdentity, PrinterWitness
from tests.fakes.scripted_usb import BUSID, soon
from tests.fakes.usb_printer import SERIAL, ScriptedPrinter, Wired, opened, panels_for, wired

wire = pytest.fixture(opened)


async def test_open_tells_who_is_there() -> None:
    async with wired() as wire:
        assert await wire.driver.open() == PrinterIdentity("Evolis Primacy", "1.2", SERIAL)


async def test_open_sets_host_error_mode_first_and_then_asks() -> None:
    async with wired() as wire:
        await wire.driver.open()
        assert wire.device.heard == ["Pem;2", "Rsn", "Rtp", "Rfv", "Pem;2", "Pr;ymcko", "Rsn"]


async def test_opening_again_only_looks_whether_the_printer_is_still_there(wire: Wired) -> None:
    await wire.driver.open()
    assert wire.device.heard == ["Rsn"]


async def test_a_witness_is_position_counters_and_ribbon(wire: Wired) -> None:
    assert await wire.driver.witness() == PrinterWitness(CardPosition.NONE, 1000, 5000, 187)


async def test_a_print_sends_the_panels_in_ribbon_order_between_two_marks(wire: Wired) -> None:
    await wire.driver.print(panels_for(wire.profile), soon())
    panels = ["Db;y;128", "Db;m;128", "Db;c;128", "Db;k;2", "Db;o;2"]
    assert wire.device.heard == ["Rsn", "Pneab;E", "Ss", "Sr", *panels, "Se", "Rsn"]


async def test_a_reply_byte_by_byte_is_one_reply(wire: Wired) -> None:
    wire.device.say("Sic", b"O", b"", b"K", b"\0")
    await wire.driver.feed(soon())


async def test_empty_packets_and_filler_are_no_reply(wire: Wired) -> None:
    wire.device.say("Sic", b"", b"\0\0", b"", b"OK\0\0\0")
    await wire.driver.feed(soon())


async def test_an_error_word_is_a_refusal_and_the_line_stays_in_step(wire: Wired) -> None:
    wire.device.say("Sic", b"FEEDER EMPTY\0")
    with pytest.raises(DeviceRefused, match="hopper_empty: Sic: FEEDER EMPTY"):
        await wire.driver.feed(soon())
    assert (await wire.driver.witness()).position is CardPosition.NONE


@pytest.mark.parametrize(("box", "condition"), [("CARD", "reject_full"), ("NO CARD", "bin_full")])
async def test_which_of_two_boxes_is_full_is_asked(wire: Wired, box: str, condition: str) -> None:
    wire.device.says["Rlr;h"] = box
    wire.device.say("Ser", b"HOPPER FULL\0")
    with pytest.raises(DeviceRefused, match=f"{condition}: Ser: HOPPER FULL"):
        await wire.driver.reject(soon())


async def test_an_unknown_word_is_a_refusal_with_the_words_of_the_printer(wire: Wired) -> None:
    wire.device.say("Sic", b"ERR WHATEVER\0")
    with pytest.raises(DeviceRefused, match="printer_error: Sic: ERR WHATEVER"):
        await wire.driver.feed(soon())


async def test_after_an_error_word_the_rest_of_the_act_is_not_sent(wire: Wired) -> None:
    wire.device.say("Db;m;128", b"COVER OPEN\0")
    with pytest.raises(DeviceRefused, match="cover_open: Db;m;128: COVER OPEN"):
        await wire.driver.print(panels_for(wire.profile), soon())
    assert wire.device.heard[-2:] == ["Db;m;128", "Rsn"]


async def test_no_reply_in_time_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown, match="printer_late: no reply to Sic in time; port status 18h"):
        await wire.driver.feed(soon())


async def test_the_deadline_of_the_caller_counts_too(wire: Wired) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown, match="printer_late"):
        await wire.driver.feed(Deadline.after(0.05))


async def test_after_an_unknown_act_nothing_is_sent_until_the_printer_is_opened_again(wire: Wired) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown):
        await wire.driver.feed(soon())
    heard = list(wire.device.heard)
    for ask in (wire.driver.witness(), wire.driver.deliver(soon())):
        with pytest.raises(DeviceAbsent, match="the printer has to be opened first"):
            await ask
    assert wire.device.heard == heard


@pytest.mark.parametrize(
    "late", [b"OK\0", b"OK\0OK\0", b"O", b"CARD JAM\0", b"187\0", SERIAL.encode() + b"\0", b"\x15\x8a\0", b"\0"]
)
async def test_what_comes_late_answers_nothing_after_open(wire: Wired, late: bytes) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown):
        await wire.driver.feed(soon())
    wire.device.emit(late)
    await wire.driver.open()
    wire.device.says["Rlr;p"] = "CONTACTLESS CARD"
    assert await wire.driver.witness() == PrinterWitness(CardPosition.CONTACTLESS, 1000, 5000, 187)


async def test_a_late_ok_right_before_the_answers_to_open_is_dropped(wire: Wired) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown):
        await wire.driver.feed(soon())
    wire.device.say("Pem;2", b"OK\0OK\0")
    await wire.driver.open()
    assert (await wire.driver.witness()).position is CardPosition.NONE


async def test_a_late_serial_number_from_an_earlier_open_is_not_taken_for_a_mark(wire: Wired) -> None:
    """An open that timed out leaves an OK and a serial number behind; they come while the next open is under way."""
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown):
        await wire.driver.feed(soon())
    wire.device.say("Pem;2", b"OK\0" + SERIAL.encode() + b"\0")
    wire.device.say("Rsn", b"OK\0")
    wire.device.say("Rtp", SERIAL.encode() + b"\0Evolis Primacy\0")
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: (more than one reply to Rtp|Rtp: 'OK' answers something else)"):
        await wire.driver.open()
    assert (await wire.driver.open()).model == "Evolis Primacy"


async def test_a_stale_ok_in_front_of_an_act_stops_it_before_anything_is_sent(wire: Wired) -> None:
    wire.device.emit(b"OK\0")
    with pytest.raises(DeviceAbsent, match="printer_garbled: before anything was sent"):
        await wire.driver.feed(soon())
    assert "Sic" not in wire.device.heard


async def test_a_stale_ok_within_an_act_leaves_it_unknown(wire: Wired) -> None:
    wire.device.say("Ss", b"OK\0", b"OK\0")
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: 'OK' came where the serial number was due|more than one reply"):
        await wire.driver.print(panels_for(wire.profile), soon())


async def test_a_stale_ok_cannot_make_an_error_word_answer_the_wrong_command(wire: Wired) -> None:
    wire.device.at["Ss"] = lambda: wire.device.emit(b"OK\0")
    wire.device.say("Sr", b"CARD JAM\0")
    with pytest.raises(DeviceUnknown, match="printer_garbled"):
        await wire.driver.print(panels_for(wire.profile), soon())


async def test_stale_serial_numbers_do_not_make_a_refusal_of_an_act_that_was_done(wire: Wired) -> None:
    for _ in range(2):
        wire.device.emit(SERIAL.encode() + b"\0")
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: (the serial number came as the reply to Sic|more than one)"):
        await wire.driver.feed(soon())


async def test_a_stale_ok_in_front_of_a_witness_makes_no_empty_printer(wire: Wired) -> None:
    wire.device.emit(b"OK\0")
    with pytest.raises((DeviceUnknown, DeviceRefused)):
        await wire.driver.witness()


async def test_a_garbled_reply_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.say("Sic", b"Z^\x8a\0")
    with pytest.raises(DeviceUnknown, match="printer_garbled: not a reply"):
        await wire.driver.feed(soon())


@pytest.mark.parametrize("endless", [b"A" * 200, b"\0" * 512])
async def test_a_reply_without_end_leaves_the_act_unknown(wire: Wired, endless: bytes) -> None:
    wire.device.say("Sic", *[endless] * 50)
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: (a reply of more than 256 bytes|\d+ bytes and no reply)"):
        await wire.driver.feed(soon())


async def test_a_printer_that_talks_without_end_is_not_opened(wire: Wired) -> None:
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown):
        await wire.driver.feed(soon())
    async with wire.device.talking(b"OK\0" * 20):
        with pytest.raises(DeviceUnknown, match="printer_garbled: the printer talks without end"):
            await wire.driver.open()


async def test_a_stall_before_an_act_is_cleared_and_open_brings_the_line_back(wire: Wired) -> None:
    wire.device.stalls = 1
    with pytest.raises(DeviceAbsent, match=r"printer_garbled: before anything was sent: write: .*Broken pipe"):
        await wire.driver.feed(soon())
    assert (await wire.driver.open()).serial == SERIAL


async def test_a_stall_within_an_act_leaves_it_unknown(wire: Wired) -> None:
    wire.device.at["Ss"] = lambda: setattr(wire.device, "stalls", 1)
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: write: .*Broken pipe"):
        await wire.driver.print(panels_for(wire.profile), soon())
    await wire.driver.open()
    await wire.driver.deliver(soon())


async def test_a_cable_pulled_within_a_panel_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.at["Db;c;128"] = lambda: wire.server.unplug(BUSID)
    with pytest.raises(DeviceUnknown, match="printer_lost"):
        await wire.driver.print(panels_for(wire.profile), soon())
    with pytest.raises(DeviceAbsent, match="printer_absent: USB vendor 0f49, serial SIM-E-0001: not found"):
        await wire.driver.open()


async def test_a_cable_pulled_before_an_act_says_that_nothing_was_sent(wire: Wired) -> None:
    wire.server.unplug(BUSID)
    with pytest.raises(DeviceAbsent, match="printer_lost"):
        await wire.driver.feed(soon())


async def test_a_printer_that_comes_back_is_opened_again(wire: Wired) -> None:
    wire.server.unplug(BUSID)
    with pytest.raises(DeviceAbsent):
        await wire.driver.open()
    wire.server.plug(BUSID, ScriptedPrinter())
    assert (await wire.driver.open()).serial == SERIAL


async def test_a_printer_that_takes_no_data_is_late(wire: Wired) -> None:
    wire.device.at["Sr"] = lambda: setattr(wire.device, "deaf", True)
    with pytest.raises(DeviceUnknown, match="printer_late: write"):
        await wire.driver.print(panels_for(wire.profile), soon())


@pytest.mark.parametrize(("port", "condition"), [(0x38, "media_out"), (0x10, "printer_stopped"), (0x08, "printer_late")])
async def test_the_port_tells_why_a_printer_says_nothing(wire: Wired, port: int, condition: str) -> None:
    wire.device.port = port
    wire.device.say("Sic")
    with pytest.raises(DeviceUnknown, match=f"{condition}: no reply to Sic in time; port status {port:02X}h"):
        await wire.driver.feed(soon())
    wire.device.deaf = True
    with pytest.raises(DeviceUnknown, match=f"{condition}: write: .*; port status {port:02X}h"):
        await wire.driver.open()


async def test_a_printer_with_another_serial_number_inside_is_not_ours() -> None:
    async with wired() as wire:
        wire.device.says["Rsn"] = "SIM-E-0002"
        with pytest.raises(DeviceAbsent, match="printer_swapped: the printer calls itself 'SIM-E-0002', not 'SIM-E-0001'"):
            await wire.driver.open()


async def test_a_stale_answer_where_the_name_was_due_is_no_other_printer() -> None:
    async with wired() as wire:
        wire.device.say("Rsn", b"4711\0")
        with pytest.raises(DeviceUnknown, match="printer_garbled: '4711' and then 'SIM-E-0001' came where the serial"):
            await wire.driver.open()
        assert (await wire.driver.open()).serial == SERIAL


async def test_a_silent_printer_is_late() -> None:
    async with wired() as wire:
        for _ in range(2):  # the second time its port was reset
            wire.device.say("Pem;2")
            wire.device.say("Rsn")
        with pytest.raises(DeviceUnknown, match="printer_late: the printer does not answer; port status 18h"):
            await wire.driver.open()


async def test_a_wrong_ribbon_is_refused_at_open_but_the_printer_can_be_asked() -> None:
    async with wired() as wire:
        wire.device.say("Pr;ymcko", b"ERR RIBBON TYPE\0")
        with pytest.raises(DeviceRefused, match="ribbon_wrong: Pr;ymcko: ERR RIBBON TYPE"):
            await wire.driver.open()
        assert (await wire.driver.witness()).cards_fed == 1000


async def test_the_ribbon_tag_may_need_a_moment(wire: Wired) -> None:
    for _ in range(3):
        wire.device.say("Rrt;count", b"OK\0")
    assert (await wire.driver.witness()).ribbon_remaining == 187


@pytest.mark.parametrize("reply", ["ERR RIB DETECTION", "OK", "many"])
async def test_a_ribbon_that_cannot_be_read_is_unknown_not_empty(wire: Wired, reply: str) -> None:
    wire.device.says["Rrt;count"] = reply
    assert (await wire.driver.witness()).ribbon_remaining is None


@pytest.mark.parametrize(("command", "reply"), [("Rlr;p", "BANANA"), ("Rco;c", "OK"), ("Rco;p", "1,5")])
async def test_a_witness_that_makes_no_sense_is_garbled(wire: Wired, command: str, reply: str) -> None:
    wire.device.says[command] = reply
    with pytest.raises(DeviceUnknown, match=f"printer_garbled: {command}: '{reply}'"):
        await wire.driver.witness()


async def test_a_caller_that_was_cancelled_leaves_the_act_to_end_and_the_line_in_step(wire: Wired) -> None:
    wire.device.say("Sic")
    reached = asyncio.Event()
    wire.device.at["Sic"] = reached.set
    feeding = asyncio.create_task(wire.driver.feed(soon()))
    await reached.wait()
    feeding.cancel()
    await asyncio.wait([feeding])
    wire.device.emit(b"OK\0")
    assert (await wire.driver.witness()).cards_fed == 1000


async def test_closing_ends_an_act_that_waits() -> None:
    async with wired() as wire:
        await wire.driver.open()
        wire.device.say("Sic")
        reached = asyncio.Event()
        wire.device.at["Sic"] = reached.set
        feeding = asyncio.create_task(wire.driver.feed(soon()))
        await reached.wait()
        await wire.driver.close()
        with pytest.raises(DeviceUnknown, match="printer_lost"):
            await feeding


async def test_an_examination_asks_twice_between_three_marks(wire: Wired) -> None:
    assert await wire.driver.examine() == PrinterWitness(CardPosition.NONE, 1000, 5000, 187)
    asked = " ".join(command for command in wire.device.heard if command != "Pem;2").split("Rsn")
    assert (asked[0], asked[-1]) == ("", "")
    assert [part.split()[:3] for part in asked[1:-1]] == [["Rlr;p", "Rco;c", "Rco;p"]] * 2


@pytest.mark.parametrize("late", [b"OK\0", b"OK\0OK\0", b"O", b"CONTACTLESS CARD\0", b"PRINT POS\0", b"1001\0"])
@pytest.mark.parametrize("answer", ["OK", "CONTACTLESS CARD"])
async def test_a_late_reply_is_never_evidence(wire: Wired, late: bytes, answer: str) -> None:
    """`OK` means both "done" and "no card": a late one must not say that the printer is empty, nor that it is not."""
    wire.device.says["Rlr;p"] = answer
    wire.device.emit(late)
    position = (await wire.driver.examine()).position
    assert position is (CardPosition.NONE if answer == "OK" else CardPosition.CONTACTLESS)


@pytest.mark.parametrize("late", [b"OK\0", b"CONTACTLESS CARD\0"])
async def test_a_reply_that_slips_in_between_the_readings_is_found_out(wire: Wired, late: bytes) -> None:
    wire.device.at["Rlr;p"] = lambda: wire.device.emit(late)
    with pytest.raises(DeviceUnknown):
        await wire.driver.examine()


@pytest.mark.parametrize(("command", "second"), [("Rlr;p", "CONTACTLESS CARD"), ("Rco;c", "1001"), ("Rco;p", "5001")])
async def test_a_record_that_changes_between_the_readings_is_no_evidence(wire: Wired, command: str, second: str) -> None:
    wire.device.say(command, wire.device.says[command].encode() + b"\0")
    wire.device.says[command] = second
    with pytest.raises(DeviceUnknown, match=r"printer_moving: .* became "):
        await wire.driver.examine()


@pytest.mark.parametrize("answer", [b"OK\0", b"SIM-E-0002\0", b"CONTACTLESS CARD\0"])
@pytest.mark.parametrize("turn", [0, 1, 2])
async def test_without_the_serial_number_nothing_that_was_heard_is_evidence(wire: Wired, answer: bytes, turn: int) -> None:
    for _ in range(turn):
        wire.device.say("Rsn", SERIAL.encode() + b"\0")
    wire.device.say("Rsn", answer)
    with pytest.raises((DeviceUnknown, DeviceAbsent)):
        await wire.driver.examine()


async def test_a_printer_that_was_not_opened_cannot_be_examined() -> None:
    async with wired() as wire:
        with pytest.raises(DeviceAbsent, match="has to be opened first"):
            await wire.driver.examine()
        assert wire.device.heard == []
