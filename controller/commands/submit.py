"""print-station submit FILE..."""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.client import StationClient
from controller.commands.asking import accepted, add_station, say_problems
from controller.errors import Problem


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one record each, as in docs/record-format.md")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hand in every file; says one line per file, goes on after a refusal, and fails when any was refused."""
    client = StationClient(arguments.station)
    refused = 0
    for path in arguments.files:
        try:
            body = path.read_bytes()
        except OSError as error:
            say_problems(
                [Problem("file", "", f"tidak terbaca: {error.strerror}.", f"cannot be read: {error.strerror}.")], str(path)
            )
            refused += 1
            continue
        answer = client.post("/api/v1/jobs", body)
        if accepted(answer, str(path)):
            job = answer.body["job"]
            print(f"{path}: job {job['id']} {job['state']}" + ("" if answer.body["created"] else " (was here already)"))
        else:
            refused += 1
    return 1 if refused else 0
