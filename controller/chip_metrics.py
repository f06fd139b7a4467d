"""Prometheus' view of the conversations with chips, phase by phase: how long, how much, where the time went."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from controller.hal.ports import ChipCost, ChipPhase

PHASE_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15)
WHERE = ("chip", "keys", "own")
WAYS = ("sent", "received")


class ChipMetrics:
    """The series of all lanes; every one exists from the start, so that rate() sees the first event."""

    def __init__(self, registry: CollectorRegistry, lanes: Sequence[str]) -> None:
        self._took = Histogram("print_station_chip_phase_duration_seconds", "Time a phase of the conversation with a chip took.",
                               ["lane", "phase"], buckets=PHASE_BUCKETS_S, registry=registry)  # fmt: skip
        self._seconds = Counter(
            "print_station_chip_seconds_total",
            "The same time by where it went: chip (waited for the reader: it, the air and the chip), keys (waited for the key "
            "holder), own (this program).",
            ["lane", "phase", "where"], registry=registry,
        )  # fmt: skip
        self._apdus = Counter(
            "print_station_chip_apdus_total", "Commands sent to the reader.", ["lane", "phase"], registry=registry
        )
        self._bytes = Counter("print_station_chip_bytes_total", "Bytes of these commands and of their answers.",
                              ["lane", "phase", "way"], registry=registry)  # fmt: skip
        self._failures = Counter("print_station_chip_failures_total", "Phases that failed, an identify that found no chip too.",
                                 ["lane", "phase"], registry=registry)  # fmt: skip
        for lane in lanes:
            for phase in ChipPhase:
                self._begin(lane, phase)

    def phase_over(self, lane: str, phase: ChipPhase, cost: ChipCost, failure: str | None) -> None:
        """A phase went well, or failed with a condition."""
        self._took.labels(lane, phase).observe(cost.whole_s)
        for where, seconds in zip(WHERE, (cost.chip_s, cost.keys_s, cost.own_s), strict=True):
            self._seconds.labels(lane, phase, where).inc(max(0.0, seconds))  # read while the thread hangs: may be 1 us off
        self._apdus.labels(lane, phase).inc(cost.commands)
        for way, size in zip(WAYS, (cost.sent_bytes, cost.received_bytes), strict=True):
            self._bytes.labels(lane, phase, way).inc(size)
        if failure is not None:
            self._failures.labels(lane, phase).inc()

    def _begin(self, lane: str, phase: ChipPhase) -> None:
        for series in (self._took, self._apdus, self._failures):
            series.labels(lane, phase)
        for where in WHERE:
            self._seconds.labels(lane, phase, where)
        for way in WAYS:
            self._bytes.labels(lane, phase, way)
