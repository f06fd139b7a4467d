"""print-station capture: write down what crosses a printer's USB cable, or hold today's driver against such a trace."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from controller import __version__
from controller.clock import Deadline, wall_us
from controller.commands.asking import say_error
from controller.config import DEFAULT_PROFILES, LaneTable, read_config
from controller.errors import ConfigError, DeviceError, Problem, StoreError
from controller.hal.evolis.driver import EvolisPrinter
from controller.hal.magicard.driver import MagicardPrinter
from controller.hal.ports import CardPrinter
from controller.hal.profiles.printer import EvolisProfile, MagicardProfile, PrinterProfile, find_profile
from controller.hal.usb.link import Pipe, UsbLink, UsbPipe, UsbWanted, check_address
from controller.hal.usb.replay import ReplayPipe, TraceDiffers, TraceError, read_trace
from controller.hal.usb.trace import RecordingPipe, error_facts
from controller.jobs.store import take_lock

TEST_CARD_LIMIT_S = 300.0  # the slowest printer, with somebody putting the card in
FULL_WARNING = "print-station: the trace will hold everything that is sent, faces too: personal data. Only you can read the file."
TEST_CARD_WARNING = "print-station: this takes one blank; count the lane's blanks afterwards ('print-station stock count')."


async def _identify(printer: CardPrinter) -> dict[str, Any]:
    """Who is there, and its position and counters."""
    identity = await printer.open()
    return {"identity": dataclasses.asdict(identity), "witness": dataclasses.asdict(await printer.witness())}


async def _care(printer: CardPrinter) -> dict[str, Any]:
    """Who is there, and what bears on its upkeep."""
    identity = await printer.open()
    return {"identity": dataclasses.asdict(identity), "care": dataclasses.asdict(await printer.care())}


async def _print_test_card(printer: CardPrinter) -> dict[str, Any]:
    """One test card, with the counters before and after."""
    identity = await printer.open()
    before = dataclasses.asdict(await printer.witness())
    await printer.print_test_card(Deadline.after(TEST_CARD_LIMIT_S))
    after = dataclasses.asdict(await printer.witness())
    return {"identity": dataclasses.asdict(identity), "before": before, "after": after}


ACTS: dict[str, Callable[[CardPrinter], Awaitable[dict[str, Any]]]] = {
    "identify": _identify,
    "care": _care,
    "print-test-card": _print_test_card,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The printer to be listened to."""

    profile: PrinterProfile
    address: str
    serial: str
    port: str | None = None

    @property
    def wanted(self) -> UsbWanted:
        """How it is found."""
        return UsbWanted.by(self.profile.usb, self.serial, self.port)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("lane", nargs="?", metavar="LANE", help="record the printer of this lane; its daemon must be stopped")
    parser.add_argument("--lane", dest="lane_option", metavar="LANE", help="the same")
    parser.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")
    parser.add_argument("--profile", metavar="NAME", help="record a printer of no lane, with --serial and maybe --usb, --port")
    parser.add_argument("--usb", default="usb", metavar="ADDRESS", help="usb (default) or usbip://HOST:PORT")
    parser.add_argument("--serial", metavar="SERIAL", help="its serial number")
    parser.add_argument("--port", metavar="PATH", help="the USB port it is plugged in at, e.g. 1-1.2")
    parser.add_argument("--profiles", type=Path, metavar="DIR", help="folder of firmware profiles (default: as the station)")
    parser.add_argument("--act", choices=ACTS, default="identify", help="what to do meanwhile (default: identify)")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="the trace to be made; it must not exist")
    parser.add_argument("--full", action="store_true", help="keep long data too: dots are personal data")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="hold today's driver against this trace; needs no printer")


def run(arguments: argparse.Namespace) -> int:
    """Record or replay. 1 when the printer refused (the trace is kept), or when today's driver differs from the trace."""
    if arguments.replay is not None:
        return _replay(arguments)
    if arguments.out is None:
        print("print-station: capture needs -o FILE, or --replay FILE", file=sys.stderr)
        return 2
    if arguments.act == "print-test-card":
        print(TEST_CARD_WARNING, file=sys.stderr)
    try:
        with _target(arguments) as target:
            return _record(target, arguments)
    except StoreError as error:
        say_error(error)
        return 1


# Recording


def _record(target: Target, arguments: argparse.Namespace) -> int:
    with _new_file(arguments.out, arguments.full) as file:
        lines = 0

        def tell(facts: Mapping[str, Any]) -> None:
            nonlocal lines
            lines += 1
            file.write(json.dumps(facts, ensure_ascii=False) + "\n")
            file.flush()

        pipe = RecordingPipe(UsbPipe(target.address, target.wanted), _header(target, arguments.act), tell, full=arguments.full)
        outcome = asyncio.run(_converse(target, arguments.act, pipe))
        if not lines:
            arguments.out.unlink()  # the printer was never there
        else:
            tell({"do": "end", "outcome": outcome})
    if "error" in outcome:
        print(f"print-station: {outcome['error']['condition']}: {outcome['error']['detail']}", file=sys.stderr)
    if lines:
        print(f"{arguments.out}: {target.profile.model}, {arguments.act}, {max(0, lines - 2)} transfers")
    return 1 if "error" in outcome else 0


