"""Bad input for the chip on real wires: contents that do not fit, blanks that must not be written, SAM cards that cannot work.

Whatever it is: a sentence in both languages, not one byte of EEPROM changed, no ribbon, and no blank fed for a trouble that can
be known before. The SAM's blob is tried once and never to its end.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from controller.conditions import CONDITIONS
from tests.scenario.records import Record, as_bytes, fresh_record, sealed
from tests.scenario.saying import is_said
from tests.scenario.scene import Json, Scene, texts
from tools.make_examples import sign_chip

BLOB = "5a" * 32
WRONG_BLOBS = tuple(byte * 32 for byte in ("a5", "00", "ff", "0f"))
TRIES = 3  # of the simulated SAM
SAID_S = 20.0
BEATS = 3  # looks of a waiting lane; about one a second


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One lane whose SAM wants to be opened with its blob."""
    folder = tmp_path_factory.mktemp("shared")
    edits = {
        "max_remakes = 1": "max_remakes = 0",
        'sam = { name = "hw-sim lane 1 00 01" }': f'sam = {{ name = "hw-sim lane 1 00 01", pin_file = "{folder / "blob"}" }}',
        'sam = { vpcd = "127.0.0.1:35964" }': f'sam = {{ vpcd = "127.0.0.1:35964", blob = "{BLOB}" }}',
    }
    scene = Scene(folder, edits=edits)
    _write_blob(scene, BLOB)
    with scene.rig:
        yield scene.start(blanks=60)


def _blob_file(scene: Scene) -> Path:
    return scene.rig.folder / "blob"


