"""However a personalisation is split, it is resumed or the card is spoiled: never a good card with wrong contents.

Once through a whole lane, down to pyscard's calls, and once with nothing between the personaliser and hw-sim's chip.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from controller.chips.sam import Sam
from controller.chips.script import Script, drive
from controller.chips.steps import Personaliser
from controller.errors import DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.pcsc_sam import PcscSam
from controller.model import ChipFile
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.world import Blank, World
from tests.crash import apdu_points
from tests.crash.apdu_points import ANYWHERE, PLANS, PROFILES, Case, Way, play, points
from tests.crash.apdu_station import Fault
from tests.fakes.apdu_chip import MASTERS, Field, StaticSam, content_signature, signed_files, simulated
from tests.fakes.apdu_faults import KINDS
from tests.fakes.apdu_lane import ChipCard
from tests.fakes.chip import FakeCard, ektp, shipped
from tests.fakes.in_process_slot import InProcessSlot
from tests.fakes.pcscd import Hung, Pcscd, PcscError

T = TypeVar("T")

FILES = signed_files()
FIDS = [file.fid for file in FILES]
MANY = 150  # APDUs that a card takes which is interrupted a few times
FEW = 3  # interruptions that follow the first; where they strike depends on it
EVERY = pytest.mark.parametrize("profile", PROFILES)
SLOWLY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture only sets constants


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the constants back that `quicken` changes."""
    for module, name in apdu_points.QUICKENED:
        monkeypatch.setattr(module, name, getattr(module, name))
    apdu_points.quicken()


def split(undisturbed: int) -> st.SearchStrategy[list[tuple[int, str]]]:
    """What happens at which APDU; the first of it in a run that has so many, so it does strike."""
    kinds = st.sampled_from(ANYWHERE)
    first, later = st.tuples(st.integers(0, undisturbed - 1), kinds), st.tuples(st.integers(0, MANY), kinds)
    drawn = st.tuples(first, st.lists(later, max_size=FEW, unique_by=lambda one: one[0]))
    return drawn.map(lambda pair: [pair[0], *(one for one in pair[1] if one[0] > pair[0][0])])


ways = st.builds(Way, st.sampled_from(PROFILES), st.sampled_from(PLANS), signed=st.booleans())


@settings(SLOWLY, max_examples=80)
@given(way=ways, data=st.data())
def test_any_interruptions_end_with_a_card_that_is_what_the_books_say(way: Way, data: st.DataObject) -> None:
    drawn = data.draw(split(len(points(way))))
    kills = data.draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    faults = tuple(Fault("chip", number, kind, kill=kill) for (number, kind), kill in zip(drawn, kills, strict=True))
    station = play(Case(way, faults))
    assert (station.broken, station.struck[:1]) == ([], [faults[0]])


# One chip, and nothing between it and the personaliser.


class Hand:
    """One chip that is presented, and presented anew after each interruption; each presentation has a personaliser of its own."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        world = World(seed=1)
        self.blank: Blank = world.blank(world.make(1, simulated(profile))[0])
        shell = FakeCard(ektp() if profile == "ektp" else shipped(profile), memory=self.blank.chip.files)
        self.card = ChipCard(shell, blank=self.blank)
        self.field = Field(Pcscd(), "hand", profile)
        self._sam: Sam = PcscSam(InProcessSlot(SamCard(MASTERS, SamMemory(bytes(8)), 1))) if profile == "ektp" else StaticSam()
        self.present()

    def present(self) -> None:
        """Power comes anew."""
        self.field.place(None)
        self.field.place(self.blank)
        self.talk = Personaliser(shipped(self.profile), self._sam, lambda count: bytes(range(count)), content_signature())

    def plan(self, drawn: list[tuple[int, str]]) -> None:
        """What happens at which APDU."""
        self.field.plan = {number: KINDS[kind].effect for number, kind in drawn}

    def personalise(self) -> str:
        """What a station would do with a chip of which it knows that it is for this record: "good" or "spoiled"."""
        if self.ask(self.talk.identify()).fresh:
            self.ask(self.talk.write(FILES))
        if self.ask(self.talk.read(FIDS)) != list(FILES):
            return "spoiled"
        self.ask(self.talk.lock())
        self.field.reset()
        return "good" if self.ask(self.talk.verify(FIDS)) == list(FILES) else "spoiled"

    def try_to_personalise(self) -> str:
        """As `personalise`; what the chip refuses spoils it."""
        try:
            return self.personalise()
        except DeviceRefused:
            return "spoiled"

    def ask(self, script: Script[T]) -> T:
        """Drive a script; DeviceUnknown when an answer is lost."""
        return drive(script, self._transceive)

    def _transceive(self, raw: bytes) -> bytes:
        try:
            answer = self.field.transmit(raw)
        except (PcscError, Hung):
            answer = b""
        if not answer or self.field.chip is None:
            raise DeviceUnknown("chip_silent", "no answer")
        return answer


@cache
def length(profile: str) -> int:
    """The APDUs of an undisturbed run."""
    hand = Hand(profile)
    assert hand.personalise() == "good"
    return len(hand.field.seen)


@EVERY
@SLOWLY
@given(data=st.data())
def test_whatever_was_split_a_new_look_tells_the_truth(profile: str, data: st.DataObject) -> None:
    hand, drawn = Hand(profile), data.draw(split(length(profile)))
    hand.plan(drawn)
    with suppress(DeviceError):
        hand.personalise()
    assume(not hand.blank.chip.dead)
    hand.plan([])
    hand.present()
    memory = hand.blank.chip
    lengths = {fid: memory.length(fid) for fid in shipped(profile).max_bytes}
    try:
        sight = hand.ask(hand.talk.identify())
        found = hand.ask(hand.talk.read(FIDS))
    except DeviceRefused:  # a torn length that no file can have
        assert any(length > shipped(profile).max_bytes[fid] for fid, length in lengths.items())
        return
    assert (sight.uid, sight.fresh) == (hand.blank.uid.hex().upper(), not any(lengths.values()))
    assert found == [ChipFile(fid, memory.content(fid)) for fid in FIDS]
    assert not hand.card.seems_other(FILES) or not all(KINDS[kind].honest for _number, kind in drawn)


@EVERY
@SLOWLY
@given(data=st.data())
def test_split_and_taken_up_again_it_is_good_and_right_or_spoiled(profile: str, data: st.DataObject) -> None:
    hand, drawn = Hand(profile), data.draw(split(length(profile)))
    hand.plan(drawn)
    said = ""
    for _ in range(len(drawn) + 1):
        with suppress(DeviceUnknown):
            said = hand.try_to_personalise()
        if said or hand.blank.chip.dead:
            break
        hand.present()
    assert said in (("good", "spoiled") if not hand.blank.chip.dead else ("", "spoiled", "good"))
    assert said != "good" or (hand.card.holds(FILES) and hand.card.closed)


@EVERY
@given(data=st.data(), kind=st.sampled_from(["died before", "died after", "forgets", "reset by another"]))
def test_a_lost_answer_alone_spoils_no_chip_whose_files_are_whole_or_untouched(
    profile: str, data: st.DataObject, kind: str
) -> None:
    hand, number = Hand(profile), data.draw(st.integers(0, length(profile) - 1))
    hand.plan([(number, kind)])
    with suppress(DeviceError):
        hand.personalise()
    begun = any(hand.blank.chip.written_bytes.values())
    assume(not begun or hand.card.holds(FILES))
    hand.plan([])
    hand.present()
    assert hand.personalise() == "good"
    assert hand.card.holds(FILES)
    assert hand.card.closed
