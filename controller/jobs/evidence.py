"""What is known about an interrupted passage: `Past` from the journal, `LaneEvidence` from lane, desk reader and people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from controller.hal.ports import NOT_DRAWN_IN
from controller.model import CardPosition, PrinterWitness

_T = TypeVar("_T")


EXAMINE = "examine"  # journal row: recovery moves the card to the reader
VERDICT = "verdict"  # journal row: what recovery found and decided

OTHER_LAID = "lay_other"  # by hand: another card was laid down where the printed one was awaited

_ASKED_AGAIN = frozenset({"feed", "deliver", "reject", EXAMINE})  # a refusal of these says nothing of the card
_NOT_SEEN = frozenset({"card_missing", "print_unproven"})  # the card was not found wrong: its proof was not seen


class Ask(StrEnum):
    """What a person is asked to do; the texts are the conditions `ask_tray`, `ask_desk` and `ask_look`."""

    TRAY = "tray"  # is there a blank in the tray? put it on the desk reader; GO: there is none
    DESK = "desk"  # put the card from the tray on the desk reader
    LOOK = "look"  # the chip is good; is the face complete?


class Look(StrEnum):
    """What a person says. HOLD says `spoiled`; GO says `none` to TRAY and `complete` to LOOK; `missing` by command only."""

    COMPLETE = "complete"  # the face is whole
    SPOILED = "spoiled"  # the card is no good, or cannot be read: it was put into the reject box
    MISSING = "missing"  # nobody has the card
    NONE = "none"  # there is no card in the tray


class Phase(StrEnum):
    """How far the journal shows that the card may have come."""

    FEEDING = "feeding"  # the feed was begun, or by hand the look at the blank; its end was not written
    FED = "fed"  # a blank was fed, or by hand its chip is known; nothing was begun that leaves something on it
    WRITING = "writing"  # the chip may be half written, or is whole
    PRINTING = "printing"  # panels may be on the face
    CHECKED = "checked"  # printed and proven; it may have left
    LEAVING = "printing and leaving"  # printed and ejected in one act
    CONDEMNED = "condemned"  # found wrong: only its way into the reject bin is open


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal of one passage proves."""

    phase: Phase
    uid: str | None = None  # the chip bound to the passage
    files: Mapping[str, str] = field(default_factory=dict)  # what the chip was to hold: file id to hash, length prefix included
    fed_before: int | None = None  # the printer's card counter at the intent to feed
    panels_before: int | None = None  # its panel counter at the intent to print
    panels: int = 0  # panels of this face
    printed: bool = False  # the print was proven and journalled; of a card that leaves in the same act: its leaving too
    rejecting: bool = False  # the move into the reject bin was begun
    wrong: str = ""  # the condition for which the card was found wrong
    resumed: int = 0  # how often it was interrupted and gone on with
    fed_when_examined: int | None = None  # the card counter before recovery first moved the card
    by_hand: bool = False  # a person feeds the printer, which never tells where the card is
    doubted: bool = False  # by hand: after the print another card was laid down first, so either may have been printed

    @property
    def marked(self) -> bool:
        """Something was begun that leaves its mark on the card."""
        return bool(self.files or self.panels)


@dataclass(frozen=True, slots=True)
class ChipEvidence:
    """A chip as it was read now."""

    uid: str  # empty: a card is there and its chip does not answer
    fresh: bool = False  # every file still has length 0
    files: Mapping[str, str] = field(default_factory=dict)  # as in Past.files; empty: could not be read


@dataclass(frozen=True, slots=True)
class Beams:
    """Cards that each beam saw since the last intent, by eyes that never closed since."""

    feed: int
    exit: int
    reject: int


@dataclass(frozen=True, slots=True)
class LaneEvidence:
    """What can still be seen."""

    same_devices: bool  # printer and reader are those of the intents; when not, nothing they say counts
    ejects: bool = False  # this printer ejects a card inside when its power comes back
    witness: PrinterWitness | None = None  # read twice and equal, in a conversation that was brought in step anew
    chip: ChipEvidence | None = None  # of the card inside, moved to the reader; None: no card, or it cannot be brought there
    beams: Beams | None = None  # None: the sensors were blind for a while, as after every restart
    desk: ChipEvidence | None = None  # the card that a person put on the desk reader, or on the reader of a lane fed by hand
    look: Look | None = None
    fed_again: bool = False  # moving the card to the reader fed another one: the one inside may be a stranger
    beside: bool = False  # by hand: the card of `desk` lies on the lane's own reader, where its passage can go on


