"""Status words and what they mean here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.chips.apdu import Command, Response, follow_up
from controller.chips.status_words import FAMILIES, STATUS_WORDS, StatusWord, meaning_of
from controller.conditions import CONDITIONS


@pytest.mark.parametrize("word", [*STATUS_WORDS.values(), *FAMILIES.values(), meaning_of(0x63C2), meaning_of(0x1234)])
def test_every_row_has_a_meaning_and_a_known_condition(word: StatusWord) -> None:
    assert word.meaning
    assert word.condition is None or word.condition in CONDITIONS


LISTED = {  # chip.md 2.3
    0x9000, 0x6281, 0x6282, 0x6283, 0x6300, 0x6400, 0x6581, 0x6700, 0x6881, 0x6882, 0x6883, 0x6884, 0x6982, 0x6983, 0x6984,
    0x6985, 0x6986, 0x6987, 0x6988, 0x6A80, 0x6A81, 0x6A82, 0x6A84, 0x6A86, 0x6A87, 0x6A88, 0x6A89, 0x6A8A, 0x6B00, 0x6D00,
    0x6E00, 0x6F00,
}  # fmt: skip


def test_every_word_of_the_facts_has_a_row() -> None:
    assert not LISTED - STATUS_WORDS.keys()
    assert not {0x61, 0x6C} - FAMILIES.keys()


@pytest.mark.parametrize("word", [*STATUS_WORDS.values(), *FAMILIES.values(), meaning_of(0x63C2), meaning_of(0x1234)])
def test_staff_are_told_what_to_do_in_both_languages(word: StatusWord) -> None:
    condition = CONDITIONS["chip_refused" if word.condition is None else word.condition]
    assert condition.id
    assert condition.en


@pytest.mark.parametrize("sw", sorted({*STATUS_WORDS, *(family << 8 | 0x10 for family in FAMILIES if family != 0x61), 0x63C2}))
def test_a_command_is_sent_once_more_only_when_its_word_is_retryable(sw: int) -> None:
    read = Command(0x00, 0xB0, 0, 0, le=200)
    again = follow_up(read, Response(b"", sw))
    assert (again is not None) == meaning_of(sw).retryable
    assert follow_up(replace(read, le=None), Response(b"", sw)) is None  # it may be a write


@pytest.mark.parametrize("sw", [0x9000, 0x6105])
def test_only_done_is_success(sw: int) -> None:
    assert meaning_of(sw).success


@pytest.mark.parametrize("sw", sorted(STATUS_WORDS.keys() - {0x9000}))
def test_every_other_word_is_an_error(sw: int) -> None:
    assert not meaning_of(sw).success


def test_a_memory_failure_is_not_tried_again() -> None:
    assert not meaning_of(0x6581).retryable


def test_a_wrong_le_may_be_tried_again() -> None:
    assert meaning_of(0x6C10).retryable


def test_the_tries_left_are_told() -> None:
    assert meaning_of(0x63C2).meaning == "authentication failed, 2 tries left"


def test_an_unlisted_word_gets_the_meaning_of_its_family() -> None:
    assert meaning_of(0x6A99).meaning == "wrong parameters"


def test_a_word_of_no_family_is_an_error() -> None:
    assert meaning_of(0x1234).meaning == "unknown status word"
    assert not meaning_of(0x1234).success
