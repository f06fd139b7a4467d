"""A chip struck at any of its APDUs: a fixed sample of what `make crash` does at every one, and controls of the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.crash import apdu_points
from tests.crash.apdu_points import PHASES, PROFILES, Case, Way, calls, double_cases, play, points, possible, sample, single_cases
from tests.crash.apdu_station import ApduStation, Fault
from tests.fakes.apdu_chip import OWN_VERSION, STRANGERS, signed_files
from tests.fakes.apdu_faults import KINDS, SAM_KINDS, STATIC_SAM_KINDS
from tests.fakes.apdu_lane import ChipCard
from tests.fakes.lane import FakeLane

DOUBLES = 10
OTHER_PLANS = 15  # each 15th case of the sample; `make crash` plays all of it
WAYS = [Way(profile) for profile in PROFILES]
EVERY = pytest.mark.parametrize("way", WAYS, ids=PROFILES)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the constants back that `quicken` changes."""
    for module, name in apdu_points.QUICKENED:
        monkeypatch.setattr(module, name, getattr(module, name))
    apdu_points.quicken()


def broken(cases: Iterable[Case]) -> list[str]:
    """What was not kept, and the faults that never came to pass."""
    found = []
    for case in cases:
        station = play(case)
        if station.broken or not station.struck:
            found.append(f"{case}: {'; '.join(station.broken) or 'nothing happened'}")
    return found


def at(way: Way, phase: str, label: str) -> int:
    """The number of the first such APDU."""
    return next(point.number for point in points(way) if (point.phase, point.label) == (phase, label))


def struck(way: Way, phase: str, label: str, kind: str, *, kill: bool = False) -> ApduStation:
    return play(Case(way, (Fault("chip", at(way, phase, label), kind, kill=kill),)))


@EVERY
def test_the_points_come_from_the_running_code(way: Way) -> None:
    met = points(way)
    assert {point.phase for point in met} == set(PHASES)
    writes = {"ektp": {"D6 n", "D6 0", "44 0000"}, "gp-scp03": {"E2 08", "E2 88", "D8 3081", "F0 400F"}}[way.profile]
    assert writes | {"B0 0", "B0 n", "82 0000" if way.profile == "ektp" else "82 3300"} <= {point.label for point in met}
    assert len(calls(way)) > (50 if way.profile == "ektp" else 5)


@EVERY
def test_the_sample_meets_every_kind_and_every_family_at_every_command(way: Way) -> None:
    faults = [case.faults[0] for case in sample(way)]
    all_of_them = [case.faults[0] for case in single_cases(way)]
    assert {(fault.where, fault.kind) for fault in faults} == {(fault.where, fault.kind) for fault in all_of_them}
    assert 0.2 < sum(fault.kill for fault in faults) / len(faults) < 0.6
    sam_kinds = set(SAM_KINDS) if way.profile == "ektp" else set(STATIC_SAM_KINDS)
    assert {fault.kind for fault in faults} == {*KINDS, *sam_kinds, *STRANGERS}
    for family in ("lost before", "lost after", "says", "means", "hung", "nothing"):
        met = [points(way)[fault.number] for fault in faults if fault.where == "chip" and KINDS[fault.kind].family == family]
        could = [point for point in points(way) if any(KINDS[name].family == family for name in possible(way, point))]
        assert {point.phase for point in met} == {point.phase for point in could} >= {*PHASES} - {"check"}


@EVERY
def test_whatever_happens_at_an_apdu_the_verdict_is_right_and_no_ribbon_is_spent_on_a_dead_chip(way: Way) -> None:
    assert broken(sample(way)) == []


@pytest.mark.parametrize("plan", ["ejecting", "external"])
@EVERY
def test_the_other_plans_judge_as_well(way: Way, plan: str) -> None:
    assert broken(list(sample(Way(way.profile, plan)))[::OTHER_PLANS]) == []


