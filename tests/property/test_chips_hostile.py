"""A chip that lies: whatever it answers, in whatever order, nothing is believed that the keys do not prove, and it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chips.apdu import Command, Response
from controller.chips.channel import through
from controller.chips.profile import ChipProfile
from controller.chips.script import ask, drive
from controller.chips.status_words import STATUS_WORDS
from controller.errors import DeviceRefused, DeviceUnknown
from controller.model import ChipFile
from tests.fakes.chip import FakeCard, at_s16, ektp, known, personaliser, shipped
from tests.property.test_chips_channel import COMMANDS, pair

PROVEN = ["icao", "s8 level 11", "s8 level 13", "s8 level 33", "s16 level 11", "s16 level 33"]  # answers have MACs
PROFILES = [shipped("ektp"), shipped("gp-scp03"), at_s16(shipped("gp-scp03"))]
EVERY = pytest.mark.parametrize("profile", PROFILES, ids=["ektp", "scp03", "scp03 s16"])
FILES = [ChipFile(0x6FF1, bytes(range(1, 250)) * 2), ChipFile(0x6FF2, b"photo")]
FIDS = [file.fid for file in FILES]
MOST_COMMANDS = 64  # of any phase on two small files

WORDS = st.sampled_from([0x9000, 0x6110, 0x6100, 0x6C10, 0x6C00, 0x6282, 0x6300, 0x63C1, 0x9001, *STATUS_WORDS])
LIES = st.builds(Response, st.binary(max_size=64), WORDS) | st.builds(Response, st.binary(max_size=300), st.integers(0, 0xFFFF))


class Endless(AssertionError):
    """A script asked more than any honest one would."""


@dataclass
class Liar:
    """A chip without keys: gives these answers, then the last of them for ever."""

    lies: list[Response]
    asked: int = 0

    def transmit(self, _raw: bytes) -> bytes:
        self.asked += 1
        if self.asked > MOST_COMMANDS:
            raise Endless
        return self.lies[min(self.asked, len(self.lies)) - 1].encode()


@pytest.mark.parametrize("name", PROVEN)
@given(command=COMMANDS, lies=st.lists(LIES, min_size=1, max_size=12))
def test_nothing_is_believed_of_a_chip_without_keys(name: str, command: Command, lies: list[Response]) -> None:
    channel, _ = pair(name)
    with pytest.raises(DeviceRefused):
        drive(through(channel, ask(command, "write")), Liar(lies).transmit)


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("lie", [Response(b"", 0x6110), Response(b"\xaa", 0x6101), Response(b"", 0x9000)])
def test_a_write_is_not_done_because_somebody_says_so(name: str, lie: Response) -> None:
    channel, _ = pair(name)
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        drive(through(channel, ask(Command(0x00, 0xD6, 0, 0, b"content"), "write")), Liar([lie]).transmit)
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        channel.wrap(Command(0x00, 0xB0, 0, 0, le=1))


@pytest.mark.parametrize("name", PROVEN)
def test_an_error_word_brings_no_data_along(name: str) -> None:
    channel, _ = pair(name)
    command = Command(0x00, 0xB0, 0, 0, le=16)
    channel.wrap(command)
    with suppress(DeviceRefused):
        assert channel.unwrap(command, Response(b"invented", 0x6A82)) == Response(b"", 0x6A82)


@dataclass
class Tampered:
    """A real chip behind somebody who changes one of its answers: `number` counts from 0."""

    card: FakeCard
    number: int
    how: str
    lie: Response
    heard: list[bytes] = field(default_factory=list)

    def transmit(self, raw: bytes) -> bytes:
        if len(self.heard) > 4 * MOST_COMMANDS:
            raise Endless
        answer = self.card.apdu(raw)
        self.heard.append(answer)
        if len(self.heard) - 1 != self.number:
            return answer
        return {
            "lie": self.lie.encode(), "replay": self.heard[max(0, self.number - 1)], "first": self.heard[0],
            "cut": answer[: len(answer) // 2], "longer": b"\0" + answer, "empty": answer[-2:], "nothing": b"",
        }[self.how]  # fmt: skip


HOWS = st.sampled_from(["lie", "replay", "first", "cut", "longer", "empty", "nothing"])


@EVERY
@settings(max_examples=60)
@given(number=st.integers(0, 20), how=HOWS, lie=LIES)
def test_no_phase_believes_a_changed_answer(profile: ChipProfile, number: int, how: str, lie: Response) -> None:
    """Write, read, lock, verify: each either ends as it would have, or is refused; and what is said to be written is written."""
    card = FakeCard(profile)
    talk = known(card)
    for phase in (talk.write(FILES), talk.read(FIDS), talk.lock(), talk.verify(FIDS)):
        try:
            found = drive(phase, Tampered(card, number, how, lie).transmit)
        except (DeviceRefused, DeviceUnknown):
            return
        assert found is None or found == FILES


@EVERY
@given(lies=st.lists(LIES, min_size=1, max_size=20))
def test_a_stranger_is_never_identified_with_a_secure_channel(profile: ChipProfile, lies: list[Response]) -> None:
    with pytest.raises((DeviceRefused, DeviceUnknown)):
        drive(personaliser(profile).identify(), Liar(lies).transmit)


@given(lies=st.lists(LIES, min_size=1, max_size=20))
def test_a_stranger_without_a_channel_raises_nothing_but_our_errors_and_ends(lies: list[Response]) -> None:
    talk = personaliser(ektp())
    for phase in (talk.identify(), talk.read(FIDS), talk.lock(), talk.verify(FIDS)):
        with suppress(DeviceRefused, DeviceUnknown):
            drive(phase, Liar(lies).transmit)
