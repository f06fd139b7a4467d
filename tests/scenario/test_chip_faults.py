"""The chip, its reader, pcscd and the SAM fail in every phase of a personalisation, on real wires.

After each scenario the ledger's verdict is held against what hw-sim's world says of the blank: what its chip holds, whether it is
closed, what is printed on it and where it lies; no ribbon is spent before a chip is proven; and the next card is good.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from controller.conditions import CONDITIONS
from tests.scenario.points import at, fault
from tests.scenario.saying import is_said
from tests.scenario.scene import Json, Scene
from tools.pcscd import Pcscd, reader_name

EDITS = {"max_remakes = 1": "max_remakes = 0"}  # a spoiled card fails its job, which says why in both languages
BLANKS = 60
SAID_S = 20.0
OPEN, CLOSED = "03", "05"  # life cycles (chip.md 2.2)
PCSCD = Pcscd(lanes=2)
GOOD = ("good", "")


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two lanes; the second has no blanks, so that it takes no job until a test fills its hopper."""
    scene = Scene(tmp_path_factory.mktemp("shared"), edits=EDITS, lanes=2)
    with scene.rig:
        scene.start(blanks=0).rig.load("1", BLANKS)
        yield scene


@pytest.fixture(autouse=True)
def nothing_is_left_broken(scene: Scene) -> Iterator[None]:
    """Each scenario sets its own triggers; pcscd runs again in the end."""
    yield
    for lane in ("1", "2"):
        scene.rig.clear_triggers(lane=lane)
    if PCSCD.pid() is None:
        PCSCD.start()


# What is


@dataclass(frozen=True, slots=True)
class Truth:
    """A blank in the world, held against the record it was for."""

    place: str
    holds: str  # nothing, part of the record, or all of it
    life: str
    printed: bool


UNTOUCHED = Truth("reject", "nothing", OPEN, printed=False)
HALF = Truth("reject", "part", OPEN, printed=False)
WHOLE = Truth("reject", "all", OPEN, printed=False)
SHUT = Truth("reject", "all", CLOSED, printed=False)
PRINTED = Truth("reject", "all", CLOSED, printed=True)
ISSUED = Truth("output", "all", CLOSED, printed=True)


def _truth(scene: Scene, number: int) -> Truth:
    """The blank of a job's last passage, known by its chip, or else the one that its lane rejected last."""
    passage, world = scene.job(number)["passages"][-1], scene.world()
    here = [blank for blank in world["blanks"] if blank["uid"] == passage["chip_uid"]] or [_rejected_last(world, passage["lane"])]
    record = scene.records[scene.job(number)["job"]["record_id"]]
    return _seen(here[0], record)


def _rejected_last(world: Json, lane: str) -> Json:
    name = [card["blank"] for card in world["lanes"][int(lane) - 1]["cards"] if card["end"] == "reject"][-1]
    found: Json = next(blank for blank in world["blanks"] if blank["id"] == name)
    return found


def _seen(blank: Json, record: Json) -> Truth:
    files = {fid: blank["chip"]["files"][fid] for fid in record["chip"]}
    whole = all(files[fid]["raw"] == base64.b64encode(base64.b64decode(text)).decode() for fid, text in record["chip"].items())
    untouched = not any(file["written_bytes"] for file in files.values())
    holds = "all" if whole else "nothing" if untouched else "part"
    return Truth(blank["place"], holds, blank["chip"]["life"], bool(blank["printed"]))


def _stock(scene: Scene, lane: str = "1") -> tuple[int, int]:
    """Sets of ribbon, and blanks in the hopper."""
    there = scene.there(lane)
    return there["printer"]["ribbon"]["remaining"], there["hopper"]


def _fired(scene: Scene, lane: str = "1") -> list[tuple[bool, str | None]]:
    """Each trigger: whether it has happened, and why it could not be done."""
    return [(trigger["fired"], trigger["error"]) for trigger in scene.rig.exchanges()[lane]["triggers"]]


# What happens

Cure = Callable[[Scene, str, int], object]  # of a lane and the job there


def _cured_by(name: str) -> Cure:
    return lambda scene, lane, _job: scene.rig.fault(name, lane=lane)


def _pcscd_starts(_scene: Scene, _lane: str, _job: int) -> None:
    PCSCD.start()


def _right_sam(scene: Scene, lane: str, job: int) -> None:
    """Put in once the wrong one has cost a card."""
    scene.until_state("failed", job)
    scene.rig.fault("sam_back", lane=lane)


def _no_longer_slow(scene: Scene, lane: str, job: int) -> None:
    scene.until_state("issued", job)
    scene.rig.fault("slow_chip", ms="0", lane=lane)


@dataclass(frozen=True, slots=True)
class Case:
    """Something goes wrong at one exchange of a card's way."""

    kind: str
    stage: str
    acts: tuple[Json, ...]
    when: str = "before"
    reason: str = ""  # of the spoiled card; none: the card is good
    row: str | None = None  # of the verdict table, when recovery had to find out
    truth: Truth = ISSUED
    waits: str = ""  # the condition that is said until the cure
    cure: Cure = field(default=lambda _scene, _lane, _job: None)

    def __str__(self) -> str:
        return f"{self.kind}, {self.stage}"


