"""The tables of conditions: complete, readable at a desk, and what every word of every printer stands for."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from controller.conditions import CONDITIONS, NOTICES, SECTIONS, UNDESCRIBED, CardInside, Clears, Condition, Severity
from controller.conditions.row import table
from controller.hal.evolis.codec import fault_of, refusal_of
from controller.hal.evolis.status import NACKS, STATUS_BITS, explain
from controller.hal.usb.port_status import STATES
from controller.jobs.evidence import Ask
from tools import make_condition_docs

CONTROLLER = Path(__file__).parents[2] / "controller"
PRINTERS = Path(__file__).parents[2] / "firmware_profiles" / "printers"
PROFILES = sorted(PRINTERS.glob("*.toml"))
ROWS = [*CONDITIONS.values(), *NOTICES.values()]
DISPLAY_CHARS = 20
LEADING = ("lay_blank", "feed_by_hand", "lay_printed", "lay_other", "lay_again", "take_card_away", "to_reject_box")

# printers.md 3.3, word for word; "ERR" and "ERROR" begin the same class of word.
EVOLIS_WORDS = [
    "ERROR CDE", "ERROR PARAMETRES", "ERR PARAMETRES", "ERROR TIME OUT", "ERROR", "FEEDER EMPTY", "CARD JAM", "COVER OPEN",
    "ERROR RIBBON", "ERR RIBBON", "ERR RIBBON TYPE", "ERR RIB DETECTION", "ERROR HOPPER", "HOPPER FULL", "HOPPER DOOR",
    "ERROR HEAD", "NEED CLEANING", "ERR NEED CLEANING", "OPT NOT AVAILABLE", "ERROR MAGN", "ERROR MAGN CHECKSUM",
    "ERROR MAGN DATA", "ERROR UNKNOW",
]  # fmt: skip


def _said_by_profiles() -> dict[str, str]:
    """Every word and error pair of every shipped profile with its condition."""
    said: dict[str, str] = {}
    for file in PROFILES:
        profile = tomllib.loads(file.read_text(encoding="utf-8"))
        said |= {f"{file.stem} {word}": code for key in ("replies", "errors") for word, code in profile.get(key, {}).items()}
    return said


SAID = _said_by_profiles()
EVOLIS_REPLIES = tomllib.loads((PRINTERS / "evolis-primacy.toml").read_text(encoding="utf-8"))["replies"]
BITS = [(word, mask, code) for word, bits in STATUS_BITS.items() for mask, (_, code) in bits.items()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_a_condition_can_be_read_and_acted_on(row: Condition) -> None:
    assert re.fullmatch(r"[A-Z /:?]{4,20}", row.short)
    assert len(row.short) <= DISPLAY_CHARS
    for text in (row.id, row.en):
        assert text[0].isupper()
        assert text.endswith(".")
        assert re.search(r"; |, |\. ", text), "what is so, and what to do"
    assert row.id != row.en


def test_the_display_tells_every_two_conditions_apart() -> None:
    shown = [row.short for row in CONDITIONS.values()]
    assert [short for short in shown if shown.count(short) > 1] == []


def test_the_sections_share_no_code() -> None:
    assert sum(len(rows) for rows in SECTIONS.values()) == len(CONDITIONS)
    assert not set(NOTICES) & set(CONDITIONS)


def test_the_daemon_says_each_of_its_own_conditions_somewhere() -> None:
    named: set[object] = {f"ask_{kind}" for kind in Ask}
    for file in CONTROLLER.rglob("*.py"):
        if file.parent.name != "conditions":
            tree = ast.parse(file.read_text(encoding="utf-8"))
            named |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    own = {code for name, rows in SECTIONS.items() if name != "printer" for code in rows}
    assert own - named == set()


def test_a_code_twice_in_one_table_is_a_bug() -> None:
    row = ("twice", Severity.WAITS, Clears.SELF, CardInside.NO, "DUA", "Dua; satu.", "Two; one.")
    with pytest.raises(ValueError, match="a code comes twice"):
        table(row, row)


@pytest.mark.parametrize("code", LEADING)
def test_what_leads_a_person_by_hand_fits_behind_the_name_of_a_lane(code: str) -> None:
    row = CONDITIONS[code]
    assert len(f"2: {row.short}") <= DISPLAY_CHARS
    assert (row.severity, row.clears, row.card_inside) == (Severity.WAITS, Clears.SELF, CardInside.NO)


@pytest.mark.parametrize("row", [row for row in ROWS if row.clears is Clears.GO], ids=lambda row: row.code)
def test_what_waits_for_an_answer_says_which_button_answers(row: Condition) -> None:
    assert re.search(r"\bGO\b|\bHOLD\b", row.id)
    assert re.search(r"\bGO\b|\bHOLD\b", row.en)


def test_no_other_condition_asks_for_a_button() -> None:
    others = [row for row in ROWS if row.clears is not Clears.GO and row.code != "cleaning_due"]  # a printer that does not count
    assert [row.code for row in others if re.search(r"\bGO\b|\bHOLD\b", row.id + row.en + row.short)] == []


# What stands for what


@pytest.mark.parametrize("word", EVOLIS_WORDS)
def test_every_word_of_the_facts_has_a_row_of_its_own(word: str) -> None:
    assert re.sub("^ERR ", "ERROR ", word) in EVOLIS_REPLIES
    assert fault_of(word, EVOLIS_REPLIES) in SECTIONS["printer"]


def test_every_word_and_pair_of_every_profile_is_a_condition() -> None:
    assert {said: code for said, code in SAID.items() if code not in SECTIONS["printer"]} == {}
    assert SAID["magicard-enduro 11:01"] == "card_not_fed"


def test_every_condition_of_a_printer_is_said_by_some_printer() -> None:
    codes = {*SAID.values(), *(code for _, _, code in BITS), *(code for _, code in (*NACKS.values(), *STATES.values()))}
    assert codes - {None} == set(SECTIONS["printer"])


@pytest.mark.parametrize("word", ["ERR 77", "ERROR SOMETHING NEW", "ERR"])
def test_a_word_nobody_knows_is_one_condition(word: str) -> None:
    assert fault_of(word, {}) == refusal_of(word, {}) == UNDESCRIBED == "printer_error"


@pytest.mark.parametrize(("word", "mask", "code"), [row for row in BITS if row[2] is not None])
def test_every_bit_that_says_more_than_a_place_is_a_condition_of_its_own_mask(word: str, mask: int, code: str) -> None:
    assert mask.bit_count() == 1
    assert code in SECTIONS["printer"]
    assert [(bit.word, bit.mask, bit.condition) for bit in explain({word: mask})] == [(word, mask, code)]


def test_what_staff_must_do_differently_is_told_apart() -> None:
    told = {(word, mask): code for word, mask, code in BITS}
    pairs = [
        ("ERR", 0x00800000, 0x00100000),  # reject box, output bin
        ("WAR", 0x00010000, 0x00080000),  # no ribbon, ribbon ended
        ("WAR", 0x00008000, 0x00010000),  # wrong ribbon, none
        ("INF", 0x00020000, 0x00040000),  # cleaning recommended, mandatory
        ("WAR", 0x00000100, 0x00020000),  # feeder open, cover open
        ("ERR", 0x20000000, 0x00000001),  # head hot, hardware
    ]
    assert [pair for pair in pairs if told[pair[0], pair[1]] == told[pair[0], pair[2]]] == []


def test_several_words_are_explained_together_and_what_nobody_knows_is_said_so() -> None:
    bits = explain({"CFG": 0x80000001, "WAR": 0x00020000, "EX2": 0x4})
    assert [(bit.word, bit.meaning, bit.condition) for bit in bits] == [
        ("CFG", "Primacy family", None), ("CFG", "not known", None), ("WAR", "cover open", "cover_open"),
        ("EX2", "not known", "printer_error"),
    ]  # fmt: skip


@pytest.mark.parametrize("words", [{"ABC": 1}, {"ERR": 1 << 32}, {"ERR": -1}])
def test_what_is_no_status_word_is_refused(words: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no status word of 32 bits"):
        explain(words)


def test_the_document_is_up_to_date() -> None:
    assert make_condition_docs.DOCUMENT.read_text(encoding="utf-8") == make_condition_docs.text(), (
        "run: python -m tools.make_condition_docs"
    )
