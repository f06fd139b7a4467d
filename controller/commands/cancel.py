"""print-station cancel JOB"""

from __future__ import annotations

import argparse

from controller.commands.asking import act, add_station, add_who_and_why


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("job", type=int, metavar="JOB")
    add_who_and_why(parser, reason="cancelled")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take the job back; refused once its blank was fed."""
    answer = act(arguments, f"/api/v1/jobs/{arguments.job}/cancel", {"who": arguments.who, "reason": arguments.reason})
    if answer is None:
        return 1
    print(f"job {answer.body['job']['id']} is cancelled")
    return 0
