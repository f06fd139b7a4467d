"""How long the printer waited for the host."""

from __future__ import annotations

from hwsim.timing import CardTimes, LaneMeter


def a_card(meter: LaneMeter, start: float) -> CardTimes:
    """Fed at start; 3 s of waiting, of which 1 s detection and 0.5 s APDUs; leaves 10 s later."""
    meter.command(start, start)
    meter.fed("blank-1", start + 1)
    meter.chip_in(start + 2)
    meter.reply(start + 2)
    meter.apdu(start + 3, start + 3.1)
    meter.apdu(start + 3.4, start + 3.5)
    meter.command(start + 4, start + 5)
    meter.motion(2.5)
    meter.left(start + 10, "output")
    meter.reply(start + 10)
    return meter.finished[-1]


def test_the_chips_share_is_not_the_stations_overhead() -> None:
    card = a_card(LaneMeter(), 0)
    assert (card.host_wait_s, card.overhead_s) == (3, 1.5)
    assert (card.detects, card.sessions) == ([(2, 3)], [(3, 3.5)])


def test_motion_transfer_and_life_are_told() -> None:
    card = a_card(LaneMeter(), 0)
    assert (card.motion_s, card.transfer_s, card.commands, card.end) == (2.5, 1, 1, "output")
    assert (card.fed_at_s, card.left_at_s) == (1, 10)


def test_a_command_that_came_before_the_reply_costs_nothing() -> None:
    meter = LaneMeter()
    meter.fed("blank-1", 0)
    meter.reply(5)
    meter.command(3, 4)
    meter.left(6, "output")
    assert meter.finished[0].host_wait_s == 0


def test_a_chip_that_was_never_spoken_to_is_the_chips_fault() -> None:
    meter = LaneMeter()
    meter.fed("blank-1", 0)
    meter.chip_in(1)
    meter.reply(1)
    meter.command(4, 4)
    meter.left(5, "reject")
    card = meter.finished[0]
    assert (card.silences, card.host_wait_s, card.overhead_s) == ([(1, 5)], 3, 0)


def test_the_gap_between_two_cards_counts_while_blanks_are_there() -> None:
    meter = LaneMeter()
    a_card(meter, 0)
    assert a_card(meter, 12).gap_s == 2


def test_an_empty_hopper_is_no_gap() -> None:
    meter = LaneMeter()
    a_card(meter, 0)
    meter.hopper(0)
    meter.hopper(5)
    assert a_card(meter, 12).gap_s is None


def test_the_last_blank_of_a_hopper_still_has_its_gap() -> None:
    meter = LaneMeter()
    a_card(meter, 0)
    meter.command(12, 12)
    meter.fed("blank-2", 13)
    meter.hopper(0)
    meter.left(14, "output")
    assert meter.finished[-1].gap_s == 2


def test_waiting_without_a_card_inside_is_nobodys() -> None:
    meter = LaneMeter()
    meter.reply(0)
    meter.command(9, 9)
    meter.left(9, "output")
    assert not meter.finished
