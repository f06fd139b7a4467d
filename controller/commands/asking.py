"""What the verbs that talk to a running station share: the address option, and saying refusals in both languages."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Mapping, Sequence

from controller.client import Answer, StationClient
from controller.errors import Problem, StoreError


def add_station(parser: argparse.ArgumentParser) -> None:
    """Add `--station`."""
    text = "unix:PATH or HOST:PORT (default: $PRINT_STATION, else the installed station's socket)"
    parser.add_argument("--station", metavar="ADDRESS", help=text)


def add_who(parser: argparse.ArgumentParser) -> None:
    """Add `--who` for acts that are recorded with a name."""
    parser.add_argument("--who", default=getpass.getuser(), help="who does this (default: the login name)")


def add_who_and_why(parser: argparse.ArgumentParser, reason: str | None = None) -> None:
    """Add `--who` and `--reason`; without a default the reason must be given."""
    add_who(parser)
    parser.add_argument("--reason", required=reason is None, default=reason, help="why")


def act(arguments: argparse.Namespace, path: str, command: Mapping[str, object]) -> Answer | None:
    """Post a command; None when it was refused, after saying why."""
    with StationClient(arguments.station) as client:
        answer = client.post(path, command)
    return answer if accepted(answer) else None


def look_up(station: str | None, path: str, query: Mapping[str, object] | None = None) -> Answer | None:
    """Get what is there; None when it was refused, after saying why."""
    with StationClient(station) as client:
        answer = client.get(path, query)
    return answer if accepted(answer) else None


def accepted(answer: Answer, about: str = "") -> bool:
    """Whether the answer is a yes; otherwise say every problem on stderr."""
    if answer.status < 400:
        return True
    say_problems(answer.problems or [Problem("http", "", f"jawaban {answer.status}", f"answer {answer.status}")], about)
    return False


def say_error(error: StoreError) -> None:
    """What is wrong with the disk or the state folder."""
    say_problems([error.problem or Problem("store.failed", "", f"Penyimpanan stasiun gagal: {error}", str(error))])


def say_problems(problems: Sequence[Problem], about: str = "") -> None:
    """Each problem on stderr: place, Indonesian, English."""
    for problem in problems:
        place = ": ".join(part for part in (about, problem.place) if part)
        print(f"{place + ': ' if place else ''}{problem.id}\n{' ' * 4}{problem.en}", file=sys.stderr)
