"""`print-station chip` on a reader beside the printer, over simulated chips and SAM cards, as counter and technician use it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.scene import Scene
from tools.by_hand import EDITS as BY_HAND
from tools.by_hand import Hands
from tools.pcscd import Pcscd
from tools.rig import ROOT, Rig, variables

EDITS = BY_HAND
PCSCD = Pcscd(lanes=2)  # as many as modules of this suite use; kept, because its process outlives the tests

Said = subprocess.CompletedProcess[str]


@dataclass
class Counter:
    """A stopped station with a finished card, and the reader that the command uses."""

    rig: Rig
    card: str  # the finished one
    nik: str
    name: str
    while_it_ran: Said  # what the command said while the station was still at work

    def chip(self, *words: str) -> Said:
        return self.rig.command("chip", *words, *self.options)

    @property
    def options(self) -> list[str | Path]:
        return ["--lane", "1", "--wait", "3", "--config", self.rig.config]

    def lay(self, card: str = "next") -> str:
        """Lay a card alone on the reader; returns its id."""
        self.rig.take("reader")
        return self.rig.put(card, "reader")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """The command as a process, before a card lies there."""
        command = [sys.executable, "-m", "controller", "chip", *words, *map(str, self.options)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=variables())

    def chip_of(self, card: str) -> dict[str, Any]:
        """The truth of a card's chip."""
        found: dict[str, Any] = next(blank["chip"] for blank in self.rig.world()["blanks"] if blank["id"] == card)
        return found

    def is_empty(self, card: str) -> bool:
        """Whether every file but the card control has length 0."""
        return not any(file["length"] for fid, file in self.chip_of(card)["files"].items() if fid != "6FF0")

    def until_sam_answers(self) -> None:
        """pcscd sees a SAM that comes or goes only every 0.4 s."""
        self.rig.until(lambda: self._keys_are_good(), "the SAM to answer")

    def _keys_are_good(self) -> bool:
        return "lane 1 (ektp, icao): good" in self.rig.command("keys", "check", "--config", self.rig.config).stdout


@pytest.fixture(scope="module")
def counter(shared_scene: Scene) -> Counter:
    rig = shared_scene.rig
    (job,) = shared_scene.submit()
    card = Hands(rig).make_one()
    shared_scene.until_state("issued", job)
    (record,) = shared_scene.records.values()
    while_it_ran = rig.command("chip", "check", "--lane", "1", "--wait", "1", "--config", rig.config)
    rig.stop_station()
    return Counter(rig, card, record["person"]["nik"], record["person"]["name"], while_it_ran)


def in_the_role(counter: Counter, folder: Path, *words: str) -> Said:
    """The same command for a member of the group, which is made for this process alone."""
    group = folder / "group"
    group.write_text("root:x:0:\nktp-counter:x:0:\n")
    script = f'mount --bind "{group}" /etc/group && exec "$@"'
    unshare = ["unshare", "--mount", "--propagation", "unchanged"]  # private already in the sandbox; a chroot cannot change it
    command = [*unshare, "sh", "-c", script, "sh", sys.executable, "-m", "controller", "chip", *words]
    return subprocess.run([*command, *map(str, counter.options)], capture_output=True, text=True, check=False, cwd=ROOT,
                          env=variables())  # fmt: skip


def test_a_finished_card_is_good_and_nobody_is_told_whose_it_is(counter: Counter) -> None:
    counter.lay(counter.card)
    for words in (["check"], ["check", "--trace"], ["read", "--json"]):
        said = counter.chip(*words)
        assert said.returncode == 0, said.stderr
        assert counter.nik not in said.stdout + said.stderr
        assert counter.name not in said.stdout + said.stderr
    assert json.loads(said.stdout)["finding"] == "complete"


def test_its_files_are_told_by_size_only(counter: Counter) -> None:
    counter.lay(counter.card)
    said = counter.chip("read")
    assert re.search(r"^    GOOD: the chip is complete and closed, signed by the centre; ", said.stdout, re.MULTILINE)
    lengths = {fid: file["length"] for fid, file in counter.chip_of(counter.card)["files"].items() if fid != "6FF0"}
    assert {fid: int(size) for fid, size in re.findall(r"^  (6FF\d) +(\d+) bytes", said.stdout, re.MULTILINE)} == lengths


def test_only_the_role_sees_whose_it_is(counter: Counter, tmp_path: Path) -> None:
    counter.lay(counter.card)
    refused = counter.chip("read", "--whose")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "only members of the group ktp-counter may see whose a card is" in refused.stderr
    told = in_the_role(counter, tmp_path, "read", "--whose")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1] == f"  {counter.nik}  {counter.name}"


