"""`print-station capture`: the printer on a real USB/IP wire, the command in a thread as a person would start it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.cli import main
from controller.jobs.store import take_lock
from hwsim.wires.usbip import UsbIpServer
from tests.fakes.scripted_usb import BUSID, served
from tests.fakes.usb_printer import SERIAL, ScriptedPrinter

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def usbip() -> AsyncIterator[UsbIpServer]:
    async with served(ScriptedPrinter()) as server:
        yield server


async def capture(*words: str | Path) -> int:
    return await asyncio.to_thread(main, ["capture", *map(str, words)])


async def record(server: UsbIpServer, out: Path, *more: str) -> int:
    address = f"usbip://127.0.0.1:{server.port}"
    return await capture("--profile", "evolis-primacy", "--usb", address, "--serial", SERIAL, "-o", out, *more)


def station_file(folder: Path, server: UsbIpServer) -> Path:
    """The example station with a folder and a USB/IP server of its own."""
    text = (ROOT / "examples/station.toml").read_text(encoding="utf-8")
    text = text.replace("build/run/state", str(folder / "state")).replace("127.0.0.1:3240", f"127.0.0.1:{server.port}")
    file = folder / "station.toml"
    file.write_text(text, encoding="utf-8")
    return file


async def test_what_was_recorded_is_the_same_when_replayed(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trace.jsonl"
    assert await record(usbip, out) == 0
    assert await capture("--replay", out) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{out}: Evolis Primacy, identify, ")
    assert said[1].startswith(f"{out}: the same in ")


async def test_the_last_line_is_what_the_driver_made_of_it(usbip: UsbIpServer, tmp_path: Path) -> None:
    await record(usbip, tmp_path / "t", "--act", "care")
    head, *_, last = map(json.loads, (tmp_path / "t").read_text(encoding="utf-8").splitlines())
    assert (head["act"], head["profile"], head["wire"]) == ("care", "evolis-primacy", "usbip")
    assert last["do"] == "end"
    assert last["outcome"]["identity"]["serial"] == SERIAL
    assert "settings" in last["outcome"]["care"]


async def test_a_changed_driver_is_told_at_the_line(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t"
    await record(usbip, out)
    out.write_text(out.read_text(encoding="utf-8").replace(b"Rco;c".hex(), b"Rco;x".hex()), encoding="utf-8")
    assert await capture("--replay", out) == 1
    assert "today's driver sends 7 bytes 1b52636f3b630d; the recorded one: out, 7 bytes 1b52636f3b780d" in capsys.readouterr().err


async def test_the_same_bytes_with_another_meaning_are_told(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "t"
    await record(usbip, out)
    out.write_text(out.read_text(encoding="utf-8").replace('"cards_fed": 1000', '"cards_fed": 7'), encoding="utf-8")
    assert await capture("--replay", out) == 1
    assert "the same bytes, but today's driver makes" in capsys.readouterr().err


async def test_a_lane_is_found_in_its_station_file(usbip: UsbIpServer, tmp_path: Path) -> None:
    config = station_file(tmp_path, usbip)
    assert await capture("1", "--config", config, "-o", tmp_path / "t") == 0
    assert await capture("--config", config, "--lane", "1", "-o", tmp_path / "u") == 0
    assert not (tmp_path / "state").exists()


async def test_nothing_is_recorded_while_the_stations_daemon_runs(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = station_file(tmp_path, usbip)
    lock = take_lock(tmp_path / "state")
    assert await capture("1", "--config", config, "-o", tmp_path / "t") == 1
    os.close(lock)
    assert "another print-station is running on this folder" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


async def test_an_unknown_lane_is_told_with_those_there_are(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await capture("7", "--config", station_file(tmp_path, usbip), "-o", tmp_path / "t") == 1
    assert "7: is no lane; there are: 1" in capsys.readouterr().err


async def test_a_printer_that_is_not_there_leaves_no_file(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usbip.unplug(BUSID)
    assert await record(usbip, tmp_path / "t") == 1
    assert "printer_absent: USB vendor 0f49, serial SIM-E-0001: not found" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


async def test_a_printer_that_refuses_leaves_a_trace_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device = ScriptedPrinter()
    device.say("Pr;ymcko", b"ERR RIBBON TYPE\0")
    async with served(device) as server:
        assert await record(server, tmp_path / "t") == 1
    assert "ribbon_wrong: Pr;ymcko: ERR RIBBON TYPE" in capsys.readouterr().err
    assert await capture("--replay", tmp_path / "t") == 0


async def test_a_file_that_is_there_is_not_overwritten(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t").write_text("mine", encoding="utf-8")
    assert await record(usbip, tmp_path / "t") == 1
    assert "cannot be made: File exists" in capsys.readouterr().err
    assert (tmp_path / "t").read_text(encoding="utf-8") == "mine"


async def test_a_full_trace_is_for_its_owner_only_and_says_why(
    usbip: UsbIpServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await record(usbip, tmp_path / "t", "--full") == 0
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600
    assert "faces too: personal data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "capture needs -o FILE, or --replay FILE"),
        (["--profile", "evolis-primacy", "-o", "t"], 1, "--serial: is required with --profile"),
        (
            ["--profile", "evolis-primacy", "--serial", "1", "--usb", "lp0", "-o", "t"],
            1,
            "--usb: is wrong: 'lp0' is neither",
        ),
        (["--profile", "hdp5000", "--serial", "1", "-o", "t"], 1, "hdp5000"),
        (["--replay", "/dev/null"], 1, "line 1 does not say"),
        (["--replay", "none.jsonl"], 1, "No such file"),
    ],
)
async def test_wrong_use_is_told(
    words: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert await capture(*words) == code
    assert says in capsys.readouterr().err


async def test_a_trace_of_an_act_that_is_no_more_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = {"format": "print-station-usb-trace/1", "profile": "evolis-primacy", "act": "dance", "serial": "1"}
    (tmp_path / "t").write_text(json.dumps(head), encoding="utf-8")
    assert await capture("--replay", tmp_path / "t") == 1
    assert "act 'dance' is not known; there are: identify, care, print-test-card" in capsys.readouterr().err
