"""print-station jobs"""

from __future__ import annotations

import argparse

from controller.commands.asking import add_station, look_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--state", help="only jobs in this state")
    parser.add_argument("--after", type=int, default=0, metavar="ID", help="only jobs with a higher number")
    parser.add_argument("--limit", type=int, default=100, help="at most so many (default 100)")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per job."""
    query = {"after": arguments.after, "limit": arguments.limit} | ({"state": arguments.state} if arguments.state else {})
    answer = look_up(arguments.station, "/api/v1/jobs", query)
    if answer is None:
        return 1
    print(f"{'job':>6}  {'state':11}  {'received':20}  {'record':24}  reason")
    for job in answer.body["jobs"]:
        print(f"{job['id']:>6}  {job['state']:11}  {job['received']:20}  {job['record_id'][:24]:24}  {job['reason']}")
    return 0
