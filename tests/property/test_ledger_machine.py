"""The ledger against a model that knows where every card really is: whatever happens, in whatever order.

Sum zero, no account below zero, balances equal to the sum of their entries, and a difference of a single card between the books
and the world told by the next count of the place. Once by hypothesis, which searches, and once as a long seeded run.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.errors import RequestRefused
from controller.jobs import batches, care_acts, incidents, ledger, stock
from controller.jobs.care_acts import End, Kind, Outcome
from controller.jobs.ledger import DESTROYED, ISSUED, MISSING, RETURNED, STORE, hopper, reject_bin
from controller.model import CardPosition, PrinterWitness, Verdict
from tests.fakes.stock import finish, memory_db, passage

LANES = ("1", "2", "3")
EVENTS = 100_000
CHECK_EVERY = 5000  # adding up all entries is slow; the other checks run after every event
PLACES = [STORE, *map(hopper, LANES), *map(reject_bin, LANES)]


class World:
    """Where the cards really are, and how far the books are known to be off: nothing else of the ledger is repeated here."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.cards: Counter[str] = Counter()  # by the ledger's name of the place
        self.open: dict[str, int] = {}  # lane -> live passage with its card inside
        self.thefts: Counter[str] = Counter()  # cards moved by nobody's leave since the last count: negative when taken
        self.received = 0
        self.brought = 0

    def receive(self, quantity: int) -> None:
        self.received += quantity
        batches.receive(self.db, f"B-{self.received}", quantity, "BAST", "ani", "received")
        self.cards[STORE] += quantity

    def load(self, lane: str, quantity: int) -> None:
        if self._booked(lambda: stock.load(self.db, lane, quantity, "ani", "x"), STORE, quantity):
            self._carry(STORE, hopper(lane), quantity)

    def unload(self, lane: str, quantity: int) -> None:
        if lane not in self.open and self._booked(
            lambda: stock.unload(self.db, lane, quantity, "ani", "x"), hopper(lane), quantity
        ):
            self._carry(hopper(lane), STORE, quantity)

    def give_back(self, quantity: int) -> None:
        if self._booked(lambda: stock.give_back(self.db, quantity, "d", "ani", "x"), STORE, quantity):
            self._carry(STORE, RETURNED, quantity)

    def destroy(self, place: str, quantity: int) -> None:
        if self._booked(lambda: stock.destroy(self.db, place, quantity, "BA", "ani", "x"), place, quantity):
            self._carry(place, DESTROYED, quantity)

    def feed(self, lane: str) -> None:
        """The lane feeds only while the ledger says that there is a blank; the hopper may be empty all the same."""
        if lane in self.open or ledger.held(self.db, hopper(lane)) == 0 or self.cards[hopper(lane)] == 0:
            return
        self.open[lane] = passage(self.db, lane)
        self.cards[hopper(lane)] -= 1
        ledger.take_blank(self.db, lane, self.open[lane])

    def end(self, lane: str, verdict: Verdict) -> None:
        if lane in self.open:
            target = {Verdict.GOOD: ISSUED, Verdict.SPOILED: reject_bin(lane), Verdict.STILL_BLANK: hopper(lane)}[verdict]
            self.cards[target] += 1
            finish(self.db, self.open.pop(lane), verdict, lane)

    def lose(self, lane: str) -> None:
        """A card vanishes from the printer, and the station knows that it does not know."""
        if lane in self.open:
            number = self.open.pop(lane)
            self.db.execute("UPDATE passage SET state = 'ended', verdict = 'spoiled' WHERE id = ?", (number,))
            ledger.settle_blank(self.db, lane, number, Verdict.SPOILED, "ani", missing=True)
            self.cards[MISSING] += 1

    def test_card(self, lane: str, counted: int | None) -> None:
        """The printer takes a blank for its own test card, which a person puts into the reject box. `counted`: what its counter
        says afterwards; 0 or None when the power was lost or another printer stands there, and the books do not see it."""
        if lane in self.open or self.cards[hopper(lane)] == 0 or ledger.held(self.db, hopper(lane)) == 0:
            return
        asked = care_acts.find(self.db, care_acts.ask(self.db, lane, Kind.TEST_CARD, "ani", "x"))
        begun = care_acts.begin(self.db, asked, "SN", PrinterWitness(CardPosition.NONE, 10, 0, 50))
        after = None if counted is None else PrinterWitness(CardPosition.NONE, 10 + counted, 0, 50)
        care_acts.end(self.db, begun, End(Outcome.DONE if counted else Outcome.UNKNOWN, after=after))
        self._carry(hopper(lane), reject_bin(lane), 1)
        if not counted:
            self.thefts[hopper(lane)] -= 1
            self.thefts[reject_bin(lane)] += 1
            assert incidents.is_open(self.db, "count_required", lane)

    def tamper(self, place: str, change: int) -> None:
        """One card more or less than the books know."""
        if self.cards[place] + change >= 0:
            self.cards[place] += change
            self.thefts[place] += change
            self.brought += change

    def count(self, place: str) -> None:
        """A person counts what is really there; the books must tell exactly what was tampered with."""
        lane = None if place == STORE else place.partition(":")[2]
        if lane in self.open:
            return
        result = stock.count(self.db, place, self.cards[place], "ani", "x", lane)
        assert result.difference == self.thefts.pop(place, 0)
        if result.difference != 0:
            kind = "count_short" if result.difference < 0 else "count_over"
            assert incidents.is_open(self.db, kind, place)

    def check(self) -> None:
        """What holds after every single event."""
        held = ledger.balances(self.db)
        assert sum(held.values()) == 0
        assert all(number >= 0 for name, number in held.items() if name not in (ledger.SUPPLIER, ledger.SURPLUS))
        for place in PLACES:
            assert held.get(place, 0) + self.thefts[place] == self.cards[place]
        for name in (ISSUED, DESTROYED, RETURNED):
            assert held.get(name, 0) == self.cards[name]
        assert all(held.get(ledger.in_passage(lane), 0) == (lane in self.open) for lane in LANES)
        assert held.get(ledger.SUPPLIER, 0) == -self.received

    def close(self) -> None:
        """Every card is settled and every place counted: then books and world are one."""
        for lane in LANES:
            self.end(lane, Verdict.SPOILED)
        for place in PLACES:
            self.count(place)
        held = ledger.balances(self.db)
        assert {place: held.get(place, 0) for place in PLACES} == {place: self.cards[place] for place in PLACES}
        assert held.get(MISSING, 0) + held.get(ledger.SURPLUS, 0) == self.cards[MISSING] - self.brought
        assert ledger.faults(self.db) == []

    def _booked(self, act: Callable[[], object], place: str, quantity: int) -> bool:
        """Do an act; refused exactly when the books do not hold so many. People only carry what is there."""
        enough = ledger.held(self.db, place) >= quantity
        if self.cards[place] < quantity:
            return False
        try:
            act()
        except RequestRefused:
            assert not enough
            return False
        assert enough
        return True

    def _carry(self, source: str, target: str, quantity: int) -> None:
        self.cards[source] -= quantity
        self.cards[target] += quantity


