"""print-station chip check | read [--whose] | wipe-test --yes   [--lane LANE | --desk] [--json] [--trace [--unmasked]]

For the counter and the technician: lay one card on a reader. The command talks to reader and key holder itself. A running station
keeps its SAM cards: stop it first, or give the counter a station.toml with a reader and SAM of its own (docs/chips.md).

check      is it complete, closed and signed by the centre, or an empty blank? Says nothing of whose it is.
read       as check, and how much each file holds. With --whose the NIK, the name and a digest of each file, for members of the
           group `ktp-counter`: who has a list of residents' data knows a card by its digests.
wipe-test  writes a test pattern to an empty blank, reads it back and empties it again: does this reader write? Never touches a
           card that holds anything else, or that the station knows.

--trace shows every exchange with the chip, masked: lengths and status words. --unmasked shows the bytes, for the same group as
--whose. Exit codes: 0 good, 1 nothing was found out, 2 wrong usage, 3 not good, 4 an empty chip (see `chip_findings`).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import grp
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from controller.chips.profile import ChipProfile
from controller.chips.trace import Tracer
from controller.clock import Deadline, monotonic_s
from controller.commands.asking import say_problems
from controller.commands.chip_books import Known, known
from controller.commands.chip_findings import NOTHING, Finding, as_json, as_text, trouble
from controller.commands.chip_wipe import WORK_S, WipeTest
from controller.config import ReaderTable
from controller.errors import CardWrong, ConfigError, DeviceError, DeviceRefused, Problem
from controller.hal.chip.pcsc_session import Trace
from controller.hal.ports import ChipStation
from controller.key_holder import KeyHolders
from controller.lane_parts import chip_station
from controller.model import ChipFile
from controller.setup import Setup, read_setup

ROLE_GROUP = "ktp-counter"  # Unix group of those who may see whose a card is (systemd/print-station.sysusers)
EXIT_CODES = "exit codes: 0 good, 1 not checked, 2 wrong usage, 3 not good, 4 an empty chip"
WAIT_S = 10.0
MAX_WAIT_S = 600.0

_NIK, _NAME = 0, 13  # fields of the biodata (chip.md 1.2)
_BIODATA = 0x6FF1
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # after which a blank is emptied first
_REMARKS = {Known.UNREADABLE: ("not_in_books",), Known.UNLISTED: ("unlisted",)}
_BAD_BOOKS = {Known.SPOILED: "spoiled", Known.DESTROYED: "destroyed", Known.OPEN: "open"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.epilog = EXIT_CODES
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="check|read|wipe-test")
    verbs.add_parser("check", help="is the card on the reader good?")
    read = verbs.add_parser("read", help="what does the card hold?")
    read.add_argument("--whose", action="store_true", help=f"show NIK, name and digests; for members of the group {ROLE_GROUP}")
    wipe = verbs.add_parser("wipe-test", help="write to an empty blank, read it back, and empty it again")
    wipe.add_argument("--yes", action="store_true", required=True, help="the card on the reader is an empty blank")
    for verb in verbs.choices.values():
        verb.epilog = EXIT_CODES
        where = verb.add_mutually_exclusive_group()
        where.add_argument("--lane", metavar="LANE", help="the reader of this lane")
        where.add_argument("--desk", action="store_true", help="the desk reader (default, where there is one)")
        verb.add_argument(
            "--wait", type=_seconds, default=WAIT_S, metavar="S", help=f"wait so long for a card (default: {WAIT_S:g})"
        )
        verb.add_argument("--json", action="store_true", help="the answer as JSON")
        verb.add_argument("--trace", action="store_true", help="show every exchange, masked, on stderr")
        verb.add_argument("--unmasked", action="store_true", help=f"trace with the bytes; for members of the group {ROLE_GROUP}")
        verb.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """See the module for exit codes."""
    try:
        if (getattr(arguments, "whose", False) or arguments.unmasked) and not is_member(ROLE_GROUP):
            raise _not_yours()
        setup = read_setup(arguments.config)
        profile, reader = _reader(setup, arguments.lane, desk=arguments.desk)
    except ConfigError as error:
        say_problems(error.problems)
        return NOTHING
    with closing(KeyHolders.of(setup.config)) as holders:
        signature = None if arguments.verb == "wipe-test" else setup.signature_of(profile)
        station = chip_station(profile, reader, holders, signature, _trace(arguments))
        books = partial(known, setup.config.station.state_dir)
        test = WipeTest(station, profile, books, _hint_emptying, arguments.wait)
        _hint(f"Letakkan satu kartu di pembaca '{reader.name}'.", f"Lay one card on the reader '{reader.name}'.")
        try:
            finding = asyncio.run(_work(station, profile, books, test, arguments))
        except asyncio.CancelledError:
            finding = Finding("stopped", remarks=test.state)
    _say(finding, arguments)
    return finding.exit_code


async def _work(station: ChipStation, profile: ChipProfile, books: Callable[[str], Known], test: WipeTest,
                arguments: argparse.Namespace) -> Finding:  # fmt: skip
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # this is one
    for ending in _ENDINGS:
        loop.add_signal_handler(ending, task.cancel)
    wait = Deadline.after(arguments.wait)
    try:
        await station.check()
        if arguments.verb == "wipe-test":
            return await test.run(wait)
        return await look(station, profile, books, wait, whose=getattr(arguments, "whose", False))
    except DeviceError as error:
        return trouble(error, None, "strange")
    finally:
        await station.close()


async def look(station: ChipStation, profile: ChipProfile, books: Callable[[str], Known], wait: Deadline, *,
               whose: bool = False) -> Finding:  # fmt: skip
    """What the card on the reader is. Writes nothing."""
    uid = None
    try:
        sight = await station.identify(wait)
        uid = sight.uid
        if sight.fresh:
            code, files = await _empty(station, profile), []
        else:
            files = await station.verify([row.fid for row in profile.personalised], Deadline.after(WORK_S))
            code = "complete"
    except (DeviceError, CardWrong) as error:
        return trouble(error, uid, "strange" if uid is None else "unfinished")
    said = books(uid)
    code = _by_books(code, said)
    found = Finding(code, uid, _proofs(profile), remarks=_REMARKS.get(said, ()), files=tuple(files))
    return replace(found, owner=owner(files)) if whose and files else found


async def _empty(station: ChipStation, profile: ChipProfile) -> str:
    """The finding for an empty chip: one that is closed takes nothing any more."""
    if not profile.locks:
        return "empty"
    try:
        await station.verify([], Deadline.after(WORK_S))
    except DeviceRefused as error:
        if error.condition != "chip_refused":
            raise
        return "empty"
    return "closed_empty"


def owner(files: Sequence[ChipFile]) -> tuple[str, str]:
    """NIK and name in the biodata: 21 quoted fields (chip.md 1.2); "?" where they cannot be read."""
    text = next((file.content for file in files if file.fid == _BIODATA), b"").decode("utf-8", "replace")
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)  # nothing that steers a terminal
    fields = next(csv.reader([shown]), [])
    return (fields[_NIK], fields[_NAME]) if len(fields) > _NAME else ("?", "?")


def is_member(group: str) -> bool:
    """Whether this process is in the Unix group. Root is not, unless it was put there."""
    try:
        return grp.getgrnam(group).gr_gid in {os.getgid(), *os.getgroups()}
    except KeyError:
        return False


def _by_books(code: str, said: Known) -> str:
    """The finding once the station's books were asked too."""
    if said is Known.ISSUED and code == "empty":
        return "unfinished"  # it was read back full, once
    return _BAD_BOOKS.get(said, code)


