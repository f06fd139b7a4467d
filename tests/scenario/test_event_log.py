"""The event log of a real station: complete, signed, verified by the stand-alone program, without a resident's word in it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller import verify_log
from tests.scenario.scene import Scene

Json = dict[str, Any]


def _verify(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", verify_log.__file__, str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _export(scene: Scene, path: Path) -> list[Json]:
    """What the station wrote so far, through the command, while it works."""
    path.unlink(missing_ok=True)
    done = scene.rig.command("export-log", path, "--config", scene.rig.config)
    assert done.returncode == 0, done.stderr
    return [json.loads(json.loads(line)["body"]) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _state(scene: Scene) -> Path:
    return Path(tomllib.loads(scene.rig.config.read_text())["station"]["state_dir"])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def test_a_card_leaves_a_signed_trace_from_the_record_to_the_verdict(scene: Scene, tmp_path: Path) -> None:
    (number,) = scene.issue()
    scene.rig.until(lambda: _export(scene, tmp_path / "log")[-1]["kind"] == "checkpoint", "the passage to be signed")
    rows = _export(scene, tmp_path / "log")
    (verdict,) = [row["facts"] for row in rows if row["kind"] == "verdict" and row["facts"]["job"] == number]
    assert verdict["verdict"] == "good"
    of_passage = Counter(row["kind"] for row in rows if row["facts"].get("passage") == verdict["passage"])
    assert of_passage["passage_begun"] == 1
    assert of_passage["intent"] == of_passage["outcome"] > 4
    assert [row["facts"]["state"] for row in rows if row["kind"] == "job_changed" and row["facts"]["job"] == number] == [
        "active",
        "issued",
    ]
    done = _verify(tmp_path / "log", "--key", scene.rig.get("/api/v1/log/head").body["key"])
    assert (done.returncode, "hash-chained but not yet signed: 0" in done.stdout) == (0, True), done.stdout


def test_no_resident_is_in_the_log(scene: Scene, tmp_path: Path) -> None:
    scene.issue(2)
    _export(scene, tmp_path / "log")
    log = (tmp_path / "log").read_text(encoding="utf-8")
    private = {text for record in scene.records.values() for text in _texts(record["person"]) if len(text) > 5}
    assert private
    assert [text for text in private if text in log] == []


def test_the_anchor_on_the_display_proves_what_was_there(scene: Scene, tmp_path: Path) -> None:
    scene.until_free()
    scene.press("hold")
    scene.until_shown(f"{scene.rig.get('/api/v1/log/head').body['seq']}:")
    anchor = re.search(r"\d+:[0-9a-f]{10,}", " ".join(scene.world()["display"]))
    assert anchor is not None
    assert len(anchor[0]) == 20
    scene.press("go")
    scene.issue()
    rows = _export(scene, tmp_path / "log")
    assert {"hold", "go"} <= {row["kind"] for row in rows}
    assert _verify(tmp_path / "log", "--anchor", anchor[0]).returncode == verify_log.INTACT
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    at = int(anchor[0].split(":")[0])
    (tmp_path / "log").write_bytes(b"".join(lines[: at - 1]))
    assert _verify(tmp_path / "log").returncode == verify_log.TORN


def test_the_live_database_is_verified_without_being_touched(scene: Scene) -> None:
    done = _verify(_state(scene) / "station.db")
    assert done.returncode == verify_log.INTACT, done.stdout


def test_killed_and_started_again_the_log_goes_on(scene: Scene, tmp_path: Path) -> None:
    scene.submit()
    scene.until_stage("print")
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.rig.until(lambda: scene.rig.states().get("issued", 0) and not scene.rig.states().get("active", 0), "the job to end", 60)
    assert Counter(row["kind"] for row in _export(scene, tmp_path / "log"))["station_started"] >= 2
    assert _verify(tmp_path / "log").returncode == verify_log.INTACT


def test_a_row_that_was_changed_in_the_database_is_found_by_the_command(scene: Scene, tmp_path: Path) -> None:
    assert scene.rig.stop_station() == 0
    shutil.copy(_state(scene) / "station.db", tmp_path / "copy.db")
    scene.rig.start_station()
    with sqlite3.connect(tmp_path / "copy.db") as db:
        db.execute("DROP TRIGGER event_is_append_only_update")
        db.execute("""UPDATE event SET body = replace(body, '"good"', '"spoiled"') WHERE body LIKE '%"kind":"verdict"%'""")
    db.close()
    done = scene.rig.command("verify-log", tmp_path / "copy.db")
    assert (done.returncode, "changed: its content does not fit its hash" in done.stdout) == (verify_log.TAMPERED, True)
