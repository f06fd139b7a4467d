"""The recorded cases of the verdict table: at least one for each row, whose answer would be another without that row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.jobs.evidence import Beams, ChipEvidence, LaneEvidence, Look, Past, Phase
from controller.model import CardPosition, PrinterWitness

UID, OTHER = "04AA", "04BB"
FILES = {"6FF1": "a", "6FF2": "b"}
NOTHING = Beams(0, 0, 0)

BLANK = Past(Phase.FEEDING, fed_before=100)
FED = Past(Phase.FED, UID, fed_before=100)
UNREAD = replace(FED, uid=None)
WRITING = Past(Phase.WRITING, UID, FILES, 100)
PRINTING = Past(Phase.PRINTING, UID, FILES, 100, 500, 5)
PRINTED = replace(PRINTING, printed=True)
CHECKED = replace(PRINTED, phase=Phase.CHECKED)
LEAVING = replace(PRINTING, phase=Phase.LEAVING)
LEFT = replace(LEAVING, printed=True)
WRONG = replace(FED, phase=Phase.CONDEMNED, wrong="chip_refused")
REJECTING = replace(WRONG, rejecting=True)

BY_HAND = Past(Phase.FEEDING, by_hand=True)
HAND_FED = Past(Phase.FED, UID, by_hand=True)
HAND_WRITING = Past(Phase.WRITING, UID, FILES, by_hand=True)
HAND_PRINTING = Past(Phase.PRINTING, UID, FILES, None, 500, 5, by_hand=True)
HAND_PRINTED = replace(HAND_PRINTING, printed=True)
HAND_DOUBTED = replace(HAND_PRINTED, doubted=True)
HAND_WRONG = replace(HAND_WRITING, phase=Phase.CONDEMNED, wrong="chip_differs")

WHOLE = ChipEvidence(UID, False, FILES)
TORN = ChipEvidence(UID, False, {"6FF1": "a", "6FF2": ""})
FRESH = ChipEvidence(UID, True)
SILENT = ChipEvidence("")
FOREIGN = ChipEvidence(OTHER, False, FILES)


def gone(fed: int = 1, panels: int = 0, beams: Beams | None = None, *, ejects: bool = False) -> LaneEvidence:
    """No card inside."""
    return LaneEvidence(True, ejects, PrinterWitness(CardPosition.NONE, 100 + fed, 500 + panels, 9), None, beams)


def inside(chip: ChipEvidence | None = None, fed: int = 1, panels: int = 0, beams: Beams | None = None) -> LaneEvidence:
    """A card at the reader."""
    return LaneEvidence(True, False, PrinterWitness(CardPosition.CONTACTLESS, 100 + fed, 500 + panels, 9), chip, beams)


def desk(chip: ChipEvidence | None, look: Look | None = None, panels: int = 0) -> LaneEvidence:
    """A card on the desk reader, or a person's word."""
    return replace(gone(panels=panels), desk=chip, look=look)


