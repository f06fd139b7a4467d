"""Keeps web pages away from the station: any page open in a browser on this box could otherwise post to a loopback port.

- The Host header must name this machine, which a rebound DNS name does not.
- A request that changes something must say `application/json`; a browser sends that across origins only after a preflight,
  and the station answers none.
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.errors import Problem

LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


class HttpGuard:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not pass, hand on the rest."""
        problem = objection(scope["method"], Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
            return
        status = 421 if problem.code == "request.host" else 415
        await JSONResponse({"problems": [asdict(problem)]}, status)(scope, receive, send)


def objection(method: str, headers: Headers) -> Problem | None:
    """Why a request may not pass. Pure."""
    if _name(headers.get("host", "")) not in LOCAL_NAMES:
        return Problem("request.host", "Host", "Stasiun hanya menjawab di mesin ini; pakai localhost.",
                       "The station answers on this machine only; use localhost.")  # fmt: skip
    if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Problem("request.type", "Content-Type", "Kirim dengan Content-Type: application/json.",
                       "Send it with Content-Type: application/json.")  # fmt: skip
    return None


def _name(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
