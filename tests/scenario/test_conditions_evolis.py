"""Every trouble that a simulated Evolis can raise through the wire, on API, display, lamp and metric, and gone as the table says.

Each row is raised, looked at everywhere, and its cause removed. One that clears by itself goes on without a button; one that
wants GO does not go on before it, however often the lane looks again. `scene` compares belief and truth after every row.
"""

from __future__ import annotations

import tomllib

import pytest

from controller.conditions import CONDITIONS, Clears
from tests.scenario.saying import Case, fault, is_said, nobody
from tests.scenario.scene import Scene
from tools.rig import ROOT

LOOKS = 2  # of a lane that waits for GO, from the beginning: what it saw before the cause went does not count
REFUSALS = 2  # the lane tries again after 1 s, then after 2 s
SAID_S = 10.0


def _word(condition: str, word: str, stage: str = "feed") -> Case:
    """The printer refuses to move with this word, a few times."""

    def comes(scene: Scene) -> None:
        for _ in range(REFUSALS):
            scene.rig.fault("printer_error", stage=stage, text=word)

    return Case(condition, comes, nobody, word)


def _ribbon_of_another_type(scene: Scene) -> None:
    """The station chooses the ribbon when it opens the printer."""
    scene.rig.fault("usb_unplug")
    scene.until_waits("printer_absent")
    scene.rig.fault("ribbon_wrong")
    scene.rig.fault("usb_replug")


def _second_printer(scene: Scene) -> None:
    scene.rig.fault("usb_unplug")
    scene.until_waits("printer_absent")
    scene.rig.fault("twin_printer")
    scene.rig.fault("usb_replug")


def _reject_box_full(scene: Scene) -> None:
    scene.rig.fault("reject_full")
    scene.rig.fault("used_chip")


def _fill_hopper(scene: Scene) -> None:
    """As many as the ledger says: nobody has to count."""
    scene.rig.sim("load", lane="1", count=scene.lane()["hopper"])


CASES = (
    Case("cover_open", fault("cover_open"), fault("cover_close")),
    Case("card_jam", fault("feeder_jam"), fault("jam_cleared"), "CARD JAM"),
    Case("hopper_empty", fault("feeder_empty"), _fill_hopper),
    Case("ribbon_end", fault("ribbon_end"), fault("ribbon_new")),
    Case("ribbon_wrong", _ribbon_of_another_type, fault("ribbon_new", type="ymcko"), "ERR RIBBON TYPE"),
    Case("bin_full", fault("bin_full"), fault("bin_emptied"), "HOPPER FULL"),
    Case("reject_full", _reject_box_full, fault("reject_emptied"), "HOPPER FULL"),
    Case("bin_open", fault("hopper_door_open"), fault("hopper_door_close"), "HOPPER DOOR"),
    Case("bin_trouble", fault("hopper_error"), fault("hopper_ok"), "ERROR HOPPER"),
    Case("print_head", fault("head_error"), fault("head_ok"), "ERROR HEAD"),
    Case("cleaning_due", fault("cleaning_due", stop=True), fault("cleaned"), "NEED CLEANING"),
    _word("card_stuck", "ERROR TIME OUT"),
    _word("ribbon_unreadable", "ERR RIB DETECTION"),
    _word("option_missing", "OPT NOT AVAILABLE"),
    _word("magnetic_trouble", "ERROR MAGN DATA"),
    _word("printer_refused", "ERROR PARAMETRES"),
    _word("printer_error", "ERR 77 IN NO LIST"),
    Case("printer_absent", fault("usb_unplug"), fault("usb_replug")),
    Case("printer_doubled", _second_printer, fault("twin_gone")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.condition)
def test_a_conditionis_said_everywhere_and_goes_as_the_table_says(scene: Scene, case: Case) -> None:
    row = CONDITIONS[case.condition]
    scene.until_free()
    case.comes(scene)
    (number,) = scene.submit()
    scene.rig.until(lambda: is_said(scene, row, case.detail), f"{row.code} to be said everywhere", SAID_S)
    case.goes(scene)
    if row.clears is Clears.GO:
        _looks_again(scene)
        assert scene.lane()["condition"] == row.code
        scene.press("go")
    scene.until_state("issued", number)
    scene.until_free()
    scene.until_lit("green")


def test_every_word_of_the_profile_is_raised_by_some_row() -> None:
    profile = tomllib.loads((ROOT / "firmware_profiles" / "printers" / "evolis-primacy.toml").read_text(encoding="utf-8"))
    assert set(profile["replies"].values()) <= {case.condition for case in CASES}


def _looks_again(scene: Scene) -> None:
    """Let the lane ask its printer anew, twice from the beginning, and once more to see what came of it."""
    scene.rig.exchanges(record=True)
    scene.rig.until(lambda: _labels(scene).count("> Rlr;p") > LOOKS, "the lane to look again")
    scene.rig.exchanges(record=False)


def _labels(scene: Scene) -> list[str]:
    labels: list[str] = scene.rig.exchanges()["1"]["labels"]["usb"]
    return labels
