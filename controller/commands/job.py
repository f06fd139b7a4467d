"""print-station job ID"""

from __future__ import annotations

import argparse
from typing import Any

from controller.clock import wall_text
from controller.commands.asking import add_station, look_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("job", type=int, metavar="ID")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the job, its passages and their stages."""
    answer = look_up(arguments.station, f"/api/v1/jobs/{arguments.job}")
    if answer is None:
        return 1
    job = answer.body["job"]
    reason = f" - {job['reason']}" if job["reason"] else ""
    print(f"job {job['id']}: {job['state']}{reason}  (record {job['record_id']}, received {job['received']})")
    if job["reason"]:
        print(f"  {job['reason_id']}\n  {job['reason_en']}")
    for passage in answer.body["passages"]:
        _show_passage(passage)
    return 0


def _show_passage(passage: dict[str, Any]) -> None:
    verdict = passage["verdict"] or passage["state"]
    reason = f" ({passage['reason']})" if passage["reason"] else ""
    resolved = f", settled by {passage['resolved_by']}" if passage["resolved_by"] else ""
    print(f"  passage {passage['id']} on lane {passage['lane']}: {verdict}{reason}{resolved}, chip {passage['chip_uid'] or '-'}")
    for stage in passage["stages"]:
        outcome = stage["outcome"] or "NO OUTCOME"
        took = "" if stage["elapsed_ms"] is None else f"{stage['elapsed_ms'] / 1000:8.2f} s"
        print(f"    {wall_text(stage['intent_us'])}  {stage['name']:18} {outcome:10} {took}")
