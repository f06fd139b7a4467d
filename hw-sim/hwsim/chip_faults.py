"""What can go wrong with chips, their reader and the SAM: rows of the table in `faults`."""

from __future__ import annotations

from hwsim.devices.chip_eeprom import TORN
from hwsim.devices.field import Swap
from hwsim.errors import SimError
from hwsim.fault import Act, Fault, Values
from hwsim.lane import Lane
from hwsim.station import SimStation
from hwsim.world import UID_TYPES, Blank, Spot

_NEXT = {"blank": 1}


def _dead_chip(station: SimStation, lane: Lane, v: Values) -> None:
    _blank(station, lane, v["blank"]).chip.dead = True
    if v["blank"] == 0:
        lane.slot.remove()


def _used_chip(station: SimStation, lane: Lane, v: Values) -> None:
    chip = _blank(station, lane, max(1, v["blank"])).chip
    for spec in lane.chip_profile.files:
        if spec.personalised:
            chip.write(spec.fid, 0, (1).to_bytes(chip.prefix_bytes, "big") + b"\x5a")


def _locked_chip(station: SimStation, lane: Lane, v: Values) -> None:
    _blank(station, lane, v["blank"]).chip.life = lane.chip_profile.locked_life


def _foreign_chip(station: SimStation, lane: Lane, v: Values) -> None:
    _blank(station, lane, v["blank"]).chip.foreign = True


def _wrong_uid(station: SimStation, lane: Lane, v: Values) -> None:
    if v["kind"] not in UID_TYPES:
        raise SimError(f"a UID is of kind {', '.join(UID_TYPES)}, not {v['kind']!r}")
    _blank(station, lane, v["blank"]).uid = station.world.new_uid(v["kind"])


def _flipped_chip(_s: SimStation, lane: Lane, _v: Values) -> None:
    lane.field.troubles.flip_next_write = True


def _torn_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    if v["page"] not in TORN:
        raise SimError(f"a torn page is {', '.join(TORN)}, not {v['page']!r}")
    troubles = lane.field.troubles
    troubles.cut_in_bytes, troubles.cut_kills, troubles.cut_page = v["bytes"], v["kills"], v["page"]
    troubles.cut_back = v["back"]


def _hung_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.hang_in_apdus = max(1, v["apdu"])


def _slow_chip(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.slow_s = v["ms"] / 1000


def _wrong_status(_s: SimStation, lane: Lane, v: Values) -> None:
    try:
        word = int(v["word"], 16)
    except ValueError:
        word = 0
    if not 0x6000 <= word <= 0x9FFF:
        raise SimError(f"a status word is four hex digits from 6000 to 9FFF, not {v['word']!r}")
    troubles = lane.field.troubles
    troubles.wrong_in_apdus, troubles.wrong_word, troubles.wrong_acts = max(1, v["apdu"]), word, v["acts"]


def _short_reply(_s: SimStation, lane: Lane, v: Values) -> None:
    lane.field.troubles.short_in_apdus, lane.field.troubles.short_bytes = max(1, v["apdu"]), max(1, v["bytes"])


def _reader(works: bool) -> Act:
    return lambda _s, lane, _v: lane.slot.thaw() if works else lane.slot.hang()


def _swap(card_too: bool) -> Act:
    def act(_s: SimStation, lane: Lane, v: Values) -> None:
        lane.field.swap = Swap(v["presentation"], card_too)

    return act


def _blank(station: SimStation, lane: Lane, number: int) -> Blank:
    """The n-th blank of the hopper, 0: the one inside or on the external reader."""
    name = lane.config.name
    here = station.world.at(Spot.READER if lane.external else Spot.INSIDE, name)
    chosen = (here if number == 0 else station.world.at(Spot.HOPPER, name)[number - 1 :])[:1]
    if not chosen:
        raise SimError(f"lane {name} has no blank {number} (0 is the one inside, 1 the next to be fed)")
    return station.world.blank(chosen[0])


CHIP_FAULTS: dict[str, Fault] = {
    "dead_chip": Fault("the n-th next blank never answers the field (0: the one inside)", _dead_chip, _NEXT),
    "used_chip": Fault("the n-th next blank was written before", _used_chip, _NEXT),
    "locked_chip": Fault("the n-th next blank was locked before (0: the one inside)", _locked_chip, _NEXT),
    "foreign_chip": Fault("the n-th next blank has another office's keys", _foreign_chip, _NEXT),
    "wrong_uid": Fault(
        f"the n-th next blank has a UID of another kind: {', '.join(UID_TYPES)}", _wrong_uid, {**_NEXT, "kind": "b"}
    ),
    "flipped_chip": Fault(
        "one bit of what is written next to a chip is kept wrong; the chip says that all is well", _flipped_chip
    ),
    "torn_chip": Fault(
        f"the field is lost after so many more written bytes; the torn page is {', '.join(TORN)}; back: it comes back",
        _torn_chip,
        {"bytes": 100, "kills": False, "page": "cut", "back": False},
    ),
    "hung_chip": Fault("the n-th APDU from now is never answered; presented anew, the chip goes on", _hung_chip, {"apdu": 1}),
    "slow_chip": Fault("each APDU takes so much longer, wall clock (0: no longer)", _slow_chip, {"ms": 200}),
    "wrong_status": Fault(
        "the n-th APDU from now gets this status word, carried out or not",
        _wrong_status,
        {"apdu": 1, "word": "6581", "acts": False},
    ),
    "short_reply": Fault("the n-th response from now lacks so many bytes", _short_reply, {"apdu": 1, "bytes": 1}),
    "reader_hang": Fault("the reader takes APDUs and never answers, whatever becomes of the card", _reader(works=False)),
    "reader_thaw": Fault("the reader goes on", _reader(works=True)),
    "wrong_chip": Fault(
        "at a card's n-th presentation the reader hears another chip", _swap(card_too=False), {"presentation": 2}
    ),
    "field_lost": Fault("the card inside loses its field for a moment", lambda _s, lane, _v: lane.field.blink()),
    "swap_now": Fault(
        "another chip answers from the next APDU on, and its reader notices nothing",
        lambda _s, lane, v: lane.field.exchange_now(v["card"]),
        {"card": True},
    ),
    "swapped_card": Fault("at its n-th presentation the card was exchanged", _swap(card_too=True), {"presentation": 2}),
    "sam_absent": Fault("the SAM is taken out", lambda _s, lane, _v: lane.sam.take()),
    "sam_silent": Fault("the SAM takes commands and never answers", lambda _s, lane, _v: lane.sam.hang()),
    "sam_answers": Fault("the SAM goes on", lambda _s, lane, _v: lane.sam.thaw()),
    "sam_back": Fault("the right SAM is put in", lambda _s, lane, _v: lane.sam.put()),
    "sam_wrong": Fault("another office's SAM is put in", lambda _s, lane, _v: lane.sam.put_wrong()),
    "sam_locked": Fault("the SAM is blocked: all tries of its blob are used up", lambda _s, lane, _v: lane.sam.lock(on=True)),
    "sam_unlocked": Fault("its issuer has unblocked the SAM", lambda _s, lane, _v: lane.sam.lock(on=False)),
}