lanes = st.sampled_from(LANES)
few = st.integers(1, 12)


class LedgerMachine(RuleBasedStateMachine):
    """Searches for an order of acts that breaks the books."""

    def __init__(self) -> None:
        super().__init__()
        self.db = memory_db()
        self.world = World(self.db)

    def teardown(self) -> None:
        self.world.close()
        self.db.close()

    @rule(quantity=st.integers(1, 40))
    def receive(self, quantity: int) -> None:
        self.world.receive(quantity)

    @rule(lane=lanes, quantity=few)
    def load(self, lane: str, quantity: int) -> None:
        self.world.load(lane, quantity)

    @rule(lane=lanes, quantity=few)
    def unload(self, lane: str, quantity: int) -> None:
        self.world.unload(lane, quantity)

    @rule(quantity=few)
    def give_back(self, quantity: int) -> None:
        self.world.give_back(quantity)

    @rule(place=st.sampled_from([STORE, *map(reject_bin, LANES)]), quantity=few)
    def destroy(self, place: str, quantity: int) -> None:
        self.world.destroy(place, quantity)

    @rule(lane=lanes)
    def feed(self, lane: str) -> None:
        self.world.feed(lane)

    @precondition(lambda self: self.world.open)
    @rule(lane=lanes, verdict=st.sampled_from(list(Verdict)))
    def end(self, lane: str, verdict: Verdict) -> None:
        self.world.end(lane, verdict)

    @precondition(lambda self: self.world.open)
    @rule(lane=lanes)
    def lose(self, lane: str) -> None:
        self.world.lose(lane)

    @rule(lane=lanes, counted=st.sampled_from((1, 0, None)))
    def test_card(self, lane: str, counted: int | None) -> None:
        self.world.test_card(lane, counted)

    @rule(place=st.sampled_from(PLACES), change=st.sampled_from((-1, 1)))
    def tamper(self, place: str, change: int) -> None:
        self.world.tamper(place, change)

    @rule(place=st.sampled_from(PLACES))
    def count(self, place: str) -> None:
        self.world.count(place)

    @invariant()
    def books_are_sound(self) -> None:
        self.world.check()
        assert ledger.faults(self.db) == []


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)


def _events(world: World, chance: random.Random) -> list[tuple[int, Callable[[], None]]]:
    """Each kind of event with its weight: a day's cards, a few acts of staff, now and then a card that moves by itself."""

    def lane() -> str:
        return chance.choice(LANES)

    return [
        (1, lambda: world.receive(chance.randint(1, 300))),
        (4, lambda: world.load(lane(), chance.randint(1, 100))),
        (2, lambda: world.unload(lane(), chance.randint(1, 20))),
        (1, lambda: world.give_back(chance.randint(1, 50))),
        (4, lambda: world.destroy(chance.choice([STORE, *map(reject_bin, LANES)]), chance.randint(1, 10))),
        (60, lambda: world.feed(lane())),
        (60, lambda: world.end(lane(), chance.choices(list(Verdict), (90, 6, 4))[0])),
        (1, lambda: world.lose(lane())),
        (2, lambda: world.test_card(lane(), chance.choices((1, 0, None), (90, 5, 5))[0])),
        (2, lambda: world.tamper(chance.choice(PLACES), chance.choice((-1, 1)))),
        (6, lambda: world.count(chance.choice(PLACES))),
    ]


def _written(db: sqlite3.Connection) -> int:
    entries, counts = db.execute("SELECT (SELECT max(id) FROM entry), (SELECT max(id) FROM stock_count)").fetchone()
    return int(entries or 0) + int(counts or 0)


def test_a_hundred_thousand_events_keep_the_books_sound() -> None:
    """Events that wrote something: what is refused, or has no card to act on, is not counted."""
    db, chance = memory_db(), random.Random(2026)
    world = World(db)
    weights, events = zip(*_events(world, chance), strict=True)
    db.execute("BEGIN")
    while _written(db) < EVENTS:
        for _ in range(CHECK_EVERY):
            before = db.total_changes
            chance.choices(events, weights)[0]()
            if db.total_changes != before:
                world.check()
        assert ledger.faults(db) == []
    world.close()
    db.close()
