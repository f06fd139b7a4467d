"""A Magicard's upkeep: cleaning, test card, settings, ribbon; and what it cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import DeviceRefused
from controller.model import PrinterCare
from tests.fakes.magicard_usb import FIELDS, JAM, NOT_FED, Wired, errors, info, opened, panels_for, tiny_profile, wired
from tests.fakes.scripted_usb import soon

wire = pytest.fixture(opened)


async def test_care_is_cards_until_cleaning_and_the_settings_by_name(wire: Wired) -> None:
    settings = {"head_position": "50", "image_start": "-2", "image_end": "5"}
    assert await wire.driver.care() == PrinterCare(688, settings)


@pytest.mark.parametrize(("since", "every", "left"), [("700", "700", 0), ("750", "700", -50), ("12", "0", None)])
async def test_cleaning_may_be_overdue_or_never_asked_for(wire: Wired, since: str, every: str, left: int | None) -> None:
    wire.device.fields[14:16] = [since, every]
    assert (await wire.driver.care()).cards_until_cleaning == left


@pytest.mark.parametrize(
    ("total", "used", "left"), [("300", "113", 187), ("300", "300", 0), ("300", "301", 0), ("0", "0", None), ("", "", None)]
)
async def test_the_ribbon_tells_how_much_is_left_or_nothing(wire: Wired, total: str, used: str, left: int | None) -> None:
    wire.device.fields[22:24] = [total, used]
    assert (await wire.driver.witness()).ribbon_remaining == left


async def test_a_cleaning_is_done_when_its_counter_has_risen(wire: Wired) -> None:
    await wire.driver.clean(soon())
    assert wire.device.heard[2] == "CLN"


async def test_a_cleaning_card_that_was_not_put_in_is_told(wire: Wired) -> None:
    wire.device.at["CLN"] = lambda: wire.device.fail(NOT_FED)
    with pytest.raises(DeviceRefused, match="card_not_fed"):
        await wire.driver.clean(soon())


async def test_a_test_card_is_done_when_the_counter_has_risen(wire: Wired) -> None:
    await wire.driver.print_test_card(soon())
    assert wire.device.heard[2] == "TST"


async def test_a_reply_to_an_act_is_not_taken_for_an_answer(wire: Wired) -> None:
    wire.device.say("CLN", errors(JAM))
    wire.device.say("CLN", info(FIELDS))
    for _ in range(2):
        await wire.driver.clean(soon())


async def test_what_the_profile_does_not_offer_is_refused() -> None:
    profile = tiny_profile()
    async with wired(replace(profile, acts=replace(profile.acts, clean=None, test_card=None))) as wire:
        panels = panels_for(wire.profile)
        for act in (
            wire.driver.clean(soon()),
            wire.driver.print_test_card(soon()),
            wire.driver.feed(soon()),
            wire.driver.print(panels, soon()),
            wire.driver.print_and_deliver(panels, soon()),
            wire.driver.to_chip_station(soon()),
            wire.driver.deliver(soon()),
            wire.driver.reject(soon()),
        ):
            with pytest.raises(DeviceRefused, match="option_missing: profile tiny has no act '"):
                await act
        assert wire.device.heard == []
