"""The stand-alone verifier: what it finds, what it says, and that it needs nothing of ours."""

from __future__ import annotations

import ast
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller import cli, verify_log
from controller.jobs.log_key import LogKey
from controller.jobs.store import migrations
from tests.fakes.event_log import (
    KEY,
    OTHER_KEY,
    LogMaker,
    Row,
    a_day,
    as_export,
    changed,
    header,
    line,
    rechained,
    write,
)

PROGRAM = Path(verify_log.__file__)
GOLDEN = Path(__file__).parents[1] / "golden/event_log/log.jsonl"
LOG = a_day()


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Verify bytes in this process; returns exit code and what was printed."""

    def run(content: bytes, anchor: str = "", key: str = "") -> tuple[int, str]:
        path = tmp_path / "log"
        path.write_bytes(content)
        with pytest.raises(SystemExit) as ended:
            verify_log.verify(path, anchor, key)
        return int(str(ended.value.code)), capsys.readouterr().out

    return run


Judge = Callable[..., tuple[int, str]]


def _export(rows: list[Row], **head: object) -> bytes:
    return as_export(rows, header(LOG, **head))  # type: ignore[arg-type]  # head holds what header() takes


def _database(path: Path, rows: list[Row]) -> Path:
    with sqlite3.connect(path) as db:
        for script in migrations()[:2]:
            db.executescript(script)
        db.executescript("DROP TRIGGER event_has_no_gap; DROP TRIGGER event_is_append_only_update;")
        db.executemany("INSERT INTO event VALUES (?, ?, ?)", [(seq, *row) for seq, row in enumerate(rows, 1)])
    db.close()
    return path


def _alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program by itself in an empty folder, as on an auditor's machine."""
    folder.mkdir()
    shutil.copy(PROGRAM, folder)
    command = [sys.executable, "-I", PROGRAM.name, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_it_is_short_and_needs_only_cryptography() -> None:
    source = PROGRAM.read_text()
    assert len(source.splitlines()) < 200
    imported = {name.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    foreign = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert foreign == {"cryptography"}


def test_alone_in_an_empty_folder_it_finds_the_golden_log_intact(tmp_path: Path) -> None:
    result = _alone(tmp_path / "bare", str(GOLDEN), "--anchor", LOG.head.anchor, "--key", KEY.public)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-2:] == [
        "truncation: the anchor, row 17, is in its place",
        f"INTACT: head {LOG.head.anchor}",
    ]


def test_alone_it_finds_a_changed_row(tmp_path: Path) -> None:
    path = tmp_path / "changed"
    path.write_bytes(GOLDEN.read_bytes().replace(b'job\\":2', b'job\\":3', 1))
    result = _alone(tmp_path / "bare", str(path))
    assert result.returncode == 1
    assert "FINDING line 6: changed: its content does not fit its hash" in result.stdout


def test_the_format_has_not_moved() -> None:
    assert as_export(LOG.rows, header(LOG)) == GOLDEN.read_bytes()


def _swap(rows: list[Row]) -> list[Row]:
    return [*rows[:5], rows[6], rows[5], *rows[7:]]


TAMPERINGS: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "a row changed": (lambda rows: [*rows[:5], (changed(rows[5], kind="go")[0], rows[5][1]), *rows[6:]], "line 7: changed"),
    "a row changed with its hash": (lambda rows: [*rows[:5], changed(rows[5], kind="go"), *rows[6:]], "row 7: does not continue"),
    "a hash changed": (lambda rows: [*rows[:5], (rows[5][0], "0" * 64), *rows[6:]], "line 7: changed"),
    "a row removed": (lambda rows: rows[:5] + rows[6:], "the rows from 6 to 6 are missing"),
    "the first row removed": (lambda rows: rows[1:], "the rows from 1 to 1 are missing"),
    "a row twice": (lambda rows: [*rows[:6], *rows[5:]], "row 6: stands again or out of order"),
    "two rows swapped": (_swap, "row 6: stands again or out of order, after row 7"),
    "a row inserted": (lambda rows: [*rows[:6], changed(rows[5], seq=7, prev=rows[5][1]), *rows[6:]], "row 7: stands again"),
    "all hashes made anew": (
        lambda rows: rechained([*rows[:5], changed(rows[5], kind="go"), *rows[6:]], 6),
        "the checkpoint does not fit the rows before it",
    ),
    "rows removed and all made anew": (lambda rows: rechained(rows[:5] + rows[7:], 5), "the checkpoint does not fit"),
    "a second genesis": (lambda rows: rechained([*rows[:5], rows[0], *rows[5:]], 5), "has no other"),
    "signed by another key": (lambda rows: [*rows[:16], _forged(rows)], "row 17: the checkpoint was signed by another key"),
    "a row of another form": (
        lambda rows: [*rows[:5], (rows[5][0].replace(":", ": "), rows[5][1]), *rows[6:]],
        "line 7: no event",
    ),
    "a row that is no JSON": (lambda rows: [*rows[:5], ("[" * 5000, rows[5][1]), *rows[6:]], "line 7: no event"),
    "a number that is no number": (lambda rows: [*rows[:5], ('{"seq":NaN}', rows[5][1]), *rows[6:]], "line 7: no event"),
}