def test_a_trace_shows_bytes_only_to_the_role(counter: Counter, tmp_path: Path) -> None:
    counter.lay(counter.card)
    uid = json.loads(counter.chip("check", "--json").stdout)["uid"]
    masked = counter.chip("check", "--trace").stderr
    assert "> FFCA0000 [0] Le 256  GET DATA\n     < [7] 9000 done" in masked
    assert uid not in masked
    assert counter.chip("check", "--unmasked").stderr.count("\n") == 2  # the refusal
    assert uid in in_the_role(counter, tmp_path, "check", "--trace", "--unmasked").stderr


def test_a_finished_card_is_never_written_by_the_test(counter: Counter) -> None:
    counter.lay(counter.card)
    before = counter.chip_of(counter.card)
    said = counter.chip("wipe-test", "--yes")
    assert said.returncode == 3
    assert "    NOT GOOD: this card is no empty blank; nothing was written" in said.stdout
    assert counter.chip_of(counter.card) == before


def test_contents_that_another_centre_signed_are_not_good(counter: Counter) -> None:
    counter.lay(counter.card)
    config = counter.rig.folder / "other.toml"
    text = counter.rig.config.read_text()
    (key,) = re.findall(r'kid = "contoh-chip-2026"\npublic_key = "(.*)"', text)
    config.write_text(text.replace(key, "A2sX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW"))  # the base point: a key that nobody uses
    said = counter.rig.command("chip", "check", "--lane", "1", "--wait", "3", "--config", config)
    assert said.returncode == 3
    assert "    NOT GOOD: the chip does not hold what the centre signed; do not hand it over, keep the card" in said.stdout
    assert "[chip_differs: the signature in 6FF6 does not fit the other files]" in said.stdout


def test_a_reader_is_tried_with_a_blank_that_is_empty_again_afterwards(counter: Counter) -> None:
    card = counter.lay()
    assert counter.chip("check").returncode == 4
    said = counter.chip("wipe-test", "--yes")
    assert (said.returncode, said.stderr) == (0, "")
    assert "    GOOD: this reader writes and reads as it must (3078 bytes, " in said.stdout
    assert counter.is_empty(card)
    assert counter.chip("check").returncode == 4


@pytest.mark.parametrize(
    ("fault", "values", "finding", "code"),
    [
        ("used_chip", {}, "unfinished", 3),
        ("locked_chip", {}, "closed_empty", 3),
        ("foreign_chip", {}, "strange", 3),
        ("dead_chip", {}, "silent", 1),
        ("wrong_uid", {"kind": "b"}, "empty", 4),
        ("wrong_uid", {"kind": "single"}, "strange", 3),
    ],
)
def test_every_kind_of_blank_is_called_by_its_name(
    counter: Counter, fault: str, values: dict[str, str], finding: str, code: int
) -> None:
    counter.rig.fault(fault, blank=1, **values)
    counter.lay()
    said = counter.chip("check", "--json")
    assert (json.loads(said.stdout)["finding"], said.returncode) == (finding, code)


def test_a_blank_that_was_written_by_others_is_not_touched(counter: Counter) -> None:
    counter.rig.fault("used_chip", blank=1)
    card = counter.lay()
    before = counter.chip_of(card)
    assert counter.chip("wipe-test", "--yes").returncode == 3
    assert counter.chip_of(card) == before


def test_a_chip_of_type_b_can_be_written(counter: Counter) -> None:
    counter.rig.fault("wrong_uid", blank=1, kind="b")
    card = counter.lay()
    assert counter.chip("wipe-test", "--yes").returncode == 0
    assert counter.is_empty(card)


@pytest.mark.parametrize(
    ("fault", "values", "finding", "code"),
    [
        ("flipped_chip", {}, "writes_wrong", 3),
        ("wrong_status", {"apdu": 30, "word": "6581"}, "no_write", 3),
    ],
)
def test_a_test_that_goes_wrong_says_so_and_leaves_the_blank_empty(
    counter: Counter, fault: str, values: dict[str, Any], finding: str, code: int
) -> None:
    card = counter.lay()
    counter.rig.fault(fault, **values)
    said = counter.chip("wipe-test", "--yes", "--json")
    told = json.loads(said.stdout)
    assert (told["finding"], said.returncode) == (finding, code)
    assert [remark["code"] for remark in told["remarks"]] == ["emptied"]
    assert counter.is_empty(card)


