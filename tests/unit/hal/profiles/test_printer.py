"""Printer profiles: the shipped one is taken whole, and every mistake is named with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.errors import ConfigError
from controller.hal.profiles.printer import EvolisProfile, MagicardProfile, find_profile, parse_profile
from controller.model import CardPosition
from tests.fakes.usb_printer import PROFILES, profile_table

Change = Callable[[dict[str, Any]], object]


def mistakes(change: Change, name: str = "evolis-primacy") -> dict[str, str]:
    """Place -> English text of every mistake after a change to a shipped profile."""
    table = profile_table(name)
    change(table)
    with pytest.raises(ConfigError) as caught:
        parse_profile(table, "p")
    return {problem.place: problem.en for problem in caught.value.problems}


def test_the_shipped_profile_is_read_whole() -> None:
    profile = find_profile(PROFILES, "evolis-primacy")
    assert (profile.name, profile.usb.vendor_id, profile.raster.width_dots) == ("evolis-primacy", 0x0F49, 648)
    assert [panel.name for panel in profile.raster.panels] == ["y", "m", "c", "k", "o"]
    assert isinstance(profile, EvolisProfile)
    assert profile.positions["CONTACTLESS CARD"] is CardPosition.CONTACTLESS


def test_the_shipped_profile_holds_the_card() -> None:
    assert find_profile(PROFILES, "evolis-primacy").holds_card


def test_a_profile_says_what_nobody_has_seen_on_real_hardware() -> None:
    assert "acts.deliver" in find_profile(PROFILES, "evolis-primacy").unproven


def test_a_printer_that_cannot_hold_the_card_has_one_act_for_both() -> None:
    table = profile_table()
    table["acts"] |= {"print": [], "to_chip_station": [], "deliver": [], "print_and_deliver": ["Ss", "@panels", "@back", "Se"]}
    table["plan"] = "ejecting"
    assert not parse_profile(table, "p").holds_card


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_profile_is_good_and_says_what_is_not_proven(path: Path) -> None:
    profile = find_profile(PROFILES, path.stem)
    assert profile.unproven
    assert "timing_s" in profile.unproven or any(part.startswith("timing_s") for part in profile.unproven)


@pytest.mark.parametrize(("name", "size"), [("magicard-enduro", 585_216), ("magicard-alto", 576_000)])
def test_a_magicard_is_fed_by_hand_and_its_overcoat_is_no_panel_of_dots(name: str, size: int) -> None:
    profile = find_profile(PROFILES, name)
    assert isinstance(profile, MagicardProfile)
    sizes = {panel.name: panel.size_bytes for panel in profile.raster.panels}
    assert (profile.plan, sizes["y"], sizes["o"], "HFDON" in profile.job.keys) == ("external", size, 0, True)


def test_a_ribbon_gives_its_own_panels_and_those_of_the_back_when_asked() -> None:
    profile = find_profile(PROFILES, "evolis-primacy")
    assert [panel.name for panel in profile.raster_for("ko").panels] == ["k", "o"]
    both = profile.raster_for("ymckok", ("front", "back")).panels
    assert [(panel.side, panel.name) for panel in both][-2:] == [("front", "o"), ("back", "k")]


def test_a_lane_may_have_another_ribbon_of_the_profile() -> None:
    profile = find_profile(PROFILES, "evolis-primacy").with_ribbon("ymckok")
    assert (profile.fitted.command, *profile.fitted.panels, *profile.fitted.back_panels) == ("Pr;ymckok", *"ymckok")


@pytest.mark.parametrize(
    ("name", "ribbon", "words"),
    [
        ("evolis-primacy", "ymcko2", "Evolis Primacy has no ribbon 'ymcko2'; there are: ymcko, ymckok, ko, k"),
        ("evolis-zenius", "ymckok", "ribbon 'ymckok' prints both sides, Evolis Zenius only one"),
    ],
)
def test_a_ribbon_the_printer_cannot_use_is_refused(name: str, ribbon: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find_profile(PROFILES, name).with_ribbon(ribbon)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no such printer profile in .*; there are: .*evolis-primacy"):
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
        table["confidence"]["usb"]["level"] = "F"

    assert set(mistakes(spoil)) == {
        "p.toml: usb.vendor_id", "p.toml: colour", "p.toml: queries.serial", "p.toml: replies.CARD JAM",
        "p.toml: confidence.usb.level",
    }  # fmt: skip


def test_a_panel_of_the_wrong_size_says_the_right_one() -> None:
    def spoil(table: dict[str, Any]) -> None:
        table["raster"]["panels"][0]["size_bytes"] = 592_368  # the guide's own misprint

    assert mistakes(spoil) == {"p.toml: raster.panels[0].size_bytes": "should be 576072 bytes, not 592368"}


def test_a_panel_listed_twice_is_refused() -> None:
    def spoil(table: dict[str, Any]) -> None:
        table["raster"]["panels"][1]["name"] = "y"

    assert mistakes(spoil)["p.toml: raster.panels"] == "panel 'y' is listed twice"


@pytest.mark.parametrize("act", ["print", "to_chip_station", "deliver"])
def test_an_act_without_which_a_card_cannot_be_held_is_asked_for(act: str) -> None:
    found = mistakes(lambda table: table["acts"].pop(act))
    assert found[f"p.toml: acts.{act}"] == "is required for the plan 'held'"


def test_both_ways_of_printing_at_once_are_refused() -> None:
    found = mistakes(lambda table: table["acts"].update(print_and_deliver=["Ss", "@panels", "@back", "Se"]))
    assert found == {"p.toml: acts.print_and_deliver": "cannot be there with the plan 'held'"}


def test_a_plan_needs_its_stations() -> None:
    found = mistakes(lambda table: table["stations"].update(contactless=False))
    assert found == {"p.toml: stations.contactless": "the plan 'held' needs this station"}


@pytest.mark.parametrize(
    ("act", "commands", "words"),
    [
        ("feed", ["Sic", "@panels"], "must have @panels 0 times"),
        ("print", ["Ss", "@back", "Se"], "must have @panels 1 times"),
        ("print", ["Ss", "@panels", "Se"], "must have @back 1 times"),
        ("print", ["Ss", "@back", "@panels", "Se"], "must have @back after @panels"),
        ("open", ["Pem;2"], "must have @ribbon 1 times"),
        ("open", ["@ribbon", "Pem;2"], "must begin with the command of the error mode"),
        ("reject", ["@ribbon"], "must have @ribbon 0 times"),
    ],
)
def test_a_mark_belongs_into_its_act_once_and_nowhere_else(act: str, commands: list[str], words: str) -> None:
    found = mistakes(lambda table: table["acts"].update({act: commands}))
    assert found == {f"p.toml: acts.{act}": words}


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"panels": ["y", "x"]}, "panels", "panel 'x' is not one of raster.panels"),
        ({"panels": ["m", "y"]}, "panels", "must be in the order of raster.panels"),
        ({"panels": ["y", "y"]}, "panels", "panel 'y' is listed twice"),
        ({"back_panels": ["z"]}, "back_panels", "panel 'z' is not one of raster.panels"),
        ({"remaining": "info"}, "remaining", "is 'tag' for this family"),
    ],
)
def test_a_ribbon_that_the_head_cannot_print_is_refused(change: dict[str, Any], place: str, words: str) -> None:
    found = mistakes(lambda table: table["ribbons"]["ymcko"].update(change))
    assert found[f"p.toml: ribbons.ymcko.{place}"] == words


def test_the_usual_ribbon_must_be_there_and_fit_the_stations() -> None:
    assert "there are: ymcko" in mistakes(lambda table: table.update(ribbon="none"))["p.toml: ribbon"]

    def one_sided(table: dict[str, Any]) -> None:
        table["ribbon"], table["stations"]["flip"] = "ymckok", False

    assert mistakes(one_sided) == {"p.toml: ribbon": "needs a printer that turns the card: stations.flip is false"}


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (lambda t: t["raster"]["panels"][0].update(size_bytes=585_215), "raster.panels[0].size_bytes", "should be 585216 bytes"),
        (lambda t: t["raster"]["panels"][0].update(levels=128), "raster.panels[0].levels", "should be 64, not 128"),
        (lambda t: t["raster"]["panels"][4].update(size_bytes=97_536), "raster.panels[4].size_bytes", "should be 0 bytes"),
        (lambda t: t["raster"].update(width_dots=673), "raster.width_dots", "can be at most 672"),
        (lambda t: t["raster"].update(packing="kge"), "job.keys", "must have KGE, as raster.packing says"),
        (lambda t: t["job"]["keys"].remove("HFDON"), "job.keys", "must have HFDON: the card is fed by hand"),
        (lambda t: t["job"]["keys"].remove("@sizes"), "job.keys", "must have @sizes once"),
        (lambda t: t["job"]["keys"].append("drop table"), "job.keys[17]", "is neither a job key such as 'HFDON'"),
        (lambda t: t["errors"].update({"1:1": "printer_error"}), "errors.1:1", "should match pattern"),
        (lambda t: t["acts"].pop("cancel"), "acts.cancel", "is required"),
        (lambda t: t.update(plan="held"), "plan", "should be 'external'"),
        (lambda t: t["job"].update(heads={"1": "KEE1"}), "job.heads", "must have the print head of raster.packing"),
        (lambda t: t["settings"].update(far=35), "settings.far", "less than 35"),
    ],
)
def test_a_magicard_profile_with_a_mistake_is_refused(change: Change, place: str, words: str) -> None:
    assert words in mistakes(change, "magicard-enduro")[f"p.toml: {place}"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["NOC255"], "must begin with NOC1: one card"),
        (["NOC1", "HFDOFF"], "HFD is there twice, or one of the marks stands for it"),
        (["NOC1", "OVROFF"], "OVR is there twice, or one of the marks stands for it"),
    ],
)
def test_a_job_is_for_one_card_and_says_each_thing_once(keys: list[str], words: str) -> None:
    found = mistakes(lambda table: table["job"].update(keys=[*keys, *table["job"]["keys"][1:]]), "magicard-enduro")
    assert found == {"p.toml: job.keys": words}


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"command": "LC1,HFDOFF"}, "command", "should be one LC key, such as LC1"),
        ({"back_panels": ["k"]}, "back_panels", "the driver prints no back on this family"),
    ],
)
def test_a_magicards_ribbon_is_one_key_and_prints_one_side(change: dict[str, Any], place: str, words: str) -> None:
    found = mistakes(lambda table: table["ribbons"]["ko"].update(change), "magicard-enduro")
    assert found == {f"p.toml: ribbons.ko.{place}": words}


def test_a_back_that_could_never_be_sent_is_refused() -> None:
    acts = {"back": [], "print": ["Ss", "@panels", "Se"]}
    assert mistakes(lambda table: table["acts"].update(acts)) == {"p.toml: acts.back": "is required: the card can be turned"}


def test_an_unknown_family_is_refused() -> None:
    assert mistakes(lambda table: table.update(family="hdp")) == {"p.toml: family": "should be one of: evolis, magicard"}


def test_a_value_nobody_vouches_for_is_refused() -> None:
    found = mistakes(lambda table: table["confidence"].pop("settings"))
    assert found["p.toml: settings.offset_along"] == "has no row in [confidence]: say how sure it is, and by whom"


@pytest.mark.parametrize("command", ["", "Si\rc", "\x1bSic", ";x", "Sïc", "S" * 121])
def test_text_that_cannot_be_a_command_is_refused(command: str) -> None:
    assert "is not a command" in mistakes(lambda table: table["acts"].update(feed=[command]))["p.toml: acts.feed[0]"]


def test_a_reply_word_that_could_never_match_is_refused() -> None:
    found = mistakes(lambda table: table["replies"].update({"ERR RIBBON": "ribbon_end"}))
    assert found == {"p.toml: replies.ERR RIBBON": "write ERROR, not ERR: both are read as ERROR"}


def test_what_says_that_all_is_well_is_no_error_word() -> None:
    found = mistakes(lambda table: table["replies"].update(OK="printer_error"))
    assert found == {"p.toml: replies.OK": "is no error word: it says that all is well"}


@pytest.mark.parametrize("seconds", [0, float("nan"), -1, 601, "2"])
def test_a_time_out_without_sense_is_refused(seconds: object) -> None:
    assert "p.toml: timeouts_s.query" in mistakes(lambda table: table["timeouts_s"].update(query=seconds))
