"""print-station station"""

from __future__ import annotations

import argparse
import json

from controller.commands.asking import add_station, look_up


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--json", action="store_true", help="the whole answer as JSON")
    add_station(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the station and each lane: what it does, what it waits for, its blanks."""
    answer = look_up(arguments.station, "/api/v1/station")
    if answer is None:
        return 1
    now = answer.body
    if arguments.json:
        print(json.dumps(now, indent=2, ensure_ascii=False))
        return 0
    jobs = ", ".join(f"{count} {state}" for state, count in now["jobs"].items() if count)
    print(f"{now['name']}: {jobs or 'no jobs'}{'; HOLD is on' if now['held'] else ''}{'; stopping' if now['stopping'] else ''}")
    if any(now["incidents"].values()):
        print(f"{sum(now['incidents'].values())} open incidents; see 'print-station incident list'")
    for lane in now["lanes"]:
        ribbon = "ribbon unknown" if lane["ribbon_remaining"] is None else f"ribbon for {lane['ribbon_remaining']} cards"
        print(f"lane {lane['name']}: {lane['activity']}, {lane['hopper']} blanks in the hopper, {ribbon}")
        profile = now["profiles"].get(lane["name"])
        if profile is not None and profile["unproven"]:
            print(f"  profile {profile['name']}: {len(profile['unproven'])} parts not proven on a real printer; "
                  f"see 'print-station profile show {profile['name']} --unproven'")  # fmt: skip
        if lane["condition"] is not None:
            print(f"  {lane['condition_id']}\n  {lane['condition_en']}")
        if lane["detail"]:
            print(f"  [{lane['detail']}]")
    for question in now["questions"]:
        print(f"question {question['id']} about lane {question['lane']}, job {question['job_id']}: print-station question list")
    return 0
