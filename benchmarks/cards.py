"""What a card costs: the time the printer waited for the station, by the simulator's clock, and the host's CPU time.

At speed 1 everything the station can do beside the printer's own work is hidden behind it. At full speed nothing is hidden:
drawing the next card then shows in the gap, and cards follow each other so quickly that the simulator holds back each chip for
0.6 s, twice a card, because pcscd would miss a quicker swap (hw-sim/hwsim/wires/vpcd.py): that is part of the card detection.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.bench_rig import issue, rig, submit_all
from benchmarks.figures import Aim, Figure, Section, percentile
from benchmarks.proc import children_cpu_s, cpu_s, memory_mb
from benchmarks.records import records

RUNS = (("1", "speed 1", 4, 40.0), ("max", "full speed", 100, 5.0))  # speed, its name, cards, most wall time a card may take
IDLE_S = 2.0
AIM = Aim(at_most=100)
RSS_AIM = Aim(at_most=64)
NONE_LOST = Aim(at_most=0, binding=True)


def measure() -> list[Section]:
    """One section for each speed."""
    return [_run(*run) for run in RUNS]


def _run(speed: str, name: str, count: int, card_limit_s: float) -> Section:
    with rig(f"cards-{speed}", speed) as station:
        station.start()
        submit_all(station, records(count, f"CARDS-{speed.upper()}"))
        pid = station.station_pid
        idle_cpu_s = _cpu_over(pid, IDLE_S)
        own_s, children_s = cpu_s(pid), children_cpu_s(pid)
        issue(station, count, card_limit_s * count)
        own_s, children_s = cpu_s(pid) - own_s, children_cpu_s(pid) - children_s
        cards, issued = station.world()["lanes"][0]["cards"], station.states().get("issued", 0)
        memory = memory_mb(pid)
        station.stop_station()
        station.stop_sim()
    figures = [
        *_overhead(cards),
        Figure("seconds a card", (cards[-1]["left_at_s"] - cards[0]["fed_at_s"]) / count, "s"),
        Figure("CPU of the daemon a card", own_s / count * 1000, "ms"),
        Figure("CPU of the rendering child a card", children_s / count * 1000, "ms"),
        Figure("CPU of the idle daemon", idle_cpu_s / IDLE_S * 1000, "ms/s"),
        Figure("RSS of the daemon after these cards", memory["rss"], "MiB", RSS_AIM),
        Figure("cards not issued", count - issued, "", NONE_LOST),
    ]
    return Section(f"Card at {name}, {count} cards", figures, {"cards": cards})


def _overhead(cards: Sequence[dict[str, Any]]) -> list[Figure]:
    within = [card["overhead_s"] * 1000 for card in cards]
    gaps = [card["gap_s"] * 1000 for card in cards if card["gap_s"] is not None]
    both = [(card["overhead_s"] + (card["gap_s"] or 0)) * 1000 for card in cards]
    detects = [sum(card["chip_detect_s"]) * 1000 for card in cards]
    sessions = [sum(card["chip_session_s"]) * 1000 for card in cards]
    return [
        Figure("printer waited for software, a card with its gap, p50", statistics.median(both), "ms"),
        Figure("printer waited for software, a card with its gap, p99", percentile(both, 99), "ms", AIM),
        Figure("  of it while the card was inside, p50", statistics.median(within), "ms"),
        Figure("  of it while the card was inside, p99", percentile(within, 99), "ms"),
        Figure("  of it between cards, p50", statistics.median(gaps), "ms"),
        Figure("  of it between cards, p99", percentile(gaps, 99), "ms"),
        Figure("  receiving panels and commands, within the above, p50",
               statistics.median(card["transfer_s"] * 1000 for card in cards), "ms"),
        Figure("beside it: pcscd's card detection, p50", statistics.median(detects), "ms"),
        Figure("beside it: pcscd's card detection, p99", percentile(detects, 99), "ms"),
        Figure("beside it: talking to the chip, p50", statistics.median(sessions), "ms"),
    ]  # fmt: skip


def _cpu_over(pid: int, seconds: float) -> float:
    before_s = cpu_s(pid)
    time.sleep(seconds)
    return cpu_s(pid) - before_s
