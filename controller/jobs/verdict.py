"""What became of the card of a passage that was interrupted: `verdict(past, evidence)`, a pure decision by one table.

`Past` is what the journal proves, `LaneEvidence` what lane, desk reader and a person can still tell. Only positive evidence
decides (docs/crash-windows.md; reliability.md 2): a counter that has not moved proves nothing, a card that can be seen may be
moved again, a face or a chip that may be half made is never made again on the same card, and a card that left unseen is asked for
once. The first row that applies is the answer; the table is printed into docs/crash-windows.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from controller.jobs.evidence import Ask, Beams, ChipEvidence, LaneEvidence, Look, Past, Phase
from controller.model import CardPosition


class Answer(StrEnum):
    """The five answers."""

    STILL_BLANK = "still_blank"
    CONTINUE = "continue"
    GOOD = "good"
    SPOILED = "spoiled"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer, and what belongs to it."""

    row: str
    answer: Answer
    condition: str = ""  # key of CONDITIONS: why the card is not good
    resume: str = ""  # the stage to go on at
    ask: Ask | None = None
    count: bool = False  # the hopper has to be counted
    missing: bool = False  # nobody has the card
    remake: bool = True  # a spoiled card may be made again without a person's word


class Case:
    """One past with its evidence, in the words of the rows."""

    def __init__(self, past: Past, evidence: LaneEvidence) -> None:
        self.past = past
        self.evidence = evidence
        self.phase = past.phase
        self.look = evidence.look
        self.beams = evidence.beams

    @property
    def inside(self) -> bool:
        """The printer sees a card."""
        return self.evidence.witness is not None and self.evidence.witness.position.inside

    @property
    def gone(self) -> bool:
        """The printer says that it holds no card."""
        return self.evidence.witness is not None and self.evidence.witness.position is CardPosition.NONE

    @property
    def fed(self) -> int | None:
        """Cards that the printer counted since the intent to feed."""
        if self.evidence.witness is None or self.past.fed_before is None:
            return None
        return self.evidence.witness.cards_fed - self.past.fed_before

    @property
    def uncounted(self) -> bool:
        """The printer's card counter did not rise since the intent. It may even have lost the tick of the card before."""
        return self.fed is not None and self.fed <= 0

    @property
    def panels_complete(self) -> bool:
        """The face is finished: its reply was journalled, or the counter rose by exactly its panels.

        By hand whatever is put into the slot is printed: only the reply counts, and not if another card was laid down after it.
        """
        if self.past.by_hand:
            return self.past.printed and not self.past.doubted
        if self.past.printed:
            return True
        if self.evidence.witness is None or self.past.panels_before is None or not self.past.panels:
            return False
        if self.fed not in (0, 1):  # another card went through since: the rise may be its panels (0: the tick may be lost)
            return False
        return self.evidence.witness.panels_printed - self.past.panels_before == self.past.panels

    @property
    def chip_silent(self) -> bool:
        """The card inside was asked for its chip, and there was no answer."""
        return self.evidence.chip is not None and not self.evidence.chip.uid

    @property
    def chip_foreign(self) -> bool:
        """The card inside answers, and it is not this passage's: the one that is asked for is somewhere else."""
        chip = self.evidence.chip
        return self.past.uid is not None and chip is not None and bool(chip.uid) and chip.uid != self.past.uid

    @property
    def perhaps_another(self) -> bool:
        """Another card was fed since, or this one was seen leaving, and nothing shows that the one inside is this passage's."""
        chip = self.evidence.chip
        ours = self.past.uid is not None and chip is not None and chip.uid == self.past.uid
        left = self.phase is Phase.LEAVING and self.past.printed
        return not ours and (left or self.evidence.fed_again or (self.fed is not None and self.fed > 1))

    @property
    def chip_untouched(self) -> bool:
        """The card inside is the one that was fed, as far as its chip was read before, and nothing is on its chip."""
        chip = self.evidence.chip
        return self.past.uid is None or (chip is not None and chip.uid == self.past.uid and chip.fresh)

    @property
    def chip_whole(self) -> bool:
        """The chip inside is the bound one and holds every byte that was intended."""
        return self._whole(self.evidence.chip)

    @property
    def desk_ours(self) -> bool:
        """The card on the desk reader can be this passage's. The caller refuses a card that belongs to another passage."""
        desk = self.evidence.desk
        return desk is not None and (self.past.uid is None or desk.uid == self.past.uid)

    @property
    def desk_blank(self) -> bool:
        """Nothing was ever begun that marks the card, it was not found wrong, and its chip is empty."""
        desk = self.evidence.desk
        untouched = self.phase in (Phase.FEEDING, Phase.FED) and not self.past.marked
        return self.desk_ours and desk is not None and desk.fresh and untouched

    @property
    def desk_whole(self) -> bool:
        """The card on the desk reader holds every byte that was intended, and was never found wrong."""
        return self.desk_ours and self.phase in _PRINTED and self._whole(self.evidence.desk)

    @property
    def in_hand_whole(self) -> bool:
        """By hand: the card lies on the lane's reader with every byte that was intended, and nothing was printed."""
        free = self.evidence.beside and self.evidence.same_devices and self.past.resumed < MAX_RESUMED
        return free and self.phase is Phase.WRITING and self._whole(self.evidence.desk)

    def _whole(self, chip: ChipEvidence | None) -> bool:
        past = self.past
        return (
            chip is not None and past.uid is not None and chip.uid == past.uid and bool(past.files) and chip.files == past.files
        )


