"""The control socket and the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from hwsim import cli
from hwsim.control import MAX_LINE_BYTES, ControlServer, ask
from hwsim.errors import SimError
from tests.unit.hwsim.station_bench import Rig, running

Answer = dict[str, object]


async def asked(rig: Rig, **request: object) -> Answer:
    answer: Answer = await asyncio.to_thread(ask, rig.station.config.control, dict(request))
    return answer


async def said(path: Path, line: bytes) -> Answer:
    """The answer to a raw line."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line)
    answer: Answer = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_load_take_fault_power_and_world(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert await asked(rig, command="load", lane="1", count=2) == {"ok": True, "blanks": ["blank-00001", "blank-00002"]}
        assert await asked(rig, command="fault", name="misfeed", values={"at": "Sic"}) == {"ok": True, "fault": "armed"}
        assert await asked(rig, command="take", where="hopper") == {"ok": True, "blanks": ["blank-00001", "blank-00002"]}
        assert await asked(rig, command="power", device="display", state="cycle") == {"ok": True}
        world = (await asked(rig, command="world"))["world"]
        assert isinstance(world, dict)
        assert world["totals"]["person"] == 2


async def test_a_press_is_answered_when_the_button_is_up_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await asked(rig, command="press", button="hold", ms=1)
        assert rig.lane.bank.level(rig.station.config.front_panel.pins["hold"]) == 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"command": "dance"}, "there is no command 'dance'; there are: world, press"),
        ({"command": "press", "button": "red"}, "button must be one of go, hold, not 'red'"),
        ({"command": "press", "button": "go", "ms": 0}, "ms must be a whole number from 1 to 600000, not 0"),
        ({"command": "load", "lane": "2", "count": 1}, "there is no lane '2'"),
        ({"command": "load", "count": "5"}, "count must be a whole number"),
        ({"command": "load", "count": 1, "dead_at": "1"}, "dead_at must be a list"),
        ({"command": "take", "where": "shelf"}, "where must be one of bin, reject, printer, hopper"),
        ({"command": "power", "device": "sun", "state": "off"}, "device must be one of printer, pins, display"),
        ({"command": "power", "device": "printer", "state": "maybe"}, "state must be one of off, on, cycle"),
        ({"command": "fault", "name": "misfeed", "values": 3}, "values must be an object"),
        ({"command": "fault", "name": None}, "there is no fault 'None'"),
    ],
)
async def test_a_request_that_cannot_be_met_is_refused_in_a_sentence(
    tmp_path: Path, request_: dict[str, object], words: str
) -> None:
    async with running(tmp_path) as rig:
        with pytest.raises(SimError, match=words):
            await asked(rig, **request_)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello\n", "one JSON object"),
        (b"[1]\n", "no command None"),
        (b"x" * (MAX_LINE_BYTES + 2) + b"\n", "at most 65536 bytes"),
        (b"\xff\n", "JSON"),
    ],
)
async def test_a_line_that_is_no_request_is_refused(tmp_path: Path, line: bytes, words: str) -> None:
    async with running(tmp_path) as rig:
        answer = await said(rig.station.config.control, line)
        assert words in str(answer["error"])


async def test_the_socket_is_its_owners(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert rig.station.config.control.stat().st_mode & 0o777 == 0o600


async def test_a_second_hw_sim_on_the_same_socket_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        with pytest.raises(SimError, match="another hw-sim answers"):
            await ControlServer(rig.station.config.control, rig.station).start()


async def test_a_file_in_the_way_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        (tmp_path / "precious").write_text("x", encoding="utf-8")
        with pytest.raises(SimError, match="in the way"):
            await ControlServer(tmp_path / "precious", rig.station).start()


def test_asking_without_a_hw_sim_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stop", "--control", str(tmp_path / "none.sock")]) == 1
    assert "start it with 'hw-sim run'" in capsys.readouterr().err


def test_fault_list_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fault", "list"]) == 0
    row = "hung_chip          the n-th APDU from now is never answered; presented anew, the chip goes on  [apdu=1]"
    assert row in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--config", "nothing.toml"], "nothing.toml cannot be read"),
        (["run", "--config", "examples/hw-sim.toml", "--speed", "0"], "--speed must be a number above 0"),
        (["load", "1", "2", "--dead-at", "x"], "--dead-at must be numbers"),
        (["fault", "misfeed", "times"], "KEY=VALUE, not 'times'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 1
    assert words in capsys.readouterr().err


def wiring(tmp_path: Path) -> Path:
    """The example on free ports."""
    text = Path("examples/hw-sim.toml").read_text(encoding="utf-8")
    for old, new in ((":3240", ":0"), (":8888", ":0"), (":35963", ":1"), ("build/run", str(tmp_path))):
        text = text.replace(old, new)
    file = tmp_path / "sim.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("ending", ["stop", "signal"])
async def test_the_process_says_ready_and_ends_cleanly(tmp_path: Path, ending: str) -> None:
    command = [sys.executable, "-m", "hwsim.cli", "run", "--config", str(wiring(tmp_path)), "--speed", "max", "--quiet"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=".", env={"PYTHONPATH": "hw-sim"}
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert ready["ready"]
    assert ready["lanes"][0]["busid"] == "1-1"
    if ending == "stop":
        await asyncio.to_thread(ask, tmp_path / "hw-sim.sock", {"command": "stop"})
    else:
        process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sim.toml"]