def test_a_blank_that_is_laid_back_after_it_lost_the_field_is_emptied(counter: Counter) -> None:
    card = counter.lay()
    counter.rig.fault("torn_chip", bytes=603)  # one byte into the second file
    with counter.begin("wipe-test", "--yes", "--wait", "30") as process:
        counter.rig.until(lambda: counter.chip_of(card)["files"]["6FF2"]["written_bytes"], "the field to be lost")
        counter.lay(card)
        said = process.communicate()[1]
    assert process.returncode == 1
    assert "    NOT CHECKED: the card stopped answering; " in said
    assert "    The blank is empty again.\n" in said
    assert counter.is_empty(card)


def test_a_chip_that_dies_in_the_test_is_said_to_be_full(counter: Counter) -> None:
    card = counter.lay()
    counter.rig.fault("torn_chip", bytes=1500, kills=True)
    said = counter.chip("wipe-test", "--yes")
    assert said.returncode == 1
    assert "    The test's pattern may still be on the chip: lay this blank down again and repeat wipe-test; " in said.stderr
    assert not counter.is_empty(card)


@pytest.mark.parametrize("number", [2, 15])  # Ctrl-C; an end by systemd, or the terminal is closed
def test_a_test_that_a_person_ends_leaves_the_blank_empty(counter: Counter, number: int) -> None:
    counter.rig.take("reader")
    with counter.begin("wipe-test", "--yes", "--wait", "30") as process:
        counter.rig.trigger("apdu", 3, "before", [{"do": "kill", "pid": process.pid, "signal": number}], start="D6 0000")
        card = counter.rig.put("next", "reader")
        said = process.communicate()[1]
    assert process.returncode == 1
    assert "    NOT CHECKED: stopped.\n" in said
    assert "    The blank is empty again.\n" in said
    assert counter.is_empty(card)


def test_a_test_that_was_killed_is_made_good_by_the_next(counter: Counter) -> None:
    counter.rig.take("reader")
    with counter.begin("wipe-test", "--yes", "--wait", "30") as process:
        counter.rig.trigger("apdu", 3, "before", [{"do": "kill", "pid": process.pid}], start="D6 0000")
        card = counter.rig.put("next", "reader")
        process.communicate()
    assert not counter.is_empty(card)
    assert counter.chip("check").returncode == 3
    assert counter.chip("wipe-test", "--yes").returncode == 0
    assert counter.is_empty(card)


def test_a_card_that_falls_silent_in_the_middle_is_not_called_bad(counter: Counter) -> None:
    counter.lay()
    dies = {"do": "fault", "name": "dead_chip", "lane": "1", "values": {"blank": "0"}}
    counter.rig.trigger("apdu", 1, "before", [dies], start="A4 0004")
    said = counter.chip("check", "--json")
    assert (json.loads(said.stdout)["finding"], said.returncode) == ("lost", 1)


def test_a_running_stations_reader_is_told_with_what_to_do(counter: Counter) -> None:
    said, condition = counter.while_it_ran, "sam_busy"
    assert (said.returncode, said.stdout) == (1, "")
    assert "stop it first (systemctl stop print-station), or use another reader." in said.stderr
    assert f"    [{condition}: SAM slot '" in said.stderr
    assert "another program holds the SAM (0x8010000B)]" in said.stderr


@pytest.mark.parametrize(("fault", "undone", "condition"), [("sam_absent", "sam_back", "sam_absent"),
                                                            ("sam_locked", "sam_unlocked", "sam_locked")])  # fmt: skip
def test_a_key_holder_that_is_not_as_it_must_be_is_told(counter: Counter, fault: str, undone: str, condition: str) -> None:
    counter.lay()
    counter.rig.fault(fault)
    counter.rig.until(lambda: counter.chip("check").returncode == 1, "the SAM to be missed")
    said = counter.chip("check", "--json")
    checked = counter.rig.command("keys", "check", "--config", counter.rig.config)
    counter.rig.fault(undone)
    counter.until_sam_answers()
    assert (json.loads(said.stdout)["condition"], said.returncode) == (condition, 1)
    assert checked.returncode == 1
    assert f"[{condition}: " in checked.stderr
    assert "desk (ektp, icao): good" in checked.stdout


def test_a_service_that_does_not_run_is_told(counter: Counter) -> None:
    counter.lay()
    PCSCD.kill()
    said = counter.chip("check")
    PCSCD.start()
    counter.until_sam_answers()
    assert said.returncode == 1
    assert "    NOT CHECKED: The smart-card service is not running; run 'systemctl start pcscd'.\n" in said.stderr
