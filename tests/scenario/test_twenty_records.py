"""Twenty records in, twenty good cards out; and what the commands say meanwhile."""

from __future__ import annotations

from tests.scenario.records import EXAMPLE_FILES, as_bytes, example, fresh_record
from tests.scenario.scene import Scene


def test_twenty_records_become_one_good_card_each(scene: Scene) -> None:
    numbers = [scene.hand_in(example(place)) for place in range(len(EXAMPLE_FILES))]
    scene.until_state("issued", *numbers)
    assert [scene.cards_of(number) for number in numbers] == [1] * 20


def test_a_record_sent_again_in_whatever_order_is_one_job_and_one_card(scene: Scene) -> None:
    record = fresh_record()
    number = scene.hand_in(record)
    again = scene.rig.post("/api/v1/jobs", as_bytes(dict(sorted(record.items(), reverse=True))))
    scene.until_state("issued", number)
    late = scene.rig.post("/api/v1/jobs", as_bytes(record))
    assert [(answer.status, answer.body["created"]) for answer in (again, late)] == [(200, False)] * 2
    assert {again.body["job"]["id"], late.body["job"]["id"]} == {number}
    assert scene.cards_of(number) == 1
