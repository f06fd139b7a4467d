"""Printer profiles: the shipped one is taken whole, and every mistake is named with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ConfigError
from controller.hal.printer_profile import find_profile, parse_profile
from controller.model import CardPosition
from tests.fakes.usb_printer import PROFILES, profile_table

Change = Callable[[dict[str, Any]], object]


def mistakes(change: Change) -> dict[str, str]:
    """Place -> English text of every mistake after a change to the shipped profile."""
    table = profile_table()
    change(table)
    with pytest.raises(ConfigError) as caught:
        parse_profile(table, "p")
    return {problem.place: problem.en for problem in caught.value.problems}


def test_the_shipped_profile_is_read_whole() -> None:
    profile = find_profile(PROFILES, "evolis-primacy")
    assert (profile.name, profile.usb.vendor_id, profile.raster.width_dots) == ("evolis-primacy", 0x0F49, 648)
    assert [panel.name for panel in profile.raster.panels] == ["y", "m", "c", "k", "o"]
    assert profile.positions["CONTACTLESS CARD"] is CardPosition.CONTACTLESS


def test_the_shipped_profile_holds_the_card() -> None:
    assert find_profile(PROFILES, "evolis-primacy").holds_card


def test_a_profile_says_what_nobody_has_seen_on_real_hardware() -> None:
    assert "acts.deliver" in find_profile(PROFILES, "evolis-primacy").unproven


def test_a_printer_that_cannot_hold_the_card_has_one_act_for_both() -> None:
    table = profile_table()
    for act in ("print", "to_chip_station", "deliver"):
        del table["acts"][act]
    table["acts"]["print_and_deliver"] = ["Ss", "Sr", "@panels", "Se"]
    assert not parse_profile(table, "p").holds_card


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no such printer profile in .*; there are: evolis-primacy"):
        find_profile(PROFILES, "hdp5000")


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("= 1")
    with pytest.raises(ConfigError, match=r"^bad\.toml: cannot be read"):
        find_profile(tmp_path, "bad")


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    def spoil(table: dict[str, Any]) -> None:
        table["usb"]["vendor_id"] = "Evolis"
        table["colour"] = 1
        del table["queries"]["serial"]
        table["replies"]["CARD JAM"] = "no_such_condition"
        table["confidence"]["usb"] = "F"

    assert set(mistakes(spoil)) == {
        "p.toml: usb.vendor_id", "p.toml: colour", "p.toml: queries.serial", "p.toml: replies.CARD JAM", "p.toml: confidence.usb",
    }  # fmt: skip


def test_a_panel_of_the_wrong_size_says_the_right_one() -> None:
    def spoil(table: dict[str, Any]) -> None:
        table["raster"]["panels"][0]["size_bytes"] = 592_368  # the guide's own misprint

    assert mistakes(spoil) == {"p.toml: raster.panels[0].size_bytes": "should be 576072 bytes, not 592368"}


def test_a_panel_listed_twice_is_refused() -> None:
    def spoil(table: dict[str, Any]) -> None:
        table["raster"]["panels"][1]["name"] = "y"

    assert mistakes(spoil) == {"p.toml: raster.panels": "panel 'y' is listed twice"}


def test_more_panels_than_the_ribbon_has_are_refused() -> None:
    found = mistakes(lambda table: table["ribbon"].update(panels_per_side=4))
    assert found == {"p.toml: raster.panels": "has more panels than the ribbon"}


@pytest.mark.parametrize("act", ["print", "to_chip_station", "deliver"])
def test_an_act_without_which_a_card_cannot_be_held_is_asked_for(act: str) -> None:
    assert mistakes(lambda table: table["acts"].pop(act)) == {
        f"p.toml: acts.{act}": "is required where there is no print_and_deliver"
    }


def test_both_ways_of_printing_at_once_are_refused() -> None:
    found = mistakes(lambda table: table["acts"].update(print_and_deliver=["Ss", "@panels", "Se"]))
    assert found["p.toml: acts.deliver"] == "cannot stand beside print_and_deliver"


@pytest.mark.parametrize(("act", "commands", "times"), [("feed", ["@panels"], 0), ("print", ["Ss", "Se"], 1)])
def test_panels_belong_in_the_print_act_once_and_nowhere_else(act: str, commands: list[str], times: int) -> None:
    found = mistakes(lambda table: table["acts"].update({act: commands}))
    assert found == {f"p.toml: acts.{act}": f"must have @panels {times} times"}


@pytest.mark.parametrize("command", ["", "Si\rc", "\x1bSic", ";x", "Sïc", "S" * 121])
def test_text_that_cannot_be_a_command_is_refused(command: str) -> None:
    assert "is not a command" in mistakes(lambda table: table["acts"].update(feed=[command]))["p.toml: acts.feed[0]"]


def test_a_reply_word_that_could_never_match_is_refused() -> None:
    found = mistakes(lambda table: table["replies"].update({"ERR RIBBON": "ribbon_end"}))
    assert found == {"p.toml: replies.ERR RIBBON": "write ERROR, not ERR: both are read as ERROR"}


@pytest.mark.parametrize("seconds", [0, -1, 601, "2"])
def test_a_time_out_without_sense_is_refused(seconds: object) -> None:
    assert "p.toml: timeouts_s.query" in mistakes(lambda table: table["timeouts_s"].update(query=seconds))
