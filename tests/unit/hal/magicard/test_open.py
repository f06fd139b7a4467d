"""Who a Magicard must be before anything is sent to it, and what it may be in the middle of."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.hal.magicard.driver import MagicardPrinter
from tests.fakes.magicard_usb import JAM, NOT_FED, SERIAL, WORKING, Wired, opened, tiny_profile, wired

wire = pytest.fixture(opened)


async def test_another_printer_at_the_port_is_told_before_anything_moves() -> None:
    async with wired(serial="SIM-M-0002") as wire:
        with pytest.raises(DeviceAbsent, match="printer_swapped: the printer calls itself 'SIM-M-0001', not 'SIM-M-0002'"):
            await wire.driver.open()
        assert "JOB" not in wire.device.heard


async def test_a_printer_that_was_swapped_is_found_out_before_the_job(wire: Wired) -> None:
    wire.device.fields[3] = "SIM-M-0009"
    with pytest.raises(DeviceAbsent, match="printer_swapped"):
        await wire.print()
    assert wire.device.jobs == []


async def test_a_wrong_printer_is_let_go_of_so_that_its_own_lane_can_have_it() -> None:
    async with wired(serial="SIM-M-0002") as wire:
        with pytest.raises(DeviceAbsent):
            await wire.driver.open()
        right = MagicardPrinter.at(wire.profile, f"usbip://127.0.0.1:{wire.server.port}", SERIAL)
        assert (await right.open()).serial == SERIAL
        await right.close()


async def test_a_device_of_another_make_is_not_spoken_to() -> None:
    async with wired() as wire:
        wire.device.device_id = "MFG:Acme;MDL:Press;"
        with pytest.raises(DeviceAbsent, match=r"printer_other: .*Acme"):
            await wire.driver.open()
        assert wire.device.heard == []


@pytest.mark.parametrize(("known", "taken"), [((), True), (("1.06",), True), (("1.05", "1.07"), False)])
async def test_firmware_that_the_profile_does_not_know_is_refused(known: tuple[str, ...], taken: bool) -> None:
    async with wired(replace(tiny_profile(), firmware_known=known)) as wire:
        if taken:
            assert (await wire.driver.open()).firmware == "1.06"
            return
        with pytest.raises(DeviceRefused, match=r"firmware_unknown: '1.06'; the profile knows 1.05, 1.07"):
            await wire.driver.open()


@pytest.mark.parametrize("head", ["0", "KGE2", "7", ""])
async def test_a_print_head_that_the_profile_knows_or_nobody_knows_is_taken(head: str, caplog: pytest.LogCaptureFixture) -> None:
    async with wired() as wire:
        wire.device.fields[2] = head
        await wire.driver.open()
        await wire.driver.open()
    assert caplog.text.count("is not one that the profile knows") == (head != "0")


@pytest.mark.parametrize(("head", "name"), [("1", "KEE1"), ("2", "KEE4")])
async def test_a_printer_with_another_print_head_is_refused(head: str, name: str) -> None:
    async with wired() as wire:
        wire.device.fields[2] = head
        with pytest.raises(DeviceRefused, match=f"printer_other: its print head is {name}; profile tiny is for KGE2"):
            await wire.driver.open()
        with pytest.raises(DeviceRefused, match="printer_other"):
            await wire.print()
        assert wire.device.jobs == []


async def test_a_printer_at_work_is_not_asked_anything() -> None:
    async with wired() as wire:
        wire.device.port = WORKING
        with pytest.raises(DeviceRefused, match="printer_moving: it works on something; port status 08h"):
            await wire.driver.open()
        assert wire.device.heard == []


async def test_a_printer_that_works_for_ever_is_late() -> None:
    async with wired(tiny_profile(hand_feed=0.01, print=0.01)) as wire:
        wire.device.port = WORKING
        with pytest.raises(DeviceRefused, match="printer_moving"):
            await wire.driver.open()
        await asyncio.sleep(0.05)
        with pytest.raises(DeviceUnknown, match=r"printer_late: the printer works for more than 0.02 s"):
            await wire.driver.open()


async def test_an_error_of_an_old_job_is_told_and_not_confirmed() -> None:
    async with wired() as wire:
        wire.device.fail(JAM)
        for _ in range(2):
            with pytest.raises(DeviceRefused, match=r"42:07; only a person at the printer may clear this"):
                await wire.driver.open()
        assert set(wire.device.heard) == {"ERR", "INF"}


async def test_an_old_job_for_which_no_card_was_drawn_in_is_dropped() -> None:
    async with wired() as wire:
        wire.device.fail(NOT_FED)
        await wire.driver.open()
        assert "CAN" in wire.device.heard


async def test_a_part_of_a_job_that_another_host_left_behind_is_dropped_before_anything_is_said() -> None:
    async with wired() as wire:
        await wire.device.bulk_out(1, b"\x05\x01,NOC1,SZB2304\x1c" + bytes(1000))
        await wire.driver.open()
        await wire.print()
        assert len(wire.device.jobs) == 1


async def test_a_printer_with_an_error_can_still_be_asked_for_its_counters() -> None:
    async with wired() as wire:
        wire.device.fail(JAM)
        with pytest.raises(DeviceRefused):
            await wire.driver.open()
        assert (await wire.driver.examine()).cards_fed == 1000


@pytest.mark.parametrize(("port", "words"), [(0x10, "printer_stopped: port status 10h"), (0x38, "media_out: port status 38h")])
async def test_a_fault_of_the_port_without_an_error_pair_shows_both(port: int, words: str) -> None:
    async with wired() as wire:
        wire.device.port = port
        with pytest.raises(DeviceRefused, match=f"{words}, and yet: Printerstatus OK"):
            await wire.driver.open()
