"""What Evolis printers say in other ways than reply words, as rows: status bits and NACK codes. Pure.

The wire command that fetches the status words is not public (printers.md 3.9), so the driver never asks for them; a technician
reads them in the vendor's tools and has them explained by `print-station profile status`. NACK codes come in error mode 4,
which the driver never sets (3.4). `condition` is a key of `controller.conditions`; None: nothing to act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.conditions import UNDESCRIBED


@dataclass(frozen=True, slots=True)
class StatusBit:
    """One bit that is set, and what it stands for."""

    word: str  # CFG, INF, WAR, ERR, EX1, EX2, EX3 or EX4
    mask: int
    meaning: str  # for the technician
    condition: str | None


Bits = dict[int, tuple[str, str | None]]  # mask -> meaning, condition

STATUS_BITS: dict[str, Bits] = {
    "CFG": {
        0x80000000: ("Primacy family", None),
        0x40000000: ("Zenius", None),
        0x20000000: ("Agilia", None),
        0x10000000: ("Elypso", None),
        0x04000000: ("Badgy or Apteo", None),
        0x02000000: ("Primacy 2", None),
        0x00800000: ("wifi fitted", None),
        0x00400000: ("ethernet fitted", None),
        0x00100000: ("flip-over fitted", None),
        0x00080000: ("contactless station fitted", None),
        0x00040000: ("contact station fitted", None),
        0x00020000: ("magnetic encoder fitted", None),
        0x00008000: ("manual feed", None),
        0x00002000: ("feeder feed", None),
        0x00000400: ("600 or 1200 dpi", None),
        0x00000100: ("lock fitted", None),
        0x00000020: ("reject slot fitted", None),
    },
    "INF": {
        0x40000000: ("card at the hopper", None),
        0x20000000: ("card at the feeder", None),
        0x10000000: ("card in the flip-over", None),
        0x08000000: ("card at the contactless station", None),
        0x04000000: ("card at the contact station", None),
        0x02000000: ("card at the print head", None),
        0x01000000: ("card at the exit", None),
        0x00800000: ("errors are handled by the printer", None),
        0x00200000: ("sleep mode", "printer_asleep"),
        0x00100000: ("unknown ribbon", "ribbon_unreadable"),
        0x00080000: ("ribbon low", "ribbon_low"),
        0x00040000: ("cleaning mandatory", "cleaning_required"),
        0x00020000: ("cleaning recommended", "cleaning_due"),
        0x00010000: ("just rebooted", None),
        0x00000400: ("ribbon of another zone", "ribbon_zone"),
        0x00000200: ("ribbon changed", None),
        0x00000100: ("cleaning required", "cleaning_required"),
        0x00000080: ("printing", "printer_moving"),
        0x00000040: ("encoding", "printer_moving"),
        0x00000020: ("cleaning under way", "printer_moving"),
        0x00000002: ("firmware update", "printer_updating"),
        0x00000001: ("busy", "printer_moving"),
    },
    "WAR": {
        0x80000000: ("power low", "power_low"),
        0x08000000: ("reject box full", "reject_full"),
        0x04000000: ("card left at the exit", "card_at_exit"),
        0x02000000: ("waits for a card", "card_awaited"),
        0x01000000: ("feeder empty", "hopper_empty"),
        0x00200000: ("head cooling", "head_hot"),
        0x00100000: ("output hopper full", "bin_full"),
        0x00080000: ("ribbon ended", "ribbon_end"),
        0x00040000: ("printer locked", "printer_locked"),
        0x00020000: ("cover open", "cover_open"),
        0x00010000: ("no ribbon", "ribbon_missing"),
        0x00008000: ("unsupported ribbon", "ribbon_wrong"),
        0x00000100: ("feeder open", "feeder_open"),
    },
    "ERR": {
        0x20000000: ("head temperature", "head_hot"),
        0x10000000: ("option not fitted", "option_missing"),
        0x08000000: ("feed error", "feed_failed"),
        0x04000000: ("ribbon error", "ribbon_trouble"),
        0x02000000: ("cover opened during the job", "cover_open"),
        0x01000000: ("mechanical error", "card_stuck"),
        0x00800000: ("reject box full", "reject_full"),
        0x00400000: ("bad ribbon", "ribbon_wrong"),
        0x00200000: ("ribbon ended", "ribbon_end"),
        0x00100000: ("output hopper full", "bin_full"),
        0x00080000: ("blank magnetic track", "magnetic_trouble"),
        0x00040000: ("magnetic data", "magnetic_trouble"),
        0x00020000: ("magnetic read", "magnetic_trouble"),
        0x00010000: ("magnetic write", "magnetic_trouble"),
        0x00008000: ("feature", "feature_missing"),
        0x00004000: ("retransfer roller temperature", "roller_temperature"),
        0x00000200: ("card left at the exit", "card_at_exit"),
        0x00000100: ("no card inserted", "card_not_fed"),
        0x00000080: ("feeder open", "feeder_open"),
        0x00000001: ("hardware", "printer_hardware"),
    },
    "EX1": {0x00000100: ("feeder nearly empty", "hopper_low")},
    "EX2": {},
    "EX3": {
        0x40000000: ("retransfer under way", "printer_moving"),
        0x20000000: ("retransfer roller heats", "roller_temperature"),
        0x00000004: ("cover open", "cover_open"),
    },
    "EX4": {},
}

NACKS: dict[str, tuple[str, str]] = {  # code after NACK -> meaning, condition
    "1": ("unknown command", "printer_refused"),
    "2": ("bad parameter", "printer_refused"),
    "T": ("mechanical time-out", "card_stuck"),
    "C": ("cover", "cover_open"),
    "F": ("feeder", "feed_failed"),
    "R": ("ribbon", "ribbon_trouble"),
    "K": ("magnetic checksum", "magnetic_trouble"),
    "D": ("magnetic data", "magnetic_trouble"),
    "W": ("magnetic write", "magnetic_trouble"),
}


def explain(words: Mapping[str, int]) -> list[StatusBit]:
    """What the set bits of the status words stand for, highest first. ValueError for a word that no printer has."""
    found: list[StatusBit] = []
    for word, value in words.items():
        if word not in STATUS_BITS or not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"no status word of 32 bits: {word} {value:X}")
        masks = (1 << bit for bit in reversed(range(32)))
        found += [StatusBit(word, mask, *STATUS_BITS[word].get(mask, _unknown(word))) for mask in masks if value & mask]
    return found


def _unknown(word: str) -> tuple[str, str | None]:
    """A bit nobody has described; one of the configuration is no trouble."""
    return "not known", None if word == "CFG" else UNDESCRIBED
