"""Status words and what they mean here."""

from __future__ import annotations

import pytest

from controller.chips.status_words import FAMILIES, STATUS_WORDS, StatusWord, meaning_of
from controller.conditions import CONDITIONS


@pytest.mark.parametrize("word", [*STATUS_WORDS.values(), *FAMILIES.values(), meaning_of(0x63C2), meaning_of(0x1234)])
def test_every_row_has_a_meaning_and_a_known_condition(word: StatusWord) -> None:
    assert word.meaning
    assert word.condition is None or word.condition in CONDITIONS


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
