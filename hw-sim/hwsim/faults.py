"""Faults as a table: what can go wrong, which values each fault takes, and what it does to the machine.

`arming` adds to every row when it happens. A fault that a person can undo has a second row that undoes it.
"""

from __future__ import annotations

from hwsim.devices.field import Swap
from hwsim.devices.mechanics import STAGES
from hwsim.devices.replies import Trick
from hwsim.errors import SimError
from hwsim.fault import MAX_NUMBER, TIMES, Act, Fault, Values
from hwsim.lane import Lane
from hwsim.printer_faults import PRINTER_FAULTS, trouble
from hwsim.station import SimStation
from hwsim.world import Spot

__all__ = ["FAULTS", "MAX_NUMBER", "Fault", "Values"]


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


def _flipped_chip(_s: SimStation, lane: Lane, _v: Values) -> None:
    lane.field.troubles.flip_next_write = True


def _hung_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.hang_in_apdus = max(1, v["apdu"])


def _reader(works: bool) -> Act:
    return lambda _s, lane, _v: lane.slot.thaw() if works else lane.slot.hang()


def _swap(card_too: bool) -> Act:
    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        lane.field.swap = Swap(v["presentation"], card_too)

    return act


# Card path


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


FAULTS: dict[str, Fault] = {
    "dead_chip": Fault("the n-th next blank never answers the field (0: the one inside)", _dead_chip, {"blank": 1}),
    "used_chip": Fault("the n-th next blank was written before", _used_chip, {"blank": 1}),
    "torn_chip": Fault("the field is lost after so many more written bytes", _torn_chip, {"bytes": 100, "kills": False}),
    "flipped_chip": Fault(
        "one bit of what is written next to a chip is kept wrong; the chip says that all is well", _flipped_chip
    ),
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
    **PRINTER_FAULTS,
    "feeder_empty": Fault("a person takes all blanks out of the hopper", _taken(Spot.HOPPER)),
    "misfeed": Fault("the next feeds take no card: ERROR TIME OUT", trouble("misfeeds", "times"), TIMES),
    "double_feed": Fault("the next feeds take two blanks at once", trouble("double_feeds", "times"), TIMES),
    "stuck": Fault("the next motions of a card inside do not happen: ERROR TIME OUT", trouble("stuck_moves", "times"), TIMES),
    "lost_card": Fault("the next cards leave without breaking the exit beam", trouble("unseen_exits", "times"), TIMES),
    "counter_lag": Fault(
        "at the next power losses the printer's counters lose their last tick", trouble("lagging_counters", "times"), TIMES
    ),
    "reply_late": Fault("replies come late (wall clock)", _reply("late"), {"seconds": 5.0, **TIMES}),
    "reply_split": Fault("replies come byte by byte", _reply("split"), TIMES),
    "reply_merged": Fault("replies wait and come in one packet with the next", _reply("merged"), TIMES),
    "reply_garbled": Fault("replies come with wrong bits", _reply("garbled"), TIMES),
    "reply_wrong": Fault("another text comes instead", _reply("wrong"), {"text": "ERROR UNKNOW", **TIMES}),
    "reply_lost": Fault("replies never come", _reply("lost"), TIMES),
    "reply_endless": Fault("a reply that does not end: 100 kB", _reply("endless"), TIMES),
    "stall": Fault("the next bulk OUT transfers stall", _stall, TIMES),
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