MAX_RESUMED = 3  # a reader that fails at each card must not keep one blank for ever
_PRINTED = frozenset({Phase.PRINTING, Phase.CHECKED, Phase.LEAVING})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    window: str  # when the power went, or what a person did
    evidence: str  # what has to be seen
    when: Callable[[Case], bool]
    answer: Answer
    then: str  # what follows, for the docs
    condition: str = ""
    resume: str = ""
    ask: Ask | None = None
    count: bool = False
    missing: bool = False
    remake: bool = True


def _feeding(case: Case) -> bool:
    return case.phase is Phase.FEEDING


_A = Answer
_BIN = "to the reject bin; the job gets a new blank once"
_BY_HAND = "the person puts it into the reject box; the job gets a new blank once"

# fmt: off
ROWS: tuple[Row, ...] = (
    # Nothing was begun
    Row("not begun by hand", "before the chip is known, by hand", "whatever is seen: nothing was read, booked or written",
        lambda c: c.past.by_hand and _feeding(c), _A.STILL_BLANK, "the job goes on with the next blank", "interrupted"),
    # What a person says
    Row("nobody has it", "any", "a person says by command that the card is missing",
        lambda c: c.look is Look.MISSING, _A.SPOILED, "counted as missing; the job waits for a person",
        "card_lost", missing=True, remake=False),
    Row("called spoiled unread", "from the print on", "a person presses HOLD; the card was not on the desk reader",
        lambda c: c.look is Look.SPOILED and c.evidence.desk is None and c.phase in _PRINTED, _A.SPOILED,
        "the person puts it into the reject box; it may be a whole card, so the job waits for a person", "called_spoiled",
        remake=False),
    Row("another was printed", "after the print, by hand",
        "another card was laid down first; this one is in the person's hand, who presses HOLD",
        lambda c: c.look is Look.SPOILED and c.past.doubted, _A.SPOILED,
        "both go into the reject box, the blanks have to be counted; the job gets a new one once", "called_spoiled", count=True),
    Row("called spoiled", "any", "a person looks at the card and presses HOLD",
        lambda c: c.look is Look.SPOILED, _A.SPOILED, _BY_HAND, "called_spoiled"),
    Row("tray empty", "before or during the feed", "the card counter did not rise; a person sees no card in the tray (GO)",
        lambda c: c.look is Look.NONE and _feeding(c) and c.uncounted, _A.STILL_BLANK, "the hopper has to be counted",
        "interrupted", count=True),
    # What the desk reader says
    Row("blank on the desk", "before anything was put on the card", "desk reader: this card, its chip is empty",
        lambda c: c.desk_blank, _A.STILL_BLANK, "the person puts the blank back into the hopper", "interrupted"),
    Row("good on the desk", "from the print on",
        "desk reader: this card, chip whole; print journalled or panels risen by exactly this face",
        lambda c: c.desk_whole and c.panels_complete, _A.GOOD, "issued"),
    Row("good by look", "from the print on", "desk reader: this card, chip whole; a person sees a complete face (GO)",
        lambda c: c.desk_whole and c.look is Look.COMPLETE, _A.GOOD, "issued"),
    Row("look once", "from the print on", "desk reader: this card, chip whole; the panels prove nothing",
        lambda c: c.desk_whole, _A.ASK, "one look at the face: GO complete, HOLD spoiled", ask=Ask.LOOK),
    Row("whole in the hand", "during or after encode, by hand", "lane's reader: this card, every file equal to the intent",
        lambda c: c.in_hand_whole, _A.CONTINUE, "read back", resume="read back"),
    Row("spoiled on the desk", "any", "desk reader: this card, anything else",
        lambda c: c.desk_ours, _A.SPOILED, _BY_HAND, "interrupted"),
    Row("condemned in the hand", "after the card was found wrong, by hand", "whatever is seen: the card is in a person's hand",
        lambda c: c.past.by_hand and c.phase is Phase.CONDEMNED, _A.SPOILED, _BY_HAND, "interrupted"),
    # Another epoch
    Row("other devices", "any", "the printer or the reader is not the one of the intents",
        lambda c: not c.evidence.same_devices, _A.ASK, "the card on the desk reader", ask=Ask.DESK),
    # A card is inside
    Row("stranger inside", "any", "card inside, its chip is not the bound one",
        lambda c: c.inside and c.chip_foreign, _A.ASK, "the card on the desk reader; the stranger is taken out by a person",
        ask=Ask.DESK, count=True),
    Row("another was fed", "any",
        "card inside; the printer fed another one since, or ours was seen leaving, and no chip shows which this is",
        lambda c: c.inside and c.perhaps_another, _A.ASK, "the card on the desk reader; what is inside is taken out by a person",
        ask=Ask.DESK, count=True),
    Row("condemned inside", "after the card was found wrong", "card inside",
        lambda c: c.inside and c.phase is Phase.CONDEMNED, _A.SPOILED, _BIN, "interrupted"),
    Row("checked inside", "before or during deliver", "card inside, chip whole",
        lambda c: c.inside and c.phase is Phase.CHECKED and c.chip_whole, _A.CONTINUE, "deliver", resume="deliver"),
    Row("too often", "any", "card inside; its passage was interrupted and gone on with three times already",
        lambda c: c.inside and c.past.resumed >= MAX_RESUMED, _A.SPOILED, _BIN, "interrupted"),
    Row("just fed", "during or after the feed", "card inside, counted exactly once",
        lambda c: c.inside and _feeding(c) and c.fed == 1, _A.CONTINUE, "probe", resume="probe"),
    Row("chip silent", "after the feed, before the chip", "card inside, its chip does not answer",
        lambda c: c.inside and c.phase is Phase.FED and c.chip_silent, _A.SPOILED, _BIN, "chip_silent"),
    Row("fed", "after the feed, before the chip", "card inside; no chip bound yet, or the bound chip, empty",
        lambda c: c.inside and c.phase is Phase.FED and c.chip_untouched, _A.CONTINUE, "probe", resume="probe"),
    Row("chip whole", "during or after encode", "card inside, bound chip, every file equal to the intent",
        lambda c: c.inside and c.phase is Phase.WRITING and c.chip_whole, _A.CONTINUE, "read back", resume="read back"),
    Row("chip half written", "during encode", "card inside, chip not as intended, or it does not answer",
        lambda c: c.inside and c.phase is Phase.WRITING, _A.SPOILED, _BIN, "chip_unfinished"),
    Row("face whole", "after the print", "card inside, chip whole; print journalled or panels risen by exactly this face",
        lambda c: c.inside and c.phase is Phase.PRINTING and c.chip_whole and c.panels_complete, _A.CONTINUE, "check",
        resume="check"),
    Row("face doubtful", "during the print", "card inside; any other rise of the panels, zero too, or a chip that is not whole",
        lambda c: c.inside and c.phase in _PRINTED, _A.SPOILED, _BIN, "print_unproven"),
    Row("doubtful inside", "during the feed", "card inside, not counted",
        lambda c: c.inside, _A.SPOILED, _BIN, "feed_unproven"),
    # The card is not inside
    Row("seen falling", "during reject", "no card inside; the reject beam saw exactly one card",
        lambda c: c.gone and c.past.rejecting and c.beams is not None and c.beams.reject == 1, _A.SPOILED,
        "it lies in the reject bin; the job gets a new blank once", "interrupted"),
    Row("seen leaving", "during deliver", "no card inside; the exit beam saw exactly one card; check was done",
        lambda c: c.gone and c.phase is Phase.CHECKED and c.beams is not None and c.beams.exit == 1, _A.GOOD, "issued"),
    Row("seen not to be fed", "before or during the feed", "no card inside or counted; no beam saw one with open eyes",
        lambda c: c.gone and _feeding(c) and c.uncounted and c.beams == Beams(0, 0, 0), _A.STILL_BLANK,
        "the job goes on with the next blank", "interrupted"),
    Row("not fed", "before or during the feed", "no card inside or counted; the beams were blind; this printer keeps its card",
        lambda c: c.gone and _feeding(c) and c.uncounted and c.beams is None and not c.evidence.ejects, _A.STILL_BLANK,
        "the hopper has to be counted", "interrupted", count=True),
    Row("perhaps in the tray", "before or during the feed",
        "no card inside or counted; the beams were blind; this printer may have ejected one",
        lambda c: c.gone and _feeding(c) and c.uncounted and c.beams is None, _A.ASK,
        "a blank from the tray on the desk reader, or GO: none there", ask=Ask.TRAY),
    Row("left unproven", "any", "no card inside, nothing of the above; so every card that was printed and ejected in one act",
        lambda _c: True, _A.ASK, "the card on the desk reader", ask=Ask.DESK),
)
# fmt: on


def verdict(past: Past, evidence: LaneEvidence, rows: Sequence[Row] = ROWS) -> Ruling:
    """What became of the card: the answer of the first row that applies; the last one always does."""
    case = Case(past, evidence)
    row = next(row for row in rows if row.when(case))
    condition = past.wrong if past.wrong and row.condition == "interrupted" else row.condition
    return Ruling(row.name, row.answer, condition, row.resume, row.ask, row.count, row.missing, row.remake)


def describe() -> str:
    """The table as Markdown, for docs/crash-windows.md."""
    head = ["| row | crash window | evidence | answer | then |", "|---|---|---|---|---|"]
    rows = [f"| {row.name} | {row.window} | {row.evidence} | **{row.answer}** | {row.then} |" for row in ROWS]
    return "\n".join([*head, *rows])
