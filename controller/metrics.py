"""Prometheus' view of the snapshot: own registry, no I/O at scrape time, unknown values are absent and never zero.

Labels are closed lists (lane, state, outcome, answer, stage, account, kind, condition, profile, roll, phase, where, way); no
name, NIK, job or chip number ever becomes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controller import __version__
from controller.chip_metrics import ChipMetrics
from controller.conditions import CONDITIONS
from controller.hal.ports import ChipCost, ChipPhase
from controller.jobs.care import ASKS
from controller.jobs.passage import PLANS, REJECT
from controller.jobs.verdict import Answer
from controller.model import StationSnapshot, Verdict

CONTENT_TYPE = CONTENT_TYPE_LATEST
STAGE_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
STAGE_NAMES = tuple(dict.fromkeys(stage.name for plan in (*PLANS.values(), (REJECT,)) for stage in plan))


class Metrics:
    """All series of one station."""

    def __init__(self, snapshot: Callable[[], StationSnapshot]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry = CollectorRegistry()
        self.registry.register(_SnapshotCollector(snapshot))
        lanes = [lane.name for lane in snapshot().lanes]
        self._heartbeat = Gauge("print_station_loop_heartbeat_timestamp_seconds", "Wall time of the event loop's last beat.",
                                registry=self.registry)  # fmt: skip
        self._lateness = Gauge("print_station_loop_lateness_seconds", "How late the last beat was.", registry=self.registry)
        self._stages = Histogram("print_station_stage_duration_seconds", "Time a stage of a passage took.", ["lane", "stage"],
                                 buckets=STAGE_BUCKETS_S, registry=self.registry)  # fmt: skip
        self._refused = Counter("print_station_records_refused_total", "Records refused at intake.", registry=self.registry)
        self._cards = Counter(
            "print_station_cards_total", "Passages ended since start.", ["lane", "outcome"], registry=self.registry
        )
        self._verdicts = Counter(
            "print_station_recoveries_total", "Interrupted passages, by what recovery answered.", ["lane", "answer"],
            registry=self.registry,
        )  # fmt: skip
        self._chips = ChipMetrics(self.registry, lanes)
        for lane in lanes:  # every series exists from the start, so that rate() sees the first event
            for stage in STAGE_NAMES:
                self._stages.labels(lane, stage)
            for outcome in (*Verdict, "unknown"):
                self._cards.labels(lane, outcome)
            for answer in Answer:
                self._verdicts.labels(lane, answer)

    def beat(self, wall_s: float, late_s: float) -> None:
        """The event loop turned."""
        self._heartbeat.set(wall_s)
        self._lateness.set(late_s)

    def stage_took(self, lane: str, stage: str, seconds: float) -> None:
        """A stage was done."""
        self._stages.labels(lane, stage).observe(seconds)

    def passage_over(self, lane: str, outcome: str) -> None:
        """A passage got a verdict, or became unknown."""
        self._cards.labels(lane, outcome).inc()

    def chip_phase_over(self, lane: str, phase: ChipPhase, cost: ChipCost, failure: str | None) -> None:
        """A phase of the conversation with a chip went well, or failed with a condition."""
        self._chips.phase_over(lane, phase, cost, failure)

    def ruled(self, lane: str, answer: Answer) -> None:
        """Recovery took a verdict."""
        self._verdicts.labels(lane, answer).inc()

    def record_refused(self) -> None:
        """Intake refused a record."""
        self._refused.inc()

    def page(self) -> bytes:
        """The exposition text of every series."""
        return generate_latest(self.registry)


class _SnapshotCollector(Collector):
    """Reads the snapshot at scrape time."""

    def __init__(self, snapshot: Callable[[], StationSnapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        yield InfoMetricFamily("print_station_build", "Program version.", {"version": __version__})
        yield _gauge("jobs", "Jobs by state.", ["state"], [((state.value,), count) for state, count in now.jobs.items()])
        yield _gauge("cards_recorded", "Passages ended, by verdict, from the database.", ["outcome"],
                     [((verdict.value,), count) for verdict, count in now.outcomes.items()])  # fmt: skip
        yield _gauge("held", "1 while HOLD is on.", [], [((), now.held)])
        yield _gauge("front_panel_up", "1 while buttons and lamps answer.", [], [((), now.panel_up)])
        yield _gauge("display_up", "1 while the operator display takes text.", [], [((), now.display_up)])
        yield _gauge("stock", "Blanks in the station's own accounts, by the ledger; what came in is negative.", ["account"],
                     [((account,), count) for account, count in now.stock.items()])  # fmt: skip
        yield _gauge("incidents_open", "Incidents that wait for an explanation.", ["kind"],
                     [((kind,), count) for kind, count in now.incidents.items()])  # fmt: skip
        yield _gauge("questions_open", "Questions that wait for a person.", [], [((), len(now.questions))])
        if now.desk_reader_up is not None:
            yield _gauge("desk_reader_up", "1 while the desk reader answers.", [], [((), now.desk_reader_up)])
        yield from _lane_metrics(now)


def _lane_metrics(now: StationSnapshot) -> Iterator[Metric]:
    def of_lanes(name: str, text: str, value: Callable[[int], float | None]) -> Metric:
        rows = [((lane.name,), value(index)) for index, lane in enumerate(now.lanes)]
        return _gauge(name, text, ["lane"], [(labels, number) for labels, number in rows if number is not None])

    yield of_lanes("blanks_in_hopper", "Blanks in the hopper by the ledger.", lambda i: now.blanks[now.lanes[i].name].hopper)
    yield of_lanes("blanks_in_passage", "Blanks in passage by the ledger.", lambda i: now.blanks[now.lanes[i].name].passage)
    yield of_lanes("blanks_in_reject_bin", "Spoiled cards to be destroyed, by the ledger.",
                   lambda i: now.blanks[now.lanes[i].name].reject)  # fmt: skip
    yield of_lanes("printer_up", "1 while the printer answers.", lambda i: now.lanes[i].printer_up)
    yield of_lanes("reader_up", "1 while the chip reader answers.", lambda i: now.lanes[i].reader_up)
    yield of_lanes("key_holder_up", "1 while the SAM or token that the chips need can be used; absent while the reader is down.",
                   lambda i: now.lanes[i].key_holder_up)  # fmt: skip
    yield of_lanes("hopper_low", "1 while the sensor sees few blanks.", lambda i: now.lanes[i].hopper_low)
    yield of_lanes("pins_up", "1 while the lane's sensors answer.", lambda i: now.lanes[i].pins_up)
    yield of_lanes(
        "ribbon_remaining_prints", "Ribbon sets left, as the printer counts them.", lambda i: now.lanes[i].ribbon_remaining
    )
    yield of_lanes("cards_until_cleaning", "Cards until cleaning is due, as the printer last said; 0 or less: it is due.",
                   lambda i: now.lanes[i].cards_until_cleaning)  # fmt: skip
    yield of_lanes("lane_rest_seconds", "How long the printer still rests to cool down.", lambda i: now.lanes[i].rest_s)
    yield from _ribbon_metrics(now)
    unproven = [((lane, profile.name), len(profile.unproven)) for lane, profile in now.profiles.items()]
    yield _gauge("profile_unproven", "Parts of the printer's profile that nobody has seen on a real printer.",
                 ["lane", "profile"], unproven)  # fmt: skip
    asked = [((lane.name, code), code in lane.asks) for lane in now.lanes for code in ASKS]
    yield _gauge("lane_asks", "1 for what a person should see to soon; the lane works meanwhile.", ["lane", "condition"], asked)
    rows = [((lane.name, code), lane.condition == code) for lane in now.lanes for code in CONDITIONS]
    yield _gauge("lane_condition", "1 for the condition that keeps the lane from working.", ["lane", "condition"], rows)


def _ribbon_metrics(now: StationSnapshot) -> Iterator[Metric]:
    """Measured yield: sets by the box against sets printed, of the roll that is fitted and the one before it."""
    rolls = now.ribbons.items()
    sets = [((lane, roll), number) for lane, r in rolls for roll, number in (("fitted", r.sets), ("last", r.old_sets))]
    used = [((lane, roll), number) for lane, r in rolls for roll, number in (("fitted", r.used), ("last", r.old_used))]
    yield _gauge("ribbon_sets", "Sets on the lane's ribbon roll, by its box.", ["lane", "roll"], _known(sets))
    yield _gauge("ribbon_sets_used", "Sets printed from it so far, or in all.", ["lane", "roll"], _known(used))


def _known(rows: Sequence[tuple[tuple[str, ...], int | None]]) -> list[tuple[tuple[str, ...], float]]:
    return [(labels, number) for labels, number in rows if number is not None]


def _gauge(name: str, text: str, labels: list[str], rows: Sequence[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"print_station_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, float(number))
    return family
