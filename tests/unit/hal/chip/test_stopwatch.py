"""What a phase cost: the time in between is nobody's, and what is still under way counts."""

from __future__ import annotations

from itertools import count

import pytest

from controller.hal.chip.stopwatch import CostMeter, Stopwatch
from controller.hal.ports import ChipCost


def ticking() -> Stopwatch:
    """Its clock goes on by a second each time it is read."""
    return Stopwatch(map(float, count()).__next__)


def test_only_what_is_inside_is_added_up() -> None:
    watch = ticking()
    with watch:
        pass
    with watch:
        pass
    assert watch.total_s == 2
    assert watch.total_s == 2


def test_what_is_under_way_counts_as_far_as_it_has_come() -> None:
    watch = ticking()
    with watch:
        assert [watch.total_s, watch.total_s] == [1, 2]


def test_an_error_stops_the_watch() -> None:
    watch = ticking()
    with pytest.raises(ZeroDivisionError), watch:
        1 / 0  # noqa: B018  raises
    assert [watch.total_s, watch.total_s] == [1, 1]


def test_a_meter_leaves_out_what_the_key_holder_did_before() -> None:
    keys = ticking()
    with keys:
        pass
    meter = CostMeter(keys)
    with keys:
        pass
    assert meter.cost().keys_s == 1


def test_a_command_without_an_answer_was_sent() -> None:
    meter = CostMeter()
    meter.sent(5)
    meter.received(9)
    meter.sent(7)
    cost = meter.cost()
    assert (cost.commands, cost.sent_bytes, cost.received_bytes) == (2, 12, 9)


def test_what_waits_for_nobody_is_our_own() -> None:
    assert ChipCost(1, 0, 0, chip_s=5.0, keys_s=2.0, whole_s=8.0).own_s == 1.0


def test_a_meter_tells_who_is_waited_for() -> None:
    keys = ticking()
    meter, told = CostMeter(keys), []
    told.append(meter.waits_for_keys)
    with keys:
        told.append(meter.waits_for_keys)
    told.append(meter.waits_for_keys)
    assert told == [False, True, False]
