"""print-station chip check | read [--whose] | wipe-test --yes   [--lane LANE | --desk] [--trace [--unmasked]]

For the counter and the technician: lay one card on a reader. The command talks to reader and key holder itself. A running station
keeps its readers' SAM cards for itself: stop it first, or give the counter a station.toml with a reader and SAM of its own.

check      is it an empty blank, or complete, closed and signed by the centre? Says nothing of whose it is.
read       as check, and how much each file holds. With --whose the NIK and the name, for members of the group `ktp-counter`.
wipe-test  writes a test pattern to an empty blank, reads it back and empties it again: does this reader write? Never touches a
           card that holds anything else.

--trace shows every exchange with the chip, masked: lengths and status words. --unmasked shows the bytes; with anything but
wipe-test it takes the same group as --whose.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import grp
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from controller.chips.profile import ChipProfile
from controller.chips.trace import Tracer
from controller.clock import Deadline, monotonic_s
from controller.config import ReaderTable
from controller.errors import CardWrong, ConfigError, DeviceError, DeviceRefused, Problem
from controller.hal.pcsc_link import Trace
from controller.hal.ports import ChipStation
from controller.key_holder import KeyHolders
from controller.lane_parts import chip_station
from controller.model import ChipFile
from controller.setup import Setup, read_setup

ROLE_GROUP = "ktp-counter"  # Unix group of those who may see whose a card is
WORK_S = 60.0  # reading 8 kB at 106 kbit/s and writing it twice

_NIK, _NAME = 0, 13  # fields of the biodata (chip.md 1.2)
_BIODATA = 0x6FF1
_PATTERN_BYTES = 600  # more than two blocks under any channel


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|read|wipe-test")
    verbs.add_parser("check", help="is the card on the reader good?")
    read = verbs.add_parser("read", help="what does the card hold?")
    read.add_argument("--whose", action="store_true", help=f"show NIK and name; for members of the group {ROLE_GROUP}")
    wipe = verbs.add_parser("wipe-test", help="write to an empty blank, read it back, and empty it again")
    wipe.add_argument("--yes", action="store_true", required=True, help="the card on the reader is an empty blank")
    for verb in verbs.choices.values():
        where = verb.add_mutually_exclusive_group()
        where.add_argument("--lane", metavar="LANE", help="the reader of this lane")
        where.add_argument("--desk", action="store_true", help="the desk reader (default, where there is one)")
        verb.add_argument("--wait", type=float, default=10.0, metavar="S", help="wait so long for a card (default: 10)")
        verb.add_argument("--trace", action="store_true", help="show every exchange, masked")
        verb.add_argument("--unmasked", action="store_true", help="with --trace: show the bytes")
        verb.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0: the card is good."""
    whose = getattr(arguments, "whose", False)
    if (whose or (arguments.unmasked and arguments.verb != "wipe-test")) and not _allowed():
        print(f"only members of the group {ROLE_GROUP} may see whose a card is", file=sys.stderr)
        return 1
    setup = read_setup(arguments.config)
    profile, reader = _reader(setup, arguments.lane, desk=arguments.desk)
    with closing(KeyHolders.of(setup.config)) as holders:
        signature = None if arguments.verb == "wipe-test" else setup.signature_of(profile)
        station = chip_station(profile, reader, holders, signature, _trace(arguments))
        return asyncio.run(_work(station, profile, arguments, whose=whose))


async def _work(station: ChipStation, profile: ChipProfile, arguments: argparse.Namespace, *, whose: bool) -> int:
    try:
        await station.check()
        if arguments.verb == "wipe-test":
            await wipe_test(station, profile, Deadline.after(arguments.wait), print)
        else:
            await look(station, profile, Deadline.after(arguments.wait), print, sizes=arguments.verb == "read", whose=whose)
    except (DeviceError, CardWrong) as error:
        print(f"NOT GOOD: {error}", file=sys.stderr)
        return 1
    finally:
        await station.close()
    return 0


async def look(station: ChipStation, profile: ChipProfile, wait: Deadline, say: Callable[[str], None],
               *, sizes: bool = False, whose: bool = False) -> None:  # fmt: skip
    """Look at the card on the reader and say what it is. Raises DeviceError when it is not good, or cannot be looked at."""
    sight = await station.identify(wait)
    say(f"chip {sight.uid}")
    if sight.fresh:
        say("GOOD: an empty blank")
        return
    files = await station.verify([row.fid for row in profile.personalised], Deadline.after(WORK_S))
    say("GOOD: complete and closed" + ("" if profile.invented.signature is None else ", signed by the centre"))
    for file in files if sizes else ():
        say(f"  {file.fid:04X}  {len(file.content):5} bytes  SHA-256 {hashlib.sha256(file.content).hexdigest()[:16]}")
    if whose:
        say(f"  {owner(files)}")


