"""The command `print-station` as people run it: exit codes, answers, and refusals in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenario.records import as_bytes, fresh_record, write_record
from tests.scenario.scene import Scene
from tools.rig import ROOT

BAD = ROOT / "examples" / "bad"


@pytest.fixture(scope="module")
def issued(shared_scene: Scene) -> int:
    """A job whose card was made."""
    return shared_scene.issue()[0]


def test_submit_says_the_job_number_and_knows_a_record_it_has_seen(scene: Scene, tmp_path: Path) -> None:
    record = fresh_record()
    path = write_record(tmp_path, record)
    first, again = scene.rig.command("submit", path), scene.rig.command("submit", path)
    assert (first.returncode, again.returncode) == (0, 0)
    number = re.fullmatch(rf"{path}: job (\d+) ready\n", first.stdout)
    assert number is not None, first.stdout
    assert f"job {number[1]} " in again.stdout
    assert "(was here already)" in again.stdout
    assert scene.hand_in(record) == int(number[1])
    scene.until_state("issued", int(number[1]))


def test_submit_goes_on_after_a_bad_file_and_fails_at_the_end(scene: Scene, tmp_path: Path) -> None:
    record = fresh_record()
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"")
    files = [BAD / "wrong-nik.json", empty, tmp_path / "none.json", write_record(tmp_path, record)]
    done = scene.rig.command("submit", *files)
    assert done.returncode == 1
    assert done.stdout.count(": job ") == 1
    assert f"{BAD / 'wrong-nik.json'}: person.nik: Angka 7-12 NIK tidak sesuai tanggal lahir" in done.stderr
    assert "Digits 7-12 of the NIK disagree with the date of birth" in done.stderr
    assert f"{tmp_path / 'none.json'}: tidak terbaca" in done.stderr
    assert f"{empty}: " in done.stderr
    scene.until_state("issued", scene.hand_in(record))


def test_jobs_and_job_show_where_the_work_stands(scene: Scene, issued: int) -> None:
    record_id = scene.job(issued)["job"]["record_id"]
    jobs, job = scene.rig.command("jobs", "--state", "issued"), scene.rig.command("job", str(issued))
    assert (jobs.returncode, job.returncode) == (0, 0)
    assert re.search(rf"^ +{issued}  issued +\S+Z +{record_id}", jobs.stdout, re.MULTILINE)
    assert job.stdout.startswith(f"job {issued}: issued")
    assert [line.split()[1] for line in job.stdout.splitlines()[2:]] == [
        "feed",
        "probe",
        "encode",
        "read",
        "close",
        "print",
        "check",
        "deliver",
    ]
    assert "NO OUTCOME" not in job.stdout


def test_station_shows_counts_and_the_lane(scene: Scene) -> None:
    scene.until_free()
    shown = scene.rig.command("station")
    assert shown.returncode == 0
    assert shown.stdout.startswith("Disdukcapil Contoh: ")
    assert f"lane 1: idle, {scene.there()['hopper']} blanks in the hopper, ribbon for " in shown.stdout


def test_hold_and_go_by_command_and_cancel_before_a_blank_is_fed(scene: Scene) -> None:
    held = scene.rig.command("hold", "--who", "Budi")
    assert held.stdout == "the station is held: the cards in hand are finished\n"
    scene.until_waits("held_by_operator")
    (number,) = scene.submit()
    cancelled = scene.rig.command("cancel", str(number), "--reason", "sent by mistake")
    assert (cancelled.returncode, cancelled.stdout) == (0, f"job {number} is cancelled\n")
    assert scene.rig.command("go").stdout == "the station goes on\n"
    scene.until_free()
    assert (scene.state(number), scene.job(number)["passages"]) == ("cancelled", [])


def test_a_job_whose_card_was_made_is_neither_cancelled_nor_tried_again(scene: Scene, issued: int) -> None:
    cancelled, retried = scene.rig.command("cancel", str(issued)), scene.rig.command("retry", str(issued))
    assert (cancelled.returncode, cancelled.stdout, retried.returncode, retried.stdout) == (1, "", 1, "")
    assert "tak dapat dibatalkan; kartunya sedang atau sudah dibuat" in cancelled.stderr
    assert "cannot be cancelled; its card is in work or done" in cancelled.stderr
    assert "only a held or failed one can be tried again" in retried.stderr


@pytest.mark.parametrize(
    ("arguments", "indonesian", "english"),
    [
        (("job", "9999"), "Pekerjaan 9999 tidak ada", "There is no job 9999"),
        (("job", "9" * 30), "paling banyak 15 angka", "a number of at most 15 digits"),
        (("cancel", "9999"), "Pekerjaan 9999 tidak ada", "There is no job 9999"),
        (("jobs", "--state", "lost"), "state harus salah satu dari", "state must be one of"),
        (("stock", "load", "7", "5"), "Jalur 7 tidak ada", "There is no lane 7"),
        (("stock", "load", "1", "5000"), "Jumlah harus 1 sampai 1000", "The number must be 1 to 1000"),
        (("stock", "load", "1"), "Jumlah blangko harus disebut", "The number of blanks must be said"),
        (("stock", "load", "1", "999"), "hitung dulu, atau catat batchnya", "count it, or receive the batch"),
        (("stock", "count", "hopper", "1", "many"), "N harus bilangan", "N must be a number"),
        (("stock", "count", "store", "-1"), "Jumlah harus 0 sampai", "The number must be 0 to"),
        (("stock", "count", "cellar", "1"), "place harus salah satu dari", "place must be one of"),
        (("stock", "destroy", "reject", "1", "--document", "x"), "Sebut tempat dan jumlah", "Say the place and how many"),
        (("incident", "explain", "9999", "--reason", "x"), "Kejadian 9999 tidak ada", "There is no incident 9999"),
        (("question", "answer", "9999", "spoiled", "--reason", "x"), "9999 tidak ada", "no question 9999"),
        (("question", "answer", "9" * 30, "spoiled", "--reason", "x"), "paling banyak 15", "at most 15 digits"),
    ],
)
def test_a_refusal_comes_in_both_languages(scene: Scene, arguments: tuple[str, ...], indonesian: str, english: str) -> None:
    refused = scene.rig.command(*arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert indonesian in refused.stderr
    assert english in refused.stderr


def test_acts_of_staff_are_taken_over_the_socket_only(scene: Scene) -> None:
    refused = scene.rig.command("stock", "load", "1", "5", "--station", "127.0.0.1:8631")
    assert refused.returncode == 1
    assert "Perintah petugas hanya lewat soket Unix" in refused.stderr
    assert "over the station's Unix socket only" in refused.stderr
    assert scene.rig.command("jobs", "--station", "127.0.0.1:8631").returncode == 0


def test_wrong_usage_is_exit_code_2(scene: Scene) -> None:
    assert scene.rig.command("fly").returncode == 2
    assert scene.rig.command("question", "answer", "1", "good", "--reason", "x").returncode == 2
    assert scene.rig.command("question", "answer", "1", "spoiled").returncode == 2


def test_without_a_station_the_commands_say_so(scene: Scene) -> None:
    lost = scene.rig.command("jobs", "--station", "127.0.0.1:1")
    assert lost.returncode == 1
    assert lost.stderr.startswith("print-station: no station answers at 127.0.0.1:1 (")


def test_the_example_configuration_is_good(scene: Scene) -> None:
    checked = scene.rig.command("check-config", "examples/station.toml")
    assert checked.returncode == 0
    assert "examples/station.toml: good\n  lane 1: Evolis Primacy (serial SIM-E-0001, ribbon ymcko)" in checked.stdout
    assert "not proven on real hardware: acts.deliver" in checked.stdout


def test_refusals_repeat_nothing_of_the_record(scene: Scene) -> None:
    record = fresh_record()
    record["person"]["address"] += " X"
    answer = scene.rig.post("/api/v1/jobs", as_bytes(record))
    assert answer.status == 422
    assert record["person"]["nik"] not in str(answer.body)
    assert record["person"]["name"] not in str(answer.body)
