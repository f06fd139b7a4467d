"""print-station store check|snapshot|restore|trust"""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.clock import wall_text
from controller.commands.asking import add_who_and_why, say_error, say_problems
from controller.errors import RequestRefused, StoreError
from controller.jobs import acts, restore, snapshot, store_check
from controller.jobs.old_memory import Restored
from controller.jobs.storage_faults import fault_of

STATE_DIR = Path("/var/lib/print-station")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="look whether a state folder or a copy of one is whole; changes nothing")
    check.add_argument("state_dir", type=Path, nargs="?", default=STATE_DIR, metavar="STATE_DIR")
    take = verbs.add_parser("snapshot", help="save the state, running or not, into a new folder")
    take.add_argument("out", type=Path, metavar="OUT")
    take.add_argument("--state-dir", type=Path, default=STATE_DIR, metavar="DIR", help=f"default: {STATE_DIR}")
    back = verbs.add_parser("restore", help="bring a snapshot back; the daemon must be stopped, nothing is deleted")
    back.add_argument("snapshot", type=Path, metavar="SNAPSHOT")
    back.add_argument("state_dir", type=Path, metavar="STATE_DIR")
    add_who_and_why(back, reason="restore")
    vouch = verbs.add_parser("trust", help="vouch for the state as it is, after a loss or a restore; the daemon must be stopped")
    vouch.add_argument("state_dir", type=Path, metavar="STATE_DIR")
    add_who_and_why(vouch, reason="trust")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; 1 when something is wrong or refused."""
    try:
        return {"check": _check, "snapshot": _snapshot, "restore": _restore, "trust": _trust}[arguments.verb](arguments)
    except StoreError as error:
        say_error(error)
    except RequestRefused as error:
        say_problems([error.problem])
    return 1


def _check(arguments: argparse.Namespace) -> int:
    try:
        problems = list(store_check.check(arguments.state_dir))
    except OSError as error:
        say_error(fault_of(error, arguments.state_dir))
        return 1
    say_problems(problems)
    if not problems:
        print(f"{arguments.state_dir}: whole")
    return 1 if problems else 0


def _snapshot(arguments: argparse.Namespace) -> int:
    manifest = snapshot.take(arguments.state_dir, arguments.out)
    print(f"{arguments.out}: {manifest.jobs} jobs, taken {wall_text(manifest.taken_us)}")
    print(f"  event log up to {manifest.head or 'nothing'}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    acts.must_be_person(arguments.who)
    done = restore.restore(arguments.snapshot, arguments.state_dir, arguments.who)
    print(f"{arguments.state_dir}: restored, epoch {done.epoch}; the station is on HOLD")
    _say_old_memory(done, arguments.state_dir)
    return 0


def _say_old_memory(done: Restored, state_dir: Path) -> None:
    if done.aside is not None:
        print(f"  what was here before lies in {done.aside}")
    print(f"  {done.held} jobs are held: make sure that their cards were never issued, then 'print-station retry JOB'")
    if done.unknown:
        print(f"  {done.unknown} cards were in work: see 'print-station question list' once the station runs")
    _say_adopted(done)
    if done.missing:
        print(f"  {done.missing} jobs have no record in the spool: hand the records in again with 'print-station submit'")
    print(f"  new records are held as well until 'print-station store trust {state_dir}' (daemon stopped)")


def _trust(arguments: argparse.Namespace) -> int:
    acts.must_be_person(arguments.who)
    done = restore.trust(arguments.state_dir, arguments.who)
    if done.doubted:
        print(f"{arguments.state_dir}: its last work is lost with the WAL; epoch {done.epoch}, the station is on HOLD")
        _say_old_memory(done, arguments.state_dir)
        return 0
    print(f"{arguments.state_dir}: trusted as it is, epoch {done.epoch}")
    _say_adopted(done)
    return 0


def _say_adopted(done: Restored) -> None:
    if done.adopted:
        print(f"  {done.adopted} records of the spool had no job and are held jobs now")
