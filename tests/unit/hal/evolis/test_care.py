"""What the driver does by the profile beyond one side of a card: ribbons, backs, upkeep, firmware, acts it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown, RenderError
from controller.model import PrinterCare
from tests.fakes.scripted_usb import soon
from tests.fakes.usb_printer import Wired, panels_for, tiny_profile, wired

BOTH = tiny_profile().with_ribbon("ymckok")
FRONT = ["Db;y;128", "Db;m;128", "Db;c;128", "Db;k;2", "Db;o;2"]
SETTINGS = {command: "10" for command in tiny_profile().settings.values() if isinstance(command, str)}


@pytest.fixture
async def wire() -> AsyncIterator[Wired]:
    async with wired(BOTH) as both:
        await both.driver.open()
        both.device.says |= SETTINGS | {"Rco;r": "742"}
        yield both


async def test_the_printer_is_told_of_the_lanes_ribbon(wire: Wired) -> None:
    assert "Pr;ymckok" in wire.device.heard


async def test_the_back_is_printed_after_the_front_on_the_same_card(wire: Wired) -> None:
    wire.device.heard.clear()
    await wire.driver.print(panels_for(BOTH, "front", "back"), soon())
    assert wire.device.heard == ["Rsn", "Pneab;E", "Ss", "Sr", *FRONT, "Sv", "Db;k;2", "Se", "Rsn"]


async def test_a_card_without_a_back_is_not_turned(wire: Wired) -> None:
    wire.device.heard.clear()
    await wire.driver.print(panels_for(BOTH), soon())
    assert wire.device.heard == ["Rsn", "Pneab;E", "Ss", "Sr", *FRONT, "Se", "Rsn"]


async def test_a_back_before_the_front_is_refused_before_anything_is_sent(wire: Wired) -> None:
    wire.device.heard.clear()
    panels = panels_for(BOTH, "front", "back")
    for wrong in (panels[-1:] + panels[:-1], panels[1:], [*panels, panels[-1]]):
        with pytest.raises(RenderError, match="do not fit the printer"):
            await wire.driver.print(wrong, soon())
    assert wire.device.heard == []


async def test_a_ribbon_without_panels_for_the_back_prints_none() -> None:
    async with wired() as wire:
        await wire.driver.open()
        with pytest.raises(RenderError, match="do not fit the printer"):
            await wire.driver.print(panels_for(BOTH, "front", "back"), soon())


async def test_care_tells_cards_until_cleaning_and_every_setting(wire: Wired) -> None:
    care = await wire.driver.care()
    assert care == PrinterCare(742, dict.fromkeys(BOTH.settings, "10"))


async def test_cleaning_that_is_overdue_is_a_number_below_zero(wire: Wired) -> None:
    wire.device.says["Rco;r"] = "-12"
    assert (await wire.driver.care()).cards_until_cleaning == -12


@pytest.mark.parametrize("reply", ["ERROR CDE", "OPT NOT AVAILABLE", "ERR WHAT", "OK"])
async def test_what_a_printer_does_not_know_is_absent_and_no_fault(wire: Wired, reply: str) -> None:
    wire.device.says |= {"Rco;r": reply, "Roc": reply}
    care = await wire.driver.care()
    assert (care.cards_until_cleaning, "station_contactless" in care.settings) == (None, False)
    assert care.settings["station_contact"] == "10"


async def test_a_fault_is_told_when_care_is_asked_for(wire: Wired) -> None:
    wire.device.says["Rco;r"] = "COVER OPEN"
    with pytest.raises(DeviceRefused, match="cover_open: Rco;r: COVER OPEN"):
        await wire.driver.care()


async def test_a_setting_that_came_out_of_step_counts_for_nothing(wire: Wired) -> None:
    wire.device.say("Rc;y", b"10\0", b"11\0")
    with pytest.raises(DeviceUnknown, match="printer_garbled"):
        await wire.driver.care()


async def test_cleaning_and_the_test_card_are_acts_of_their_own(wire: Wired) -> None:
    wire.device.heard.clear()
    await wire.driver.clean(soon())
    await wire.driver.print_test_card(soon())
    assert wire.device.heard == ["Rsn", "Scp", "Rsn", "Rsn", "Stt", "Rsn"]


async def test_cleaning_may_take_longer_than_a_card(wire: Wired) -> None:
    wire.device.at["Scp"] = lambda: wire.device.emit_later(1.0, b"OK\0")  # above timeouts_s.motion of this profile
    wire.device.say("Scp")
    await wire.driver.clean(soon())


async def test_a_cleaning_that_the_printer_refuses_is_refused(wire: Wired) -> None:
    wire.device.say("Scp", b"FEEDER EMPTY\0")
    with pytest.raises(DeviceRefused, match="hopper_empty: Scp: FEEDER EMPTY"):
        await wire.driver.clean(soon())


async def test_what_the_profile_does_not_have_is_refused_and_nothing_is_sent() -> None:
    poor = tiny_profile()
    async with wired(replace(poor, acts=replace(poor.acts, clean=None, test_card=None))) as wire:
        await wire.driver.open()
        wire.device.heard.clear()
        for doing in (wire.driver.clean(soon()), wire.driver.print_test_card(soon()), wire.driver.print_by_hand([], soon())):
            with pytest.raises(DeviceRefused, match=r"option_missing: profile tiny has no act '(clean|test_card|print_by_hand)'"):
                await doing
        assert wire.device.heard == []


async def test_firmware_the_profile_was_not_tried_with_is_refused_before_anything_moves() -> None:
    async with wired(replace(tiny_profile(), firmware_known=("1.0", "1.1"))) as wire:
        with pytest.raises(DeviceRefused, match=r"firmware_unknown: '1.2'; profile tiny knows 1.0, 1.1"):
            await wire.driver.open()
        with pytest.raises(DeviceAbsent, match="printer_lost: the printer has to be opened first"):
            await wire.driver.feed(Deadline.after(5))
        assert [command for command in wire.device.heard if command.startswith(("S", "Pr"))] == []


async def test_firmware_the_profile_knows_is_taken() -> None:
    async with wired(replace(tiny_profile(), firmware_known=("1.2",))) as wire:
        assert (await wire.driver.open()).firmware == "1.2"
