"""What a Magicard answers: REQ,ERR, REQ,INF and REQ,STA,key (printers.md 4.2). Pure.

Where the facts give a field's name only, its value here is ours (E). The one error pair that is public is 11:01; OTHER stands for
all the others, whose numbers nobody published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hwsim.devices.mechanics import Mechanics
from hwsim.profiles import MagicardProfile

NOT_FED, OTHER = (11, 1), (99, 99)
# As captured, but for its full stop: the reply has the 101 bytes of printers.md 4.2 with the 00 at its end (docs/simulator.md).
_GERMAN = "Karte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut"
_SENTENCES = {"GER": _GERMAN, "DEU": _GERMAN, "ENG": "The card was not fed."}
_WORDS = {"GER": "Fehlercode", "DEU": "Fehlercode"}
_SHOT_MM = {"ymcko": (86, 86, 86), "ko": (0, 86, 86), "k": (0, 86, 0)}  # colour, black, overcoat: one card's length (E)
_HEADS = {"kge2": 0}  # as the vendor's filter reads it; what an Alto says is not known
_COMMAND_CODES = {"ymcko": "LC1", "k": "LC3", "ko": "LC6", "ymckok": "LC8"}

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What stops the printer until a person, or OKY, or CAN."""

    code: tuple[int, int]
    text: str


@dataclass(slots=True)
class Unit:
    """One machine of a model: what it says of itself, and what people adjusted."""

    model: str
    serial: str
    firmware: str = "1.00-sim"
    settings: dict[str, str] = field(default_factory=lambda: {"head_position": "50", "image_start": "0", "image_end": "0"})

    @property
    def short_model(self) -> str:
        """The model without its maker."""
        return self.model.partition(" ")[2] or self.model


def error_reply(fault: Fault | None, language: str) -> bytes:
    """The answer to REQ,ERR."""
    if fault is None:
        return b"\x01STAPrinterstatus OK.\n00:00\n(c0300)\x03"
    major, minor = fault.code
    sentence = _SENTENCES.get(language, _SENTENCES["ENG"]) if fault.code == NOT_FED else fault.text
    text = f"STA{sentence}\n{_WORDS.get(language, 'Error code')} - {major:02}:{minor:02}\n(c0201)"
    return b"\x01" + text.encode("latin-1", "replace") + b"\x03\x00"


def info_reply(unit: Unit, profile: MagicardProfile, m: Mechanics, fault: Fault | None, hand_feed: bool) -> bytes:
    """The answer to REQ,INF: 35 fields."""
    major, minor = (0, 0) if fault is None else fault.code
    ribbon, care, setting = m.ribbon, m.care, unit.settings
    readable = ribbon.readable
    fields: list[object] = [
        2 if profile.duplex else 0,
        unit.short_model,
        _HEADS.get(profile.packing, profile.packing.upper()),
        unit.serial,
        f"H{unit.serial}",
        f"B{unit.serial}",
        unit.firmware,
        "1",
        int(hand_feed),
        m.cards_fed,
        m.cards_fed,
        m.panels_printed,
        care.cleanings,
        care.panels,
        care.cards,
        care.every_cards,
        setting["head_position"],
        setting["image_start"],
        setting["image_end"],
        f"{major:02}",
        f"{minor:02}",
        "E00401" if readable else "",
        ribbon.capacity if readable else 0,
        ribbon.capacity - ribbon.tag.value if readable else 0,
        ribbon.type.upper() if readable else "",
        *(_SHOT_MM.get(ribbon.type, (86, 86, 86))),
        2 if "k" in ribbon.type[4:] else int(ribbon.type == "k"),  # duplex film, or resin all along
        _COMMAND_CODES.get(ribbon.type, ""),
        "01012026",
        "1",
        "1",
        "0",
        "0",
    ]
    return b"\x01STA$$" + ",".join(map(str, fields)).encode("latin-1", "replace") + b",\x03"


def key_reply(key: str, unit: Unit, profile: MagicardProfile, m: Mechanics) -> bytes | None:
    """The answer to REQ,STA,key; None for a key that is not known."""
    value = _KEYS.get(key)
    if value is None:
        return None
    return f"\x01STA,{key}{value(unit, profile, m)},\x03".encode("latin-1", "replace")


Value = Callable[[Unit, MagicardProfile, Mechanics], object]
_KEYS: dict[str, Value] = {
    "MSR": lambda u, _p, _m: u.serial,
    "PSR": lambda u, _p, _m: f"H{u.serial}",
    "BSR": lambda u, _p, _m: f"B{u.serial}",
    "VRS": lambda u, _p, _m: u.firmware,
    "FDC": lambda _u, _p, _m: 25,
    "FSP": lambda u, _p, _m: 8 * int(u.settings["image_start"]),
    "FEP": lambda u, _p, _m: 8 * int(u.settings["image_end"]),
    "FSS": lambda _u, _p, _m: 0,
    "FPP": lambda u, _p, _m: u.settings["head_position"],
    "MDL": lambda _u, _p, _m: 0,
    "PID": lambda _u, p, _m: p.product_id,
    "VID": lambda _u, p, _m: p.vendor_id,
    "USN": lambda u, _p, _m: u.serial,
    "UPN": lambda _u, _p, _m: "Magicard",
    "MAC": lambda _u, _p, _m: "000000000000",
    **dict.fromkeys(("DYN", "IPA", "SNM", "GWY"), lambda _u, _p, _m: 0),
    "TCQ": lambda _u, _p, m: m.cards_fed,
    "TCP": lambda _u, _p, m: m.cards_fed,
    "TCN": lambda _u, _p, m: m.care.cleanings,
    "CCQ": lambda _u, _p, m: m.care.cards,
    "TPQ": lambda _u, _p, m: m.panels_printed,
    "CCP": lambda _u, _p, m: m.care.every_cards,
    "CPQ": lambda _u, _p, m: m.care.panels,
    "DFR": lambda _u, _p, m: m.ribbon.tag.value,
    "CLP": lambda _u, _p, m: "ON" if m.care.due else "OFF",
}


def dump_reply(name: str, m: Mechanics) -> bytes:
    """The n-th line of the sensor dumps SNRn and QPRn, then END."""
    sensors = {"LID": m.troubles.cover_open, "FRONT": m.slot_card is not None, "DYE": m.ribbon.remaining > 0}
    lines = {
        "SNR": [f"{sensor}={int(so)}" for sensor, so in sensors.items()],
        "QPR": [f"CARDS={m.cards_fed}", f"PANELS={m.panels_printed}"],
    }[name[:3]]
    number = int(name[3:])
    return lines[number - 1].encode("ascii") if 1 <= number <= len(lines) else b"END"
