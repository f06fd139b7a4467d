"""Compares what the station believes with what is: jobs, journal and ledger against the simulator's world. Pure."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_IN_HANDS = ("person", "desk")


def disagreements(world: Json, station: Json, jobs: Sequence[Json], records: Mapping[str, Json],
                  test_cards: Mapping[str, int] | None = None) -> list[str]:  # fmt: skip
    """Every way in which belief and truth differ, as sentences; empty when they agree.

    `jobs` are answers of GET /api/v1/jobs/ID; `records` are the records handed in, by record_id. `test_cards`: how many each lane
    printed, which people have put into its reject box.
    """
    return [
        *_ledger(world, station),
        *_out_of_lanes(world, station, jobs),
        *(fault for job in jobs for fault in _job(world, job, records[job["job"]["record_id"]])),
        *_strangers(world, jobs),
        *_rejects(world, station, jobs, test_cards or {}),
    ]


def cards_with(world: Json, record: Json) -> list[Json]:
    """The blanks whose chip holds exactly this record's files, length prefix included."""
    wanted = {fid: base64.b64decode(text) for fid, text in record["chip"].items()}
    return [blank for blank in world["blanks"] if _chip_is(blank, wanted)]


def good_cards(world: Json, record: Json, spoiled: Collection[str] = ()) -> list[Json]:
    """The cards that hold this record's chip and a whole face, printed once, and came out into the output bin.

    One that a person took from there still counts, unless its chip is among the `spoiled`: that one was taken to be destroyed.
    """
    taken = {card["blank"] for lane in world["lanes"] for card in lane["cards"] if card["end"] == "output"}
    return [
        blank for blank in cards_with(world, record)
        if _printed_once(blank)
        and (blank["place"] == "output" or (blank["place"] == "person" and blank["id"] in taken and blank["uid"] not in spoiled))
    ]  # fmt: skip


def _ledger(world: Json, station: Json) -> Iterator[str]:
    truth = {lane["name"]: lane for lane in world["lanes"]}
    for lane in station["lanes"]:
        there = truth[lane["name"]]
        if lane["hopper"] != there["hopper"]:
            yield f"lane {lane['name']}: the ledger says {lane['hopper']} blanks in the hopper, there are {there['hopper']}"
        if lane["in_passage"] != there["inside"]:
            yield f"lane {lane['name']}: the ledger says {lane['in_passage']} blanks in passage, there are {there['inside']}"


def _out_of_lanes(world: Json, station: Json, jobs: Sequence[Json]) -> Iterator[str]:
    """Issued cards lie in the output bins or were taken from there; cards that are missing by the ledger lie nowhere the station
    could see them."""
    spoiled = {passage["chip_uid"] for answer in jobs for passage in answer["passages"] if passage["verdict"] == "spoiled"}
    left = {card["blank"] for lane in world["lanes"] for card in lane["cards"] if card["end"] == "output"}
    issued = sum(
        blank["uid"] not in spoiled and (blank["place"] == "output" or (blank["place"] in _IN_HANDS and blank["id"] in left))
        for blank in world["blanks"]
    )
    stock = station["stock"]
    if stock["issued"] != issued:
        yield f"the ledger says {stock['issued']} cards are issued, {issued} good ones came out"
    in_hands = sum(blank["place"] in _IN_HANDS for blank in world["blanks"])
    if stock["missing"] > in_hands:
        yield f"the ledger says {stock['missing']} cards are missing, people hold only {in_hands}"


def _job(world: Json, answer: Json, record: Json) -> Iterator[str]:
    """One job: issued means exactly one good card, with the dots the journal wrote down; anything else means none."""
    job, name = answer["job"], f"job {answer['job']['id']}"
    good = good_cards(world, record, {passage["chip_uid"] for passage in answer["passages"] if passage["verdict"] == "spoiled"})
    if len(good) != (job["state"] == "issued"):
        yield f"{name} is '{job['state']}', and {len(good)} good cards of it are in the output bins"
    for passage in answer["passages"]:
        if passage["verdict"] != "good":
            continue
        blank = next((blank for blank in good if blank["uid"] == passage["chip_uid"]), None)
        if blank is None:
            yield f"{name}: passage {passage['id']} is good, but its card, chip {passage['chip_uid']}, is not in the output bin"
        elif _dots(blank) != _intended_dots(passage):
            yield f"{name}: the dots on the card differ from those the journal intended"


def _strangers(world: Json, jobs: Sequence[Json]) -> Iterator[str]:
    """Cards in the output bins that no passage knows, good cards in a reject bin, and faces printed more than once on a card."""
    known = {passage["chip_uid"]: passage["verdict"] for answer in jobs for passage in answer["passages"]}
    for blank in world["blanks"]:
        if blank["place"] == "output" and blank["uid"] not in known:
            yield f"{blank['id']} left the printer, and no passage knows its chip {blank['uid']}"
        if blank["place"] == "reject" and known.get(blank["uid"]) == "good":
            yield f"{blank['id']} was rejected, and its passage is good"
        if any(panel["times"] > 1 for panels in blank["printed"].values() for panel in panels.values()):
            yield f"{blank['id']} was printed over"


def _rejects(world: Json, station: Json, jobs: Sequence[Json], test_cards: Mapping[str, int]) -> Iterator[str]:
    """As many cards in each reject bin, or taken from it, as were seen falling; one that a person called spoiled may be there.

    By the ledger all of them do: staff put there what they find spoiled.
    """
    booked = {lane["name"]: lane["rejected"] for lane in station["lanes"]}
    passages = [passage for answer in jobs for passage in answer["passages"]]
    for lane in world["lanes"]:
        mine = [passage for passage in passages if passage["lane"] == lane["name"]]
        seen = sum(_was_rejected(passage) for passage in mine) + test_cards.get(lane["name"], 0)
        perhaps = sum(passage["verdict"] == "spoiled" and not _was_rejected(passage) for passage in mine)
        emptied = sum(blank["taken_from"] == {"place": "reject", "lane": lane["name"]} for blank in world["blanks"])
        if not seen <= lane["reject"] + emptied <= seen + perhaps:
            yield f"lane {lane['name']}: {seen} cards were seen falling into the reject bin, {lane['reject']} lie there"
        if not booked[lane["name"]] - perhaps <= lane["reject"] <= booked[lane["name"]]:
            yield f"lane {lane['name']}: the ledger says {booked[lane['name']]} rejected cards, {lane['reject']} lie in the bin"


def _was_rejected(passage: Json) -> bool:
    return any(stage["name"] == "reject" and stage["outcome"] == "done" for stage in passage["stages"])


def _chip_is(blank: Json, wanted: Mapping[str, bytes]) -> bool:
    files = blank["chip"]["files"]
    return all(fid in files and base64.b64decode(files[fid]["raw"]) == content for fid, content in wanted.items())


def _printed_once(blank: Json) -> bool:
    panels = blank["printed"].get("front", {})
    return set(panels) == set("ymcko") and all(panel["times"] == 1 and panel["complete"] for panel in panels.values())


def _dots(blank: Json) -> dict[str, str]:
    return {name: panel["sha256"] for name, panel in blank["printed"].get("front", {}).items()}


def _intended_dots(passage: Json) -> Any:
    return next((stage["intent"]["panels"] for stage in passage["stages"] if "panels" in stage["intent"]), None)
