"""Faults of the printer itself: head, output, cleaning, ribbon, errors that a test chooses, settings, identity, answers."""

from __future__ import annotations

from hwsim.devices.evolis import EvolisPrinter
from hwsim.devices.magicard import MagicardPrinter
from hwsim.devices.magicard_replies import Fault as Shown
from hwsim.devices.mechanics import STAGES
from hwsim.devices.parts import StagedError, fitted_ribbon, known_ribbons
from hwsim.errors import SimError
from hwsim.fault import Act, Fault, Values
from hwsim.lane import Lane
from hwsim.station import SimStation

NOW = "now"


def trouble(name: str, value: str | bool) -> Act:
    """Set a trouble of the mechanics: to a fixed value, or to that of the fault's value of this name."""

    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        setattr(lane.mechanics.troubles, name, v[value] if isinstance(value, str) else value)
        lane.mechanics.touched()

    return act


def _pair(name: str, bad: str, about: str, good: str, about_good: str) -> dict[str, Fault]:
    return {bad: Fault(about, trouble(name, value=True)), good: Fault(about_good, trouble(name, value=False))}


# Ribbon and cleaning


def _ribbon_end(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.mechanics.ribbon.cut_to(v["left"])


def _fit(lane: Lane, kind: str, cards: int) -> None:
    known = known_ribbons(lane.profile)
    if kind not in known:
        raise SimError(f"there is no ribbon {kind!r}; there are: {', '.join(known)}")
    lane.mechanics.ribbon = fitted_ribbon(lane.profile, kind, cards or None)
    lane.mechanics.touched()


def _ribbon_new(_s: SimStation, lane: Lane, v: Values) -> None:
    _fit(lane, v["type"] or lane.mechanics.ribbon.type, v["cards"])


def _ribbon_wrong(_s: SimStation, lane: Lane, v: Values) -> None:
    other = next(kind for kind in lane.profile.ribbons if kind != lane.mechanics.ribbon.type)
    _fit(lane, v["type"] or other, 0)


def _ribbon_tag(readable: bool) -> Act:
    def act(_s: SimStation, lane: Lane, _v: Values) -> None:
        lane.mechanics.ribbon.readable = readable

    return act


def _cleaning_due(_s: SimStation, lane: Lane, v: Values) -> None:
    care = lane.mechanics.care
    care.cards = max(care.cards, care.every_cards)
    care.forced = v["stop"]


def _cleaned(_s: SimStation, lane: Lane, _v: Values) -> None:
    lane.mechanics.care.cleaned()
    lane.mechanics.touched()


# Errors that a test chooses


def _error(_s: SimStation, lane: Lane, v: Values) -> None:
    code = v["major"], v["minor"]
    if v["stage"] == NOW:
        _magicard(lane).machine.fault = Shown(code, v["text"])
    elif v["stage"] in STAGES:
        lane.mechanics.troubles.errors.append(StagedError(v["stage"], v["text"], code))
    else:
        raise SimError(f"an error comes {NOW} or at one of {', '.join(STAGES)}, not at {v['stage']!r}")


def _button(word: str) -> Act:
    return lambda _s, lane, _v: _magicard(lane).machine.answer(word)


def _magicard(lane: Lane) -> MagicardPrinter:
    if not isinstance(lane.printer, MagicardPrinter):
        raise SimError(f"the printer of lane {lane.config.name} is no Magicard")
    return lane.printer


def _sensor(_s: SimStation, lane: Lane, v: Values) -> None:
    if not isinstance(lane.printer, EvolisPrinter):
        raise SimError(f"the printer of lane {lane.config.name} is no Evolis")
    sensors = lane.printer.machine.sensors
    sensors.pop(v["query"], None)
    if v["text"]:
        sensors[v["query"]] = v["text"]


# Identity, settings, and a line that is not answered


def _firmware(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.printer.becomes({"firmware": v["text"]})


def _swapped(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.unplug()
    lane.printer.becomes({key: v[key] for key in ("serial", "model") if v[key]})
    lane.plug()


def _setting(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.printer.adjust(v["name"], v["value"])


def _busy(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.printer.hold(v["seconds"])


def _port_status(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.printer.shown_status = v["value"] or None


PRINTER_FAULTS: dict[str, Fault] = {
    "cover_open": Fault("a person opens the cover", trouble("cover_open", value=True)),
    "cover_close": Fault("a person closes the cover", trouble("cover_open", value=False)),
    **_pair("head_error", "head_error", "the print head fails", "head_ok", "the print head works again"),
    **_pair("hopper_door", "hopper_door_open", "the output door is opened", "hopper_door_close", "the output door is shut"),
    **_pair("hopper_error", "hopper_error", "the output side fails: ERROR HOPPER", "hopper_ok", "the output side works again"),
    **_pair("output_full", "bin_full", "the output bin takes no more card", "bin_emptied", "it takes cards again"),
    **_pair("reject_full", "reject_full", "the reject box takes no more card", "reject_emptied", "it takes cards again"),
    "cleaning_due": Fault("it asks to be cleaned; stop=yes: it feeds no card before that", _cleaning_due, {"stop": False}),
    "cleaned": Fault("a person cleaned it", _cleaned),
    "ribbon_end": Fault("so many sets are left on the ribbon", _ribbon_end, {"left": 0}),
    "ribbon_new": Fault("a person fits a ribbon (default: the same type, full)", _ribbon_new, {"type": "", "cards": 0}),
    "ribbon_wrong": Fault("a person fits a ribbon of another type", _ribbon_wrong, {"type": ""}),
    "ribbon_unreadable": Fault("the ribbon's tag does not answer", _ribbon_tag(readable=False)),
    "ribbon_readable": Fault("the ribbon's tag answers again", _ribbon_tag(readable=True)),
    "printer_error": Fault(
        f"an error: {NOW} or at a stage: {', '.join(STAGES)}; an Evolis says the text, a Magicard the pair too",
        _error,
        {"major": 20, "minor": 1, "text": "ERROR UNKNOW", "stage": "feed"},
    ),
    "printer_ok": Fault("a person presses OK on the printer (Magicard)", _button("OKY")),
    "printer_cancel": Fault("a person presses Cancel on the printer (Magicard)", _button("CAN")),
    "hand_feed_over": Fault(
        "it gives up waiting for a card in the slot: 11:01 (Magicard)",
        lambda _s, lane, _v: _magicard(lane).machine.stop_waiting(),
    ),
    "sensor": Fault("a query answers this text; without one, what is (Evolis)", _sensor, {"query": "Rse;f", "text": ""}),
    "setting": Fault("somebody turned a setting, named as in the profile", _setting, {"name": "", "value": "0"}),
    "firmware": Fault("it has another firmware", _firmware, {"text": "9.99"}),
    "swapped_printer": Fault("another printer stands on this cable", _swapped, {"serial": "SIM-OTHER", "model": ""}),
    "busy": Fault("it takes no data (NAK, port status 08) for so long, wall clock", _busy, {"seconds": 5.0}),
    "port_status": Fault("the port status is this number; 0: what it is", _port_status, {"value": 0}),
}