async def wipe_test(station: ChipStation, profile: ChipProfile, wait: Deadline, say: Callable[[str], None]) -> None:
    """Write a pattern to an empty blank, read it back and empty it. Raises CardWrong("chip_used") for any other card."""
    sight = await station.identify(wait)
    say(f"chip {sight.uid}")
    pattern = test_pattern(profile)
    fids = [file.fid for file in pattern]
    deadline = Deadline.after(WORK_S)
    if not sight.fresh and not _left_over(pattern, await station.read(fids, deadline)):
        raise CardWrong("chip_used", "the card holds something else than this test: it was not touched")
    began_s = monotonic_s()
    await station.write(pattern, deadline)
    found = await station.read(fids, deadline)
    elapsed_s = monotonic_s() - began_s
    await station.write([ChipFile(file.fid, bytes(len(file.content))) for file in pattern], deadline)
    await station.write([ChipFile(fid, b"") for fid in fids], deadline)
    if found != pattern:
        raise CardWrong("chip_differs", "what was read is not what was written: the blank is emptied again, do not use it")
    await station.release()
    if not (await station.identify(Deadline.after(WORK_S))).fresh:
        raise DeviceRefused("chip_refused", "the blank was not emptied: do not use it")
    size = sum(len(file.content) for file in pattern)
    say(f"GOOD: {size} bytes written and read back in {elapsed_s:.2f} s; the blank is empty again")


def test_pattern(profile: ChipProfile) -> list[ChipFile]:
    """What the test writes: belongs to nobody."""
    return [ChipFile(row.fid, bytes((row.fid + at) % 251 for at in range(min(row.max_bytes, _PATTERN_BYTES))))
            for row in profile.personalised]  # fmt: skip


def owner(files: Sequence[ChipFile]) -> str:
    """NIK and name in the biodata: 21 quoted fields (chip.md 1.2)."""
    text = next((file.content for file in files if file.fid == _BIODATA), b"").decode("utf-8", "replace")
    fields = next(csv.reader([text]), [])
    return f"{fields[_NIK]}  {fields[_NAME]}" if len(fields) > _NAME else "the biodata cannot be read"


def _left_over(pattern: Sequence[ChipFile], found: Sequence[ChipFile]) -> bool:
    """Whether an earlier test was broken off: each file holds the pattern, zeros or nothing."""
    return all(file.content in (wanted.content, bytes(len(wanted.content)), b"")
               for wanted, file in zip(pattern, found, strict=True))  # fmt: skip


def _allowed() -> bool:
    """Whether this user is in the group. Root is not, unless it was put there."""
    try:
        group = grp.getgrnam(ROLE_GROUP)
    except KeyError:
        return False
    return group.gr_gid in {os.getgid(), *os.getgroups()}


def _reader(setup: Setup, lane: str | None, *, desk: bool) -> tuple[ChipProfile, ReaderTable]:
    if desk and setup.desk_chip is None:
        raise ConfigError(
            [Problem("usage", "--desk", "stasiun ini tidak punya pembaca meja.", "this station has no desk reader.")]
        )
    if lane is None and setup.desk_chip is not None and setup.config.desk_reader is not None:
        return setup.desk_chip, setup.config.desk_reader
    found = [row for row in setup.lanes if lane in (None, row.table.name)]
    if len(found) != 1:
        names = ", ".join(row.table.name for row in setup.lanes)
        raise ConfigError([Problem("usage", "--lane", f"sebut salah satu jalur: {names}.", f"name one of the lanes: {names}.")])
    return found[0].chip, found[0].table.reader


def _trace(arguments: argparse.Namespace) -> Trace | None:
    if not arguments.trace:
        return None
    tracer, numbers, last = Tracer(masked=not arguments.unmasked), iter(range(1, 1_000_000)), [monotonic_s()]

    def tell(command: bytes, answer: bytes) -> None:
        now = monotonic_s()
        print(tracer.lines(next(numbers), command, answer, (now - last[0]) * 1000), file=sys.stderr)
        last[0] = now

    return tell
