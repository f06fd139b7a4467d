"""A SAM card that answers anything: every answer is an error of ours or a use of the SAM, its blob is sent once, and it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chips.apdu import Command, Response
from controller.chips.channel import Channel
from controller.errors import DeviceAbsent, DeviceError
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.token_pin import PinSource

BLOB = bytes(range(32))
COMMAND = Command(0x00, 0xB0, 0, 0, le=16)
WORDS = [0x9000, 0x6110, 0x6100, 0x6C10, 0x6300, 0x63C0, 0x63C1, 0x63C2, 0x63CF, 0x6700, 0x6982, 0x6983, 0x6985, 0x6988, 0x6D00]
SAID = st.builds(Response, st.just(b"") | st.binary(min_size=40, max_size=40) | st.binary(max_size=300), st.sampled_from(WORDS))
ANSWERS = SAID.map(Response.encode) | st.binary(max_size=3) | st.just(b"\0\xb0\0\0\0\x90\0") | st.just(b"\x0c\xb0\0\0\0\x90\0")
MOST_SENT = 200  # by all the acts below: a dozen commands each at the worst


@dataclass
class Slot:
    """A slot with such a SAM; an empty answer is one that was pulled."""

    answers: list[bytes]
    sent: list[bytes] = field(default_factory=list)
    held: bool = False

    def connect(self) -> bool:
        fresh, self.held = not self.held, True
        return fresh

    def send(self, command: bytes) -> bytes:
        self.sent.append(command)
        assert len(self.sent) <= MOST_SENT
        answer = self.answers[len(self.sent) % len(self.answers)]
        if not answer:
            self.held = False
            raise DeviceAbsent("sam_absent", "pulled")
        return answer

    def drop(self) -> None:
        self.held = False

    close = drop


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> PinSource:
    path: Path = tmp_path_factory.mktemp("blob") / "blob"
    path.write_text(BLOB.hex())
    path.chmod(0o400)
    return PinSource(path)


def acts(sam: PcscSam) -> list[Callable[[], object]]:
    """All that a card asks of it."""
    channels: list[Channel] = []
    return [
        sam.check, lambda: sam.begin(bytes(51), bytes(7), bytes(8)), lambda: channels.append(sam.finish(bytes(40))),
        *[lambda: [channel.wrap(COMMAND) for channel in channels],
          lambda: [channel.unwrap(COMMAND, Response(bytes(20), 0x9000)) for channel in channels]] * 2,
        sam.check, sam.close,
    ]  # fmt: skip


@given(answers=st.lists(ANSWERS, min_size=1, max_size=12), opened=st.booleans())
def test_a_sam_that_answers_anything_raises_nothing_but_our_errors(blob: PinSource, answers: list[bytes], opened: bool) -> None:
    sam = PcscSam(Slot(answers), blob if opened else None)
    for act in acts(sam):
        with suppress(DeviceError):
            act()


@given(answers=st.lists(SAID.filter(lambda said: said.sw >> 8 != 0x61).map(Response.encode), min_size=1, max_size=12))
def test_a_blob_is_sent_again_only_when_it_was_taken_or_cost_nothing(blob: PinSource, answers: list[bytes]) -> None:
    slot = Slot(answers)
    sam = PcscSam(slot, blob)
    for _ in range(3):
        for act in acts(sam):
            with suppress(DeviceError):
                act()
    tries = [at for at, command in enumerate(slot.sent) if command[1] == 0xF0 and len(command) > 5]
    for first, second in pairwise(tries):
        before, again = (slot.answers[at % len(slot.answers)][-2:] for at in (first, second))  # how many tries are left
        taken = slot.answers[(first + 1) % len(slot.answers)][-2:] == b"\x90\x00"
        assert taken or b"\x63\xcf" >= again >= before >= b"\x63\xc2"