def by_hand(card: ChipEvidence | None = None, look: Look | None = None, panels: int = 0, *, beside: bool = True) -> LaneEvidence:
    """This card on the reader of a lane whose printer never tells where a card is; `beside` False: on the desk reader."""
    witness = PrinterWitness(CardPosition.UNTOLD, 101, 500 + panels, 9)
    return LaneEvidence(True, False, witness, desk=card, look=look, beside=beside and card is not None)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A case and the row that answers it."""

    row: str
    past: Past
    evidence: LaneEvidence


CASES = (
    Recorded("nobody has it", PRINTING, desk(None, Look.MISSING)),
    Recorded("nobody has it", PRINTING, desk(WHOLE, Look.MISSING, panels=5)),
    Recorded("called spoiled unread", PRINTING, desk(None, Look.SPOILED)),
    Recorded("called spoiled unread", CHECKED, desk(None, Look.SPOILED)),
    Recorded("called spoiled unread", LEAVING, desk(None, Look.SPOILED, panels=5)),
    Recorded("called spoiled unread", PRINTED, replace(inside(FOREIGN), look=Look.SPOILED)),
    Recorded("called spoiled", PRINTING, desk(WHOLE, Look.SPOILED, panels=4)),
    Recorded("called spoiled", WRITING, desk(None, Look.SPOILED)),
    Recorded("called spoiled", BLANK, desk(None, Look.SPOILED)),
    Recorded("called spoiled", WRONG, desk(None, Look.SPOILED)),
    Recorded("tray empty", BLANK, replace(gone(0, ejects=True), look=Look.NONE)),
    Recorded("blank on the desk", BLANK, replace(gone(0, ejects=True), desk=FRESH)),
    Recorded("blank on the desk", FED, desk(FRESH)),
    Recorded("blank on the desk", UNREAD, desk(FRESH)),
    Recorded("good on the desk", PRINTING, desk(WHOLE, panels=5)),
    Recorded("good on the desk", PRINTED, desk(WHOLE)),
    Recorded("good on the desk", CHECKED, desk(WHOLE)),
    Recorded("good on the desk", LEAVING, desk(WHOLE, panels=5)),
    Recorded("good on the desk", LEFT, desk(WHOLE)),
    Recorded("good on the desk", LEFT, replace(inside(SILENT, fed=2), desk=WHOLE)),
    Recorded("spoiled on the desk", LEFT, desk(TORN, panels=5)),
    Recorded("called spoiled unread", LEFT, desk(None, Look.SPOILED)),
    Recorded("good on the desk", PRINTED, LaneEvidence(same_devices=False, desk=WHOLE)),
    Recorded("good by look", PRINTING, desk(WHOLE, Look.COMPLETE, panels=4)),
    Recorded("good by look", PRINTING, LaneEvidence(same_devices=False, desk=WHOLE, look=Look.COMPLETE)),
    Recorded("look once", PRINTING, desk(WHOLE, panels=4)),
    Recorded("look once", PRINTING, desk(WHOLE, panels=0)),
    Recorded("look once", LEAVING, desk(WHOLE, panels=6)),
    Recorded("look once", PRINTING, replace(gone(2, panels=5), desk=WHOLE)),  # the rise may be another card's
    Recorded("good on the desk", PRINTING, replace(gone(0, panels=5), desk=WHOLE)),  # a counter may forget its last tick
    Recorded("good on the desk", PRINTED, replace(inside(FOREIGN), desk=WHOLE)),
    Recorded("spoiled on the desk", PRINTING, desk(TORN, panels=5)),
    Recorded("spoiled on the desk", WRITING, desk(WHOLE)),
    Recorded("spoiled on the desk", WRITING, desk(FRESH)),
    Recorded("spoiled on the desk", WRONG, desk(FRESH)),
    Recorded("other devices", PRINTED, replace(inside(WHOLE, panels=5), same_devices=False)),
    Recorded("other devices", BLANK, replace(gone(0, beams=NOTHING), same_devices=False)),
    Recorded("other devices", FED, LaneEvidence(same_devices=False)),
    Recorded("stranger inside", FED, inside(FOREIGN)),
    Recorded("stranger inside", WRITING, inside(FOREIGN)),
    Recorded("stranger inside", PRINTING, inside(FOREIGN, panels=5)),
    Recorded("stranger inside", PRINTED, inside(FOREIGN, fed=2)),
    Recorded("stranger inside", CHECKED, inside(FOREIGN)),
    Recorded("stranger inside", LEAVING, inside(FOREIGN, panels=5)),
    Recorded("stranger inside", replace(CHECKED, resumed=3), inside(FOREIGN)),
    Recorded("stranger inside", PRINTED, replace(inside(FOREIGN), fed_again=True)),
    Recorded("another was fed", BLANK, inside(fed=2)),
    Recorded("another was fed", UNREAD, inside(FRESH, fed=2)),
    Recorded("another was fed", WRITING, inside(SILENT, fed=2)),
    Recorded("another was fed", PRINTING, inside(None, fed=2, panels=5)),
    Recorded("another was fed", WRONG, inside(fed=2)),
    Recorded("another was fed", LEFT, inside(SILENT, panels=5)),  # ours was seen leaving
    Recorded("another was fed", LEFT, inside(None, panels=5)),
    Recorded("another was fed", CHECKED, replace(inside(SILENT), fed_again=True)),
    Recorded("another was fed", UNREAD, replace(inside(FRESH), fed_again=True)),
    Recorded("condemned inside", WRONG, inside()),
    Recorded("condemned inside", REJECTING, inside()),
    Recorded("checked inside", CHECKED, inside(WHOLE)),
    Recorded("checked inside", replace(CHECKED, resumed=3), inside(WHOLE)),  # all of it is done: nothing is worn by its way out
    Recorded("checked inside", CHECKED, replace(inside(WHOLE, fed=2), fed_again=True)),  # its chip shows that it is ours
    Recorded("too often", replace(PRINTED, resumed=3), inside(WHOLE)),
    Recorded("too often", replace(CHECKED, resumed=3), inside(SILENT)),
    Recorded("just fed", BLANK, inside()),
    Recorded("just fed", BLANK, inside(SILENT)),
    Recorded("chip silent", FED, inside(SILENT)),
    Recorded("chip silent", UNREAD, inside(SILENT)),
    Recorded("fed", FED, inside(FRESH)),
    Recorded("fed", UNREAD, inside()),
    Recorded("chip whole", WRITING, inside(WHOLE)),
    Recorded("chip half written", WRITING, inside(TORN)),
    Recorded("chip half written", WRITING, inside(FRESH)),
    Recorded("chip half written", WRITING, inside(SILENT)),
    Recorded("chip half written", WRITING, inside(None)),
    Recorded("face whole", PRINTED, inside(WHOLE)),
    Recorded("face whole", PRINTING, inside(WHOLE, panels=5)),
    Recorded("face whole", PRINTED, inside(WHOLE, fed=2)),
    Recorded("face doubtful", PRINTING, inside(WHOLE, panels=0)),
    Recorded("face doubtful", PRINTING, inside(WHOLE, panels=4)),
    Recorded("face doubtful", PRINTING, inside(WHOLE, panels=6)),
    Recorded("face doubtful", PRINTING, inside(WHOLE, fed=2, panels=5)),  # the rise may be another card's
    Recorded("face doubtful", PRINTING, inside(SILENT, panels=5)),
    Recorded("face doubtful", CHECKED, inside(SILENT)),
    Recorded("face doubtful", LEAVING, inside(WHOLE, panels=5)),
    Recorded("doubtful inside", BLANK, inside(fed=0)),
    Recorded("doubtful inside", FED, inside(TORN)),
    Recorded("seen falling", REJECTING, gone(beams=Beams(0, 0, 1))),
    Recorded("seen leaving", CHECKED, gone(beams=Beams(0, 1, 0))),
    Recorded("seen not to be fed", BLANK, gone(0, beams=NOTHING)),
    Recorded("seen not to be fed", BLANK, gone(0, beams=NOTHING, ejects=True)),
    Recorded("not fed", BLANK, gone(0)),
    Recorded("not fed", BLANK, gone(-1)),  # the counter has lost the tick of the card before
    Recorded("perhaps in the tray", BLANK, gone(-1, ejects=True)),
    Recorded("tray empty", BLANK, replace(gone(-1, ejects=True), look=Look.NONE)),
    Recorded("seen not to be fed", BLANK, gone(-1, beams=NOTHING)),
    Recorded("perhaps in the tray", BLANK, gone(0, ejects=True)),
    Recorded("left unproven", BLANK, gone(1)),
    Recorded("left unproven", BLANK, gone(0, beams=Beams(1, 0, 0))),
    Recorded("left unproven", BLANK, gone(0, beams=Beams(0, 1, 0), ejects=True)),  # the printer ejected it before it counted
    Recorded("left unproven", FED, gone(beams=NOTHING)),
    Recorded("left unproven", PRINTING, gone(panels=5, beams=Beams(0, 1, 0))),  # never checked
    Recorded("left unproven", CHECKED, gone()),
    Recorded("left unproven", CHECKED, gone(beams=Beams(0, 2, 0))),
    Recorded("left unproven", LEAVING, gone(panels=4, beams=Beams(0, 1, 0))),
    Recorded("left unproven", LEAVING, gone(panels=5, beams=Beams(0, 1, 0))),  # nobody has read its chip again
    Recorded("left unproven", LEFT, gone(panels=5, beams=Beams(0, 1, 0))),
    Recorded("left unproven", LEFT, gone(panels=5)),
    Recorded("left unproven", LEAVING, gone(2, panels=5, beams=Beams(0, 1, 0))),
    Recorded("left unproven", REJECTING, gone()),
    # Fed by hand
    Recorded("not begun by hand", BY_HAND, by_hand()),
    Recorded("not begun by hand", BY_HAND, LaneEvidence(same_devices=False)),
    Recorded("not begun by hand", BY_HAND, by_hand(FOREIGN)),  # some card lies there: none was ever this passage's
    Recorded("blank on the desk", HAND_FED, by_hand(FRESH)),
    Recorded("left unproven", HAND_FED, by_hand()),
    Recorded("whole in the hand", HAND_WRITING, by_hand(WHOLE)),
    Recorded("spoiled on the desk", HAND_WRITING, by_hand(TORN)),
    Recorded("spoiled on the desk", HAND_WRITING, by_hand(FRESH)),
    Recorded("spoiled on the desk", HAND_WRITING, by_hand(WHOLE, beside=False)),  # nothing can go on at the desk
    Recorded("spoiled on the desk", HAND_WRITING, replace(by_hand(WHOLE), same_devices=False)),
    Recorded("spoiled on the desk", replace(HAND_WRITING, resumed=3), by_hand(WHOLE)),
    Recorded("left unproven", HAND_WRITING, by_hand()),
    Recorded("other devices", HAND_WRITING, LaneEvidence(same_devices=False)),
    Recorded("called spoiled", HAND_WRITING, by_hand(look=Look.SPOILED)),
    Recorded("good on the desk", HAND_PRINTED, by_hand(WHOLE)),
    Recorded("good on the desk", HAND_PRINTED, by_hand(WHOLE, beside=False)),
    Recorded("good on the desk", HAND_PRINTED, LaneEvidence(same_devices=False, desk=WHOLE, beside=True)),
    Recorded("look once", HAND_PRINTING, by_hand(WHOLE, panels=5)),  # the rise may be of any card that was put into the slot
    Recorded("look once", HAND_PRINTING, by_hand(WHOLE)),
    Recorded("look once", HAND_DOUBTED, by_hand(WHOLE, panels=5)),
    Recorded("good by look", HAND_DOUBTED, by_hand(WHOLE, Look.COMPLETE)),
    Recorded("good by look", HAND_PRINTING, by_hand(WHOLE, Look.COMPLETE)),
    Recorded("another was printed", HAND_DOUBTED, by_hand(WHOLE, Look.SPOILED)),
    Recorded("called spoiled unread", HAND_DOUBTED, by_hand(look=Look.SPOILED)),
    Recorded("called spoiled", HAND_PRINTING, by_hand(WHOLE, Look.SPOILED)),
    Recorded("spoiled on the desk", HAND_PRINTED, by_hand(TORN)),
    Recorded("left unproven", HAND_PRINTED, by_hand()),
    Recorded("nobody has it", HAND_PRINTED, by_hand(look=Look.MISSING)),
    Recorded("condemned in the hand", HAND_WRONG, by_hand()),
    Recorded("condemned in the hand", HAND_WRONG, LaneEvidence(same_devices=False)),
    Recorded("spoiled on the desk", HAND_WRONG, by_hand(TORN)),
)
