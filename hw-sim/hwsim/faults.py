"""Faults as a table: what can go wrong, which values each fault takes, and what it does to the machine.

`arming` adds to every row when it happens. A fault that a person can undo has a second row that undoes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwsim.devices.evolis_mechanics import STAGES
from hwsim.devices.evolis_parts import RIBBONS, Ribbon
from hwsim.devices.field import Swap
from hwsim.devices.replies import Trick
from hwsim.errors import SimError
from hwsim.lane import Lane
from hwsim.station import SimStation
from hwsim.world import Spot

Values = Mapping[str, Any]
Act = Callable[[SimStation, Lane, Values], None]
MAX_NUMBER = 10_000  # of cards, bytes or times in one fault: more is a typing mistake


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what happens in words, what it does, and the values it takes with their defaults."""

    about: str
    act: Act
    takes: Mapping[str, Any] = field(default_factory=dict)


# Chip


def _dead_chip(station: SimStation, lane: Lane, v: Values) -> None:
    name = lane.config.name
    inside, hopper = station.world.at(Spot.INSIDE, name)[:1], station.world.at(Spot.HOPPER, name)
    chosen = (inside if v["blank"] == 0 else hopper[v["blank"] - 1 : v["blank"]])[:1]
    if not chosen:
        raise SimError(f"lane {name} has no blank {v['blank']} (0 is the one inside, 1 the next to be fed)")
    station.world.blank(chosen[0]).chip.dead = True
    if v["blank"] == 0:
        lane.slot.remove()


def _used_chip(station: SimStation, lane: Lane, v: Values) -> None:
    name = lane.config.name
    chosen = station.world.at(Spot.HOPPER, name)[max(0, v["blank"] - 1) :][:1]
    if not chosen:
        raise SimError(f"lane {name} has no blank {v['blank']} in its hopper (1 is the next to be fed)")
    chip = station.world.blank(chosen[0]).chip
    for spec in lane.chip_profile.files:
        if spec.personalised:
            chip.write(spec.fid, 0, (1).to_bytes(chip.prefix_bytes, "big") + b"\x5a")


def _torn_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.cut_in_bytes, lane.field.troubles.cut_kills = v["bytes"], v["kills"]


def _hung_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.hang_in_apdus = max(1, v["apdu"])


def _reader(works: bool) -> Act:
    return lambda _s, lane, _v: lane.slot.thaw() if works else lane.slot.hang()


def _swap(card_too: bool) -> Act:
    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        lane.field.swap = Swap(v["presentation"], card_too)

    return act


# Card path and ribbon


def _trouble(name: str, value: str | bool) -> Act:
    """Set a trouble of the mechanics: to a fixed value, or to that of the fault's value of this name."""

    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        setattr(lane.mechanics.troubles, name, v[value] if isinstance(value, str) else value)
        lane.mechanics.touched()

    return act


def _feeder_jam(_s: SimStation, lane: Lane, _v: Values) -> None:
    lane.mechanics.troubles.jam_at.add("feed")


def _card_jam(_s: SimStation, lane: Lane, v: Values) -> None:
    if v["stage"] not in STAGES:
        raise SimError(f"a card jams at one of {', '.join(STAGES)}, not at {v['stage']!r}")
    lane.mechanics.troubles.jam_at.add(v["stage"])


def _jam_cleared(_s: SimStation, lane: Lane, v: Values) -> None:
    if v["take_card"]:
        lane.take(Spot.INSIDE)
    lane.mechanics.troubles.jam_at.clear()
    lane.mechanics.troubles.jammed = False
    lane.mechanics.touched()


