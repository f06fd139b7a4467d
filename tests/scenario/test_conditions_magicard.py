"""Every trouble that a simulated Magicard can raise through the wire, and what leads a person through plan `external`.

Each row is raised while a job waits for its blank, looked at everywhere, and its cause removed: the lane asks for the blank again
without a button. `scene` compares belief and truth after every row.
"""

from __future__ import annotations

import tomllib

import pytest
from smartcard import scard

from controller.conditions import CONDITIONS, Clears
from tests.scenario.saying import Case, fault, is_said, nobody
from tests.scenario.scene import Scene
from tools.pcscd import reader_name
from tools.rig import ROOT

EDITS = {'"evolis-primacy"': '"magicard-enduro"', '"SIM-E-0001"': '"SIM-M-0001"'}
SAID_S = 10.0
WORKING = 0x08  # port status of a printer that waits for the card, too

CASES = (
    Case(
        "printer_error",
        fault("printer_error", major="42", minor="7", text="Farbband?", stage="now"),
        fault("printer_ok"),
        "42:07",
    ),
    Case("printer_stopped", fault("port_status", value="16"), fault("port_status", value="0")),
    Case("media_out", fault("port_status", value="56"), fault("port_status", value="0")),
    Case("printer_moving", fault("busy", seconds="3"), nobody),
    Case("ribbon_end", fault("ribbon_end"), fault("ribbon_new")),
    Case("printer_absent", fault("usb_unplug"), fault("usb_replug")),
    Case("printer_swapped", fault("swapped_printer"), fault("swapped_printer", serial="SIM-M-0001")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.condition)
def test_a_condition_is_said_everywhere_and_goes_by_itself(scene: Scene, case: Case) -> None:
    assert CONDITIONS[case.condition].clears is not Clears.GO
    _let_a_job_wait(scene)
    case.comes(scene)
    _until_said(scene, case.condition, case.detail)
    case.goes(scene)
    _until_said(scene, "lay_blank")


def test_the_display_leads_a_person_and_asks_again_for_a_card_that_was_not_drawn_in(scene: Scene) -> None:
    _let_a_job_wait(scene)
    card = scene.rig.put("next", "reader")
    _until_said(scene, "feed_by_hand")
    scene.rig.put(card, "person")
    scene.rig.until(lambda: scene.there()["printer"]["port_status"] == WORKING, "the printer to have the job")
    scene.rig.fault("hand_feed_over")
    _until_said(scene, "card_not_fed", "11:01")
    _until_said(scene, "feed_by_hand")
    scene.rig.put(card, "slot")
    _until_said(scene, "lay_printed")
    scene.rig.put(card, "reader")
    _until_said(scene, "take_card_away")
    scene.rig.put(card, "output")
    scene.until_free()
    scene.until_lit("green")


def test_a_reader_that_another_program_holds_is_said_until_it_lets_go(scene: Scene) -> None:
    _let_a_job_wait(scene)
    scene.rig.fault("used_chip")
    card = scene.rig.put("next", "reader")
    _until_said(scene, "lay_other")  # and looked at again and again
    context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)[1]
    held = scene.rig.until(lambda: _exclusive(context), "the other program to get the reader")
    _until_said(scene, "reader_busy", "Sharing violation")
    scard.SCardDisconnect(held, scard.SCARD_LEAVE_CARD)
    scard.SCardReleaseContext(context)
    _until_said(scene, "lay_other")
    scene.rig.put(card, "hopper")
    _until_said(scene, "lay_blank")


def _exclusive(context: int) -> int | None:
    """A connection to the card on the lane's reader that nobody shares; None while the station has one."""
    protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
    hresult, handle, _ = scard.SCardConnect(context, reader_name(1), scard.SCARD_SHARE_EXCLUSIVE, protocols)
    return handle if hresult == scard.SCARD_S_SUCCESS else None


def test_every_pair_of_the_profile_is_raised_by_some_row() -> None:
    profile = tomllib.loads((ROOT / "firmware_profiles" / "printers" / "magicard-enduro.toml").read_text(encoding="utf-8"))
    assert set(profile["errors"].values()) <= {"card_not_fed", *(case.condition for case in CASES)}


def _until_said(scene: Scene, condition: str, detail: str = "") -> None:
    scene.rig.until(lambda: is_said(scene, CONDITIONS[condition], detail), f"{condition} to be said everywhere", SAID_S)


def _let_a_job_wait(scene: Scene) -> None:
    if not scene.rig.states().get("ready"):
        scene.submit()
    _until_said(scene, "lay_blank")
