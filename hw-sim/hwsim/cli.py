"""The command line `hw-sim`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hwsim.clock import Clock
from hwsim.config import load_config
from hwsim.control import ControlServer, ask
from hwsim.desk import NAME as DESK
from hwsim.devices.pins import BUTTONS
from hwsim.errors import SimError
from hwsim.faults import FAULTS
from hwsim.hands import PUT_TO
from hwsim.orders import TAKEN_FROM
from hwsim.profiles import PROFILES
from hwsim.station import SimStation

DEFAULT_CONTROL = Path("build/run/hw-sim.sock")  # as in examples/hw-sim.toml


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one hw-sim command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        act: Callable[[argparse.Namespace], None] = options.act
        act(options)
    except SimError as error:
        print(f"hw-sim: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hw-sim", description="Simulated station hardware on real wires.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="simulate, until stopped")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="how the hardware is wired (hw-sim.toml)")
    run.add_argument("--speed", default="1", metavar="N|max", help="device motion N times as fast as real")
    run.add_argument("--profiles", type=Path, default=PROFILES, metavar="DIR", help="other firmware profiles")
    run.add_argument("--pictures", type=Path, metavar="DIR", help="keep a picture of each finished card")
    run.add_argument("--quiet", action="store_true", help="do not tell on stderr what happens")
    run.set_defaults(act=_run)

    def client(name: str, about: str, act: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about)
        command.add_argument("--control", type=Path, default=DEFAULT_CONTROL, metavar="SOCKET", help="of the hw-sim to talk to")
        command.set_defaults(act=act)
        return command

    client("world", "show the truth", _world).add_argument("--json", action="store_true", help="all of it, as JSON")
    press = client("press", "press a button of the front panel", _press)
    press.add_argument("button", choices=BUTTONS)
    press.add_argument("--ms", type=int, default=100, help="how long, in milliseconds")
    load = client("load", "put blanks into a hopper", _load)
    load.add_argument("lane")
    load.add_argument("count", type=int, metavar="N")
    load.add_argument("--dead-at", default="", metavar="K,...", help="the K-th of them has a dead chip")
    take = client("take", "take all cards from one place", _take)
    take.add_argument("where", choices=(*TAKEN_FROM, DESK))
    take.add_argument("--lane")
    put = client("put", "put one card somewhere, by hand", _put)
    put.add_argument("blank", help="its id or UID, 'next' for the lane's next blank, 'new' for a card that nobody knows")
    put.add_argument("where", choices=PUT_TO)
    put.add_argument("--lane", help="whose hopper, bin, reader or slot; the first lane when it is left out")
    fault = client("fault", "let something go wrong; 'fault list' shows what", _fault)
    fault.add_argument("name")
    fault.add_argument("values", nargs="*", metavar="KEY=VALUE")
    fault.add_argument("--lane")
    power = client("power", "switch a device", _power)
    power.add_argument("state", choices=("off", "on", "cycle"))
    power.add_argument("device", choices=("printer", "pins", "display"))
    power.add_argument("--lane")
    client("stop", "end hw-sim, once its pictures are made", _stop)
    return parser


# Serving


def _run(options: argparse.Namespace) -> None:
    clock = Clock.parse(options.speed)
    asyncio.run(_serve(options, clock))


async def _serve(options: argparse.Namespace, clock: Clock) -> None:
    tell = _silent if options.quiet else _tell
    station = SimStation(load_config(options.config), clock, options.pictures, tell, options.profiles)
    control = ControlServer(station.config.control, station)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, station.stopping.set)
    await control.start()
    try:
        await station.run(lambda: print(json.dumps(station.ports_json()), flush=True))
    except* SimError as errors:
        raise SimError("; ".join(str(error) for error in errors.exceptions)) from None
    finally:
        await control.close()


def _tell(sentence: str) -> None:
    with suppress(BrokenPipeError):
        print(f"hw-sim: {sentence}", file=sys.stderr, flush=True)


def _silent(_sentence: str) -> None:
    return


# Asking


def _world(options: argparse.Namespace) -> None:
    world = ask(options.control, {"command": "world"})["world"]
    if options.json:
        print(json.dumps(world, indent=1))
        return
    for place, count in world["totals"].items():
        print(f"{place:8} {count:6}")
    print(*(f"|{line}|" for line in world["display"]), sep="\n")


def _press(options: argparse.Namespace) -> None:
    ask(options.control, {"command": "press", "button": options.button, "ms": options.ms})


def _load(options: argparse.Namespace) -> None:
    try:
        dead = [int(number) for number in options.dead_at.split(",") if number]
    except ValueError:
        raise SimError(f"--dead-at must be numbers with commas between, not {options.dead_at!r}") from None
    ask(options.control, {"command": "load", "lane": options.lane, "count": options.count, "dead_at": dead})


def _take(options: argparse.Namespace) -> None:
    print(*ask(options.control, _with_lane(options, {"command": "take", "where": options.where}))["blanks"], sep="\n")


def _put(options: argparse.Namespace) -> None:
    print(ask(options.control, _with_lane(options, {"command": "put", "blank": options.blank, "where": options.where}))["blank"])


def _fault(options: argparse.Namespace) -> None:
    if options.name == "list":
        for name, fault in FAULTS.items():
            takes = " ".join(f"{key}={_shown(value)}" for key, value in fault.takes.items())
            print(f"{name:18} {fault.about}{f'  [{takes}]' if takes else ''}")
        return
    values = dict(_pair(text) for text in options.values)
    print(ask(options.control, _with_lane(options, {"command": "fault", "name": options.name, "values": values}))["fault"])


def _power(options: argparse.Namespace) -> None:
    ask(options.control, _with_lane(options, {"command": "power", "state": options.state, "device": options.device}))


def _stop(options: argparse.Namespace) -> None:
    ask(options.control, {"command": "stop"})


def _with_lane(options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    return request if options.lane is None else {**request, "lane": options.lane}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise SimError(f"a value of a fault is written KEY=VALUE, not {text!r}")
    return key, value


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())