@EVERY
def test_a_second_fault_during_recovery_does_no_harm(way: Way) -> None:
    assert [f"{case}: {found}" for case in double_cases(way, DOUBLES, seed=1) if (found := play(case).broken)] == []


@EVERY
def test_a_card_of_the_whole_size_is_judged_right(way: Way) -> None:
    whole = Way(way.profile, whole_size=True)
    assert play(Case(whole)).broken == []
    last = max(point.number for point in points(whole) if point.label in ("D6 0", "E2 88"))
    middle = (last + at(whole, "encode", "CA 0000")) // 2
    kinds = ("nothing", "died after", "lies: 9000", "torn mix, middle", "keeps a wrong bit", "dead after")
    assert broken(Case(whole, (Fault("chip", number, kind, kill=True),)) for number in (middle, last) for kind in kinds) == []


@EVERY
@pytest.mark.parametrize("phase", ["read", "lock", "verify", "check"])
def test_a_chip_that_was_written_whole_is_not_thrown_away_for_a_lost_connection(way: Way, phase: str) -> None:
    for kind in ("died before", "wire before", "reset by another", "pcscd killed after", "reader pulled after"):
        for kill in (False, True):
            station = struck(way, phase, "CA 0000", kind, kill=kill)
            assert (station.broken, len(station.lane.rejected)) == ([], 0)


@EVERY
def test_a_status_word_while_a_chip_is_judged_after_an_interruption_costs_no_card(way: Way) -> None:
    """It is read once more, through a channel of its own."""
    first = Fault("chip", at(way, "read", "B0 0"), "died before")
    judged = play(Case(way, (first,))).bench.field.seen.index("B0 n", first.number + 1)
    station = play(Case(way, (first, Fault("chip", judged, "says 6F00"))))
    assert (station.broken, len(station.struck), len(station.lane.rejected)) == ([], 2, 0)


@pytest.mark.parametrize(("profile", "call", "kinds"), [
    ("ektp", "SAM F1", ("SAM says 6985", "SAM says 6983", "SAM lacks a byte", "SAM pulled after", "SAM hangs")),
    ("gp-scp03", "open", ("keys refused", "keys locked", "keys absent")),
    ("gp-scp03", "new keys", ("keys refused", "keys locked", "keys absent")),
])  # fmt: skip
def test_a_key_holder_that_fails_after_the_writing_costs_no_card(profile: str, call: str, kinds: tuple[str, ...]) -> None:
    """It says nothing of the chip: that is read again, with the journal's hashes beside it."""
    way = Way(profile)
    later = [number for number, name in enumerate(calls(way)) if name == call][call != "new keys" :]
    assert later
    for number in later:
        for kind in kinds:
            station = play(Case(way, (Fault("SAM", number, kind),)))
            assert (station.broken, len(station.struck), len(station.lane.rejected)) == ([], 1, 0)


@EVERY
def test_a_first_look_that_is_interrupted_costs_no_blank(way: Way) -> None:
    """At the last of each command; the sample has the others, and more kinds."""
    probe = {point.label: point.number for point in points(way) if point.phase == "probe"}
    for number in probe.values():
        for kind in ("died after", "wire before", "pcscd killed before"):
            station = play(Case(way, (Fault("chip", number, kind),)))
            assert (station.broken, len(station.lane.rejected)) == ([], 0)


@EVERY
@pytest.mark.parametrize("phase", PHASES[:-1])
def test_a_chip_that_dies_costs_one_blank_and_no_ribbon(way: Way, phase: str) -> None:
    station = struck(way, phase, "CA 0000", "dead before")
    (card,) = station.lane.rejected
    assert isinstance(card, ChipCard)
    assert (station.broken, card.face, card.blank.chip.dead) == ([], [], True)
    assert station.lane.ribbon == 49  # 50 before: one set, for the card that was issued


