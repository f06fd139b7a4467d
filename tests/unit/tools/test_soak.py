"""A short seeded sample of `make soak`, and that it notices a station that goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.soak import report
from tools.soak.__main__ import main
from tools.soak.report import ROOT

LIMIT_S = 120.0  # only a hang takes so long, also on a machine busy with other things
ENVIRONMENT = {**os.environ, "PYTHONHASHSEED": "0"}
# A station that takes every print that was interrupted for a finished one.
CREDULOUS = """
import sys
from tools.soak import process
from controller.jobs.verdict import Case
Case.panels_complete = property(lambda case: True)
sys.exit(process.main(sys.argv[1:]))
"""


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.soak", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def one_process(folder: Path, seed: int, cards: int, *program: str) -> dict[str, Any]:
    """The figures of one process; `program` stands in for the real one."""
    folder.mkdir()
    command = [sys.executable, *(program or ("-m", "tools.soak.process")), str(seed), str(cards), str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=LIMIT_S)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    path = tmp_path_factory.mktemp("soak") / "report.json"
    done = soak("--cards", "200", "--processes", "2", "--seed", "8", "--report", str(path))
    return done, json.loads(path.read_text())


def test_the_sample_keeps_every_promise(sample: tuple[subprocess.CompletedProcess[str], dict[str, Any]]) -> None:
    done, result = sample
    assert done.returncode == 0, done.stdout
    assert result["passed"]
    assert result["cards"] == 200


def test_the_sample_saw_faults_kills_questions_and_verdicts(
    sample: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    _, result = sample
    assert len(result["faults"]) >= 10
    assert result["faults"]["station killed"] > 0
    assert sum(result["questions"].values()) > 0
    assert sum(count > 0 for count in result["rows"].values()) >= 8


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    first, second = (one_process(tmp_path / name, seed=3, cards=40) for name in ("a", "b"))
    timeless = first.keys() - {"seconds", "cpu_seconds", "cards_a_second"}
    assert {name: first[name] for name in timeless} == {name: second[name] for name in timeless}


def test_a_station_that_takes_interrupted_prints_for_finished_is_caught(tmp_path: Path) -> None:
    figures = one_process(tmp_path / "a", 7, 300, "-c", CREDULOUS)
    assert "a good card whose face is not printed exactly once and whole" in figures["broken"]
    assert figures["last_events"]


def test_a_broken_promise_is_told_with_the_seed_that_shows_it_again() -> None:
    broken = {"seed": 77, "wanted": 50, "issued": 9, "broken": "a card too many", "last_events": ["the last event"]}
    result = report.merge([broken], seconds=1.0, wanted=50)
    text = "\n".join(report.lines(result))
    assert not result["passed"]
    assert "BROKEN: a card too many" in text
    assert "the last event" in text
    assert "make soak ARGS='--processes 1 --seed 77 --cards 50'" in text


def full_run(rows: dict[str, int]) -> dict[str, Any]:
    """The figures of a process that made all the cards."""
    return {"seed": 1, "wanted": report.FULL, "issued": report.FULL, "broken": None, "last_events": [], "rows": rows}


def test_a_full_run_that_is_too_slow_is_not_passed() -> None:
    made = full_run({"left unproven": 1})
    assert report.merge([made], seconds=report.LIMIT_S - 1, wanted=report.FULL)["passed"]
    assert not report.merge([made], seconds=report.LIMIT_S + 1, wanted=report.FULL)["passed"]


def test_a_full_run_that_left_out_a_row_of_the_verdict_table_is_not_passed() -> None:
    made = full_run({"left unproven": 1, "too often": 0})
    assert not report.merge([made], seconds=1.0, wanted=report.FULL)["passed"]


@pytest.mark.parametrize("arguments", [("--cards", "0"), ("--processes", "17"), ("--cards", "many")])
def test_absurd_orders_are_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err
