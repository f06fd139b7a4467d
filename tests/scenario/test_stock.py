"""The stock as staff keep it, with the command alone: batches, hoppers, blind counts, destruction, return, incidents, ribbons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenario.scene import Scene


def _accounts(scene: Scene) -> dict[str, int]:
    """What `stock show` says each account holds."""
    shown = scene.rig.command("stock", "show").stdout
    return {row[1]: int(row[2]) for row in re.finditer(r"^(\S+) +(-?\d+)$", shown, re.MULTILINE)}


def _incident(scene: Scene, kind: str) -> str:
    """The number of the open incident of this kind."""
    listed = scene.rig.command("incident", "list").stdout
    found = re.search(rf"^ *(\d+) \S+ {kind} ", listed, re.MULTILINE)
    assert found is not None, listed
    return found[1]


def test_a_batch_is_received_and_loaded(scene: Scene) -> None:
    before, store = scene.there()["hopper"], _accounts(scene)["store"]
    received = scene.rig.command("stock", "receive", "B-77", "10", "--document", "BAST 7", "--who", "Budi")
    assert received.stdout == f"batch B-77: 10 blanks; the store now holds {store + 10} by the ledger\n"
    scene.rig.sim("load", lane="1", count=3)
    loaded = scene.rig.command("stock", "load", "1", "3", "--who", "Budi")
    assert (loaded.returncode, loaded.stdout) == (0, f"lane 1: {before + 3} blanks in the hopper by the ledger\n")
    assert _accounts(scene)["store"] == store + 7


def test_a_batch_received_twice_is_refused_and_counts_once(scene: Scene) -> None:
    scene.rig.command("stock", "receive", "B-80", "10", "--document", "BAST 8")
    before = _accounts(scene)
    again = scene.rig.command("stock", "receive", "B-80", "10", "--document", "BAST 8")
    assert (again.returncode, "Batch B-80 was already received" in again.stderr) == (1, True)
    assert _accounts(scene) == before


def test_an_act_sent_again_with_its_key_is_done_once(scene: Scene) -> None:
    act = ("stock", "receive", "B-81", "5", "--document", "BAST 9", "--key", "the-first-try")
    first, again = scene.rig.command(*act), scene.rig.command(*act)
    assert (first.returncode, again.stdout) == (0, first.stdout)
    other = scene.rig.command("stock", "return", "5", "--document", "S 1", "--key", "the-first-try")
    assert (other.returncode, "used for another command" in other.stderr) == (1, True)


def test_a_listed_batch_a_destruction_and_a_return(scene: Scene, tmp_path: Path) -> None:
    chips = tmp_path / "uids.txt"
    chips.write_text("# box 1\n0F:00:00:00:00:00:00 - 0F000000000003\n\n0F000000000009  # alone\n")
    store = _accounts(scene)["store"]
    scene.rig.command("stock", "receive", "B-78", "5", "--document", "BAST 8", "--uids", chips)
    destroyed = scene.rig.command("stock", "destroy", "store", "1", "--document", "BA 1", "--uid", "0F000000000009")
    assert destroyed.stdout == f"1 destroyed; {store + 4} left in store by the ledger\n"
    twice = scene.rig.command("stock", "destroy", "store", "1", "--document", "BA 1", "--uid", "0F000000000009")
    assert (twice.returncode, "Chip 0F000000000009 was already destroyed." in twice.stderr) == (1, True)
    returned = scene.rig.command("stock", "return", "4", "--document", "S 1")
    assert returned.stdout == f"4 returned; the store now holds {store} by the ledger\n"
    wrong = scene.rig.command("stock", "receive", "B-79", "6", "--document", "x", "--uids", tmp_path / "none.txt")
    assert (wrong.returncode, "tidak terbaca" in wrong.stderr) == (1, True)


def test_what_lies_in_the_reject_box_is_destroyed_under_its_minutes(scene: Scene) -> None:
    scene.rig.fault("used_chip")
    (number,) = scene.issue()
    before, uid = _accounts(scene), scene.job(number)["passages"][0]["chip_uid"]
    assert (before["reject:1"], uid) == (len(scene.rig.take("reject")), None)  # it was found used before it was bound
    done = scene.rig.command("stock", "destroy", "reject", "1", "1", "--document", "BA 2")
    assert done.stdout == "1 destroyed; 0 left in reject:1 by the ledger\n"
    more = scene.rig.command("stock", "destroy", "reject", "1", "1", "--document", "BA 2")
    assert (more.returncode, "By the ledger 'reject:1' holds 0, not 1" in more.stderr) == (1, True)
    assert _accounts(scene)["destroyed"] == before["destroyed"] + 1


def test_a_count_is_blind_and_a_difference_has_to_be_explained(scene: Scene) -> None:
    scene.until_free()
    busy = scene.rig.command("stock", "count", "hopper", "1", "5")
    assert (busy.returncode, "press HOLD, then count and try again" in busy.stderr) == (1, True)
    scene.press("hold")
    scene.until_waits("held_by_operator")
    hopper = len(scene.rig.take("hopper")) - 1
    unloaded = scene.rig.command("stock", "unload", "1", "1")
    assert unloaded.stdout == f"lane 1: {hopper} blanks in the hopper by the ledger\n"
    short = scene.rig.command("stock", "count", "hopper", "1", "0")
    assert f"hopper:1: 0 counted, the ledger said {hopper}: {hopper} missing" in short.stdout
    scene.rig.load("1", 20)
    number = _incident(scene, "count_short")
    explained = scene.rig.command("incident", "explain", number, "--reason", "the test took them")
    assert explained.stdout == f"incident {number} (count_short) is explained\n"
    again = scene.rig.command("incident", "explain", number, "--reason", "the test took them")
    assert (again.returncode, f"Incident {number} was already explained by" in again.stderr) == (1, True)
    scene.press("go")
    scene.until_free()


@pytest.mark.parametrize("typed", ["", "\n", "twenty\n", "-1\n", "1e3\n"])
def test_a_count_that_is_no_number_changes_nothing_and_reveals_nothing(scene: Scene, typed: str) -> None:
    before = _accounts(scene)
    wrong = scene.rig.command("stock", "count", "store", stdin=typed)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert str(before["store"]) not in wrong.stderr
    assert _accounts(scene) == before


def test_the_number_is_asked_for_before_the_ledger_tells_its_own(scene: Scene) -> None:
    store = _accounts(scene)["store"]
    asked = scene.rig.command("stock", "count", "store", stdin=f"{store + 2}\n")
    assert asked.stderr == "How many are in store? "
    assert asked.stdout.startswith(f"store: {store + 2} counted, the ledger said {store}: 2 too many; look for the cause")
    assert (_accounts(scene)["store"], _accounts(scene)["surplus"]) == (store + 2, -2)
    scene.rig.command("incident", "explain", _incident(scene, "count_over"), "--reason", "two lay behind the shelf")
    fits = scene.rig.command("stock", "count", "store", stdin=f"{store + 2}\n")
    assert (fits.returncode, fits.stdout) == (0, f"store: {store + 2} counted, as the ledger says\n")


def test_ribbons_are_received_and_fitted_and_the_books_shown(scene: Scene) -> None:
    scene.rig.command("stock", "receive", "R-1", "400", "--document", "BAST 9", "--ribbon")
    fitted = scene.rig.command("stock", "load", "1", "--ribbon")
    assert fitted.stdout == "lane 1: a roll of 200 sets\n"
    assert (_accounts(scene)["ribbon:1"], _accounts(scene)["ribbon_store"]) == (200, 200)
    assert "lane 1          200 sets,     0 printed" in scene.rig.command("stock", "show").stdout
