"""The least that a chip profile can do with, against what is really said to a card, and against what was worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from benchmarks.chip_minimum import Exchange, Minimum, floor, icao_bytes, minimum, scp03_bytes
from benchmarks.chip_rig import TOTAL_BYTES, contents
from controller.chips.script import drive
from tests.fakes.chip import FakeCard, ektp, personaliser, shipped


@dataclass
class Wire:
    """Counts what crosses it."""

    card: FakeCard
    commands: int = 0
    sizes: list[int] = field(default_factory=list)

    def transceive(self, command: bytes) -> bytes:
        answer = self.card.apdu(command)
        self.sizes.append(len(command) + len(answer))
        return answer


def said(name: str) -> list[int]:
    """The bytes of every exchange with a card that is personalised and proven."""
    profile = shipped(name)
    wire, talk = Wire(FakeCard(profile)), personaliser(profile)
    files, _ = contents(profile)
    fids = [file.fid for file in files]
    drive(talk.identify(), wire.transceive)
    drive(talk.write(files), wire.transceive)
    drive(talk.read(fids), wire.transceive)
    drive(talk.lock(), wire.transceive)
    wire.card.reset()
    drive(talk.verify(fids), wire.transceive)
    return wire.sizes


@pytest.mark.parametrize("name", ["ektp", "gp-scp03"])
def test_what_is_said_is_hardly_more_than_the_least(name: str) -> None:
    least = minimum(shipped(name), [len(file.content) for file in contents(shipped(name))[0]])
    sizes = said(name)
    assert least.commands <= len(sizes) <= 1.05 * least.commands
    assert least.total_bytes <= sum(sizes) <= 1.05 * least.total_bytes


@pytest.mark.parametrize("name", ["ektp", "gp-scp03"])
def test_no_script_is_below_the_floor_nor_far_above_it(name: str) -> None:
    profile, sizes = shipped(name), said(name)
    least = floor(TOTAL_BYTES, profile.invented.block_bytes, profile.read.block_bytes)
    assert least.commands < len(sizes) <= 1.5 * least.commands
    assert least.total_bytes < sum(sizes) <= 1.5 * least.total_bytes


def test_the_floor_is_the_content_three_times_in_whole_blocks_two_openings_and_a_lock() -> None:
    assert floor(1000, 200, 300) == Minimum(5 + 2 * 4 + 2 * 2 + 1, 3 * 1000 + 18 * 7)


def test_the_floor_grows_with_the_commands_that_smaller_blocks_need() -> None:
    assert floor(8192, 208, 231).commands == 40 + 2 * 36 + 5
    assert floor(8192, 104, 231).commands == 79 + 2 * 36 + 5


@pytest.mark.parametrize("name", ["ektp", "gp-scp03"])
def test_the_card_that_is_measured_is_full(name: str) -> None:
    files, signature = contents(shipped(name))
    assert sum(len(file.content) for file in files) in range(TOTAL_BYTES - 3, TOTAL_BYTES + 1)  # DER is 69 to 72 bytes long
    assert signature is not None
    assert signature.wrong(files) == ""


def test_a_plain_exchange_has_its_header_its_lengths_and_its_status_word() -> None:
    assert Exchange(answer=7).plain_bytes == 5 + 9  # FF CA 00 00 00
    assert Exchange(data=2).plain_bytes == 7 + 2  # 00 A4 00 00 02 7F 0A


def test_secure_messaging_as_in_the_example_of_the_standard() -> None:
    assert icao_bytes(Exchange(data=2)) == 0x15 + 6 + 16  # ICAO 9303-11, D.4: SELECT EF.COM and its answer
    assert icao_bytes(Exchange(answer=4)) == 0x0D + 6 + 27  # READ BINARY of its first four bytes


def test_scp03_pads_to_whole_blocks_and_adds_its_mac() -> None:
    assert scp03_bytes(Exchange(data=239), size=8) == 5 + 240 + 8 + 8 + 2
    assert scp03_bytes(Exchange(answer=16), size=8) == 5 + 8 + 1 + 32 + 8 + 2


def test_without_a_channel_nothing_is_added() -> None:
    profile = ektp()
    none = minimum(profile, [0] * len(profile.personalised))
    assert none.total_bytes == sum((
        2 * (5 + 9 + 7 + 2),  # twice the UID and the DF
        4 * 6 * (7 + 2),  # each file selected to be seen empty, written, read and proven
        3 * 6 * (5 + 4),  # its length read each time but once
        6 * (7 + 2),  # and written
        4 + 2,  # locked
        8 + 14,  # found locked
    ))  # fmt: skip
