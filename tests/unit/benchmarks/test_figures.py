"""Figures, their aims and the text they become."""

from __future__ import annotations

import pytest

from benchmarks.figures import Aim, Figure, Section, as_json, lines, percentile


@pytest.mark.parametrize(("percent", "expected"), [(1, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in reversed(range(1, 101))], percent) == expected


def test_p99_of_a_few_values_is_the_worst_of_them() -> None:
    assert percentile([3.0, 9.0, 1.0], 99) == 9.0


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_an_aim_is_met_up_to_its_limit() -> None:
    assert Figure("x", 20, "ms", Aim(20)).met is True
    assert Figure("x", 20.01, "ms", Aim(20)).met is False


def test_a_figure_without_an_aim_is_neither_met_nor_missed() -> None:
    assert Figure("x", 1, "s").met is None


@pytest.mark.parametrize(("binding", "broken"), [(True, True), (False, False)])
def test_only_a_binding_aim_breaks_a_promise(binding: bool, broken: bool) -> None:
    assert Figure("x", 65, "MiB", Aim(64, binding=binding)).breaks_a_promise is broken


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("x", 63, "MiB", Aim(64, binding=True)), "aim <= 64 MiB: met"),
        (Figure("x", 65, "MiB", Aim(64, binding=True)), "aim <= 64 MiB: BROKEN"),
        (Figure("x", 0.6, "s", Aim(0.5)), "aim <= 0.5 s: missed"),
    ],
)
def test_a_line_says_whether_the_aim_is_met(figure: Figure, verdict: str) -> None:
    assert verdict in list(lines(Section("Some section", [figure])))[1]


@pytest.mark.parametrize(("value", "shown"), [(1234.5, "1,234"), (12.34, "12.3"), (0.123, "0.12"), (7.0, "7")])
def test_a_number_is_shown_with_the_digits_that_matter(value: float, shown: str) -> None:
    assert list(lines(Section("s", [Figure("x", value, "ms")])))[1].split() == ["x", shown, "ms"]


def test_the_report_holds_the_aim_and_whether_it_binds() -> None:
    row = as_json(Section("s", [Figure("x", 65.4321, "MiB", Aim(64, binding=True))]))["figures"][0]
    assert row == {"name": "x", "value": 65.432, "unit": "MiB", "aim_at_most": 64, "met": False, "binding": True}
