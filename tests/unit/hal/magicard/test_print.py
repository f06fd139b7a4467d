"""A Magicard's job: through the slot onto one card, with errors in the middle of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown, RenderError
from controller.hal.magicard.shift import move
from controller.model import Panel
from tests.fakes.magicard_usb import (
    FAULT,
    IDLE,
    JAM,
    NOT_FED,
    OVERCOAT,
    READY,
    SERIAL,
    WORKING,
    Wired,
    errors,
    opened,
    panels_for,
    tiny_profile,
    wired,
)
from tests.fakes.scripted_usb import BUSID, soon

wire = pytest.fixture(opened)


async def test_a_job_is_done_when_the_counter_has_risen(wire: Wired) -> None:
    await wire.print()
    assert wire.device.heard == ["ERR", "INF", "JOB", "ERR", "INF"]
    assert (await wire.driver.witness()).cards_fed == 1001


async def test_the_planes_and_the_overcoat_arrive_as_they_were_given(wire: Wired) -> None:
    await wire.print()
    job = wire.device.jobs[0]
    head, _, rest = job.partition(b"\x1c")
    assert job.startswith(b"\x05" * 64 + b"\x01,NOC1,")
    assert OVERCOAT in head
    assert b"SZB2304,SZG2304,SZR2304,SZK384" in head
    assert rest == b"y" * 2304 + b"\x1cB:" + b"m" * 2304 + b"\x1cG:" + b"c" * 2304 + b"\x1cR:" + b"k" * 384 + b"\x1cK:\x03"


async def test_planes_are_moved_for_a_head_that_stands_elsewhere(wire: Wired) -> None:
    wire.device.fields[16] = "47"
    await wire.print()
    assert b"\x1c" + move(b"y" * 2304, "kge2", 3) + b"\x1cB:" in wire.device.jobs[0]


async def test_nothing_is_asked_while_the_printer_works(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.device.ports.extend([READY, WORKING, WORKING])
    printing = asyncio.create_task(wire.print())
    while "JOB" not in wire.device.heard or wire.device.ports:
        await asyncio.sleep(0.01)
    assert wire.device.heard == ["ERR", "INF", "JOB", "ERR", "INF"]
    wire.device.rise()
    await printing


async def test_a_printer_that_is_ready_before_it_begins_is_not_done(wire: Wired) -> None:
    wire.device.prints = False
    with pytest.raises(DeviceUnknown, match="printer_late: not done in time; port status 18h"):
        await wire.print(Deadline.after(0.4))
    assert wire.device.heard.count("JOB") == 1


async def test_a_printer_that_works_again_is_not_done_yet(wire: Wired) -> None:
    def printed() -> None:
        wire.device.rise()
        wire.device.ports.extend([READY, WORKING])  # ready for a moment

    wire.device.at["JOB"] = printed
    await wire.print()
    assert wire.device.heard == ["ERR", "INF", "JOB", "ERR", "INF", "ERR", "INF"]


async def test_a_fault_of_the_port_is_not_done_although_the_counter_has_risen(wire: Wired) -> None:
    def printed() -> None:
        wire.device.rise()
        wire.device.port = FAULT

    wire.device.at["JOB"] = printed
    with pytest.raises(DeviceUnknown, match="printer_late: not done in time; port status 10h"):
        await wire.print(Deadline.after(0.4))


async def test_a_counter_that_makes_a_leap_proves_nothing(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.device.rise(cards=2)
    with pytest.raises(DeviceUnknown, match="print_unproven: the counter of cards went from 1000 to 1002 during one card"):
        await wire.print()


async def test_a_card_that_was_not_put_in_drops_the_job(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.device.fail(NOT_FED)
    with pytest.raises(DeviceRefused, match=r"card_not_fed: The card was not fed. / Error code - 11:01"):
        await wire.print()
    assert wire.device.heard.count("CAN") == 1
    await wire.print()


async def test_an_error_nobody_knows_shows_the_words_of_the_printer(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.device.fail(JAM)
    with pytest.raises(DeviceRefused, match=r"printer_error: The card is jammed. / Error code - 42:07"):
        await wire.print()
    assert "CAN" in wire.device.heard


@pytest.mark.parametrize("risen", [{"panels": 1, "cards": 0, "shots": 0}, {"panels": 0, "cards": 0, "shots": 1}, {}])
async def test_an_error_after_a_card_was_taken_leaves_the_job_to_a_person(wire: Wired, risen: dict[str, int]) -> None:
    def jam() -> None:
        wire.device.rise(**risen)
        wire.device.fail(JAM)

    wire.device.at["JOB"] = jam
    with pytest.raises(DeviceRefused, match=r"printer_error: .*42:07; a card was taken"):
        await wire.print()
    with pytest.raises(DeviceRefused, match=r"printer_error: .*42:07"):
        await wire.driver.open()
    assert "CAN" not in wire.device.heard


async def test_a_counter_that_rose_although_no_card_was_drawn_in_leaves_the_act_unknown(wire: Wired) -> None:
    def contradict() -> None:
        wire.device.rise(cards=0, panels=0)
        wire.device.fail(NOT_FED)

    wire.device.at["JOB"] = contradict
    with pytest.raises(DeviceUnknown, match=r"card_not_fed: .*a counter has risen; the job was not dropped"):
        await wire.print()
    assert "CAN" not in wire.device.heard


async def test_a_card_that_goes_through_while_the_job_is_dropped_leaves_the_act_unknown(wire: Wired) -> None:
    def drawn_in() -> None:
        wire.device.rise()
        wire.device.fail(IDLE, READY)

    wire.device.at |= {"JOB": lambda: wire.device.fail(NOT_FED), "CAN": drawn_in}
    with pytest.raises(DeviceUnknown, match=r"card_not_fed: .*the counters rose while the job was dropped"):
        await wire.print()


async def test_a_job_that_cannot_be_dropped_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.at |= {"JOB": lambda: wire.device.fail(NOT_FED), "CAN": lambda: None}
    with pytest.raises(DeviceUnknown, match="printer_late: the printer did not drop the job: The card was not fed"):
        await wire.print()


async def test_a_job_of_ours_that_failed_after_we_gave_up_is_dropped_at_the_next_open(wire: Wired) -> None:
    wire.device.prints = False
    with pytest.raises(DeviceUnknown):
        await wire.print(Deadline.after(0.2))
    wire.device.fail(JAM)
    await wire.driver.open()
    assert wire.device.heard.count("CAN") == 1


async def test_once_all_was_well_a_later_error_is_nobodys_job_of_ours(wire: Wired) -> None:
    wire.device.prints = False
    with pytest.raises(DeviceUnknown):
        await wire.print(Deadline.after(0.2))
    await wire.driver.open()
    wire.device.fail(JAM)
    with pytest.raises(DeviceRefused, match="only a person at the printer may clear this"):
        await wire.driver.open()
    assert "CAN" not in wire.device.heard


async def test_a_printer_too_busy_to_answer_is_waited_for(wire: Wired) -> None:
    wire.device.say("ERR", errors())
    wire.device.say("ERR")  # the first one after the job
    await wire.print()
    assert wire.device.heard[:5] == ["ERR", "INF", "JOB", "ERR", "ERR"]


async def test_garbage_after_the_job_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.device.say("ERR", b"garbage")
    with pytest.raises(DeviceUnknown, match="printer_garbled"):
        await wire.print()


async def test_a_printer_with_an_error_gets_no_job(wire: Wired) -> None:
    wire.device.fail(JAM)
    with pytest.raises(DeviceRefused, match=r"printer_error: .*42:07"):
        await wire.print()
    assert wire.device.jobs == []


async def test_a_printer_at_work_gets_no_job(wire: Wired) -> None:
    wire.device.port = WORKING
    with pytest.raises(DeviceRefused, match="printer_moving"):
        await wire.print()
    assert wire.device.heard == []


@pytest.mark.parametrize("request_", ["ERR", "INF"])
async def test_a_printer_that_is_silent_before_the_job_says_that_nothing_was_sent(wire: Wired, request_: str) -> None:
    wire.device.say(request_)
    with pytest.raises(DeviceAbsent, match="printer_late: before anything was sent: no reply"):
        await wire.print()
    assert wire.device.jobs == []


async def test_a_deadline_that_is_over_sends_nothing(wire: Wired) -> None:
    with pytest.raises(DeviceAbsent, match="printer_late: the deadline was over before anything was sent"):
        await wire.print(Deadline.after(0.0))
    assert wire.device.jobs == []


async def test_nothing_is_printed_before_open() -> None:
    async with wired() as wire:
        with pytest.raises(DeviceAbsent, match="has to be opened first"):
            await wire.print()


async def test_a_stall_in_the_middle_of_the_data_leaves_the_act_unknown_and_open_brings_the_line_back(wire: Wired) -> None:
    wire.device.at["INF"] = lambda: setattr(wire.device, "stalls", 1)
    with pytest.raises(DeviceUnknown, match=r"printer_garbled: write: .*Broken pipe"):
        await wire.print()
    assert (await wire.driver.open()).serial == SERIAL
    assert wire.device.resets == 2  # when it was found, and after the torn job


async def test_a_cable_pulled_while_it_prints_leaves_the_act_unknown(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: wire.server.unplug(BUSID)
    with pytest.raises(DeviceUnknown, match="printer_lost"):
        await wire.print()
    with pytest.raises(DeviceAbsent):
        await wire.driver.witness()


async def test_closing_ends_the_wait_for_a_card() -> None:
    async with wired(tiny_profile(hand_feed=60.0)) as wire:
        await wire.driver.open()
        sent = asyncio.Event()

        def begin() -> None:
            wire.device.port = WORKING
            sent.set()

        wire.device.at["JOB"] = begin
        printing = asyncio.create_task(wire.print(Deadline.after(60)))
        await sent.wait()
        await wire.driver.close()
        with pytest.raises(DeviceUnknown, match="printer_lost: the link was told to stop"):
            await printing


async def test_the_profile_bounds_a_wait_that_the_caller_does_not(wire: Wired) -> None:
    wire.device.at["JOB"] = lambda: setattr(wire.device, "port", WORKING)
    with pytest.raises(DeviceUnknown, match="printer_late: not done in time; port status 08h"):
        await wire.print(Deadline.after(60))


async def test_a_caller_that_was_cancelled_leaves_the_line_in_step(wire: Wired) -> None:
    reached = asyncio.Event()
    wire.device.prints = False
    wire.device.at["JOB"] = reached.set
    printing = asyncio.create_task(wire.print())
    await reached.wait()
    printing.cancel()
    await asyncio.wait([printing])
    wire.device.rise()
    assert (await wire.driver.witness()).cards_fed == 1001


@pytest.mark.parametrize("wrong", ["missing", "order", "size", "overcoat", "side", "levels"])
async def test_panels_of_another_shape_are_refused_before_anything_is_sent(wire: Wired, wrong: str) -> None:
    panels = panels_for(wire.profile)
    bad: dict[str, list[Panel]] = {
        "missing": panels[:4],
        "order": panels[::-1],
        "size": [replace(panels[0], data=b""), *panels[1:]],
        "overcoat": [*panels[:4], replace(panels[4], data=b"OVRON,PCT0,0,4,641")],
        "side": [replace(panels[0], side="back"), *panels[1:]],
        "levels": [replace(panels[0], levels=128), *panels[1:]],
    }
    with pytest.raises(RenderError, match=r"do not fit the printer|not written in keys"):
        await wire.driver.print_by_hand(bad[wrong], soon())
    assert wire.device.heard == []
