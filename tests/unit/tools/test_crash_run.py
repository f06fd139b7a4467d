"""tools/crash/run.py and what it stands on, with tiny programs in the place of the parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.crash import report
from tools.crash.report import COMPARED, ROOT, SHARE_VARIABLE, PartReport
from tools.crash.run import PARTS, _plan, main, run
from tools.crash.side_by_side import Program, SideBySide

KEPT = {"nothing is lost": True}


def part(out: Path, name: str, promises: Mapping[str, bool] = KEPT, *, exit_code: int = 0, figures: str = "{}") -> Program:
    """A part that writes its file as real ones do, then ends with the exit code."""
    write = f"report.write({name!r}, {figures}, {dict(promises)}, 0.1, Path({str(out)!r}))"
    return program(name, f"from pathlib import Path; from tools.crash import report; {write}; raise SystemExit({exit_code})")


def program(name: str, code: str, *, limit_s: float = 20.0, cores: float = 1) -> Program:
    return Program(name, [sys.executable, "-c", code], limit_s, cores)


def share(out: Path, number: int, promises: Mapping[str, bool] = KEPT, figures: str = "{}") -> Program:
    """One share of part a."""
    return replace(part(out, "a", promises, figures=figures), name=f"a.{number}", environment={SHARE_VARIABLE: f"{number}"})


def merged(out: Path) -> Any:
    return json.loads((out / "report.json").read_text())


def test_parts_that_keep_their_promises_pass_together(tmp_path: Path) -> None:
    assert run([part(tmp_path, "a"), part(tmp_path, "b")], out=tmp_path) == 0
    assert merged(tmp_path)["passed"]
    assert list(merged(tmp_path)["parts"]) == ["a", "b"]


def test_a_broken_promise_fails_the_whole_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = part(tmp_path, "b", {**KEPT, "none is printed twice": False}, exit_code=1)
    assert run([part(tmp_path, "a"), broken], out=tmp_path) == 1
    assert "BROKEN  none is printed twice" in capsys.readouterr().out
    assert not merged(tmp_path)["passed"]


def test_a_broken_promise_fails_even_when_the_part_ends_with_0(tmp_path: Path) -> None:
    assert run([part(tmp_path, "a", {"nothing is lost": False})], out=tmp_path) == 1


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise SystemExit(0)", "ended with 0 and wrote no a.json"),
        ("import os; os.abort()", "ended with -6 and wrote no a.json"),
        ("from pathlib import Path; Path({out!r}, 'a.json').write_text('{{')", "a.json cannot be read"),
        ("from pathlib import Path; Path({out!r}, 'a.json').write_text('[]')", "a.json cannot be read"),
    ],
)
def test_a_part_that_leaves_no_result_fails(tmp_path: Path, code: str, problem: str) -> None:
    assert run([program("a", code.format(out=str(tmp_path)))], out=tmp_path) == 1
    assert problem in merged(tmp_path)["parts"]["a"]["problem"]


def test_a_part_that_promises_nothing_fails(tmp_path: Path) -> None:
    assert run([part(tmp_path, "a", {})], out=tmp_path) == 1
    assert merged(tmp_path)["parts"]["a"]["problem"] == "promises nothing"


def test_a_part_that_dies_after_its_file_fails(tmp_path: Path) -> None:
    assert run([part(tmp_path, "a", exit_code=3)], out=tmp_path) == 1
    assert "ended with 3 although" in merged(tmp_path)["parts"]["a"]["problem"]


def test_the_result_of_an_earlier_run_proves_nothing(tmp_path: Path) -> None:
    report.write("a", {}, KEPT, 1.0, tmp_path)
    assert run([program("a", "pass")], out=tmp_path) == 1


def test_a_part_that_is_not_there_fails(tmp_path: Path) -> None:
    assert run([part(tmp_path, "a")], [PartReport("b", problem="there is no b.py")], out=tmp_path) == 1


def test_no_parts_at_all_is_no_pass(tmp_path: Path) -> None:
    assert run([], out=tmp_path) == 1


def test_the_words_of_a_failed_part_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([program("a", "raise SystemExit('the disk is on fire')")], out=tmp_path)
    assert "the disk is on fire" in capsys.readouterr().out


def test_shares_of_a_part_are_added_up(tmp_path: Path) -> None:
    figures = ["{'kills': 500, 'rows': {'fed': 2}, 'kind': 'x'}", "{'kills': 501, 'rows': {'fed': 3, 'gone': 1}, 'kind': 'x'}"]
    assert run([share(tmp_path, 1, figures=figures[0]), share(tmp_path, 2, figures=figures[1])], out=tmp_path) == 0
    assert merged(tmp_path)["parts"]["a"]["figures"] == {"kills": 1001, "rows": {"fed": 5, "gone": 1}, "kind": "x"}


def test_a_promise_that_one_share_broke_is_broken(tmp_path: Path) -> None:
    assert run([share(tmp_path, 1), share(tmp_path, 2, {"nothing is lost": False})], out=tmp_path) == 1
    assert merged(tmp_path)["parts"]["a"]["promises"] == [{"text": "nothing is lost (each of 2 shares)", "kept": False}]


def test_a_share_that_is_missing_fails_its_part(tmp_path: Path) -> None:
    assert run([share(tmp_path, 1), replace(share(tmp_path, 2), command=["true"])], out=tmp_path) == 1
    assert merged(tmp_path)["parts"]["a"]["problem"] == "a.2 ended with 0 and wrote no a.2.json"


def test_the_full_run_has_a_share_of_the_kills_for_each_seed() -> None:
    programs = _plan("random_kills", PARTS["random_kills"], quick=False)
    kills, seeds = ([one.command[one.command.index(option) + 1] for one in programs] for option in ("--kills", "--seed"))
    assert sum(map(int, kills)) >= 1000
    assert len(set(seeds)) == len({one.environment[SHARE_VARIABLE] for one in programs}) == len(programs)


def test_a_part_over_its_time_is_stopped_with_all_its_children(tmp_path: Path) -> None:
    assert run([program("a", with_child(tmp_path), limit_s=1.0)], out=tmp_path) == 1
    assert "was stopped" in merged(tmp_path)["parts"]["a"]["problem"]
    assert until(lambda: not alive(child_of(tmp_path)))


def test_when_the_time_for_all_is_over_nothing_more_is_started(tmp_path: Path) -> None:
    sleepers = [program(name, "import time; time.sleep(60)") for name in "abc"]
    assert run(sleepers, out=tmp_path, total_s=0.3) == 1
    problems = [found["problem"] for found in merged(tmp_path)["parts"].values()]
    assert ["stopped" in problem for problem in problems] == [True, True, False]
    assert "was not started" in problems[2]


def test_a_child_that_outlives_its_part_is_ended(tmp_path: Path) -> None:
    run([program("a", with_child(tmp_path).replace("child.wait()", "pass"))], out=tmp_path)
    assert until(lambda: not alive(child_of(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    process = start_a_run(tmp_path)
    child = child_of(tmp_path)
    process.send_signal(number)
    assert process.wait(20) == 130
    assert until(lambda: not alive(child))


def test_a_killed_run_takes_its_parts_along(tmp_path: Path) -> None:
    process = start_a_run(tmp_path)
    parent = int((tmp_path / "part").read_text())
    process.kill()
    process.wait()
    assert until(lambda: not alive(parent))
    os.kill(child_of(tmp_path), signal.SIGKILL)


def test_programs_that_would_disturb_each_other_wait(tmp_path: Path) -> None:
    said: list[str] = []
    programs = [program("two", "import time; time.sleep(0.3)", cores=2), program("one", "pass")]
    with SideBySide(tmp_path, cores=2, say=said.append) as side_by_side:
        ended = side_by_side.run(programs, total_s=20.0)
    assert [one.name for one in ended] == ["two", "one"]
    assert said.index("one: started") > said.index("two: started") + 1


def test_programs_that_fit_run_side_by_side(tmp_path: Path) -> None:
    meet = "import time; from pathlib import Path; Path({0!r}).touch()\nwhile not Path({1!r}).exists(): time.sleep(0.01)"
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    with SideBySide(tmp_path, cores=2, say=lambda _: None) as side_by_side:
        ended = side_by_side.run([program("a", meet.format(a, b)), program("b", meet.format(b, a))], total_s=20.0)
    assert [one.exit_code for one in ended] == [0, 0]


def test_ours_and_theirs_stand_in_one_table_ours_first() -> None:
    theirs = PartReport("cups", figures={"defaults": dict(zip(COMPARED, (100, 5, 63, 0), strict=True))})
    ours = PartReport("random_kills", figures={**dict(zip(COMPARED, (9000, 1000, 0, 0), strict=True)), "questions": 12})
    assert report.compared([theirs, ours]) == [
        ("print-station, random_kills", (9000, 1000, 0, 0)),
        ("CUPS, defaults", (100, 5, 63, 0)),
    ]
    text = "\n".join(report.lines([theirs, ours]))
    assert "questions = 12" in text
    assert "9,000" in text


def test_an_unknown_part_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "cups,quake"])
    assert (
        "unknown part 'quake'; there are random_kills, kill_points, power_cuts, apdu_points, in_process, cups"
        in capsys.readouterr().err
    )


def with_child(folder: Path) -> str:
    """A program with a child that sleeps; both leave their process ids in the folder."""
    return (
        "import os, subprocess, sys; from pathlib import Path\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"Path({str(folder)!r}, 'part').write_text(str(os.getpid()))\n"
        f"Path({str(folder)!r}, 'new').write_text(str(child.pid))\n"
        f"Path({str(folder)!r}, 'new').rename(Path({str(folder)!r}, 'child'))\n"
        "child.wait()\n"
    )


def start_a_run(folder: Path) -> subprocess.Popen[bytes]:
    """tools.crash.run in a process, with one part that has started its child."""
    code = (
        "import signal, sys; from pathlib import Path\n"
        "from tools.crash import run; from tools.crash.side_by_side import Program\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, run._interrupted)\n"
        f"sys.exit(run.run([Program('a', [sys.executable, '-c', {with_child(folder)!r}], 60.0)], out=Path({str(folder)!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
    assert until((folder / "child").exists)
    return process


def child_of(folder: Path) -> int:
    return int((folder / "child").read_text())


def until(true: Any, limit_s: float = 20.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(true())


def alive(pid: int) -> bool:
    """Whether it exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
