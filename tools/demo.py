"""`make demo`: the 20 sample records, and 3 bad ones, through a whole station on simulated hardware, then a look at the truth.

A few of them again on a printer of the other family, which a person feeds by hand. Exit 0 only when in the *world* every record
is one good card, once, looks to the last dot as `print-station preview` draws it, its chip was written through the SAM and is
closed, and the bad ones were refused with the reason.
Leaves build/demo/report.json and build/demo/cards/ (a picture of each card, decoded from the dots that reached the printer).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from tools import by_hand, demo_chips
from tools.agreement import disagreements, good_cards
from tools.by_hand import Hands
from tools.rig import ROOT, Rig, record_json

OUT = ROOT / "build" / "demo"
BY_HAND = "by-hand"  # folder under OUT and RUN for the cards of the printer that is fed by hand
BY_HAND_CARDS = 2
RUN = Path("build/run")  # private to the sandbox; relative, because a Unix socket's path may have 107 bytes at most
SPEED = "20"  # device motion 20 times as fast as real: the whole demo takes about a minute
LANE = "1"
BLANKS = 25
CARD_LIMIT_S = 60.0  # wall time for one card at the slowest speed that is offered


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description="Issue the sample records on the simulator.")
    parser.add_argument("--speed", default=SPEED, help=f"1 is real time, max leaves out all motion (default {SPEED})")
    options = parser.parse_args(arguments)
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "cards").mkdir(parents=True)
    good, bad = sorted((ROOT / "examples/records").glob("*.json")), sorted((ROOT / "examples/bad").glob("*.json"))
    with Rig(RUN, speed=options.speed, pictures=OUT / "cards") as rig:
        report = _issue(rig, good, bad, options.speed)
    with Rig(RUN / BY_HAND, speed=options.speed, pictures=OUT / BY_HAND, edits=by_hand.EDITS) as rig:
        report[BY_HAND] = _issue_by_hand(rig, good[:BY_HAND_CARDS])
    report["passed"] = report["passed"] and report[BY_HAND]["passed"]
    (OUT / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _show(report)
    return 0 if report["passed"] else 1


def _issue(rig: Rig, good: Sequence[Path], bad: Sequence[Path], speed: str) -> dict[str, Any]:
    rig.start()
    url = os.environ.get("PRINT_STATION_URL")
    _say(f"station and simulator are running (device speed {_pace(speed)}){f'; a browser sees it at {url}' if url else ''}")
    before = rig.load(LANE, BLANKS)
    demo_chips.watch(rig)
    started_s = time.monotonic()
    accepted = [rig.submit(path).body for path in good]
    refused = {path.name: [problem.en for problem in rig.submit(path).problems] for path in bad}
    _say(f"{len(accepted)} records accepted, {sum(map(bool, refused.values()))} of {len(bad)} bad ones refused:")
    for name, reasons in refused.items():
        _say(f"  {name}: {' '.join(reasons) or 'ACCEPTED'}")
    numbers = [answer["job"]["id"] for answer in accepted if "job" in answer]
    _watch(rig, len(good))
    elapsed_s = time.monotonic() - started_s
    world, station = rig.world(), rig.station()
    jobs = [rig.get(f"/api/v1/jobs/{number}").body for number in numbers]
    issued = [(path, _card(job, world)["blank"]) for path, job in zip(good, jobs, strict=False)]
    differing = _unlike_preview(rig, issued, OUT / "cards")
    exit_code = rig.stop_station()
    chips = demo_chips.prove(rig, jobs, world, LANE)
    rig.stop_sim()
    records = {record["record_id"]: record for record in map(record_json, good)}
    return {
        "passed": False,
        "counts": {**station["jobs"], "refused": sum(map(bool, refused.values()))},
        "refused": refused,
        "blanks": {"before": before, "after": station["lanes"][0]["hopper"], "rejected": world["lanes"][0]["reject"]},
        "good_cards_in_the_world": sum(len(good_cards(world, record)) == 1 for record in records.values()),
        "disagreements": disagreements(world, station, jobs, records),
        "unlike_preview": differing,
        "chips": chips,
        "exit_code": exit_code,
        "speed": speed,
        "elapsed_s": round(elapsed_s, 2),
        "cards": [_card(job, world) for job in jobs],
        "stages_s": _stages(jobs),
        "software_overhead_s": _overhead(world),
    } | ({"passed": not differing and chips["proved"]} if _passed(world, station, jobs, records, refused, exit_code) else {})


def _issue_by_hand(rig: Rig, records: Sequence[Path]) -> dict[str, Any]:
    """A Magicard has no encoder station: a person carries each card between the reader and the printer, as the display says."""
    rig.start()
    rig.load(LANE, len(records))
    numbers = [rig.submit(path).body["job"]["id"] for path in records]
    for _ in numbers:
        Hands(rig).make_one()
    rig.until(lambda: rig.states().get("issued", 0) == len(numbers), "the cards made by hand", CARD_LIMIT_S)
    world, station = rig.world(), rig.station()
    jobs = [rig.get(f"/api/v1/jobs/{number}").body for number in numbers]
    differing = _unlike_preview(rig, zip(records, (_card(job, world)["blank"] for job in jobs), strict=True), OUT / BY_HAND)
    exit_code = rig.stop_station()
    rig.stop_sim()
    wrong = disagreements(world, station, jobs, {record["record_id"]: record for record in map(record_json, records)})
    return {
        "passed": not differing and not wrong and exit_code == 0,
        "profile": by_hand.PROFILE,
        "issued": len(numbers),
        "unlike_preview": differing,
        "disagreements": wrong,
    }


def _unlike_preview(rig: Rig, cards: Iterable[tuple[Path, str | None]], pictures: Path) -> list[str]:
    """The records whose card does not look as `print-station preview` draws it, by the pictures that the simulator decoded."""
    differing = []
    for record, blank in cards:
        preview, picture = pictures / f"{record.stem}.preview.png", pictures / f"{blank}.png"
        if rig.command("preview", record, "-o", preview, "--config", rig.config).returncode != 0 or not _same(preview, picture):
            differing.append(record.stem)
        else:
            preview.unlink()
    return differing


def _same(one: Path, other: Path) -> bool:
    with Image.open(one) as left, Image.open(other) as right:
        return left.size == right.size and ImageChops.difference(left.convert("RGB"), right.convert("RGB")).getbbox() is None


def _passed(world: Any, station: Any, jobs: Any, records: Any, refused: dict[str, list[str]], exit_code: int) -> bool:
    once = all(len(good_cards(world, record)) == 1 for record in records.values())
    return once and exit_code == 0 and all(refused.values()) and not disagreements(world, station, jobs, records)


def _watch(rig: Rig, total: int) -> None:
    """A progress bar with the lamps and the display, until every job has come to an end."""

    def settled() -> bool:
        states = rig.states()
        done = sum(states.get(state, 0) for state in ("issued", "failed", "held"))
        _bar(done, total, rig.world())
        return done >= total

    rig.until(settled, "all cards", CARD_LIMIT_S * total)
    if sys.stdout.isatty():
        print()


def _bar(done: int, total: int, world: Any) -> None:
    if not sys.stdout.isatty():
        return
    lamps = " ".join(name.upper() if lit else name.lower() for name, lit in world["lamps"].items())
    print(f"\r[{'#' * done}{'.' * (total - done)}] {done:2}/{total}  {lamps}  |{'|'.join(world['display'])}|", end="", flush=True)


def _card(answer: Any, world: Any) -> dict[str, Any]:
    passage = answer["passages"][-1] if answer["passages"] else None
    uid = None if passage is None else passage["chip_uid"]
    blank = next((blank["id"] for blank in world["blanks"] if blank["uid"] == uid), None)
    times: dict[str, Any] = next((card for card in world["lanes"][0]["cards"] if card["blank"] == blank), {})
    return {
        "job": answer["job"]["id"],
        "record": answer["job"]["record_id"],
        "state": answer["job"]["state"],
        "blank": blank,
        "picture": f"cards/{blank}.png",
        "seconds": times.get("cycle_s"),
        "overhead_s": times.get("overhead_s"),
        "stages_s": {} if passage is None else {stage["name"]: (stage["elapsed_ms"] or 0) / 1000 for stage in passage["stages"]},
    }


def _stages(jobs: Any) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {}
    for stage in (stage for job in jobs for passage in job["passages"] for stage in passage["stages"]):
        times.setdefault(stage["name"], []).append((stage["elapsed_ms"] or 0) / 1000)
    return {name: {"median": statistics.median(values), "max": max(values)} for name, values in times.items()}


def _overhead(world: Any) -> dict[str, float]:
    cards = world["lanes"][0]["cards"]
    overheads = sorted(card["overhead_s"] for card in cards)
    detects = [sum(card["chip_detect_s"]) for card in cards]
    if not cards:
        return {}
    return {
        "median": statistics.median(overheads),
        "max": overheads[-1],
        "pcscd_card_detection_median": statistics.median(detects),
    }


def _show(report: dict[str, Any]) -> None:
    cards = report["cards"]
    _say(f"\n{'job':>4}  {'record':22} {'state':8} {'card':12} {'seconds':>8} {'overhead':>9}")
    for card in cards:
        seconds = "-" if card["seconds"] is None else f"{card['seconds']:.2f} s"
        overhead = "-" if card["overhead_s"] is None else f"{card['overhead_s'] * 1000:.0f} ms"
        _say(f"{card['job']:>4}  {card['record'][:22]:22} {card['state']:8} {card['blank'] or '-':12} {seconds:>8} {overhead:>9}")
    counts, blanks, overhead = report["counts"], report["blanks"], report["software_overhead_s"]
    _say(f"\nissued {counts['issued']}, held {counts['held']}, failed {counts['failed']}, records refused {counts['refused']}")
    _say(f"blanks in the hopper: {blanks['before']} before, {blanks['after']} after; in the reject bin: {blanks['rejected']}")
    if overhead:
        _say(f"{report['elapsed_s'] / max(1, len(cards)):.2f} s a card at {_pace(report['speed'])} device speed; of it software "
             f"{overhead['median'] * 1000:.0f} ms (most {overhead['max'] * 1000:.0f} ms), "
             f"pcscd's card detection {overhead['pcscd_card_detection_median'] * 1000:.0f} ms")  # fmt: skip
    for sentence in (*report["disagreements"], *report[BY_HAND]["disagreements"]):
        _say(f"DISAGREES: {sentence}")
    agrees = "DISAGREE" if report["disagreements"] else "agree"
    _say(f"ledger, journal and world {agrees}: {report['good_cards_in_the_world']} good cards, once each")
    for sentence in demo_chips.sentences(report["chips"]):
        _say(sentence)
    hand = report[BY_HAND]
    unlike = ", ".join((*report["unlike_preview"], *hand["unlike_preview"]))
    looks = f"NOT as previewed: {unlike}" if unlike else "every card looks as previewed, to the last dot"
    _say(f"on a {hand['profile']}, fed by hand: {hand['issued']} cards; {looks}")
    _say(f"{'PASSED' if report['passed'] else 'FAILED'}   pictures: build/demo/   figures: build/demo/report.json")


def _pace(speed: str) -> str:
    return speed if speed == "max" else f"{speed}x"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
