"""Open questions over HTTP: listed for everyone, answered over the Unix socket only."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.clock import wall_text
from controller.conditions import CONDITIONS
from controller.http.input import read_command, read_number, wrong
from controller.jobs import questions
from controller.jobs.evidence import Look
from controller.jobs.questions import MAY_SAY, Question
from controller.jobs.store import Store


def routes(store: Store, max_remakes: int, changed: Callable[[], None]) -> list[Route]:
    """`GET /api/v1/questions` and `POST /api/v1/questions/{question}/answer`; `changed` wakes the lanes after an answer."""

    async def listed(_request: Request) -> Response:
        found = await store.read(questions.open_all)
        return JSONResponse({"questions": [_shown(question) for question in found]})

    async def answer(request: Request) -> Response:
        command = await read_command(request, {"answer": str, "who": str, "reason": str})
        if command["answer"] not in list(Look):
            known = ", ".join(Look)
            raise wrong("answer", f"answer harus salah satu dari {known}.", f"answer must be one of {known}.")
        number, said = read_number(request.path_params["question"], "question"), Look(command["answer"])
        ruling = await store.transact(questions.look, number, said, command["who"], command["reason"], max_remakes)
        changed()
        return JSONResponse({"question": number, "verdict": ruling.answer, "row": ruling.row})

    return [
        Route("/api/v1/questions", listed, methods=["GET"]),
        Route("/api/v1/questions/{question}/answer", answer, methods=["POST"]),
    ]


def _shown(question: Question) -> dict[str, object]:
    condition = CONDITIONS[f"ask_{question.kind}"]
    return {"id": question.id, "lane": question.passage.lane, "job": question.passage.job_id, "passage": question.passage.id,
            "kind": question.kind, "chip_uid": question.past.uid, "asked": wall_text(question.asked_us),
            "answers": list(MAY_SAY[question.kind]), "text_id": condition.id, "text_en": condition.en}  # fmt: skip