@EVERY
@pytest.mark.parametrize("phase", PHASES[1:-1])
@pytest.mark.parametrize("whose", STRANGERS)
def test_a_chip_that_is_swapped_under_an_open_connection_is_named_so_and_not_written(way: Way, phase: str, whose: str) -> None:
    station = struck(way, phase, "CA 0000", f"{whose} answers")
    assert (station.broken, station.results[0].condition) == ([], "chip_swapped")


@EVERY
@pytest.mark.parametrize("whose", STRANGERS)
def test_a_card_that_is_exchanged_in_the_printer_is_not_delivered(way: Way, whose: str) -> None:
    station = play(Case(way, (Fault("card", 2, whose),)))
    assert (station.broken, [ruling.row for ruling in station.rulings]) == ([], ["stranger inside"])
    assert station.person.answered == ["desk"]


@EVERY
def test_a_twin_that_comes_back_from_the_printer_is_not_taken_for_the_card(way: Way) -> None:
    """It holds the very contents and is closed: only its UID tells."""
    station = play(Case(way, (Fault("field", 2, "a twin"),)))
    assert [ruling.row for ruling in station.rulings] == ["stranger inside"]
    assert (station.broken, station.person.answered) == ([], ["desk"])


# Controls: the oracle sees a world that is not as the books say.


def with_delivery(way: Way, how: Callable[[ChipCard], object]) -> str:
    """What the oracle says of an undisturbed run when something else happens to the card at the moment of delivery."""

    def tamper(lane: FakeLane) -> None:
        def strike() -> None:
            card = lane.output[-1]
            assert isinstance(card, ChipCard)
            how(card)

        lane.after["deliver"] = strike

    return "; ".join(play(Case(way), tamper).broken)


def _flip_a_bit(card: ChipCard) -> None:
    card.blank.chip.files[0x6FF2][2 + 200] ^= 1


def _write_more(card: ChipCard) -> None:
    card.blank.chip.write(0x6FF3, 0, b"\0\1x")


def _open(card: ChipCard) -> None:
    card.blank.chip.life = 0x07 if card.blank.chip.key_sets else 0x03


def _die(card: ChipCard) -> None:
    card.blank.chip.dead = True


@EVERY
@pytest.mark.parametrize("how", [_flip_a_bit, _write_more, _open, _die, lambda card: card.face.pop()])
def test_the_oracle_sees_a_good_card_that_is_none(way: Way, how: Callable[[ChipCard], object]) -> None:
    assert "is good by the books and not in the world" in with_delivery(way, how)
    assert with_delivery(way, lambda _card: None) == ""


def test_the_oracle_sees_keys_that_are_not_the_cards_own() -> None:
    def keep(card: ChipCard) -> None:
        card.blank.chip.key_sets[0x30] = card.blank.chip.key_sets[OWN_VERSION]

    assert "is good by the books and not in the world" in with_delivery(Way("gp-scp03"), keep)


@EVERY
def test_the_oracle_sees_ribbon_on_a_chip_that_is_not_good(way: Way) -> None:
    def tamper(lane: FakeLane) -> None:
        def die() -> None:
            assert isinstance(lane.inside, ChipCard)
            lane.inside.blank.chip.dead = True

        lane.before["print"] = die

    assert "ribbon was spent on" in "; ".join(play(Case(way), tamper).broken)


@EVERY
def test_the_oracle_sees_a_blank_that_is_none_any_more(way: Way) -> None:
    def tamper(lane: FakeLane) -> None:
        def write() -> None:
            card = lane.hopper[0]
            assert isinstance(card, ChipCard)
            card.blank.chip.write(0x6FF1, 2, b"x")

        lane.after["deliver"] = write

    assert "lies in the hopper and is no blank" in "; ".join(play(Case(way), tamper).broken)


def test_the_files_are_signed_and_longer_than_a_block() -> None:
    assert sorted(len(file.content) for file in signed_files())[1:] == [212, 300]