def _forged(rows: list[Row]) -> Row:
    log = LogMaker(OTHER_KEY, LOG.station)
    log.rows = list(rows[:16])
    return log.sign().rows[-1]


@pytest.mark.parametrize("name", TAMPERINGS)
def test_an_export_that_was_tampered_with_is_found_out(judge: Judge, name: str) -> None:
    tamper, says = TAMPERINGS[name]
    code, said = judge(_export(tamper(list(LOG.rows))))
    assert code == verify_log.TAMPERED
    assert says in said


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_database_that_was_tampered_with_is_found_out(judge: Judge, tmp_path: Path, name: str) -> None:
    code, _ = judge(_database(tmp_path / "db", TAMPERINGS[name][0](list(LOG.rows))).read_bytes())
    assert code == verify_log.TAMPERED


def test_an_intact_database_is_read_and_left_alone(judge: Judge, tmp_path: Path) -> None:
    path = _database(tmp_path / "db", LOG.rows)
    before = path.read_bytes()
    code, said = judge(before, LOG.head.anchor)
    assert (code, "INTACT: head 17" in said) == (verify_log.INTACT, True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["db", "log"]


def test_a_row_of_the_database_that_took_another_ones_place_is_found(judge: Judge, tmp_path: Path) -> None:
    path = _database(tmp_path / "db", LOG.rows)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE event SET body = (SELECT body FROM event WHERE seq = 6), hash = ? WHERE seq = 7", (LOG.rows[5][1],))
    db.close()
    assert "row 7: holds the event of another row" in judge(path.read_bytes())[1]


def test_text_in_a_database_that_is_no_text_is_a_finding(judge: Judge, tmp_path: Path) -> None:
    path = _database(tmp_path / "db", LOG.rows)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE event SET body = CAST(x'ff00' AS TEXT), hash = CAST(x'ff' AS TEXT) || substr(hash, 2) WHERE seq = 7")
    db.close()
    code, said = judge(path.read_bytes())
    assert (code, "row 7: no event" in said) == (verify_log.TAMPERED, True)


def test_a_cut_off_end_is_proven_by_the_anchor_only(judge: Judge) -> None:
    cut = LOG.rows[:13]
    content = _export(cut, anchor=f"13:{cut[-1][1]}")
    code, said = judge(content)
    assert (code, "truncation: not provable without --anchor" in said) == (verify_log.INTACT, True)
    code, said = judge(content, LOG.head.anchor)
    assert (code, "cut off: the anchor is row 17, the log ends at row 13" in said) == (verify_log.TAMPERED, True)


def test_a_log_written_anew_with_the_stolen_key_does_not_fit_the_anchor(judge: Judge) -> None:
    other = a_day(jobs=6)
    code, said = judge(as_export(other.rows, header(other)), LOG.head.anchor)
    assert (code, "row 17: not the row 17:" in said) == (verify_log.TAMPERED, True)


@pytest.mark.parametrize("anchor", [f"17:{LOG.head.hash[:17]}", f"LOG 17:{LOG.head.hash[:10]}", f"9:{LOG.rows[8][1]}"])
def test_the_anchor_may_be_short_or_older(judge: Judge, anchor: str) -> None:
    code, said = judge(_export(LOG.rows), anchor)
    assert (code, "is in its place" in said) == (verify_log.INTACT, True)


@pytest.mark.parametrize(
    ("anchor", "key"),
    [
        ("17", ""),
        ("17:abc", ""),
        ("17:XYZ1234567", ""),
        (f"17:{LOG.head.hash[:9]}", ""),
        ("-1:aaaaaaaaaa", ""),
        ("", "aa"),
        ("", KEY.public.upper()),
    ],
)
def test_an_anchor_or_key_that_is_none_is_wrong_usage(judge: Judge, anchor: str, key: str) -> None:
    code, said = judge(_export(LOG.rows), anchor, key)
    assert (code, "an anchor is SEQ:HASH" in said) == (verify_log.USAGE, True)


def test_rows_after_the_last_checkpoint_are_said_to_be_unsigned(judge: Judge) -> None:
    code, said = judge(_export(LOG.rows[:7], anchor=f"7:{LOG.rows[6][1]}"))
    assert (code, "hash-chained but not yet signed: 4" in said) == (verify_log.INTACT, True)


@pytest.mark.parametrize(("rows", "code"), [(verify_log.MAX_BARE, verify_log.INTACT), (501, verify_log.UNSIGNED)])
def test_a_long_end_that_nobody_signed_is_not_called_intact(judge: Judge, rows: int, code: int) -> None:
    log = a_day()
    for job in range(rows):
        log.add("job_accepted", job=job, record="")
    found, said = judge(as_export(log.rows, header(log)), LOG.head.anchor, KEY.public)
    assert (found, f"the last {rows} rows prove nothing" in said) == (code, code == verify_log.UNSIGNED)


def test_a_long_stretch_with_a_signature_over_it_is_intact(judge: Judge) -> None:
    log = a_day()
    for job in range(6000):
        log.add("job_accepted", job=job, record="")
    assert judge(as_export(log.sign().rows, header(log)))[0] == verify_log.INTACT


def test_a_log_without_the_signature_of_its_start_is_a_finding(judge: Judge) -> None:
    rows = rechained([row for row in LOG.rows if '"checkpoint"' not in row[0]], 2)
    code, said = judge(_export(rows, anchor=f"{len(rows)}:{rows[-1][1]}"))
    assert (code, "no checkpoint at all" in said) == (verify_log.TAMPERED, True)


@pytest.mark.parametrize("key", [OTHER_KEY, LogKey(b"x" * 32)])
def test_the_log_of_another_station_is_said_to_be_one(judge: Judge, key: LogKey) -> None:
    code, said = judge(_export(LOG.rows), key=key.public)
    assert (code, "this is the log of another station" in said) == (verify_log.OTHER_STATION, True)


def test_rows_of_another_station_among_ours_are_found(judge: Judge) -> None:
    other = a_day(OTHER_KEY, "f" * 32)
    code, said = judge(_export(LOG.rows) + as_export(other.rows, header(other)))
    assert (code, "names another station or key" in said) == (verify_log.TAMPERED, True)


def test_another_station_name_in_the_first_line_breaks_the_signatures(judge: Judge) -> None:
    rows = LOG.rows[5:]
    code, said = judge(_export(rows, first=6, station="f" * 32))
    assert (code, "the checkpoint does not fit" in said) == (verify_log.TAMPERED, True)


def test_daily_exports_are_good_each_and_joined(judge: Judge) -> None:
    first = as_export(LOG.rows[:11], header(LOG, anchor=f"11:{LOG.rows[10][1]}"))
    second = as_export(LOG.rows[11:], header(LOG, first=12))
    code, said = judge(second, key=KEY.public)
    assert (code, "rows 12 to 17, a part" in said) == (verify_log.INTACT, True)
    code, said = judge(first + second, LOG.head.anchor)
    assert (code, "rows 1 to 17\n" in said) == (verify_log.INTACT, True)


def test_an_anchor_before_the_file_cannot_be_judged(judge: Judge) -> None:
    code, said = judge(as_export(LOG.rows[11:], header(LOG, first=12)), f"5:{LOG.rows[4][1]}")
    assert (code, "take the file that holds the anchor's row" in said) == (verify_log.UNJUDGED, True)


@pytest.mark.parametrize("cut", [1, 30, 200, 480])
@pytest.mark.parametrize("anchor", ["", LOG.head.anchor])
def test_a_torn_export_is_no_tampering(judge: Judge, cut: int, anchor: str) -> None:
    code, said = judge(_export(LOG.rows)[:-cut], anchor)
    assert (code, "copy the file again" in said) == (verify_log.TORN if cut > 1 else verify_log.INTACT, cut > 1)


def test_an_export_cut_between_two_rows_is_torn_too(judge: Judge) -> None:
    assert judge(_export(LOG.rows[:12]))[0] == verify_log.TORN


def test_an_export_that_ends_in_zeros_is_torn(judge: Judge) -> None:
    assert judge(_export(LOG.rows)[:-200] + bytes(200))[0] == verify_log.TORN


def test_a_torn_export_that_was_tampered_with_counts_as_tampered(judge: Judge) -> None:
    assert judge(_export(LOG.rows[:3] + LOG.rows[4:])[:-30])[0] == verify_log.TAMPERED


def test_a_first_line_that_was_cut_is_torn(judge: Judge) -> None:
    code, said = judge(_export(LOG.rows)[:40])
    assert (code, "copy it again" in said) == (verify_log.TORN, True)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"[1]\n", b"\x00" * 4096 + b"\n", line({"format": "other"}), b"SQLite but not one\n"]
)
def test_a_file_that_is_no_log_is_not_judged(judge: Judge, content: bytes) -> None:
    assert judge(content)[0] == verify_log.UNJUDGED


