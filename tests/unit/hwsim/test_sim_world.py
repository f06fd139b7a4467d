"""Where blanks are and what is on them."""

from __future__ import annotations

import pytest

from hwsim.errors import SimError
from hwsim.forms import Form
from hwsim.profiles import load_chip
from hwsim.world import Place, Spot, World

CHIP = load_chip("ektp")


def test_a_move_takes_from_one_place_and_puts_into_one() -> None:
    world = World(seed=1)
    first, second = world.make(2, CHIP)
    world.move(first, Place(Spot.HOPPER, "1"))
    assert (world.at(Spot.SUPPLY), world.at(Spot.HOPPER, "1")) == ([second], [first])
    assert world.where(first) == Place(Spot.HOPPER, "1")


def test_who_was_first_in_the_hopper_comes_out_first() -> None:
    world = World(seed=1)
    blanks = world.make(3, CHIP)
    for blank in blanks:
        world.move(blank, Place(Spot.HOPPER, "1"))
    world.move(blanks[0], Place(Spot.HOPPER, "1"))  # a move within a place changes no order
    assert world.at(Spot.HOPPER, "1") == blanks


def test_a_place_of_a_lane_needs_its_lane() -> None:
    world = World(seed=1)
    with pytest.raises(SimError, match="hopper is a place of a lane"):
        world.move(world.make(1, CHIP)[0], Place(Spot.HOPPER))


def test_every_move_is_told() -> None:
    world, told = World(seed=1), []
    world.on_move.append(lambda: told.append(world.count(Spot.PERSON)))
    for blank in world.make(2, CHIP):
        world.move(blank, Place(Spot.PERSON))
    assert told == [1, 2]


def test_the_same_seed_makes_the_same_chips_and_another_seed_others() -> None:
    one, two, other = (World(seed) for seed in (1, 1, 2))
    uids = [[world.blank(blank).uid for blank in world.make(50, CHIP)] for world in (one, two, other)]
    assert uids[0] == uids[1] != uids[2]
    assert len(set(uids[0])) == 50


def test_a_panel_is_on_the_card_from_its_first_dot_and_whole_at_its_end() -> None:
    world = World(seed=1)
    (blank,) = world.make(1, CHIP)
    world.start_print(blank, "front", "k", 2, b"\x01", Form("evolis", 8, 1))
    assert [one.complete for one in world.blank(blank).printed] == [False]
    world.end_print(blank)
    assert [one.complete for one in world.blank(blank).printed] == [True]


def test_without_its_dots_a_panel_keeps_its_hash() -> None:
    world = World(seed=1)
    (blank,) = world.make(1, CHIP)
    world.start_print(blank, "front", "k", 2, b"\x01", Form("evolis", 8, 1))
    before = world.blank(blank).printed[0].sha256
    world.drop_dots(blank)
    assert (world.blank(blank).printed[0].dots, world.blank(blank).printed[0].sha256) == (None, before)
