"""A secure channel: what is between the commands a script means and the commands a chip is sent.

    script  --Command-->  wrap  --Command-->  drive()  --bytes-->  reader
            <-Response--  unwrap  <-Response--          <--bytes--

A channel counts: each command is wrapped once and its response unwrapped once, in turn. An answer that is not what the chip
would have made breaks the channel for good: DeviceRefused("chip_refused", "secure channel broken: ..."), now and on every
later use. An error word that the chip gives without protection is passed on and ends the channel too, where its standard says so.

CLA FF (PC/SC part 3) is answered by the reader: it goes past the channel, unprotected, and a chip that is handed it (vpcd) must
leave its session as it is.
"""

from __future__ import annotations

from contextlib import closing
from typing import Protocol, TypeVar

from controller.chips.apdu import Command, Response, get_response
from controller.chips.script import MAX_ROUNDS, Script
from controller.errors import DeviceRefused

T = TypeVar("T")

READER_CLASS = 0xFF


class Channel(Protocol):
    """One session between a host (or its key holder) and one chip."""

    def wrap(self, command: Command) -> Command:
        """The protected form of a command. DeviceRefused when the channel is broken or the command does not fit."""

    def unwrap(self, command: Command, response: Response) -> Response:
        """What the chip meant with its answer to `command` (the one given to `wrap`). DeviceRefused: see above."""


class _Plain:
    """No protection at all."""

    def wrap(self, command: Command) -> Command:
        return command

    def unwrap(self, command: Command, response: Response) -> Response:  # noqa: ARG002 - the protocol's signature
        return response


PLAIN: Channel = _Plain()


def broken(why: str) -> DeviceRefused:
    """The error of a channel that is dead: `why` names a check, never data."""
    return DeviceRefused("chip_refused", f"secure channel broken: {why}")


def through(channel: Channel, script: Script[T]) -> Script[T]:
    """`script` as a script whose commands are wrapped and whose responses are unwrapped."""
    with closing(script):
        try:
            command = next(script)
            while True:
                response = yield from _exchange(channel, command)
                command = script.send(response)
        except StopIteration as end:
            result: T = end.value
            return result


def _exchange(channel: Channel, command: Command) -> Script[Response]:
    if channel is PLAIN or command.cla == READER_CLASS:
        return (yield command)
    wrapped = channel.wrap(command)
    response = yield wrapped
    data = b""
    for _ in range(MAX_ROUNDS):  # a protected answer that is fetched in parts is unwrapped whole
        further = get_response(wrapped, response)
        if further is None:
            break
        data += response.data
        response = yield further
    return channel.unwrap(command, Response(data + response.data, response.sw))
