"""Any command and any response survive encoding; any bytes decode or are refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.chips.apdu import ApduError, Command, Response, chain

BYTE = st.integers(0, 255)
COMMANDS = st.builds(Command, BYTE, BYTE, BYTE, BYTE, st.binary(max_size=255), st.none() | st.integers(1, 256))
EXTENDED = st.builds(
    Command, BYTE, BYTE, BYTE, BYTE, st.binary(max_size=600), st.integers(1, 65_536), st.just(True)
)  # fmt: skip


@given(COMMANDS | EXTENDED)
def test_a_command_survives_encoding(command: Command) -> None:
    assert Command.decode(command.encode()) == command


@given(st.builds(Response, st.binary(max_size=256), st.integers(0, 0xFFFF)))
def test_a_response_survives_encoding(response: Response) -> None:
    assert Response.decode(response.encode()) == response


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_refused(raw: bytes) -> None:
    try:
        command = Command.decode(raw)
    except ApduError:
        return
    assert command.encode() == raw


@given(st.binary(max_size=600), st.integers(20, 255))
def test_a_chain_carries_all_of_it_in_order(data: bytes, block: int) -> None:
    links = chain(Command(0x00, 0xD6, 0, 0, data, 256, extended=True), block)
    assert b"".join(link.data for link in links) == data
    assert [bool(link.cla & 0x10) for link in links] == [True] * (len(links) - 1) + [False]
