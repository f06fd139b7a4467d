"""What reached the card over the real wires looks as the preview said it would, to the last dot: five records on each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import by_hand
from tools.by_hand import Hands
from tools.rig import ROOT, Rig

RECORDS = sorted((ROOT / "examples/records").glob("*.json"))[:5]
CARD_LIMIT_S = 45.0
BLANKS = len(RECORDS)  # the last card too is taken away, though the stack is empty by then


def by_itself(_rig: Rig) -> None:
    """The lane feeds its own cards."""


def by_a_person(rig: Rig) -> None:
    """A person carries every card between reader and printer."""
    for _ in RECORDS:
        Hands(rig).make_one()


PRINTERS: Mapping[str, tuple[Mapping[str, str], Callable[[Rig], None]]] = {
    "evolis-primacy": ({}, by_itself),
    "magicard-enduro": (by_hand.EDITS, by_a_person),
    "magicard-alto": ({old: new.replace(by_hand.PROFILE, "magicard-alto") for old, new in by_hand.EDITS.items()}, by_a_person),
}


def blank_of(rig: Rig, job: int) -> str:
    """The simulator's name for the card that was issued for this job: both know its chip."""
    uid = rig.get(f"/api/v1/jobs/{job}").body["passages"][-1]["chip_uid"]
    return next(str(blank["id"]) for blank in rig.world()["blanks"] if blank["uid"] == uid)


@pytest.mark.parametrize("printer", PRINTERS)
def test_pictures_of_issued_cards_are_those_of_the_preview(printer: str, tmp_path: Path) -> None:
    edits, work = PRINTERS[printer]
    with Rig(tmp_path, pictures=tmp_path / "cards", edits=edits) as rig:
        rig.start()
        rig.load("1", BLANKS)
        jobs = [rig.submit(path).body["job"]["id"] for path in RECORDS]
        work(rig)
        rig.until(lambda: rig.states().get("issued") == len(RECORDS), "five cards", CARD_LIMIT_S * len(RECORDS))
        blanks = [blank_of(rig, job) for job in jobs]
        said = [rig.command("preview", path, "-o", tmp_path / f"{path.stem}.png", "--config", rig.config) for path in RECORDS]
        rig.stop_station()
        rig.stop_sim()
    assert [answer.returncode for answer in said] == [0] * len(RECORDS), said
    for path, blank in zip(RECORDS, blanks, strict=True):
        with Image.open(tmp_path / f"{path.stem}.png") as preview, Image.open(tmp_path / "cards" / f"{blank}.png") as printed:
            assert np.array_equal(np.asarray(preview), np.asarray(printed)), path.stem
