"""A fixed sample of every point of a passage in every combination (`make crash` runs them all), and controls of the oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from controller.jobs import rescue
from controller.jobs.evidence import LaneEvidence, Past
from controller.jobs.passage import PLANS, REJECT
from controller.jobs.verdict import Answer, Ruling, verdict
from tests.crash import every_point
from tests.crash.every_point import Case, Lane, double_cases, play, points, sample, single_cases
from tests.crash.station import Blow, Station, Strikes
from tests.fakes.by_hand import HandLane
from tests.fakes.chip import FakeCard, ektp
from tests.fakes.lane import PANELS, Card, FakeLane

EVERY = 41
DOUBLES = 40


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the constants back that `quicken` changes."""
    for module, name in every_point.QUICKENED:
        monkeypatch.setattr(module, name, getattr(module, name))
    every_point.quicken()


@pytest.mark.parametrize("plan", list(PLANS))
def test_the_points_come_from_the_running_code(plan: str) -> None:
    names = points(Lane(plan, bad_chip=True))
    acts = {
        "held": {"feed", "print", "to_chip_station", "deliver", REJECT.name},
        "ejecting": {"feed", "print_and_deliver", REJECT.name},
        "external": {"print_by_hand"},
    }
    assert acts[plan] <= set(names)
    physical = [stage for stage in PLANS[plan] if stage.physical]
    commits = [name for name in points(Lane(plan)) if name.startswith("commit ")]
    assert len(commits) >= len(PLANS[plan]) + len(physical)
    assert sum(name.startswith("apdu") for name in names) > 100
    assert [name for name in names if name.startswith("committed")]


def test_no_card_is_lost_doubled_or_unaccounted_for() -> None:
    cases = list(sample(single_cases(), EVERY))
    assert {(case.lane, case.blows[0][1]) for case in cases} == {(case.lane, case.blows[0][1]) for case in single_cases()}
    broken = [f"{case}: {found}" for case in cases if (found := play(case).broken)]
    assert not broken


def test_no_second_blow_during_recovery_does_harm() -> None:
    broken = [f"{case}: {found}" for case in double_cases(DOUBLES, seed=1) if (found := play(case).broken)]
    assert not broken


def _at(name: str, blow: Blow, plan: str = "held", **lane: bool) -> Station:
    number = points(Lane(plan)).index(name)
    return play(Case(Lane(plan, **lane), ((number, blow),)))


@pytest.mark.parametrize(
    ("point", "blow", "rows"),
    [
        ("feed 1 counted", Blow(kill=True), ["just fed"]),
        ("feed 1 picking", Blow(kill=True, event="power"), ["not fed"]),
        ("print 3 printed", Blow(kill=True, event="power"), ["face doubtful"]),
        ("print 5 counted", Blow(kill=True), ["face whole"]),
        ("print 5 replied", Blow(kill=False, event="unplug"), ["face whole"]),
        ("deliver 1 lifted", Blow(kill=True, event="power"), ["checked inside"]),
        ("deliver 1 left", Blow(kill=False, event="power"), ["seen leaving"]),
        ("deliver 1 left", Blow(kill=True), ["left unproven"]),
        ("apdu D6", Blow(kill=False, event="reader"), ["chip half written"]),
    ],
)
def test_the_windows_of_the_table_are_met(point: str, blow: Blow, rows: list[str]) -> None:
    station = _at(point, blow)
    assert ([ruling.row for ruling in station.rulings], station.broken) == (rows, [])


@pytest.mark.parametrize(
    ("point", "blow", "alone", "rows", "answered"),
    [
        ("committed begin", Blow(kill=True), True, ["not begun by hand"], []),
        ("apdu D6", Blow(kill=True), True, ["spoiled on the desk"], []),
        ("print_by_hand", Blow(kill=False, event="unplug"), True, [], []),  # nothing was sent: it is asked again
        ("print_by_hand 1 sent", Blow(kill=True), True, ["left unproven", "look once"], ["complete"]),
        ("print_by_hand 1 sent", Blow(kill=True), False, ["left unproven", "look once"], ["spoiled"]),
        ("print_by_hand 1 drawn in", Blow(kill=True, event="power"), True, ["left unproven", "look once"], ["spoiled"]),
        ("print_by_hand 1 ejected", Blow(kill=True, event="power"), True, ["left unproven", "look once"], ["complete"]),
    ],
)
def test_the_windows_of_a_card_fed_by_hand_are_met(
    point: str, blow: Blow, alone: bool, rows: list[str], answered: list[str]
) -> None:
    station = _at(point, blow, "external", ejects=True, feeds_alone=alone)
    assert ([ruling.row for ruling in station.rulings], station.person.answered, station.broken) == (rows, answered, [])


