"""print-station submit FILE..."""

from __future__ import annotations

import argparse
from pathlib import Path

from controller.client import StationClient
from controller.commands.asking import accepted, add_station, say_problems
from controller.errors import Problem
from controller.records.canonical import MAX_BYTES


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one record each, as in docs/record-format.md")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hand in every file; says one line per file, goes on after a refusal, and fails when any was refused."""
    with StationClient(arguments.station) as client:
        results = [_submit(client, path) for path in arguments.files]
    return 0 if all(results) else 1


def _submit(client: StationClient, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        say_problems([Problem("file", "", f"tidak terbaca: {error.strerror}.", f"cannot be read: {error.strerror}.")], str(path))
        return False
    if len(body) > MAX_BYTES:  # the station would hang up in the middle of it
        text_id, text_en = (
            f"lebih dari {MAX_BYTES} byte; bukan satu rekaman.",
            f"is longer than {MAX_BYTES} bytes; not one record.",
        )
        say_problems([Problem("file", "", text_id, text_en)], str(path))
        return False
    answer = client.post("/api/v1/jobs", body)
    if not accepted(answer, str(path)):
        return False
    job, known = answer.body["job"], "" if answer.body["created"] else " (was here already)"
    print(f"{path}: job {job['id']} {job['state']}{known}")
    return True
