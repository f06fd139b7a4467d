"""The USB/IP codec against bytes from the kernel's Documentation/usb/usbip_protocol.rst, and against any split of them."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.wires.usbip_codec import (
    ExportedDevice,
    ImportDevice,
    ListDevices,
    ProtocolError,
    Request,
    RequestDecoder,
    Submit,
    Unlink,
    pack_device_list,
    pack_import,
    pack_import_refusal,
    pack_submit_reply,
    pack_unlink_reply,
)

# Section EXAMPLE of the document, captured from a wire.
CMD_INTR_IN = bytes.fromhex(
    "0000000100000d050001000f0000000100000001000002000000004"
    "0ffffffff00000000000000040000000000000000"
)  # fmt: skip
CMD_INTR_OUT_HEAD = bytes.fromhex(
    "0000000100000d060001000f0000000000000001000000000000004"
    "0ffffffff00000000000000040000000000000000"
)  # fmt: skip
CMD_INTR_OUT_DATA = bytes.fromhex("ffffffff860008a784ce5ae212376300") + bytes(48)

IMPORT = bytes.fromhex("0111800300000000") + b"1-1".ljust(32, b"\0")
UNLINK = struct.pack(">6I24x", 2, 0xD07, 0x0001000F, 0, 0, 0xD05)
STREAM = IMPORT + CMD_INTR_IN + CMD_INTR_OUT_HEAD + CMD_INTR_OUT_DATA + UNLINK
REQUESTS: list[Request] = [
    ImportDevice("1-1"),
    Submit(0xD05, 0x0001000F, True, 1, 64, bytes(8), b""),
    Submit(0xD06, 0x0001000F, False, 1, 64, bytes(8), CMD_INTR_OUT_DATA),
    Unlink(0xD07, 0x0001000F, 0xD05),
]
EXPORTED = ExportedDevice("3-2", 3, 2, 3, 0x1209, 0x0401, 0x0100, (0, 0, 0), 1, 1, ((7, 1, 2),))


def decode(*pieces: bytes) -> list[Request]:
    decoder, requests = RequestDecoder(), []
    for piece in pieces:
        decoder.feed(piece)
        while (request := decoder.next()) is not None:
            requests.append(request)
    return requests


def submit(**changes: int) -> bytes:
    fields = {"command": 1, "seqnum": 1, "devid": 1, "direction": 0, "ep": 1, "flags": 0, "length": 0, "frame": 0, "packets": 0}
    return struct.pack(">9I12x", *(fields | changes).values())


def test_the_documents_capture_decodes_to_its_urbs() -> None:
    assert decode(STREAM) == REQUESTS


def test_a_device_list_request_is_eight_bytes() -> None:
    assert decode(bytes.fromhex("0111800500000000")) == [ListDevices()]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_of_the_stream_gives_the_same_requests(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert decode(*(STREAM[a:b] for a, b in pairwise(edges))) == REQUESTS


def test_a_header_alone_waits_for_its_data() -> None:
    assert decode(IMPORT + CMD_INTR_OUT_HEAD + CMD_INTR_OUT_DATA[:-1]) == [ImportDevice("1-1")]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (bytes.fromhex("0106800500000000"), "version 0x0106"),
        (bytes.fromhex("0111800100000000"), "operation 0x8001"),
        (IMPORT + submit(command=3), "command 3"),
        (IMPORT + submit(ep=16), "endpoint 16"),
        (IMPORT + submit(direction=2), "direction 2"),
        (IMPORT + submit(length=(16 << 20) + 1), "over the limit of 16777216"),
        (IMPORT + submit(packets=3), "isochronous"),
    ],
)
def test_what_cannot_be_served_is_a_protocol_error(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        decode(stream)


@pytest.mark.parametrize("packets", [0, 0xFFFFFFFF])
def test_both_spellings_of_not_isochronous_are_taken(packets: int) -> None:
    assert len(decode(IMPORT + submit(packets=packets))) == 2


def test_the_device_list_has_the_documents_offsets() -> None:
    reply = pack_device_list([EXPORTED, EXPORTED])
    assert reply[:12] == bytes.fromhex("011100050000000000000002")
    assert reply[0x0C:].startswith(b"/sys/devices/")
    assert reply[0x10C:0x12C] == b"3-2".ljust(32, b"\0")
    assert reply[0x12C:0x148] == bytes.fromhex("00000003 00000002 00000003 1209 0401 0100 000000 01 01 01 07010200")
    assert len(reply) == 12 + 2 * (312 + 4)


def test_an_import_reply_has_no_interfaces() -> None:
    assert len(pack_import(EXPORTED)) == 8 + 312


def test_a_refused_import_is_a_header_only() -> None:
    assert pack_import_refusal(2) == bytes.fromhex("0111000300000002")


def test_a_submit_reply_carries_status_and_length() -> None:
    assert pack_submit_reply(0xD06, 0, 64) == struct.pack(">3I", 3, 0xD06, 0) + struct.pack(">4I20x", 0, 0, 0, 64)


def test_an_unlink_reply_carries_a_negative_errno() -> None:
    assert pack_unlink_reply(7, -104) == struct.pack(">5Ii24x", 4, 7, 0, 0, 0, -104)