def test_a_counter_that_lost_its_last_tick_costs_one_look_and_no_card() -> None:
    """The power goes after the last panel and the printer ejects: only a person can say that the face is whole."""
    station = _at("print 5 replied", Blow(kill=True, event="power"), ejects=True, forgetful=True)
    assert (station.person.answered, station.broken, len(station.lane.rejected)) == (["desk", "complete"], [], 0)


def test_a_card_that_was_exchanged_before_it_is_printed_and_ejected_is_never_issued() -> None:
    """The panels and the exit beam are as they must be: only the chip tells, and the desk reader asks it."""
    lane = FakeLane(opened=False)

    def exchange() -> None:
        lane.inside = Card(FakeCard(ektp(), uid="04FFFFFFFFFFFF"))

    lane.before["print_and_deliver"] = exchange
    with TemporaryDirectory(dir=every_point.MEMORY) as folder:
        station = Station(Path(folder), "ejecting", lane, Strikes())
        asyncio.run(station.live())
    assert ([ruling.row for ruling in station.rulings], station.person.answered) == (["left unproven"], ["missing"])
    assert [card.face_complete for card in lane.output] == [True]
    assert "issued: 0 by the books, 1 in the world" in station.broken  # nobody in this room takes a stranger's card away


def _print_again_if_nothing_was_counted(past: Past, evidence: LaneEvidence) -> Ruling:
    """The rule of other systems: the counter did not move, so print again."""
    ruling = verdict(past, evidence)
    unmoved = evidence.witness is not None and evidence.witness.panels_printed == past.panels_before
    return Ruling("control", Answer.CONTINUE, resume="read back") if ruling.row == "face doubtful" and unmoved else ruling


def _let_every_card_out(past: Past, evidence: LaneEvidence) -> Ruling:
    """A rule that believes its own intents."""
    ruling = verdict(past, evidence)
    return Ruling("control", Answer.CONTINUE, resume="check") if ruling.row == "face doubtful" else ruling


@pytest.mark.parametrize(
    ("rule", "words"),
    [(_print_again_if_nothing_was_counted, "was printed 2 times"), (_let_every_card_out, "whole cards in the tray: []")],
)
def test_an_unsafe_rule_is_caught(
    rule: Callable[[Past, LaneEvidence], Ruling], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controls: with a table that is not ours the same blows do harm, and the oracle says so."""
    monkeypatch.setattr(rescue, "verdict", rule)
    harm = [_at(f"print {panel} printed", Blow(kill=True, event="power"), forgetful=True).broken for panel in (1, 2)]
    assert any(words in "; ".join(broken) for broken in harm)


def _print_again_by_hand(past: Past, evidence: LaneEvidence) -> Ruling:
    """A rule that believes that a card which is back on the reader was not printed."""
    ruling = verdict(past, evidence)
    return Ruling("control", Answer.CONTINUE, resume="read back") if ruling.row == "look once" else ruling


def test_an_unsafe_rule_by_hand_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card lies on the reader again when the station comes back: another print would go over the first."""
    monkeypatch.setattr(rescue, "verdict", _print_again_by_hand)
    lane = HandLane(opened=False)
    lane.after["print_by_hand"] = lambda: lane.bring(lane.tray[0])
    number = points(Lane("external")).index("commit _conclude", points(Lane("external")).index("print_by_hand"))
    with TemporaryDirectory(dir=every_point.MEMORY) as folder:
        station = Station(Path(folder), "external", lane, Strikes({number: Blow(kill=True)}))
        asyncio.run(station.live())
    assert "was printed 2 times" in "; ".join(station.broken)


def _with_a_world_that(how: Callable[[FakeLane], object]) -> str:
    """What the oracle says when something else happens to the cards at the moment of delivery."""
    lane = FakeLane(opened=False)

    def tamper() -> None:
        how(lane)

    lane.after["deliver"] = tamper
    with TemporaryDirectory(dir=every_point.MEMORY) as folder:
        station = Station(Path(folder), "held", lane, Strikes())
        asyncio.run(station.live())
    return "; ".join(station.broken)


def _twin(lane: FakeLane) -> None:
    lane.output.append(lane.output[-1])


def _print_again(lane: FakeLane) -> None:
    lane.output[-1].face.extend(PANELS)


def _spoil_the_chip(lane: FakeLane) -> None:
    lane.output[-1].chip.memory[0x6FF1][3] ^= 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda _lane: None, ""),
        (_twin, "whole cards in the tray: ['04000000000001', '04000000000001']"),
        (_print_again, "04000000000001 was printed 2 times"),
        (_spoil_the_chip, "whole cards in the tray: []"),
        (lambda lane: lane.output.clear(), "issued: 1 by the books, 0 in the world"),
        (lambda lane: lane.hopper.pop(), "hopper:1: 5 by the books, 4 in the world"),
    ],
)
def test_the_oracle_sees_what_is_wrong_with_the_world(how: Callable[[FakeLane], object], words: str) -> None:
    assert words in _with_a_world_that(how)
    assert bool(words) == bool(_with_a_world_that(how))
