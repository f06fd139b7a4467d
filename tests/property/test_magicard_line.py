"""A Magicard on a line where replies are lost, doubled and held back: whatever happens, what the driver concludes is true.

What nobody could see without numbers in the protocol: doubled replies to both questions on their way at once, or one that makes
up for a lost one.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.magicard.codec import Info
from controller.hal.magicard.session import MagicardSession
from controller.hal.usb.port_status import Port
from tests.fakes.magicard_usb import FIELDS, IDLE, JAM, NOT_FED, SERIAL, errors, info, tiny_profile
from tests.fakes.noisy_line import MAX_NOISES, NoisyLine, reopen, tried

PROFILE = tiny_profile(query=0.002, data=1.0, print=30.0, hand_feed=30.0, reset=1.0)
TRIES = 60  # to open: each failure uses up noise
HELD, DOUBLED = ("held 1", "held 2", "held 5"), ("doubled", "doubled held 1", "doubled held 3")
JOB = b"a job"


@dataclass
class NoisyPipe(NoisyLine):
    """A printer that answers each request at once and knows what it truly said."""

    ends: str = "printed"  # or not fed, or jammed: what becomes of a job
    cards: int = 1000
    asked: int = 0  # how often INF was: no two answers are equal, unless it is steady
    steady: bool = False
    jobs: int = 0
    dropped: int = 0
    text: str = IDLE

    def dispose(self) -> None:
        pytest.fail("the right printer was let go of")

    def write(self, data: bytes, deadline: Deadline) -> None:
        self.writes += 1
        if data == JOB:
            self._print()
        elif b"CAN" in data:
            self.dropped += 1
            self.text = IDLE
        else:
            self.answer(self._truth(data), self.next_noise())

    def port_status(self) -> int:
        return Port.READY if self.text == IDLE else Port.FAULT

    def _print(self) -> None:
        self.jobs += 1
        if self.ends == "printed":
            self.cards += 1
        else:
            self.text = NOT_FED if self.ends == "not fed" else JAM

    def _truth(self, data: bytes) -> bytes:
        if b"ERR" in data:
            return errors(self.text)
        self.asked += not self.steady
        fields = list(FIELDS)
        fields[9], fields[14] = str(self.cards), str(self.asked)
        return info(fields)


def job(_before: Info) -> Iterable[bytes]:
    return (JOB,)


def opened(pipe: NoisyPipe) -> MagicardSession:
    session = MagicardSession(pipe, PROFILE, SERIAL)
    reopen(session.greet, tries=TRIES)
    return session


def noise_of(*kinds: str) -> st.SearchStrategy[deque[str]]:
    return st.lists(st.sampled_from(("",) * 8 + kinds), max_size=MAX_NOISES).map(deque)


def one_doubled(lists: tuple[deque[str], deque[str]], doubled: str, place: int) -> tuple[deque[str], deque[str]]:
    lists[place % 2].insert(place, doubled)
    return lists


two_noises = st.tuples(noise_of("lost", *HELD), noise_of("lost", *HELD)) | st.builds(
    one_doubled, st.tuples(noise_of(*HELD), noise_of(*HELD)), st.sampled_from(DOUBLED), st.integers(0, 30)
)
noises = two_noises.map(lambda both: both[0] + both[1])


@settings(deadline=None, max_examples=300)
@given(two_noises, st.sampled_from(("printed", "not fed", "jammed")))
def test_what_is_concluded_of_a_job_is_true(noise: tuple[deque[str], deque[str]], ends: str) -> None:
    before, within = noise
    pipe = NoisyPipe(noises=before, ends=ends)
    session = opened(pipe)
    pipe.noises = within
    error = tried(lambda: session.print_by_hand(job, Deadline.after(5)))
    if error is None:
        assert (pipe.jobs, pipe.cards) == (1, 1001)
    elif isinstance(error, DeviceAbsent):
        assert pipe.jobs == 0
    elif isinstance(error, DeviceRefused):
        condition = {"not fed": "card_not_fed", "jammed": "printer_error"}[ends]
        assert (error.condition, pipe.jobs, pipe.dropped, pipe.cards) == (condition, 1, 1, 1000)
    else:
        assert isinstance(error, DeviceUnknown)


@settings(deadline=None, max_examples=300)
@given(two_noises)
def test_fields_are_what_the_printer_answered_last(noise: tuple[deque[str], deque[str]]) -> None:
    before, within = noise
    pipe = NoisyPipe(noises=before)
    session = opened(pipe)
    for _ in range(3):  # what a first look leaves on the line must not reach the next
        pipe.noises = within
        seen = None
        with contextlib.suppress(DeviceError):
            seen = session.look()
        if seen is None:
            reopen(session.greet, tries=TRIES)
            continue
        assert seen.fields[14] == str(pipe.asked)


@settings(deadline=None, max_examples=300)
@given(two_noises)
def test_an_examination_tells_what_is_so_now(noise: tuple[deque[str], deque[str]]) -> None:
    before, within = noise
    pipe = NoisyPipe(noises=before)
    session = opened(pipe)
    for _ in range(3):
        pipe.noises, pipe.steady, pipe.asked = within, True, pipe.asked + 1
        seen = None
        with contextlib.suppress(DeviceError):
            seen = session.examine()
        if seen is None:
            pipe.steady = False
            reopen(session.greet, tries=TRIES)
            continue
        assert seen.fields[14] == str(pipe.asked)


@settings(deadline=None, max_examples=200)
@given(noises)
def test_a_line_always_comes_back_once_the_noise_is_over(noise: deque[str]) -> None:
    pipe = NoisyPipe(noises=noise)
    session = opened(pipe)
    pipe.noises.clear()
    found = []
    for _ in range(3):  # what the noise left on the line is found out by the first look and dropped by the next open
        reopen(session.greet, tries=TRIES)
        found.append(tried(session.look))
    assert found[-1] is None
