"""Evolis replies and commands: what is read does not depend on how the bytes were cut, and what is sent can be read back."""

from __future__ import annotations

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from controller.errors import DeviceUnknown
from controller.hal.evolis.codec import MAX_REPLY_BYTES, ReplyReader, count, encode, encode_panel, fault_of, refusal_of
from controller.model import Panel
from hwsim.devices.evolis_panels import Geometry
from hwsim.devices.evolis_parser import EvolisParser
from tests.fakes.usb_printer import evolis_profile

WORDS = evolis_profile().replies
texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=MAX_REPLY_BYTES)
commands = st.from_regex(r"[A-Z][a-z]{1,4}(;[a-z0-9]{1,8}){0,3}", fullmatch=True)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places."""
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


@given(st.lists(texts, max_size=5), st.lists(st.integers(0, 5000), max_size=20), st.integers(0, 3))
def test_replies_do_not_depend_on_how_they_were_cut_and_filled(replies: list[str], cuts: list[int], filler: int) -> None:
    data = b"".join(reply.encode() + b"\0" * (1 + filler) for reply in replies)
    reader = ReplyReader()
    assert [reply for piece in pieces(data, cuts) for reply in reader.feed(piece)] == replies
    assert not reader.unfinished


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=10))
def test_any_bytes_are_replies_or_garbled_and_never_kept_beyond_the_cap(data: bytes, cuts: list[int]) -> None:
    reader = ReplyReader()
    with contextlib.suppress(DeviceUnknown):
        for piece in pieces(data, cuts):
            for reply in reader.feed(piece):
                assert reply
                assert len(reply) <= MAX_REPLY_BYTES


@given(st.binary(max_size=600))
def test_after_a_reset_the_next_reply_is_read_whatever_came_before(junk: bytes) -> None:
    reader = ReplyReader()
    with contextlib.suppress(DeviceUnknown):
        reader.feed(junk)
    reader.reset()
    assert reader.feed(b"OK\0") == ["OK"]


@given(texts)
def test_every_reply_to_an_act_is_done_or_a_known_condition(reply: str) -> None:
    assert (refusal_of(reply, WORDS) is None) == (reply == "OK")


@given(texts)
def test_err_means_what_error_means(tail: str) -> None:
    assert fault_of(f"ERR {tail}", WORDS) == fault_of(f"ERROR {tail}", WORDS) is not None


@given(st.integers(0, 2**32 - 1))
def test_a_counter_is_read_back(value: int) -> None:
    assert count(str(value)) == value


@given(st.lists(commands, min_size=1, max_size=6), st.lists(st.integers(0, 500), max_size=10))
def test_the_simulators_parser_reads_every_command_as_it_was_meant(sent: list[str], cuts: list[int]) -> None:
    parser = EvolisParser(Geometry(16, 8))
    plain = [command for command in sent if not command.startswith("D")]
    data = b"".join(encode(command) for command in plain)
    assert [command.text for piece in pieces(data, cuts) for command in parser.feed(piece)] == plain


@given(st.binary(min_size=112, max_size=112), st.lists(st.integers(0, 500), max_size=10))
def test_the_simulators_parser_gets_the_dots_of_a_panel_whatever_they_are(dots: bytes, cuts: list[int]) -> None:
    parser = EvolisParser(Geometry(16, 8))
    data = encode_panel(Panel("m", 128, dots)) + encode("Se")
    panel, end = [command for piece in pieces(data, cuts) for command in parser.feed(piece)]
    assert (panel.name, panel.data, end.text) == ("Db", dots, "Se")
