"""Setting texts: shrink, wrap, push, refuse; with a ruler that makes every letter half its size wide."""

import pytest

from controller.cards.fields import FIELDS
from controller.cards.layout import Back
from controller.cards.layout_file import installed_layout
from controller.cards.typeset import MM_PER_POINT, Run, typeset, typeset_back
from controller.errors import RenderError

LAYOUT = installed_layout()
TABLE = LAYOUT.table


def ruler(font: str, size_pt: float, text: str) -> float:
    return len(text) * size_pt * MM_PER_POINT * 0.5


def runs(**texts: str) -> list[Run]:
    return list(typeset(LAYOUT, {**dict.fromkeys(FIELDS, "X"), **texts}, ruler))


def value_runs(**texts: str) -> list[Run]:
    return [run for run in runs(**texts) if run.x_mm == TABLE.value_x_mm]


def test_a_short_text_is_set_at_its_nominal_size() -> None:
    assert value_runs(name="SITI")[0] == Run("SITI", "text", 7.0, TABLE.value_x_mm, TABLE.first_baseline_mm)


def test_a_longer_text_shrinks_just_enough() -> None:
    sized = value_runs(name="M" * 31)[0]
    assert sized.size_pt == 6.5
    assert ruler("text", 6.75, sized.text) > TABLE.right_mm - TABLE.value_x_mm


def test_a_long_text_wraps_between_words_and_pushes_the_rows_below() -> None:
    first, second, below = value_runs(name="MUHAMMAD ABDURRAHMAN WAHID SURYODININGRAT", birth="Y")[:3]
    assert (first.text, second.text) == ("MUHAMMAD ABDURRAHMAN WAHID", "SURYODININGRAT")
    assert first.baseline_mm < second.baseline_mm < below.baseline_mm
    assert below.text == "Y"


def test_the_last_row_never_sinks_below_its_limit() -> None:
    long = dict.fromkeys(("name", "address", "occupation"), "WORD " * 9 + "END")
    assert max(run.baseline_mm for run in value_runs(**long)) <= TABLE.last_baseline_mm + 1e-9


def test_a_crowded_card_is_set_compactly() -> None:
    long = dict.fromkeys(("name", "address", "village", "occupation"), "WORD " * 9 + "END")
    crowded = runs(**long)
    assert {run.size_pt for run in crowded if run.text == "Nama"} == {TABLE.label.min_size_pt}
    assert {
        run.size_pt
        for run in crowded
        if run.text == "X" and run.x_mm != TABLE.label_x_mm and run.font == "text" and run.align == "left"
    } == {5.75}


def test_too_many_lines_are_refused() -> None:
    long = dict.fromkeys(("name", "birth", "address", "village", "district", "religion", "occupation"), "WORD " * 9 + "END")
    with pytest.raises(RenderError, match="person: the biodata needs more lines than the card has"):
        runs(**long)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_word_that_cannot_fit_is_refused_with_its_place(field: str) -> None:
    with pytest.raises(RenderError, match="does not fit on the card") as raised:
        runs(**{field: "W" * 120})
    assert raised.value.problem.place == FIELDS[field].place
    assert "WWW" not in str(raised.value)


def test_the_place_of_issue_grows_upwards() -> None:
    first, second = (run for run in runs(issue_place="PANGKAJENE KEPULAUAN RAYA DAMAI") if run.x_mm == 72.4 and run.text != "X")
    assert second.baseline_mm == 41.0
    assert first.baseline_mm < 41.0


def address(words: int) -> str:
    return "JALAN PERUMAHAN " + "KATA " * words + "NOMOR 8"


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [(27, "JALAN PERUMAHAN ", " NOMOR 8"), (28, "JL. PERUMAHAN ", " NO. 8"), (29, "JL. PERUM. ", " NO. 8")],
)
def test_words_are_abbreviated_last_in_the_rules_order_and_no_more_than_needed(words: int, start: str, end: str) -> None:
    lines = [run.text for run in value_runs(address=address(words)) if "KATA" in run.text]
    assert len(lines) == 4
    assert lines[0].startswith(start)
    assert lines[-1].endswith(end)


def test_only_the_field_that_does_not_fit_is_abbreviated() -> None:
    printed = [run.text for run in runs(regency="KABUPATEN KEPULAUAN SIAU", address=address(28))]
    assert "KABUPATEN KEPULAUAN SIAU" in printed


def test_a_name_is_never_abbreviated() -> None:
    with pytest.raises(RenderError, match=r"person\.name: the text does not fit"):
        runs(name="KABUPATEN" * 30)
    fields = {name for rule in LAYOUT.abbreviations for name in rule.fields}
    assert not fields & {"name", "nik", "occupation", "religion", "sex", "blood_type"}


def test_a_text_that_no_rule_makes_fit_is_refused() -> None:
    with pytest.raises(RenderError, match=r"person\.address: the text does not fit on the card .* and abbreviated"):
        runs(address=address(30))


def test_without_a_back_there_are_no_lines_for_it() -> None:
    assert typeset_back(LAYOUT, dict.fromkeys(FIELDS, "X"), ruler) == ()


def test_the_back_is_set_by_the_same_rules() -> None:
    box = LAYOUT.texts[1].model_copy(update={"field": "address", "width_mm": 40.0})
    layout = LAYOUT.model_copy(update={"back": Back(texts=(box,))})
    (run,) = typeset_back(layout, {"address": "JALAN MERDEKA SELATAN NOMOR 12 KAMPUNG"}, ruler)
    assert run.text == "JL. MERDEKA SELATAN NOMOR 12 KAMPUNG"
    with pytest.raises(RenderError, match=r"person\.address"):
        typeset_back(layout, {"address": "W" * 80}, ruler)
