"""What the daemon finds out about a lane by itself, raised through the real wires: who the printer is and how it talks, the
reader, the disk, the program that draws, and the end of the station. As tests/scenario/test_conditions_evolis.py does for what a
printer says.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from controller.conditions import CONDITIONS, Clears
from tests.scenario.points import FEED
from tests.scenario.points import fault as happens
from tests.scenario.profiles import variant
from tests.scenario.saying import Act, Case, fault, is_said, nobody
from tests.scenario.scene import Json, Scene
from tools.pcscd import Pcscd, reader_name, vpcd_port

SAID_S = 15.0
MODEL, FIRMWARE, SERIAL = "Evolis Primacy", "hw-sim 1.0", "SIM-E-0001"  # of the printer in hw-sim
PARTICULAR = f"""
[usb]
device_id = "Evolis"
[firmware]
known = ["{FIRMWARE}"]
[confidence]
"usb.device_id" = {{ level = "E", source = "for this test" }}
firmware = {{ level = "E", source = "for this test" }}
"""
SECOND_READER = {reader_name(1): reader_name(2), f"127.0.0.1:{vpcd_port(1)}": f"127.0.0.1:{vpcd_port(2)}"}
READERS = Pcscd(lanes=2)


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station whose profile knows make and firmware of its printer, on the second of pcscd's readers."""
    folder = tmp_path_factory.mktemp("shared")
    scene = Scene(folder, edits={**variant(folder, PARTICULAR), **SECOND_READER})
    with scene.rig:
        yield scene.start()


def _another_firmware(text: str) -> Act:
    """The station asks for it when it opens the printer."""

    def comes(scene: Scene) -> None:
        scene.rig.fault("usb_unplug")
        scene.until_waits("printer_absent")
        scene.rig.fault("firmware", text=text)
        scene.rig.fault("usb_replug")

    return comes


def _pcscd_without_the_reader(scene: Scene) -> None:
    READERS.kill()
    Pcscd(lanes=1, folder=scene.rig.folder / "readers").start()


def _pcscd_with_all_readers(_scene: Scene) -> None:
    READERS.kill()
    READERS.start()


def _rendered(scene: Scene) -> Path:
    return scene.rig.folder / "state" / "rendered" / "1"


def _folder_gone(scene: Scene) -> None:
    _rendered(scene).rename(scene.rig.folder / "mislaid")


def _folder_back(scene: Scene) -> None:
    (scene.rig.folder / "mislaid").rename(_rendered(scene))


CASES = (
    Case("firmware_unknown", _another_firmware("9.99"), _another_firmware(FIRMWARE), "9.99"),
    Case("printer_other", fault("swapped_printer", serial=SERIAL, model="Lain Sekali"),
         fault("swapped_printer", serial=SERIAL, model=MODEL), "MFG:Lain"),
    Case("printer_late", fault("reply_lost", times="6"), nobody),
    Case("printer_garbled", fault("sensor", query="Rco;c", text="BANYAK"), fault("sensor", query="Rco;c"), "BANYAK"),
    Case("reader_absent", _pcscd_without_the_reader, _pcscd_with_all_readers, reader_name(2)),
    Case("store_failed", _folder_gone, _folder_back),
)  # fmt: skip


@pytest.fixture(autouse=True)
def every_reader_is_there_in_the_end() -> Iterator[None]:
    """Other modules need them."""
    yield
    if READERS.pid() is None:
        READERS.start()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.condition)
def test_a_condition_is_said_everywhere_and_goes_by_itself(scene: Scene, case: Case) -> None:
    row = CONDITIONS[case.condition]
    assert row.clears is not Clears.GO
    scene.until_free()
    case.comes(scene)
    (number,) = scene.submit()
    scene.rig.until(lambda: is_said(scene, row, case.detail), f"{row.code} to be said everywhere", SAID_S)
    case.goes(scene)
    scene.until_state("issued", number)
    scene.until_free()
    scene.until_lit("green")


def test_a_drawing_program_that_dies_again_and_again_is_said_and_costs_no_blank(scene: Scene) -> None:
    scene.until_free()
    row, blanks = CONDITIONS["renderer_failed"], scene.there()["hopper"]
    scene.rig.fault("cover_open")
    (number,) = scene.submit()  # its pictures are looked at by that program
    scene.until_waits("cover_open")
    scene.rig.fault("cover_close")

    def killed_and_said() -> bool:
        _kill_drawing_programs(scene.rig.station_pid)
        return is_said(scene, row)

    scene.rig.until(killed_and_said, "renderer_failed to be said everywhere", SAID_S)
    assert scene.there()["hopper"] == blanks
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


def _kill_drawing_programs(daemon: int) -> None:
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text(encoding="ascii")
    for child in map(int, children.split()):
        with suppress(ProcessLookupError, FileNotFoundError):
            if b"render_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)


def test_a_feed_that_the_beam_did_not_see_waits_for_a_count_and_go(scene: Scene) -> None:
    scene.until_free()
    scene.rig.trigger("usb", 1, "before", [happens("gpio_freeze")], start=FEED)
    scene.rig.trigger("usb", 1, "before", [happens("gpio_thaw")], start=FEED.replace(">", "<"))
    (number,) = scene.submit()
    scene.rig.until(lambda: is_said(scene, CONDITIONS["feed_unproven"]), "feed_unproven to be said everywhere", SAID_S)
    assert scene.verdicts(number) == [("spoiled", "feed_unproven")]
    counted = scene.rig.command("stock", "count", "hopper", "1", str(scene.there()["hopper"]))
    assert (counted.returncode, scene.lane()["condition"]) == (0, "feed_unproven")
    scene.press("go")
    scene.until_state("issued", number)


def test_a_lane_that_is_stopped_while_it_looks_says_so_and_feeds_nothing(scene: Scene) -> None:
    scene.until_free()
    scene.rig.fault("reply_late", at="Rlr;p", seconds=1.0)
    scene.rig.exchanges(record=True)
    scene.rig.until(lambda: "> Rlr;p" in scene.rig.exchanges()["1"]["labels"]["usb"], "the lane to look")
    scene.rig.exchanges(record=False)
    assert scene.rig.stop_station() == 0
    lines = [json.loads(line) for line in (scene.rig.folder / "station.log").read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line["event"] == "lane condition"][-1]["condition"] == "stopping"
    scene.rig.start_station()
    scene.issue()


def test_care_that_was_asked_for_and_not_begun_at_a_kill_is_said_and_not_done(scene: Scene) -> None:
    scene.until_free()
    blanks = scene.there()["hopper"]
    scene.rig.exchanges(record=True)
    scene.rig.fault("reply_lost", at="Rsn")  # the lane waits for it, for 2 s
    scene.rig.until(lambda: "> Rsn" in scene.rig.exchanges()["1"]["labels"]["usb"], "the lane to look")
    scene.rig.exchanges(record=False)
    with ThreadPoolExecutor(1) as person:
        person.submit(scene.rig.command, "printer", "test-card", "--reason", "pale")
        scene.rig.until(lambda: [act["outcome"] for act in _care(scene)] == [""], "the test card to be asked for")
        scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_free()
    row = CONDITIONS["care_not_begun"]
    (act,) = _care(scene)
    assert (act["condition"], act["condition_id"], act["condition_en"]) == (row.code, row.id, row.en)
    assert row.id in scene.rig.command("printer", "status").stdout
    assert scene.there()["hopper"] == blanks


def _care(scene: Scene) -> list[Json]:
    care: list[Json] = scene.rig.get("/api/v1/printers").body["printers"][0]["care"]
    return care
