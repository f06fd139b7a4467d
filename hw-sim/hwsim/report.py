"""The truth as JSON: what `hw-sim world --json` prints. Times are seconds since hw-sim started."""

from __future__ import annotations

import base64
from typing import Any

from hwsim.devices.sam_slot import SamSlot
from hwsim.exchanges import Exchanges
from hwsim.lane import Lane
from hwsim.timing import CardTimes, Span
from hwsim.world import Blank, ChipMemory, Printed, Spot, World


def blank_json(blank: Blank, world: World, brief: bool = False) -> dict[str, Any]:
    """One blank: identity, place, where a person took it from, what is printed, what is in the chip."""
    place, taken_from = world.where(blank.id), world.taken_from(blank.id)
    return {
        "id": blank.id,
        "uid": blank.uid.hex().upper(),
        "place": place.spot.value,
        "lane": place.lane,
        "station": None if place.station is None else place.station.value,
        "taken_from": None if taken_from is None else {"place": taken_from.spot.value, "lane": taken_from.lane},
        "printed": printed_json(blank.printed),
        "chip": brief_chip_json(blank.chip) if brief else chip_json(blank.chip),
    }


def printed_json(printed: list[Printed]) -> dict[str, dict[str, Any]]:
    """Side -> panel -> what is on it. `times` above 1 is an overprint; `sha256` is of the packed dots that came last."""
    sides: dict[str, dict[str, Any]] = {}
    for one in printed:
        panels = sides.setdefault(one.side, {})
        before = panels.get(one.panel, {"times": 0, "all_sha256": []})
        panels[one.panel] = {
            "times": before["times"] + 1,
            "levels": one.levels,
            "complete": one.complete,
            "sha256": one.sha256,
            "all_sha256": [*before["all_sha256"], one.sha256],
        }
    return sides


def chip_json(chip: ChipMemory) -> dict[str, Any]:
    """Each file by its identifier: `length` as its prefix says, `raw` the content of that length, and the highest offset
    ever written (content written before a torn length prefix shows here)."""
    return {
        "dead": chip.dead,
        **_life_json(chip),
        "files": {
            f"{fid:04X}": {
                "length": chip.length(fid),
                "sha256": chip.sha256(fid),
                "raw": base64.b64encode(chip.content(fid)).decode(),
                "written_bytes": chip.written_bytes.get(fid, 0),
            }
            for fid in chip.files
        },
    }


def brief_chip_json(chip: ChipMemory) -> dict[str, Any]:
    """Only the files that were ever written, as length and hash."""
    return {
        "dead": chip.dead,
        **_life_json(chip),
        "files": {
            f"{fid:04X}": {"length": chip.length(fid), "sha256": chip.sha256(fid), "written_bytes": written}
            for fid, written in chip.written_bytes.items()
        },
    }


def _life_json(chip: ChipMemory) -> dict[str, Any]:
    """Life cycles as hex bytes, of the application and (GlobalPlatform) of the card, and the versions of its keys."""
    return {"life": f"{chip.life:02X}", "card_life": f"{chip.card_life:02X}", "key_versions": list(chip.key_sets)}


def lane_json(lane: Lane, world: World) -> dict[str, Any]:
    """One lane: printer, hopper and bins."""
    mechanics, name = lane.mechanics, lane.config.name
    station, care = mechanics.station, mechanics.care
    return {
        "name": name,
        "printer": {
            "serial": lane.config.serial,
            "powered": lane.powered,
            "plugged": lane.plugged,
            "cards_fed": mechanics.cards_fed,
            "panels_printed": mechanics.panels_printed,
            "ribbon": {
                "type": mechanics.ribbon.type,
                "remaining": mechanics.ribbon.remaining,
                "tag": mechanics.ribbon.tag.value,
                "capacity": mechanics.ribbon.capacity,
            },
            "cover_open": mechanics.troubles.cover_open,
            "jammed": mechanics.troubles.jammed,
            "busy": lane.powered and lane.printer.busy,
            "card_station": None if station is None else station.value,
            "port_status": lane.printer.port_status if lane.powered else None,
            "care": {"cards": care.cards, "every_cards": care.every_cards, "cleanings": care.cleanings},
        },
        "external": lane.external,
        "sam": sam_json(lane.sam) if lane.has_sam else None,
        "reader": next(iter(world.at(Spot.READER, name)), None),
        "slot": mechanics.slot_card,
        "hopper": world.count(Spot.HOPPER, name),
        "inside": world.count(Spot.INSIDE, name),
        "output": world.count(Spot.OUTPUT, name),
        "reject": world.count(Spot.REJECT, name),
    }


def sam_json(slot: SamSlot) -> dict[str, Any]:
    """The lane's own SAM: whether it lies in its slot, how many tries its blob has left, and how often it was opened and given a
    wrong one."""
    memory = slot.memory
    return {
        "inside": slot.card is not None and slot.card.memory is memory,
        "tries": memory.tries,
        "openings": memory.openings,
        "refused": memory.refused,
    }


def card_json(card: CardTimes, started_s: float) -> dict[str, Any]:
    """The times of one finished card."""
    return {
        "blank": card.blank,
        "end": card.end,
        "fed_at_s": _round(card.fed_at_s - started_s),
        "left_at_s": _round(card.left_at_s - started_s),
        "cycle_s": _round(card.left_at_s - card.fed_at_s),
        "motion_s": _round(card.motion_s),
        "commands": card.commands,
        "host_wait_s": _round(card.host_wait_s),
        "transfer_s": _round(card.transfer_s),
        "chip_detect_s": _lengths(card.detects),
        "chip_session_s": _lengths(card.sessions),
        "chip_silent_s": _lengths(card.silences),
        "overhead_s": _round(card.overhead_s),
        "gap_s": None if card.gap_s is None else _round(card.gap_s),
    }


def totals_json(world: World) -> dict[str, int]:
    """How many blanks are in each kind of place, and in all."""
    totals = {spot.value: count for spot, count in world.totals().items()}
    return {**totals, "all": sum(totals.values())}


def exchanges_json(exchanges: Exchanges) -> dict[str, Any]:
    """What crossed the wires so far; the labels are null unless they are being recorded."""
    return {
        **exchanges.counts,
        "labels": exchanges.labels,
        "triggers": [
            {"id": t.id, "wire": t.wire, "number": t.number, "when": t.when, "fired": t.fired, "error": t.error}
            for t in exchanges.triggers
        ],
    }


def _lengths(spans: list[Span]) -> list[float]:
    return [_round(end - start) for start, end in spans]


def _round(seconds: float) -> float:
    return round(seconds, 6)
