"""tools/sandbox and tools/pcscd.py, each test in a sandbox of its own (nested in that of `make test`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tools.pcscd import SANDBOX_VARIABLE, Pcscd

ROOT = Path(__file__).resolve().parents[3]
SANDBOX = str(ROOT / "tools/sandbox")
READERS = "from smartcard.System import readers; print(*sorted(map(str, readers())), sep=', ')"
DESK = "hw-sim desk 00 00, hw-sim desk 00 01"
LANE_1 = f"{DESK}, hw-sim lane 1 00 00, hw-sim lane 1 00 01"

SERVER = """
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("build/run/http.sock")
listener.listen()
print(os.environ["PRINT_STATION_URL"], flush=True)
connection = listener.accept()[0]
connection.recv(4096)
connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhalo")
"""


def sandbox(*command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SANDBOX, *options, "--", *command], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


def python(script: str, options: tuple[str, ...] = ()) -> str:
    result = sandbox(sys.executable, "-c", script, options=options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture
def waiting() -> subprocess.Popen[str]:
    """A sandbox whose command has said that it waits and answers SIGTERM with exit code 5."""
    script = "trap 'exit 5' TERM; sleep 600 & echo waiting; wait"
    process = subprocess.Popen([SANDBOX, "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


def ends(process: subprocess.Popen[str]) -> int:
    """The exit code, once nothing of the sandbox holds its output any more: every process in it has ended then."""
    process.communicate(timeout=30)
    return process.returncode


def test_the_exit_code_is_the_commands() -> None:
    assert sandbox("sh", "-c", "exit 7").returncode == 7


def test_a_command_killed_by_a_signal_gives_the_shells_code() -> None:
    assert sandbox("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_an_unknown_command_is_named() -> None:
    result = sandbox("no-such-command")
    assert (result.returncode, result.stderr) == (127, "sandbox: cannot run no-such-command: No such file or directory\n")


def test_each_lane_has_its_reader() -> None:
    assert python(READERS) == LANE_1
    assert python(READERS, ("--lanes", "2")) == f"{LANE_1}, hw-sim lane 2 00 00, hw-sim lane 2 00 01"


def test_drivers_of_real_readers_are_hidden() -> None:
    folder = Path("/usr/lib/pcsc/drivers")
    assert folder.is_dir()
    assert sandbox("ls", str(folder)).stdout == ""


def test_two_sandboxes_do_not_see_each_other() -> None:
    nested = (
        f"import subprocess; {READERS}; subprocess.run(['{SANDBOX}', '--', '{sys.executable}', '-c', \"{READERS}\"], check=True)"
    )
    assert python(nested).splitlines() == [LANE_1, LANE_1]


def test_files_of_the_run_are_removed_with_it() -> None:
    before = sorted((ROOT / "build/run").iterdir())
    assert sandbox("sh", "-c", "touch build/run/a $TMPDIR/b /run/c && ls build/run/a").stdout == "build/run/a\n"
    assert sorted((ROOT / "build/run").iterdir()) == before


def test_a_browser_outside_reaches_the_daemons_socket() -> None:
    process = subprocess.Popen(
        [SANDBOX, "--http-out", "--", sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with urllib.request.urlopen(process.stdout.readline().strip(), timeout=10) as answer:
        assert answer.read() == b"halo"
    assert ends(process) == 0


def test_a_signal_goes_to_the_command_and_what_it_left_running_dies(waiting: subprocess.Popen[str]) -> None:
    waiting.terminate()
    assert ends(waiting) == 5


def test_nothing_outlives_a_killed_sandbox(waiting: subprocess.Popen[str]) -> None:
    waiting.kill()
    assert ends(waiting) == -signal.SIGKILL


def test_pcscd_can_be_killed_and_started_again_from_within() -> None:
    script = f"from tools.pcscd import Pcscd; p = Pcscd(); p.kill(); assert p.pid() is None; p.start(); {READERS}; p.stop()"
    assert python(script) == LANE_1


def test_the_sandbox_ends_well_when_another_process_replaced_its_pcscd() -> None:
    replace = "from tools.pcscd import Pcscd; p = Pcscd(); p.kill(); p.start()"
    assert sandbox(sys.executable, "-c", replace).returncode == 0


def test_pcscd_is_not_started_twice() -> None:
    result = sandbox(sys.executable, "-c", "from tools.pcscd import Pcscd; Pcscd().start()")
    assert "RuntimeError: pcscd runs already, pid " in result.stderr


def test_pcscd_is_not_started_outside_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    if SANDBOX_VARIABLE in os.environ:
        monkeypatch.delenv(SANDBOX_VARIABLE)
    with pytest.raises(RuntimeError, match="only inside tools/sandbox"):
        Pcscd().start()


@pytest.mark.parametrize("lanes", [0, 8])
def test_pcscd_serves_no_more_lanes_than_it_has_readers(lanes: int) -> None:
    with pytest.raises(ValueError, match=f"{lanes} lanes: pcscd can serve 1 to 7"):
        Pcscd(lanes)