def test_a_file_that_is_not_there_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="5"):
        verify_log.verify(tmp_path / "none", "", "")
    assert "cannot be read" in capsys.readouterr().out


def test_a_huge_line_is_read_in_pieces_and_found(judge: Judge) -> None:
    content = _export(LOG.rows[:5]) + b"x" * 1_000_000 + b"\n" + as_export(LOG.rows[5:], header(LOG, first=6))
    code, said = judge(content)
    assert (code, "longer than 65536 bytes" in said) == (verify_log.TAMPERED, True)


def test_after_fifty_findings_the_rest_is_not_looked_at(judge: Judge) -> None:
    code, said = judge(_export(LOG.rows) + b"\n" * 1000)
    assert (code, said.count("FINDING")) == (verify_log.TAMPERED, 50)


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    log = LogMaker()
    while len(log.rows) < 3000:
        log.add("job_accepted", job=1, record="0" * 64)
    small, large = write(tmp_path / "small", a_day()), tmp_path / "large"
    large.write_bytes(as_export(log.sign().rows, header(log)))
    peaks = [_peak_kb(path) for path in (small, large)]
    assert peaks[1] - peaks[0] < 1024  # the file has 1.7 MB, as objects several times as much


def _peak_kb(path: Path) -> int:
    """The most memory a verification took, in a process of its own."""
    code = "import sys, tracemalloc; sys.path[0:0] = [sys.argv[1]]; import verify_log; from pathlib import Path\n"
    code += "tracemalloc.start()\ntry: verify_log.verify(Path(sys.argv[2]), '', '')\n"
    code += "except SystemExit: print(tracemalloc.get_traced_memory()[1] // 1024)"
    command = [sys.executable, "-c", code, str(PROGRAM.parent), str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()[-1])


def test_the_command_is_the_same_verifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "log", LOG)
    with pytest.raises(SystemExit, match="4"):
        cli.main(["verify-log", str(path), "--key", OTHER_KEY.public])
    said = capsys.readouterr().out
    assert "OTHER STATION" in said
    assert "STASIUN LAIN" in said