def _torn(page: str, count: int) -> tuple[Json, ...]:
    return (fault("torn_chip", bytes=count, page=page, back=True),)


def _answers(word: str, *, acts: bool = False) -> tuple[Json, ...]:
    return (fault("wrong_status", word=word, acts=acts),)


DEAD, LOST = (fault("dead_chip", blank=0),), (fault("field_lost"),)
SHORT = (fault("short_reply"),)
NO_PCSCD: tuple[Json, ...] = ({"do": "pcscd"},)
NO_SAM = (fault("sam_absent"),)
UNFINISHED, AGAIN = ("chip_unfinished", "chip half written"), ("", "chip whole")

CASES = (
    # the field is lost in a write and comes back
    Case("torn, mixed page", "first write", _torn("mix", 100), "before", *UNFINISHED, HALF),
    Case("torn to the byte", "length", _torn("cut", 1), "before", *UNFINISHED, HALF),
    Case("torn, new page", "last length", _torn("new", 1), "before", *AGAIN),
    Case("torn, old life", "lock", _torn("old", 0), "before", *AGAIN),
    Case("torn, new life", "lock", _torn("new", 0), "before", *AGAIN),
    # the answer is lost, and the chip did as it was told
    Case("answer lost", "first write", LOST, "after", *UNFINISHED, HALF),
    Case("answer lost", "read back", LOST, "after", *AGAIN),
    Case("answer lost", "verify", LOST, "after", *AGAIN),
    Case("answer lost", "check chip", LOST, "after"),
    # wrong words
    Case("6300", "authenticate", _answers("6300"), "before", "chip_refused", None, UNTOUCHED),
    Case("6581", "first write", _answers("6581"), "before", "chip_refused", None, UNTOUCHED),
    Case("6581, carried out", "last length", _answers("6581", acts=True), "before", "chip_refused", None, WHOLE),
    Case("6985, carried out", "lock", _answers("6985", acts=True), "before", "chip_refused", None, SHUT),
    Case("short", "encode", SHORT, "before", "chip_refused", None, HALF),
    Case("short", "verify read", SHORT, "before", "chip_refused", None, SHUT),
    Case("flipped bit", "encode", (fault("flipped_chip"),), "before", "chip_differs", None, HALF),
    Case("slow", "probe", (fault("slow_chip", ms=15),), cure=_no_longer_slow),
    # pcscd dies and starts again
    Case("pcscd", "length", NO_PCSCD, "after", *UNFINISHED, HALF, "pcsc_absent", _pcscd_starts),
    Case("pcscd", "verify", NO_PCSCD, "after", *AGAIN, waits="pcsc_absent", cure=_pcscd_starts),
    Case("pcscd", "check chip", NO_PCSCD, "before", "", "face whole", waits="pcsc_absent", cure=_pcscd_starts),
    # the SAM
    Case("SAM pulled", "authenticate", NO_SAM, "before", "", "fed", waits="sam_absent", cure=_cured_by("sam_back")),
    Case("SAM pulled", "encode", NO_SAM, "before", *UNFINISHED, HALF, "sam_absent", _cured_by("sam_back")),
    Case("SAM pulled", "lock", NO_SAM, "after", *AGAIN, waits="sam_absent", cure=_cured_by("sam_back")),
    Case("SAM locked", "read back", (fault("sam_locked"),), "before", *AGAIN, waits="sam_locked", cure=_cured_by("sam_unlocked")),
    Case("SAM exchanged", "encode", (fault("sam_wrong"),), "before", *UNFINISHED, HALF, cure=_right_sam),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_in_the_middle_of_a_card(scene: Scene, case: Case) -> None:
    scene.until_free()
    before = _stock(scene)
    at(scene, case.stage, *case.acts, when=case.when)
    (number,) = scene.submit()
    if case.waits:
        scene.rig.until(lambda: is_said(scene, CONDITIONS[case.waits]), f"{case.waits} to be said everywhere", SAID_S)
    case.cure(scene, "1", number)
    _came_out(scene, case, number, "1", before)
    if case.reason:
        scene.issue()


def _came_out(scene: Scene, case: Case, number: int, lane: str, before: tuple[int, int]) -> None:
    scene.until_state("failed" if case.reason else "issued", number)
    assert _fired(scene, lane) == [(True, None)]
    assert scene.verdicts(number) == [("spoiled", case.reason) if case.reason else GOOD]
    assert scene.rows(number) == ([] if case.row is None else [case.row])
    assert _truth(scene, number) == case.truth
    now = _stock(scene, lane)
    assert (before[0] - now[0], before[1] - now[1]) == (int(case.truth.printed), 1)
    if case.reason:
        row, job = CONDITIONS[case.reason], scene.job(number)["job"]
        assert (job["reason"], job["reason_id"], job["reason_en"]) == (row.code, row.id, row.en)


# The card is exchanged under an open connection


@pytest.mark.parametrize(
    ("stage", "held", "life"), [("encode", "part", OPEN), ("last length", "all", OPEN), ("lock", "all", CLOSED)]
)
def test_a_card_exchanged_before_it_is_proven_is_asked_for_and_nothing_is_printed(
    scene: Scene, stage: str, held: str, life: str
) -> None:
    scene.until_free()
    ribbon = _stock(scene)[0]
    at(scene, stage, fault("swap_now"))
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    assert _failures(scene, number) == ["chip_swapped"]
    assert _stranger(scene, number) == Truth("inside", "nothing", OPEN, printed=False)
    assert len(scene.rig.take("printer")) == 1
    scene.person.answer(question)
    scene.until_state("failed", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["spoiled on the desk"], [("spoiled", "interrupted")])
    assert (_truth(scene, number), ribbon) == (Truth("reject", held, life, printed=False), _stock(scene)[0])


def _stranger(scene: Scene, number: int) -> Truth:
    """The blank that was made last: the one put in the place of this job's card."""
    return _seen(scene.world()["blanks"][-1], scene.records[scene.job(number)["job"]["record_id"]])


def _failures(scene: Scene, number: int) -> list[str]:
    stages = scene.job(number)["passages"][-1]["stages"]
    return [stage["evidence"]["condition"] for stage in stages if stage["outcome"] == "failed"]


# Others at the same reader

CLIENT = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
print("ready", flush=True)
sys.stdin.readline()
for mode in (scard.SCARD_SHARE_SHARED, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_SHARE_DIRECT):
    print(hex(scard.SCardConnect(context, sys.argv[1], mode, 3)[0] & 0xFFFFFFFF), flush=True)
"""
SHARING_VIOLATION = "0x8010000b"


def test_another_program_cannot_reach_the_card_that_is_being_written(scene: Scene) -> None:
    scene.until_free()
    at(scene, "encode", fault("slow_chip", ms=400))
    command = [sys.executable, "-c", CLIENT, reader_name(1)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        (number,) = scene.submit()
        scene.rig.until(lambda: _fired(scene) == [(True, None)], "the chip to be written")
        said = client.communicate("now\n")[0].split()
        assert scene.lane()["activity"] == "encode"
    scene.rig.fault("slow_chip", ms="0")
    scene.until_state("issued", number)
    assert (said, scene.verdicts(number)) == ([SHARING_VIOLATION] * 3, [GOOD])


# What takes long, on two lanes at once: neither holds up the other


PAIRS = (
    (Case("killed", "authenticate", DEAD, "before", "chip_silent", None, UNTOUCHED),
     Case("killed", "check chip", DEAD, "before", "chip_silent", None, PRINTED)),
    (Case("killed", "length", DEAD, "after", *UNFINISHED, HALF),
     Case("killed", "lock", DEAD, "after", *UNFINISHED, SHUT)),
    (Case("reader hangs", "authenticate", (fault("reader_hang"),), "before", "", "fed", waits="reader_stuck",
          cure=_cured_by("reader_thaw")),
     Case("SAM silent", "authenticate", (fault("sam_silent"),), "before", "", "fed", waits="sam_absent",
          cure=_cured_by("sam_answers"))),
    (Case("hung", "encode", (fault("hung_chip"),), "before", *UNFINISHED, HALF),
     Case("hung", "verify read", (fault("hung_chip"),), "before", *UNFINISHED, SHUT)),
)  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " + ".join(map(str, pair)))
def test_faults_that_take_long_on_two_lanes(scene: Scene, pair: tuple[Case, Case]) -> None:
    scene.rig.load("2", 1)
    lanes, before = dict(zip(("1", "2"), pair, strict=True)), {}
    for lane, case in lanes.items():
        scene.until_free(lane)
        before[lane] = _stock(scene, lane)
        at(scene, case.stage, *case.acts, when=case.when, lane=lane)
    numbers = scene.submit(2)
    taken = scene.rig.until(lambda: _taken(scene, numbers), "both lanes to work")
    for lane, case in lanes.items():
        if case.waits:
            scene.until_waits(case.waits, lane=lane)
        case.cure(scene, lane, taken[lane])
    for lane, case in lanes.items():
        _came_out(scene, case, taken[lane], lane, before[lane])
    _one_more_card_of(scene, "2")
    scene.issue()


def _one_more_card_of(scene: Scene, lane: str) -> None:
    """The next job goes to this lane, which has no blank left afterwards."""
    scene.rig.fault("cover_open")
    scene.until_waits("cover_open")
    scene.rig.load(lane, 1)
    (number,) = scene.issue()
    assert [passage["lane"] for passage in scene.job(number)["passages"]] == [lane]
    scene.rig.fault("cover_close")


def _taken(scene: Scene, numbers: list[int]) -> dict[str, int]:
    """These jobs by the lane that took them; empty while one of them was not taken."""
    taken = {passage["lane"]: number for number in numbers for passage in scene.job(number)["passages"]}
    return taken if len(taken) == len(numbers) else {}