def _write_blob(scene: Scene, text: str, mode: int = 0o400) -> None:
    path = _blob_file(scene)
    path.unlink(missing_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")
    path.chmod(mode)


def _stock(scene: Scene) -> tuple[int, int]:
    """Sets of ribbon, and blanks in the hopper."""
    there = scene.there()
    return there["printer"]["ribbon"]["remaining"], there["hopper"]


# Contents that must not go onto a chip: refused when the record comes in


def _file(name: str, size: int) -> Callable[[Record], None]:
    """This file has so many bytes, and all of them are signed."""

    def change(record: Record) -> None:
        record["chip"][name] = b64encode(bytes(size)).decode()
        if name != "6FF6":
            sign_chip(record)

    return change


def _every_file_full(record: Record) -> None:
    for name, size in {"6FF1": 1024, "6FF2": 4096, "6FF3": 1024, "6FF4": 1024, "6FF5": 1024}.items():
        record["chip"][name] = b64encode(bytes(size)).decode()
    sign_chip(record)


def _another_records_signature(record: Record) -> None:
    record["chip"]["6FF6"] = fresh_record()["chip"]["6FF6"]


def _an_unknown_key(record: Record) -> None:
    forger = ec.generate_private_key(ec.SECP256R1())
    record["chip"]["6FF6"] = b64encode(forger.sign(b"anything", ec.ECDSA(SHA256()))).decode()


def _changed_after_signing(record: Record) -> None:
    record["chip"]["6FF4"] = b64encode(b"another finger").decode()


UNFIT = [
    (_file("6FF2", 4097), "chip.6FF2", "chip.too_large", "4096"),
    (_file("6FF3", 1025), "chip.6FF3", "chip.too_large", "1024"),
    (_file("6FF4", 1025), "chip.6FF4", "chip.too_large", "1024"),
    (_file("6FF5", 1025), "chip.6FF5", "chip.too_large", "1024"),
    (_every_file_full, "chip", "chip.total", "8192"),
    (_file("6FF3", 0), "chip.6FF3", "schema.empty", "The text is empty"),
    (_file("6FF6", 0), "chip.6FF6", "schema.empty", "The text is empty"),
    (_file("6FF6", 71), "chip.6FF6", "chip.signature", "signature does not fit"),
    (_another_records_signature, "chip.6FF6", "chip.signature", "fetch the record from the centre again"),
    (_an_unknown_key, "chip.6FF6", "chip.signature", "check chip_keys"),
    (_changed_after_signing, "chip.6FF6", "chip.signature", "Tanda tangan pusat tidak cocok dengan isi chip"),
]


@pytest.mark.parametrize(("change", "place", "code", "said"), UNFIT)
def test_contents_that_do_not_fit_are_refused_at_the_door(
    scene: Scene, change: Callable[[Record], None], place: str, code: str, said: str
) -> None:
    scene.until_free()
    before, jobs = _stock(scene), scene.rig.states()
    record = fresh_record()
    change(record)
    answer = scene.rig.post("/api/v1/jobs", as_bytes(sealed(record)))
    assert (answer.status, [(problem.place, problem.code) for problem in answer.problems]) == (422, [(place, code)])
    assert said in texts(answer)
    assert (_stock(scene), scene.rig.states()) == (before, jobs)


# Blanks that must not be written: rejected as they are

BLANKS = [
    ({"used_chip": {}}, "chip_used", "already holds data"),
    ({"used_chip": {}, "locked_chip": {}}, "chip_used", "already holds data"),
    ({"locked_chip": {}}, "chip_refused", "6985"),
    ({"foreign_chip": {}}, "chip_refused", "authenticate: 6300"),
    ({"wrong_uid": {"kind": "single"}}, "chip_refused", "read UID: 4 bytes"),
]


@pytest.mark.parametrize(("troubles", "reason", "detail"), BLANKS, ids=lambda row: " ".join(row))
def test_a_blank_that_must_not_be_written_is_rejected_as_it_is(
    scene: Scene, troubles: dict[str, dict[str, str]], reason: str, detail: str
) -> None:
    scene.until_free()
    for name, values in troubles.items():
        scene.rig.fault(name, **values)
    before, blank = _stock(scene), _next_blank(scene)
    (number,) = scene.submit()
    scene.until_state("failed", number)
    _says_why(scene, number, reason, detail)
    after = _blank(scene, blank["id"])
    assert (after["place"], after["printed"], after["chip"]) == ("reject", {}, blank["chip"])
    assert _stock(scene) == (before[0], before[1] - 1)
    scene.issue()


def test_a_chip_of_type_b_is_as_good_as_one_of_type_a(scene: Scene) -> None:
    scene.until_free()
    scene.rig.fault("wrong_uid", kind="b")
    blank = _next_blank(scene)
    (number,) = scene.issue()
    assert (scene.job(number)["passages"][-1]["chip_uid"], len(blank["uid"])) == (blank["uid"], 16)


def _next_blank(scene: Scene) -> Json:
    """The one that is fed next."""
    world = scene.world()
    found: Json = next(blank for blank in world["blanks"] if blank["place"] == "hopper")
    return found


def _blank(scene: Scene, name: str) -> Json:
    found: Json = next(blank for blank in scene.world()["blanks"] if blank["id"] == name)
    return found


def _says_why(scene: Scene, number: int, reason: str, detail: str) -> None:
    row, answer = CONDITIONS[reason], scene.job(number)
    assert (answer["job"]["reason"], answer["job"]["reason_id"], answer["job"]["reason_en"]) == (row.code, row.id, row.en)
    failed = [stage["evidence"]["detail"] for stage in answer["passages"][-1]["stages"] if stage["outcome"] == "failed"]
    assert len(failed) == 1
    assert detail in failed[0]


# SAM cards that cannot work: known before a blank is fed

SAMS = [
    ("sam_absent", "sam_absent", "no SAM is in the slot", "sam_back"),
    ("sam_silent", "sam_absent", "does not answer", "sam_answers"),
    ("sam_locked", "sam_locked", "6983", "sam_unlocked"),
]


@pytest.mark.parametrize(("trouble", "condition", "detail", "cure"), SAMS)
def test_no_blank_is_fed_while_the_sam_cannot_work(scene: Scene, trouble: str, condition: str, detail: str, cure: str) -> None:
    scene.until_free()
    before = _stock(scene)
    scene.rig.fault(trouble)
    scene.until_waits(condition)
    (number,) = scene.submit()
    scene.rig.until(lambda: is_said(scene, CONDITIONS[condition], detail), f"{condition} to be said everywhere", SAID_S)
    assert (_stock(scene), scene.job(number)["passages"]) == (before, [])
    scene.rig.fault(cure)
    scene.until_state("issued", number)
    scene.until_lit("green")


def test_another_offices_sam_writes_nothing_and_stops_the_lane(scene: Scene) -> None:
    scene.until_free()
    before, blanks = _stock(scene), [blank for blank in scene.world()["blanks"] if blank["place"] == "hopper"][:3]
    scene.rig.fault("sam_wrong")
    numbers = scene.submit(4)
    scene.until_waits("rejects_in_row")
    scene.until_state("failed", *numbers[:3])
    _says_why(scene, numbers[0], "chip_refused", "authenticate: 6300")
    after = [_blank(scene, blank["id"]) for blank in blanks]
    assert [(blank["place"], blank["printed"]) for blank in after] == [("reject", {})] * 3
    assert [blank["chip"] for blank in after] == [blank["chip"] for blank in blanks]
    assert _stock(scene) == (before[0], before[1] - 3)
    scene.rig.fault("sam_back")
    scene.press("go")
    scene.until_state("issued", numbers[3])


# The SAM's blob


@pytest.fixture
def blob(scene: Scene) -> Iterator[None]:
    """The issuer and the technician leave all as it must be."""
    scene.until_free()
    yield
    scene.rig.fault("sam_unlocked")
    _write_blob(scene, BLOB)
    scene.until_free()


def _sam(scene: Scene) -> Json:
    sam: Json = scene.there()["sam"]
    return sam


def _restart(scene: Scene) -> None:
    scene.rig.stop_station()
    scene.rig.start_station()


def _beats(scene: Scene) -> None:
    """Wait until the waiting lane has asked its SAM some more times."""
    seen = scene.rig.exchanges()["1"]["sam"]
    scene.rig.until(lambda: scene.rig.exchanges()["1"]["sam"] >= seen + 2 * BEATS, "the lane to look again and again")


def _tries(scene: Scene, earlier: int) -> tuple[int, int]:
    """Tries that the SAM has left, and wrong blobs that it was given since."""
    return _sam(scene)["tries"], _sam(scene)["refused"] - earlier


def test_a_wrong_blob_is_tried_once_and_no_blob_is_tried_to_the_last_try(scene: Scene, blob: None) -> None:
    earlier, before = _sam(scene)["refused"], _stock(scene)
    _write_blob(scene, WRONG_BLOBS[0])
    for _ in range(2):  # it is remembered over a restart
        _restart(scene)
        scene.until_waits("sam_locked")
        scene.press("go")
        _beats(scene)
        assert _tries(scene, earlier) == (TRIES - 1, 1)
    (number,) = scene.submit()
    for wrong in WRONG_BLOBS[1:]:  # a technician who guesses: two tries of three, and the last is kept
        _write_blob(scene, wrong)
        scene.press("go")
        _beats(scene)
        assert _tries(scene, earlier) == (1, 2)
    scene.rig.until(lambda: is_said(scene, CONDITIONS["sam_locked"], "the last try is kept for a person"), "the end", SAID_S)
    _write_blob(scene, BLOB)
    _beats(scene)
    assert (_tries(scene, earlier), _stock(scene), scene.job(number)["passages"]) == ((1, 2), before, [])
    scene.rig.fault("sam_unlocked")  # its issuer has helped
    scene.until_state("issued", number)


def test_a_blob_that_is_corrected_in_its_file_needs_no_restart(scene: Scene, blob: None) -> None:
    _write_blob(scene, WRONG_BLOBS[0])
    _restart(scene)
    scene.until_waits("sam_locked")
    (number,) = scene.submit()
    _write_blob(scene, BLOB)
    scene.until_state("issued", number)
    assert _sam(scene)["tries"] == TRIES


FILES = [
    ("readable by others", lambda scene: _blob_file(scene).chmod(0o444), "has mode 0444; give it to its owner alone: chmod 0400"),
    ("missing", lambda scene: _blob_file(scene).unlink(), "cannot be read: No such file or directory"),
    ("no hex digits", lambda scene: _write_blob(scene, "no hex"), "must be hex digits"),
    ("too short", lambda scene: _write_blob(scene, BLOB[2:]), "must have 32 bytes as hex digits, not 31"),
    ("empty", lambda scene: _write_blob(scene, ""), "must be one line of 1 to 255 ASCII characters"),
]


@pytest.mark.parametrize(("spoil", "detail"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_blob_that_cannot_be_used_costs_no_try(scene: Scene, blob: None, spoil: Callable[[Scene], None], detail: str) -> None:
    refused, before = _sam(scene)["refused"], _stock(scene)
    spoil(scene)
    _restart(scene)
    scene.rig.until(lambda: is_said(scene, CONDITIONS["sam_locked"], detail), "the file to be complained of", SAID_S)
    (number,) = scene.submit()
    assert (_sam(scene)["tries"], _sam(scene)["refused"]) == (TRIES, refused)
    assert (_stock(scene), scene.job(number)["passages"]) == (before, [])
    _write_blob(scene, BLOB)
    scene.until_state("issued", number)
