"""Open questions over HTTP and by command: shown to all, answered once, and nonsense changes nothing."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.client import StationUnreachable
from controller.commands import question as command
from controller.jobs import questions, queue
from controller.jobs.evidence import Phase
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import JobState
from tests.fakes.interrupted import UID, ask_about, gone
from tests.fakes.site import Site, served
from tests.fakes.stock import fill

WHO = {"who": "budi", "reason": "seen"}


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    await store.transact(fill, "1", 5)
    async with served(store, spool, tmp_path / "http.sock") as site:
        yield site


async def _run(site: Site, *words: str) -> int:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return await asyncio.to_thread(command.run, parser.parse_args([*words, "--station", site.address]))


async def test_no_question_is_an_empty_list(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await site.get("/api/v1/questions")).body == {"questions": []}
    assert await _run(site, "list") == 0
    assert capsys.readouterr().out == "no open questions\n"


async def test_a_question_says_what_to_do_and_which_answers_there_are(site: Site) -> None:
    await site.store.transact(ask_about, Phase.FEEDING, None, gone(0, ejects=True))
    (shown,) = (await site.get("/api/v1/questions")).body["questions"]
    assert (shown["id"], shown["lane"], shown["kind"], shown["chip_uid"]) == (1, "1", "tray", None)
    assert shown["answers"] == ["none", "spoiled", "missing"]
    assert "press GO if there is none" in shown["text_en"]


async def test_an_answer_settles_the_passage_and_wakes_the_lanes(site: Site) -> None:
    question = await site.store.transact(ask_about, Phase.PRINTING)
    answer = await site.post("/api/v1/questions/1/answer", WHO | {"answer": "spoiled"})
    assert (answer.status, answer.body) == (200, {"question": 1, "verdict": "spoiled", "row": "called spoiled unread"})
    assert (await site.store.read(queue.find, question.passage.job_id)).state is JobState.FAILED
    assert site.changes == 1


@pytest.mark.parametrize(
    ("number", "body", "status", "code"),
    [
        ("1", WHO | {"answer": "good"}, 400, "request.wrong"),
        ("1", WHO | {"answer": "still_blank"}, 400, "request.wrong"),
        ("1", WHO | {"answer": ""}, 400, "request.wrong"),
        ("1", WHO | {"answer": 1}, 400, "request.wrong"),
        ("1", WHO, 400, "request.wrong"),
        ("1", {"answer": "spoiled", "who": "", "reason": "x"}, 400, "request.wrong"),
        ("1", WHO | {"answer": "none"}, 409, "question.answer"),
        ("1", WHO | {"answer": "complete"}, 409, "question.answer"),
        ("2", WHO | {"answer": "spoiled"}, 404, "question.unknown"),
        ("-1", WHO | {"answer": "spoiled"}, 400, "request.wrong"),
        ("one", WHO | {"answer": "spoiled"}, 400, "request.wrong"),
    ],
)
async def test_nonsense_changes_nothing(site: Site, number: str, body: dict[str, Any], status: int, code: str) -> None:
    asked = await site.store.transact(ask_about, Phase.PRINTING)
    answer = await site.post(f"/api/v1/questions/{number}/answer", body)
    assert (answer.status, answer.problems[0].code) == (status, code)
    assert answer.problems[0].id
    assert (await site.store.read(questions.open_all), site.changes) == ([asked], 0)


async def test_a_second_answer_is_refused(site: Site) -> None:
    await site.store.transact(ask_about, Phase.PRINTING)
    await site.post("/api/v1/questions/1/answer", WHO | {"answer": "spoiled"})
    answer = await site.post("/api/v1/questions/1/answer", WHO | {"answer": "missing"})
    assert (answer.status, answer.problems[0].code) == (409, "question.settled")


async def test_the_command_lists_and_answers(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    await site.store.transact(ask_about, Phase.PRINTING, UID)
    assert await _run(site, "list") == 0
    assert "question 1, lane 1, job 1, since " in capsys.readouterr().out
    assert await _run(site, "answer", "1", "spoiled", "--who", "budi", "--reason", "torn") == 0
    assert capsys.readouterr().out == "question 1: the card is spoiled\n"


async def test_the_command_fails_and_says_why(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert await _run(site, "answer", "9", "missing", "--who", "budi", "--reason", "x") == 1
    assert "There is no question 9" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        await _run(site, "answer", "1", "good", "--reason", "x")


async def test_a_station_that_cannot_be_reached_is_said_so(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    for words in (["list"], ["answer", "1", "spoiled", "--who", "b", "--reason", "x"]):
        arguments = parser.parse_args([*words, "--station", f"unix:{tmp_path}/none.sock"])
        with pytest.raises(StationUnreachable, match="is the daemon running"):
            command.run(arguments)
