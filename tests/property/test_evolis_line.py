"""A line on which replies are lost, doubled and held back: whatever happens, what the driver concludes is true.

Replies keep the order of the commands (printers.md 3.2). One thing nobody could see without numbers in the protocol: a doubled
reply and a lost one that make up for each other.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.evolis.line import EvolisLine
from controller.hal.evolis.session import asks, look, perform
from controller.hal.usb.port_status import Port
from controller.model import Panel
from tests.fakes.noisy_line import MAX_NOISES, NoisyLine, reopen, tried
from tests.fakes.usb_printer import ANSWERS, SERIAL, panels_for, tiny_profile

PROFILE = tiny_profile(query=0.002, motion=0.002, panel=0.002, print=0.002, reset=1.0)
PANELS = panels_for(PROFILE)
TRIES = 40  # to open: each failure uses up noise
NOISES = ("lost", "doubled", "held 1", "held 2", "held 5", "doubled held 1", "doubled held 3", "refused")
ACTS: tuple[tuple[tuple[str, ...], list[Panel]], ...] = (
    (PROFILE.acts.feed, []),
    (PROFILE.acts.print or (), PANELS),
    (PROFILE.acts.deliver or (), []),
)


@dataclass
class NoisyPipe(NoisyLine):
    """A printer that does each command at once and knows what it truly answered."""

    done: list[tuple[str, str]] = field(default_factory=list)  # command, true reply

    def write(self, data: bytes, deadline: Deadline) -> None:
        self.writes += 1
        command = data[1:-1].split(b";128;")[0].split(b";2;")[0].decode("ascii")
        noise = self.next_noise()
        reply = self._truth(command, noise)
        self.done.append((command, reply))
        self.answer(reply.encode() + b"\0", noise)

    def port_status(self) -> int:
        return Port.READY

    def dispose(self) -> None:
        """Nothing: it is opened again as it is."""

    def _truth(self, command: str, noise: str) -> str:
        if command.startswith("Rco") or command == "Rrt;count":
            return str(1000 + len(self.done))  # never the same twice: an old answer is found out
        if noise == "refused" and not command.startswith("R"):
            return "CARD JAM"
        return ANSWERS.get(command, "OK")


def opened(pipe: NoisyPipe) -> EvolisLine:
    line = EvolisLine(pipe, PROFILE, SERIAL)
    reopen(line.greet, tries=TRIES)
    return line


def noise_without(barred: str) -> st.SearchStrategy[deque[str]]:
    kinds = tuple(noise for noise in NOISES if barred not in noise)
    return st.lists(st.sampled_from(("",) * 8 + kinds), max_size=MAX_NOISES).map(deque)


noises = st.sampled_from(("lost", "doubled")).flatmap(noise_without)
two_noises = st.sampled_from(("lost", "doubled")).flatmap(lambda barred: st.tuples(noise_without(barred), noise_without(barred)))


@settings(deadline=None, max_examples=300)
@given(noises, noises, st.sampled_from(ACTS))
def test_what_is_concluded_of_an_act_is_true(
    before: deque[str], within: deque[str], act: tuple[tuple[str, ...], list[Panel]]
) -> None:
    pipe = NoisyPipe(noises=before)
    line = opened(pipe)
    pipe.noises, start = within, len(pipe.done)
    error = tried(lambda: line.act(perform(PROFILE, *act), Deadline.after(1)))
    said = [entry for entry in pipe.done[start:] if entry[0] != "Rsn"]
    if error is None:
        assert said == [
            (ask.label.rpartition(";")[0] if ask.label[:2] == "Db" else ask.label, "OK") for ask in asks(PROFILE, *act)
        ]
    elif isinstance(error, DeviceAbsent):
        assert said == []
    elif isinstance(error, DeviceRefused):
        assert said[-1][1] == "CARD JAM"
        assert all(reply == "OK" for _, reply in said[:-1])
    else:
        assert isinstance(error, DeviceUnknown)


@settings(deadline=None, max_examples=300)
@given(two_noises)
def test_a_witness_is_what_the_printer_answered_this_time(noise: tuple[deque[str], deque[str]]) -> None:
    before, within = noise
    pipe = NoisyPipe(noises=before)
    line = opened(pipe)
    for _ in range(3):  # what a first witness leaves on the line must not reach the next
        pipe.noises, start = within, len(pipe.done)
        seen = None
        with contextlib.suppress(DeviceError):
            seen = line.ask(look(PROFILE), Deadline.after(1))
        truth = dict(pipe.done[start:])
        if seen is None:
            reopen(line.greet, tries=TRIES)
            continue
        assert (str(seen.cards_fed), str(seen.panels_printed)) == (truth["Rco;c"], truth["Rco;p"])
        assert str(seen.ribbon_remaining) == truth["Rrt;count"]


@settings(deadline=None, max_examples=200)
@given(noises)
def test_a_line_always_comes_back_once_the_noise_is_over(noise: deque[str]) -> None:
    pipe = NoisyPipe(noises=noise)
    line = opened(pipe)
    pipe.noises.clear()
    errors = []
    for _ in range(3):  # what the noise left on the line is found out by the first question and dropped by the next open
        reopen(line.greet, tries=TRIES)
        errors.append(tried(lambda: line.ask(look(PROFILE), Deadline.after(1))))
    assert errors[-1] is None