def past_of(chip_uid: str | None, stages: Sequence[Mapping[str, Any]]) -> Past:
    """What a passage's stage rows prove, oldest first, as `journal.stages` gives them."""
    by_hand = bool(stages) and stages[0]["name"] == "probe"  # every other plan begins with a feed
    begun = {row["name"]: row for row in stages if not _never_sent(row)}  # the last one of a name counts
    done = {row["name"] for row in stages if row["outcome"] == "done"} | {"feed" for row in stages if _goes_on(row)}
    feed = next((row for row in stages if row["name"] == "feed"), None)  # sent or not: what it noted is worth knowing
    encode = begun.get("encode")
    printing = begun.get("print") or begun.get("print and deliver")
    wrong = next((str(row["evidence"]["condition"]) for row in stages if _found_wrong(row, by_hand=by_hand)), "")
    return Past(
        phase=_phase(begun, done, condemned=bool(wrong)),
        uid=chip_uid,
        files={} if encode is None else encode["intent"]["files"],
        fed_before=None if feed is None else feed["intent"]["cards_fed"],
        panels_before=None if printing is None else printing["intent"]["panels_printed"],
        panels=0 if printing is None else len(printing["intent"]["panels"]),
        printed=bool(done & {"print", "print and deliver"}),
        rejecting="reject" in begun,
        wrong=wrong,
        resumed=sum(row["name"] == VERDICT for row in stages),
        fed_when_examined=next((row["intent"]["cards_fed"] for row in stages if row["name"] == EXAMINE), None),
        by_hand=by_hand,
        doubted=any(row["outcome"] == "failed" and row["evidence"]["condition"] == OTHER_LAID for row in stages),
    )


def _phase(begun: Mapping[str, object], done: set[str], *, condemned: bool) -> Phase:
    rows = (
        (condemned or "reject" in begun, Phase.CONDEMNED),
        ("check" in done, Phase.CHECKED),
        ("print and deliver" in begun, Phase.LEAVING),
        ("print" in begun, Phase.PRINTING),
        ("encode" in begun, Phase.WRITING),
        ("feed" in done or "probe" in done, Phase.FED),
    )
    return next((phase for applies, phase in rows if applies), Phase.FEEDING)


def _never_sent(row: Mapping[str, Any]) -> bool:
    """The journal says that nothing came of the act: nothing of it went out, or the printer took no card and dropped its job."""
    if row["outcome"] != "failed":
        return False
    error, condition = row["evidence"]["error"], row["evidence"]["condition"]
    return bool(error == "DeviceAbsent" or (error == "DeviceRefused" and condition == NOT_DRAWN_IN))


def _found_wrong(row: Mapping[str, Any], *, by_hand: bool) -> bool:
    """The card was found wrong, or an act that is never repeated was refused with the card inside. By hand nothing is inside,
    and a card that was wrong before its chip was bound never was this passage's."""
    if row["name"] == VERDICT:  # an answer once recorded stands
        return bool(row["evidence"]["answer"] == "spoiled")
    if row["outcome"] != "failed":
        return False
    error, condition = row["evidence"]["error"], row["evidence"]["condition"]
    wrong = error == "CardWrong" and condition not in _NOT_SEEN
    if by_hand:
        return bool(wrong and row["name"] != "probe")
    return bool(wrong or (error == "DeviceRefused" and row["name"] not in _ASKED_AGAIN))


def _goes_on(row: Mapping[str, Any]) -> bool:
    """A verdict let the passage go on: the card was seen inside then, so its feed is proven."""
    return bool(row["name"] == VERDICT and row["evidence"]["answer"] == "continue")


def as_facts(evidence: LaneEvidence) -> dict[str, Any]:
    """The evidence ready for JSON."""
    return asdict(evidence)


def from_facts(facts: Mapping[str, Any]) -> LaneEvidence:
    """What `as_facts` wrote."""

    def built(kind: Callable[..., _T], name: str) -> _T | None:
        return None if facts[name] is None else kind(**facts[name])

    witness = built(PrinterWitness, "witness")
    return LaneEvidence(
        same_devices=facts["same_devices"],
        ejects=facts["ejects"],
        witness=None if witness is None else replace(witness, position=CardPosition(witness.position)),
        chip=built(ChipEvidence, "chip"),
        beams=built(Beams, "beams"),
        desk=built(ChipEvidence, "desk"),
        look=None if facts["look"] is None else Look(facts["look"]),
        fed_again=facts["fed_again"],
        beside=facts.get("beside", False),  # a question from before there were lanes fed by hand
    )