def _header(target: Target, act: str) -> dict[str, Any]:
    return {
        "tool": f"print-station {__version__}",
        "recorded": datetime.fromtimestamp(wall_us() // 1_000_000, UTC).isoformat(),
        "wire": target.address.partition(":")[0],
        "profile": target.profile.name,
        "ribbon": target.profile.ribbon,
        "serial": target.serial,
        "act": act,
    }


@contextmanager
def _new_file(path: Path, private: bool) -> Iterator[TextIO]:
    """A file that nobody else may read when it holds dots. Raises ConfigError when it cannot be made."""
    if private:
        print(FULL_WARNING, file=sys.stderr)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o644)
    except OSError as error:
        why = error.strerror
        raise _mistake("out", str(path), f"berkas tidak dapat dibuat: {why}", f"cannot be made: {why}") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        yield file


async def _converse(target: Target, act: str, pipe: Pipe) -> dict[str, Any]:
    """What the driver makes of it: an outcome, or the error it met."""
    printer = _driver(target.profile, UsbLink(target.address, target.wanted, pipe))
    try:
        outcome = await ACTS[act](printer)
    except DeviceError as error:
        outcome = {"error": error_facts(error)}
    finally:
        await printer.close()
    return outcome


def _driver(profile: PrinterProfile, link: UsbLink) -> CardPrinter:
    if isinstance(profile, MagicardProfile):
        return MagicardPrinter(profile, link)
    if isinstance(profile, EvolisProfile):
        return EvolisPrinter(profile, link)
    raise TypeError(f"no driver for {type(profile).__name__}")


# Which printer


@contextmanager
def _target(arguments: argparse.Namespace) -> Iterator[Target]:
    """The printer that was named. Raises ConfigError, and StoreError while the lane's daemon runs."""
    if arguments.profile is None:
        with _target_of_lane(arguments) as target:
            yield target
        return
    if arguments.serial is None:
        raise _mistake("serial", "--serial", "wajib diisi bersama --profile", "is required with --profile")
    try:
        check_address(arguments.usb)
    except ValueError as error:
        raise _mistake("usb", "--usb", f"salah: {error}", f"is wrong: {error}") from error
    profile = find_profile((arguments.profiles or DEFAULT_PROFILES) / "printers", arguments.profile)
    yield Target(profile, arguments.usb, arguments.serial, arguments.port)


@contextmanager
def _target_of_lane(arguments: argparse.Namespace) -> Iterator[Target]:
    reading = read_config(arguments.config)
    if reading.config is None:
        raise ConfigError(list(reading.problems))
    station = reading.config.station
    table = _lane(reading.config.lanes, arguments.lane or arguments.lane_option)
    profile = find_profile((arguments.profiles or station.profiles_dir) / "printers", table.printer.profile)
    if table.printer.ribbon is not None:
        profile = profile.with_ribbon(table.printer.ribbon)
    with _daemon_stopped(station.state_dir):
        yield Target(profile, table.printer.usb, table.printer.serial, table.printer.port)


def _lane(lanes: list[LaneTable], name: str | None) -> LaneTable:
    names = ", ".join(lane.name for lane in lanes)
    if name is None and len(lanes) == 1:
        return lanes[0]
    for lane in lanes:
        if lane.name == name:
            return lane
    raise _mistake("lane", str(name or ""), f"jalur tidak ada; yang ada: {names}", f"is no lane; there are: {names}")


@contextmanager
def _daemon_stopped(state_dir: Path) -> Iterator[None]:
    """Keep the daemon from starting meanwhile. Raises StoreError while it runs."""
    if not (state_dir / "lock").exists():  # no daemon ever ran there, and nothing is to be made there
        yield
        return
    lock = take_lock(state_dir)
    try:
        yield
    finally:
        os.close(lock)


def _mistake(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem(f"capture.{code}", place, indonesian, english)])


# Replaying


def _replay(arguments: argparse.Namespace) -> int:
    trace = read_trace(arguments.replay)
    header = trace.header
    profile = find_profile((arguments.profiles or DEFAULT_PROFILES) / "printers", str(header.get("profile")))
    with suppress(KeyError):
        profile = profile.with_ribbon(str(header["ribbon"]))
    act = str(header.get("act"))
    if act not in ACTS:
        raise TraceError(f"{arguments.replay}: act {act!r} is not known; there are: {', '.join(ACTS)}")
    pipe = ReplayPipe(trace)
    try:
        outcome = asyncio.run(_converse(Target(profile, "usb", str(header.get("serial"))), act, pipe))
        pipe.end()
    except TraceDiffers as difference:
        print(f"{arguments.replay}: {difference}", file=sys.stderr)
        return 1
    if trace.outcome is not None and _plain(outcome) != _plain(trace.outcome):
        made = f"today's driver makes {outcome} of them, not {dict(trace.outcome)}"
        print(f"{arguments.replay}: the same bytes, but {made}", file=sys.stderr)
        return 1
    print(f"{arguments.replay}: the same in {len(trace.steps)} transfers")
    return 0


def _plain(outcome: Mapping[str, Any]) -> object:
    """An outcome as JSON has it; of an error only what does not depend on the clock."""
    told = json.loads(json.dumps(outcome))
    return {**told, "error": {**told["error"], "detail": ""}} if isinstance(told.get("error"), dict) else told