def _ribbon_end(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.mechanics.ribbon.cut_to(v["left"])


def _ribbon_new(_s: SimStation, lane: Lane, v: Values) -> None:
    kind = v["type"] or lane.mechanics.ribbon.type
    if kind not in RIBBONS:
        raise SimError(f"there is no ribbon {kind!r}; there are: {', '.join(RIBBONS)}")
    cards = v["cards"] or lane.mechanics.ribbon.capacity
    lane.mechanics.ribbon = Ribbon(kind, cards, cards)
    lane.mechanics.touched()


def _ribbon_tag(readable: bool) -> Act:
    def act(_s: SimStation, lane: Lane, _v: Values) -> None:
        lane.mechanics.ribbon.readable = readable

    return act


def _taken(spot: Spot) -> Act:
    def act(_s: SimStation, lane: Lane, _v: Values) -> None:
        lane.take(spot)

    return act


# USB


def _reply(kind: str) -> Act:
    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        lane.printer.replies.tricks.extend([Trick(kind, v.get("seconds", 0.0), v.get("text", ""))] * v["times"])

    return act


def _stall(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.printer.stalls = v["times"]


def _power(on: bool) -> Act:
    return lambda station, lane, _v: station.power_printer(lane, on)


def _twin(station: SimStation, lane: Lane, v: Values) -> None:
    station.add_twin(lane, v["busid"] or f"{lane.config.busid}.9")


_TIMES = {"times": 1}

FAULTS: dict[str, Fault] = {
    "dead_chip": Fault("the n-th next blank never answers the field (0: the one inside)", _dead_chip, {"blank": 1}),
    "used_chip": Fault("the n-th next blank was written before", _used_chip, {"blank": 1}),
    "torn_chip": Fault("the field is lost after so many more written bytes", _torn_chip, {"bytes": 100, "kills": False}),
    "hung_chip": Fault("the n-th APDU from now is never answered; presented anew, the chip goes on", _hung_chip, {"apdu": 1}),
    "reader_hang": Fault("the reader takes APDUs and never answers, whatever becomes of the card", _reader(works=False)),
    "reader_thaw": Fault("the reader goes on", _reader(works=True)),
    "wrong_chip": Fault(
        "at a card's n-th presentation the reader hears another chip", _swap(card_too=False), {"presentation": 2}
    ),
    "swapped_card": Fault("at its n-th presentation the card was exchanged", _swap(card_too=True), {"presentation": 2}),
    "feeder_jam": Fault("the next feed jams; the blank stays in the hopper", _feeder_jam),
    "card_jam": Fault(f"a card jams at a stage: {', '.join(STAGES)}", _card_jam, {"stage": "print"}),
    "jam_cleared": Fault("a person clears the jam", _jam_cleared, {"take_card": True}),
    "cover_open": Fault("a person opens the cover", _trouble("cover_open", True)),
    "cover_close": Fault("a person closes the cover", _trouble("cover_open", False)),
    "ribbon_end": Fault("so many sets are left on the ribbon", _ribbon_end, {"left": 0}),
    "ribbon_new": Fault("a person fits a ribbon (default: the same type, full)", _ribbon_new, {"type": "", "cards": 0}),
    "ribbon_unreadable": Fault("the ribbon's tag does not answer", _ribbon_tag(readable=False)),
    "ribbon_readable": Fault("the ribbon's tag answers again", _ribbon_tag(readable=True)),
    "feeder_empty": Fault("a person takes all blanks out of the hopper", _taken(Spot.HOPPER)),
    "misfeed": Fault("the next feeds take no card: ERROR TIME OUT", _trouble("misfeeds", "times"), _TIMES),
    "double_feed": Fault("the next feeds take two blanks at once", _trouble("double_feeds", "times"), _TIMES),
    "stuck": Fault("the next motions of a card inside do not happen: ERROR TIME OUT", _trouble("stuck_moves", "times"), _TIMES),
    "lost_card": Fault("the next cards leave without breaking the exit beam", _trouble("unseen_exits", "times"), _TIMES),
    "counter_lag": Fault(
        "at the next power losses the printer's counters lose their last tick", _trouble("lagging_counters", "times"), _TIMES
    ),
    "reply_late": Fault("replies come late (wall clock)", _reply("late"), {"seconds": 5.0, **_TIMES}),
    "reply_split": Fault("replies come byte by byte", _reply("split"), _TIMES),
    "reply_merged": Fault("replies wait and come in one packet with the next", _reply("merged"), _TIMES),
    "reply_garbled": Fault("replies come with wrong bits", _reply("garbled"), _TIMES),
    "reply_wrong": Fault("another text comes instead", _reply("wrong"), {"text": "ERROR UNKNOW", **_TIMES}),
    "reply_lost": Fault("replies never come", _reply("lost"), _TIMES),
    "stall": Fault("the next bulk OUT transfers stall", _stall, _TIMES),
    "usb_unplug": Fault("the USB cable is pulled", lambda _s, lane, _v: lane.unplug()),
    "usb_replug": Fault("the USB cable is put back", lambda _s, lane, _v: lane.plug()),
    "printer_off": Fault("the printer loses its power", _power(on=False)),
    "printer_on": Fault("the printer's power comes back", _power(on=True)),
    "twin_printer": Fault("a second printer with the same serial appears", _twin, {"busid": ""}),
    "twin_gone": Fault("the second printer goes", lambda station, lane, _v: station.drop_twin(lane)),
    "gpio_freeze": Fault("the pin server stops answering", lambda _s, lane, _v: lane.gpio.freeze()),
    "gpio_thaw": Fault("the pin server goes on", lambda _s, lane, _v: lane.gpio.thaw()),
    "gpio_kill": Fault("the pin server dies", lambda station, lane, _v: station.power_pins(lane, on=False)),
    "gpio_restart": Fault("the pin server starts again", lambda station, lane, _v: station.power_pins(lane, on=True)),
    "display_gone": Fault("the display's cable is pulled", lambda station, _l, _v: station.power_display(on=False)),
    "display_back": Fault("the display's cable is put back", lambda station, _l, _v: station.power_display(on=True)),
}
