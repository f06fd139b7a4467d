"""A station on simulated hardware: hw-sim and the daemon as the two processes they are, started, asked and stopped.

For the demo, the scenario tests and the benchmarks; works inside `tools/sandbox` only, because it uses the fixed ports of
examples/*.toml. The example files are used as they are, except for the folder that everything is kept in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from controller.client import Answer, StationClient, StationUnreachable
from hwsim.control import ask
from hwsim.errors import SimError
from tools.wiring import with_lanes

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
POLL_S = 0.02
START_LIMIT_S = 30.0  # a cold start on a busy machine
STOP_LIMIT_S = 120.0  # the card in hand is finished first


class RigError(Exception):
    """Something did not happen in time, or a process died; the text holds the end of its log."""


class Rig:
    """The two processes and everything one asks them. A context manager: whatever happens, both are ended."""

    def __init__(
        self,
        folder: Path,
        *,
        speed: str = "max",
        pictures: Path | None = None,
        edits: Mapping[str, str] | None = None,
        lanes: int = 1,
        profiles: Path | None = None,
    ) -> None:
        """`edits` are text replacements in the example configurations, for stations that differ from them.

        More than one lane needs `tools/sandbox --lanes`. `profiles` are firmware profiles that both sides read.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.address = f"unix:{folder / 'http.sock'}"
        self.control = folder / "hw-sim.sock"
        self._options = ["--speed", speed, *(["--pictures", str(pictures)] if pictures is not None else [])]
        self._edits = {"build/run/": f"{folder}/", **(edits or {})}
        if profiles is not None:
            self._options += ["--profiles", str(profiles)]
            self._edits["[station]\n"] = f'[station]\nprofiles_dir = "{profiles}"\n'
        self._lanes = lanes
        self._sim: subprocess.Popen[bytes] | None = None
        self._station: subprocess.Popen[bytes] | None = None
        self._written = {name: self._write_config(name) for name in ("station.toml", "hw-sim.toml")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End both, whatever they do."""
        for process in (self._station, self._sim):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    # Processes

    def start(self) -> Self:
        """Start both and wait until both answer."""
        self.start_sim()
        self.start_station()
        return self

    def start_sim(self) -> None:
        """Start hw-sim and wait for its wires."""
        command = [sys.executable, "-m", "hwsim.cli", "run", "--config", str(self._written["hw-sim.toml"]), *self._options]
        self._sim = self._spawn("hw-sim", command)
        self.until(lambda: self._asks_sim({"command": "world"}), "hw-sim to answer", START_LIMIT_S)

    def start_station(self, *, wait: bool = True, prefix: Sequence[str] = ()) -> None:
        """Start the daemon and wait until it answers; `prefix` is a command that runs it, such as strace."""
        command = [*prefix, sys.executable, "-m", "controller", "run", "--config", str(self._written["station.toml"])]
        self._station = self._spawn("station", command)
        if wait:
            self.until(lambda: self._asks_station("/healthz"), "the station to answer", START_LIMIT_S)

    @property
    def config(self) -> Path:
        """The daemon's station.toml."""
        return self._written["station.toml"]

    @property
    def station_pid(self) -> int:
        """The daemon's process id."""
        if self._station is None:
            raise RigError("the station was never started")
        return self._station.pid

    def kill_station(self) -> None:
        """kill -9: what a power cut is to a process."""
        self._end(self._station, signal.SIGKILL)

    def stop_station(self) -> int:
        """SIGTERM; returns the exit code after the card in hand was finished."""
        return self._end(self._station, signal.SIGTERM)

    def terminate_station(self) -> None:
        """SIGTERM, without waiting: the card in hand may take a while."""
        if self._station is not None:
            self._station.send_signal(signal.SIGTERM)

    def station_exit(self) -> int | None:
        """The daemon's exit code once it has ended, negative for a signal; None while it runs."""
        return None if self._station is None else self._station.poll()

    def stop_sim(self) -> None:
        """Let hw-sim finish its pictures and end."""
        self._end(self._sim, signal.SIGTERM)

    def command(self, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one `print-station` command against this station, as a person would who types `stdin`."""
        command = [sys.executable, "-m", "controller", *map(str, arguments)]
        environment = variables() | {"PRINT_STATION": self.address}
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=START_LIMIT_S
        )

    # Asking

    def world(self, *, brief: bool = False) -> dict[str, Any]:
        """The truth; in brief without the content of files, only those that were written, and without the times of cards."""
        world: dict[str, Any] = ask(self.control, {"command": "world", "brief": brief})["world"]
        return world

    def sim(self, command: str, **values: Any) -> dict[str, Any]:
        """Tell hw-sim to do something: press, load, fault, power, take."""
        return ask(self.control, {"command": command, **values})

    def fault(self, name: str, *, lane: str = "1", **values: object) -> None:
        """Let something go wrong, or right again; see `hw-sim fault list`."""
        self.sim("fault", name=name, lane=lane, values={key: _word(value) for key, value in values.items()})

    def take(self, where: str, *, lane: str = "1") -> list[str]:
        """A person takes every card from the bin, the reject box, the printer, the hopper, the desk, or the lane's reader beside
        its printer ("reader"); returns their ids."""
        taken: list[str] = self.sim("take", where=where, lane=lane)["blanks"]
        return taken

    def put(self, blank: str, where: str, *, lane: str = "1") -> str:
        """A person puts one card on the desk, into reject, hopper or output, or keeps it; in a lane with an external reader
        also on its "reader" or into the hand-feed "slot". Cards are named by id or UID, "next" (in the stack) or "new"."""
        moved: str = self.sim("put", blank=blank, where=where, lane=lane)["blank"]
        return moved

    def trigger(self, wire: str, at: int, when: str, do: str | list[dict[str, Any]], *, lane: str = "1", **values: Any) -> int:
        """Let something happen before or after the `at`-th exchange from now; see `hwsim.orders`. Returns the trigger's number.

        With `start` counting begins at the first exchange with that label. `do` is "kill" (pid, signal), "pcscd" (signal) or
        "fault" (name, values), or a list of such: [{"do": "kill", "pid": 7}].
        """
        number: int = self.sim("trigger", wire=wire, at=at, when=when, do=do, lane=lane, **values)["trigger"]
        return number

    def clear_triggers(self, *, lane: str = "1") -> None:
        """Forget the triggers of a lane."""
        self.sim("trigger", clear=True, lane=lane)

    def exchanges(self, *, record: bool | None = None) -> dict[str, dict[str, Any]]:
        """What crossed the wires of each lane and of the desk; `record` begins a new list of labels, or ends it."""
        asked = {} if record is None else {"record": record}
        exchanges: dict[str, dict[str, Any]] = self.sim("exchanges", **asked)["exchanges"]
        return exchanges

    def get(self, path: str, **query: object) -> Answer:
        """Ask the station."""
        with StationClient(self.address) as client:
            return client.get(path, query)

    def post(self, path: str, body: bytes | Mapping[str, object]) -> Answer:
        """Hand the station something."""
        with StationClient(self.address) as client:
            return client.post(path, body)

    def submit(self, path: Path) -> Answer:
        """Hand in one record file."""
        return self.post("/api/v1/jobs", path.read_bytes())

    def load(self, lane: str, quantity: int, *, dead_at: tuple[int, ...] = ()) -> int:
        """A batch comes in, and a person fills the hopper with it and counts the blanks in; returns the balance."""
        self.sim("load", lane=lane, count=quantity, dead_at=list(dead_at))
        return self.count_in(lane, quantity)

    def count_in(self, lane: str, quantity: int) -> int:
        """A person tells the station that so many blanks came in and were put into the hopper; returns the balance."""
        self.receive(quantity)
        return int(self.act("load", lane=lane, quantity=quantity)["hopper"])

    def receive(self, quantity: int, *, number: str | None = None, uids: Sequence[str] = ()) -> str:
        """A batch comes into the store, by count or with its chips; returns its number."""
        number = number or f"RIG-{uuid.uuid4()}"
        self.act("receive", number=number, quantity=quantity, document="rig", **({"uids": list(uids)} if uids else {}))
        return number

    def act(self, verb: str, **values: object) -> dict[str, Any]:
        """An act of staff on the stock; raises RigError when it is refused."""
        answer = self.post(f"/api/v1/stock/{verb}", {**values, "who": "rig", "reason": "rig", "key": str(uuid.uuid4())})
        if answer.status != 200:
            raise RigError(f"{verb} was refused: {answer.body}")
        done: dict[str, Any] = answer.body
        return done

    def station(self) -> dict[str, Any]:
        """What the station says of itself."""
        body: dict[str, Any] = self.get("/api/v1/station").body
        return body

    def lane(self, name: str = "1") -> dict[str, Any]:
        """What the station says of one lane."""
        lane: dict[str, Any] = next(lane for lane in self.station()["lanes"] if lane["name"] == name)
        return lane

    def states(self) -> dict[str, int]:
        """How many jobs are in each state; states without jobs are left out."""
        return {state: count for state, count in self.station()["jobs"].items() if count}

    def until(self, seen: Callable[[], T], what: str, limit_s: float = 30.0) -> T:
        """Look again and again until `seen` returns something true; raises RigError naming `what` with both logs' ends."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            found = seen()
            if found:
                return found
            self._check_alive()
            time.sleep(POLL_S)
        raise RigError(f"waited {limit_s:g} s for {what}\n{self.logs()}")

    def logs(self, lines: int = 30) -> str:
        """The ends of both logs."""
        parts = []
        for name in ("station", "hw-sim"):
            log = self.folder / f"{name}.log"
            if log.exists():
                parts.append(f"--- {name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:]))
        return "\n".join(parts)

    # Inside

    def _write_config(self, name: str) -> Path:
        text = with_lanes((ROOT / "examples" / name).read_text(encoding="utf-8"), self._lanes)
        for old, new in self._edits.items():
            text = text.replace(old, new)
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=variables())

    def _asks_sim(self, request: dict[str, Any]) -> bool:
        try:
            ask(self.control, request)
        except SimError:
            return False
        return True

    def _asks_station(self, path: str) -> bool:
        try:
            self.get(path)
        except StationUnreachable:
            return False
        return True

    def _check_alive(self) -> None:
        for name, process in (("hw-sim", self._sim), ("station", self._station)):
            if process is not None and process.poll() not in (None, 0, -signal.SIGKILL):
                raise RigError(f"{name} died with {process.returncode}\n{self.logs()}")

    def _end(self, process: subprocess.Popen[bytes] | None, how: signal.Signals) -> int:
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise RigError(f"{process.args!r} did not end within {STOP_LIMIT_S:g} s\n{self.logs()}") from error


def _word(value: object) -> str:
    """A fault's value as hw-sim's command line takes it."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def variables() -> dict[str, str]:
    """The environment that our programs need in a process of their own."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "hw-sim")))
    return {**os.environ, "PYTHONPATH": path}


def record_json(path: Path) -> dict[str, Any]:
    """A record file's content."""
    record: dict[str, Any] = json.loads(path.read_bytes())
    return record