def _proofs(profile: ChipProfile) -> tuple[str, str]:
    """What else is known of a complete chip."""
    return ("", "") if profile.invented.signature is None else (", bertanda tangan pusat", ", signed by the centre")


def _say(finding: Finding, arguments: argparse.Namespace) -> None:
    """JSON and what was found out go to stdout, why nothing was found out to stderr."""
    if arguments.json:
        print(json.dumps(as_json(finding), indent=2, ensure_ascii=False))
        return
    shown = finding if arguments.verb == "read" else replace(finding, files=())
    print("\n".join(as_text(shown)), file=sys.stderr if finding.exit_code == NOTHING else sys.stdout)


def _hint(indonesian: str, english: str) -> None:
    """For a person who sits before a terminal."""
    if sys.stderr.isatty():
        print(f"{indonesian}\n    {english}", file=sys.stderr)


def _hint_emptying() -> None:
    _hint("Blangko sedang dikosongkan: biarkan, atau letakkan kembali di pembaca.",
          "The blank is being emptied: leave it on the reader, or lay it back.")  # fmt: skip


def _seconds(text: str) -> float:
    value = float(text)  # ValueError: argparse says so
    if not 0 < value <= MAX_WAIT_S:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {MAX_WAIT_S:g} seconds are possible")
    return value


def _not_yours() -> ConfigError:
    return ConfigError([Problem("role", "", f"hanya anggota grup {ROLE_GROUP} boleh melihat milik siapa kartu ini.",
                                f"only members of the group {ROLE_GROUP} may see whose a card is.")])  # fmt: skip


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
    if not (arguments.trace or arguments.unmasked):
        return None
    tracer, numbers, last = Tracer(masked=not arguments.unmasked), iter(range(1, 1_000_000)), [monotonic_s()]

    def tell(command: bytes, answer: bytes) -> None:
        now = monotonic_s()
        print(tracer.lines(next(numbers), command, answer, (now - last[0]) * 1000), file=sys.stderr)
        last[0] = now

    return tell
