"""Web pages cannot reach the station through a browser on its box."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from controller.http.guard import objection

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["localhost", "localhost:8631", "127.0.0.1:8631", "[::1]:8631", "[::1]"])
def test_this_machine_is_answered(host: str) -> None:
    assert objection("GET", Headers({"host": host})) is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8631", "127.0.0.1.evil.example:80", "", "[::2]:1"])
def test_a_rebound_name_is_refused(host: str) -> None:
    problem = objection("POST", Headers({"host": host, **JSON}))
    assert problem is not None
    assert problem.code == "request.host"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_can_post_without_asking_is_refused(kind: str) -> None:
    problem = objection("POST", Headers({"host": "localhost", "content-type": kind}))
    assert problem is not None
    assert problem.code == "request.type"


def test_json_with_a_charset_is_json() -> None:
    assert objection("POST", Headers({"host": "localhost", "content-type": "application/json; charset=utf-8"})) is None
