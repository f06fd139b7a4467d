"""Profiles that extend one another: what is merged, what is replaced, whose word counts, and chains that cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controller.errors import ConfigError
from controller.hal.profiles.files import MAX_CHAIN, MAX_FILE_BYTES, MAX_LINE_CHARS, facts, resolve
from controller.hal.profiles.printer import EvolisProfile, find_profile
from tests.fakes.usb_printer import PROFILES, evolis_profile

ROW = '[confidence]\n{part} = {{ level = "{level}", source = "a test" }}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped printer profiles."""
    return Path(shutil.copytree(PROFILES, tmp_path / "printers"))


def write(folder: Path, name: str, text: str, extends: str = "evolis-primacy") -> None:
    (folder / f"{name}.toml").write_text(f'format = 2\nextends = "{extends}"\n{text}', encoding="utf-8")


def mistakes(folder: Path, name: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        find_profile(folder, name)
    assert all(problem.id and problem.id != problem.en for problem in caught.value.problems)
    return {problem.place: problem.en for problem in caught.value.problems}


def test_a_variant_lists_only_what_differs(folder: Path) -> None:
    write(folder, "fast", "[timeouts_s]\nmotion = 5.0\n" + ROW.format(part='"timeouts_s.motion"', level="B"))
    primacy, fast = evolis_profile(), evolis_profile("fast", folder)
    assert (fast.timeouts_s.motion, fast.timeouts_s.query) == (5.0, primacy.timeouts_s.query)
    assert (fast.name, fast.acts, fast.ribbons) == ("fast", primacy.acts, primacy.ribbons)


def test_an_array_is_replaced_as_a_whole(folder: Path) -> None:
    write(folder, "short", '[acts]\nfeed = ["Si"]\n' + ROW.format(part='"acts.feed"', level="C"))
    assert evolis_profile("short", folder).acts.feed == ("Si",)


def test_an_empty_value_says_that_this_model_lacks_the_thing(folder: Path) -> None:
    text = '[queries]\ncover = ""\n[acts]\nclean = []\n[settings]\nspeed_black = ""\n[confidence]\n'
    rows = "".join(f'"{part}" = {{ level = "E", source = "a test" }}\n' for part in ("queries.cover", "acts.clean", "settings"))
    write(folder, "poor", text + rows)
    poor = evolis_profile("poor", folder)
    assert (poor.queries.cover, poor.acts.clean, "speed_black" in poor.settings) == (None, None, False)
    assert "speed_colour" in poor.settings


def test_what_the_plan_cannot_do_without_may_not_be_emptied(folder: Path) -> None:
    write(folder, "poor", "[acts]\ndeliver = []\n" + ROW.format(part='"acts.deliver"', level="E"))
    assert mistakes(folder, "poor") == {"poor.toml: acts.deliver": "is required for the plan 'held'"}


def test_a_value_of_a_variant_needs_a_row_of_its_own_file(folder: Path) -> None:
    write(folder, "bold", "[timeouts_s]\nmotion = 5.0\n")
    assert "has no row in this file's [confidence]" in mistakes(folder, "bold")["bold.toml: timeouts_s.motion"]


def test_a_longer_row_of_another_model_may_not_vouch_for_this_one(folder: Path) -> None:
    write(folder, "bold", "[timeouts_s]\nprint = 5.0\n" + ROW.format(part="timeouts_s", level="A"))
    words = "the row 'timeouts_s.print' of the profile below still speaks for timeouts_s.print; write it here"
    assert mistakes(folder, "bold") == {"bold.toml: confidence": words}


def test_a_row_that_names_nothing_is_refused(folder: Path) -> None:
    write(folder, "bold", ROW.format(part='"acts.fed"', level="A"))
    assert mistakes(folder, "bold") == {"bold.toml: confidence.acts.fed": "names no part of the profile"}


def test_a_variant_may_doubt_what_it_takes_over(folder: Path) -> None:
    write(folder, "meek", ROW.format(part="acts", level="E"))
    assert "acts" in evolis_profile("meek", folder).unproven
    assert "acts" not in evolis_profile("evolis-primacy", folder).unproven


def test_a_row_of_a_variant_may_not_borrow_another_models_source(folder: Path) -> None:
    write(folder, "sure", '[confidence]\nacts = { level = "A" }\n')
    assert mistakes(folder, "sure") == {"sure.toml: confidence.acts.source": "is required"}


def test_every_fact_has_its_level_and_its_source() -> None:
    found = {fact.place: fact for fact in facts(resolve(PROFILES, "evolis-zenius").table)}
    assert (found["usb.product_ids"].level, found["usb.product_ids"].source) == ("B", "usb.ids")
    assert (found["acts.feed"].part, found["acts.feed"].level, found["acts.deliver"].proven) == ("acts", "C", False)


def test_a_mistake_is_told_with_the_file_it_is_in(folder: Path) -> None:
    base = folder / "evolis-primacy.toml"
    base.write_text(base.read_text(encoding="utf-8").replace("motion = 30.0", "motion = 0"), encoding="utf-8")
    write(folder, "slow", "[timeouts_s]\nquery = -1.0\n" + ROW.format(part='"timeouts_s.query"', level="A"))
    assert set(mistakes(folder, "slow")) == {"evolis-primacy.toml: timeouts_s.motion", "slow.toml: timeouts_s.query"}


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ({"a": "a"}, "a.toml: extends: goes round in a circle: a -> a"),
        ({"a": "b", "b": "c", "c": "a"}, "c.toml: extends: goes round in a circle: a -> b -> c -> a"),
        ({"a": "b", "b": "../evolis-primacy"}, "b.toml: extends: is not there: a -> b -> ../evolis-primacy; there are: a, b"),
        ({"a": "b", "b": "c", "c": "d", "d": "e", "e": "f"}, f"is a chain of more than {MAX_CHAIN} files: a -> b -> c -> d -> e"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_with_all_its_files(tmp_path: Path, links: dict[str, str], words: str) -> None:
    for name, base in links.items():
        write(tmp_path, name, "", base)
    with pytest.raises(ConfigError) as caught:
        find_profile(tmp_path, "a")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 1\n", "old.toml: format: should be 2, not 1"),
        ("= 1", "old.toml: cannot be read"),
        ("# " + "x" * MAX_FILE_BYTES, f"old.toml: cannot be read: more than {MAX_FILE_BYTES} bytes"),
        ("a." * 300 + "a = 1", f"old.toml: cannot be read: a line of more than {MAX_LINE_CHARS} characters"),
        ("a = " + "[\n" * 20_000, "old.toml: cannot be read: maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "old.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        find_profile(tmp_path, "old")


def test_an_unknown_key_of_a_variant_is_refused(folder: Path) -> None:
    write(folder, "odd", '[usb]\nbus = "1"\n' + ROW.format(part='"usb.bus"', level="E"))
    assert mistakes(folder, "odd") == {"odd.toml: usb.bus": "is not known here"}


def test_the_shipped_variants_are_of_their_family() -> None:
    assert isinstance(find_profile(PROFILES, "evolis-zenius"), EvolisProfile)
    assert find_profile(PROFILES, "magicard-opera").raster.packing == "kge"
