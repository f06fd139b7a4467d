"""What a person's hand does with one card: takes it from wherever it is and puts it where it can be put."""

from __future__ import annotations

from hwsim.errors import SimError
from hwsim.lane import Lane
from hwsim.station import SimStation
from hwsim.world import Place, Spot

PUT_TO = {"desk": Spot.DESK, "reject": Spot.REJECT, "hopper": Spot.HOPPER, "output": Spot.OUTPUT, "person": Spot.PERSON}
PUT_TO |= {"reader": Spot.READER, "slot": Spot.INSIDE}  # beside and at the printer of a lane with an external reader
NEXT = "next"  # the blank that lies on top of the lane's stack
NEW = "new"  # a card that nobody knew of: another station's, or a forgery


def put(station: SimStation, which: str, where: str, lane: Lane) -> str:
    """Move one card, named by its id or its UID; `new` makes one, `next` is the lane's next blank. Returns its id.

    Raises SimError and moves nothing when there is no such card, no room, or no desk reader. A card put into the hopper is fed
    after those that lie there.
    """
    spot = PUT_TO[where]
    if spot is Spot.DESK:
        station.desk_reader.check_room()
    elif spot is not Spot.PERSON:
        lane.check_room(spot)
    blank = station.world.make(1, lane.chip_profile, lane.config.uid_type)[0] if which == NEW else find(station, which, lane)
    pick_up(station, blank)
    if spot is Spot.DESK:
        station.desk_reader.lay(blank)
    elif spot is not Spot.PERSON:
        lane.lay(blank, spot)
    return blank


def find(station: SimStation, which: str, lane: Lane) -> str:
    """The id of the card with this id or UID, or of the lane's next blank. Raises SimError."""
    if which == NEXT:
        stack = station.world.at(Spot.HOPPER, lane.config.name)
        if not stack:
            raise SimError(f"lane {lane.config.name} has no blank left")
        return stack[0]
    for blank in station.world.all():
        if which in (blank.id, blank.uid.hex().upper()):
            return blank.id
    raise SimError(f"there is no card {which!r}: name it by its id or its UID, or '{NEW}'")


def pick_up(station: SimStation, blank: str) -> None:
    """Take a card into the hand."""
    place = station.world.where(blank)
    if place.spot is Spot.DESK:
        station.desk_reader.clear()
    elif place.lane is not None:
        station.lane(place.lane).take_one(blank)
    else:
        station.world.move(blank, Place(Spot.PERSON))
