"""`print-station stock` when the answer to an act is lost on its way."""

from __future__ import annotations

import argparse
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.client import StationUnreachable
from controller.commands import stock

ANSWER = b'{"lane": "1", "hopper": 5}'


class Station:
    """Reads each request whole; hangs up without a word on the first `lost` of them."""

    def __init__(self, path: Path, lost: int) -> None:
        self.commands: list[dict[str, Any]] = []
        self._lost = lost
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.commands.append(json.loads(lines.read(length)))
                if len(self.commands) > self._lost:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)


@pytest.fixture
def station(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Station]:
    station = Station(tmp_path / "http.sock", request.param)
    yield station
    station.close()


def _load(tmp_path: Path) -> int:
    parser = argparse.ArgumentParser()
    stock.configure(parser)
    return stock.run(parser.parse_args(["load", "1", "5", "--who", "ani", "--station", f"unix:{tmp_path}/http.sock"]))


@pytest.mark.parametrize("station", [1], indirect=True)
def test_an_answer_that_is_lost_once_is_asked_for_again_with_the_same_key(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _load(tmp_path) == 0
    assert capsys.readouterr().out == "lane 1: 5 blanks in the hopper by the ledger\n"
    assert len(station.commands) == 2
    assert station.commands[0] == station.commands[1]
    assert len(station.commands[0]["key"]) == 36


@pytest.mark.parametrize("station", [9], indirect=True)
def test_an_answer_that_stays_lost_is_said_with_the_key_to_repeat(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StationUnreachable):
        _load(tmp_path)
    said = capsys.readouterr().err
    assert f"repeat the same command with --key {station.commands[0]['key']}" in said
    assert "Tidak pasti apakah sudah dicatat" in said


@pytest.mark.parametrize("station", [0], indirect=True)
def test_every_act_has_a_key_of_its_own(station: Station, tmp_path: Path) -> None:
    _load(tmp_path)
    _load(tmp_path)
    assert station.commands[0]["key"] != station.commands[1]["key"]


@pytest.mark.parametrize("text", ["", "\n\n", "# to be filled in\n"])
@pytest.mark.parametrize("station", [0], indirect=True)
def test_a_list_without_a_uid_is_not_sent(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "uids.txt").write_text(text)
    parser = argparse.ArgumentParser()
    stock.configure(parser)
    words = [
        "receive",
        "B-1",
        "5",
        "--document",
        "d",
        "--uids",
        f"{tmp_path}/uids.txt",
        "--station",
        f"unix:{tmp_path}/http.sock",
    ]
    assert stock.run(parser.parse_args(words)) == 1
    assert "lists no UID; fill the list, or leave --uids out" in capsys.readouterr().err
    assert station.commands == []
