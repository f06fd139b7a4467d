"""Whatever is done to a signed log by somebody without the key, the verifier does not call it intact."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import verify_log
from controller.jobs.events import GENESIS_PREV
from tests.fakes.event_log import LogMaker, Row, a_day, as_export, changed, header, rechained

LOG = a_day()
WHOLE = as_export(LOG.rows, header(LOG))
INDEX = st.integers(0, len(LOG.rows) - 1)


def judge(content: bytes, anchor: str = "") -> int:
    """The verifier's exit code."""
    with tempfile.NamedTemporaryFile() as file, contextlib.redirect_stdout(io.StringIO()):
        file.write(content)
        file.flush()
        with pytest.raises(SystemExit) as ended:
            verify_log.verify(Path(file.name), anchor, "")
    return int(str(ended.value.code))


def export(rows: list[Row]) -> bytes:
    """The rows under a first line that fits their end, as a forger would write it."""
    head = f"{len(LOG.rows)}:{LOG.head.hash}" if not rows else f"{verify_seq(rows[-1])}:{rows[-1][1]}"
    return as_export(rows, header(LOG, anchor=head))


def verify_seq(row: Row) -> int:
    event = verify_log.parse_event(row[0].encode())
    return len(LOG.rows) if event is None else int(event["seq"])


def test_the_log_is_intact_to_begin_with() -> None:
    assert judge(WHOLE) == verify_log.INTACT


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_seen(at: int, flip: int) -> None:
    torn = WHOLE[:at] + bytes([WHOLE[at] ^ flip]) + WHOLE[at + 1 :]
    # The very last byte ends the last line, whose row is whole without it.
    assert judge(torn) != verify_log.INTACT or at == len(WHOLE) - 1


@given(st.integers(0, len(WHOLE) - 2))
def test_a_file_cut_anywhere_is_torn_and_not_tampered_with(length: int) -> None:
    assert judge(WHOLE[:length]) in (verify_log.TORN, verify_log.UNJUDGED if length == 0 else verify_log.TORN)


@given(st.integers(0, len(LOG.rows) - 2))
def test_a_dropped_row_is_seen(index: int) -> None:
    assert judge(export(LOG.rows[:index] + LOG.rows[index + 1 :])) == verify_log.TAMPERED


@given(INDEX, INDEX)
def test_a_row_that_stands_twice_is_seen(index: int, where: int) -> None:
    assert judge(as_export([*LOG.rows[:where], LOG.rows[index], *LOG.rows[where:]], header(LOG))) == verify_log.TAMPERED


@given(INDEX, INDEX)
def test_two_swapped_rows_are_seen(one: int, other: int) -> None:
    rows = list(LOG.rows)
    rows[one], rows[other] = rows[other], rows[one]
    assert (judge(as_export(rows, header(LOG))) == verify_log.INTACT) == (one == other)


@given(INDEX, st.sampled_from(["hold", "go", "station_stopped"]))
def test_an_invented_row_is_seen(index: int, kind: str) -> None:
    prev = LOG.rows[index - 1][1] if index else GENESIS_PREV
    invented = changed(LOG.rows[index], kind=kind, facts={}, prev=prev)
    assert judge(as_export([*LOG.rows[:index], invented, *LOG.rows[index:]], header(LOG))) == verify_log.TAMPERED


@given(st.integers(1, len(LOG.rows) - 2), st.text(max_size=20))
def test_without_the_key_no_new_chain_passes_a_checkpoint(index: int, lie: str) -> None:
    rows = [*LOG.rows[:index], changed(LOG.rows[index], facts={"lie": lie}), *LOG.rows[index + 1 :]]
    assert judge(export(rechained(rows, index))) == verify_log.TAMPERED


@given(st.integers(3, len(LOG.rows) - 1))  # before row 3 the start itself is not signed
def test_a_log_that_ends_earlier_is_seen_with_an_anchor(length: int) -> None:
    cut = export(LOG.rows[:length])
    assert judge(cut) == verify_log.INTACT  # nobody can tell from the rest alone
    assert judge(cut, LOG.head.anchor) == verify_log.TAMPERED


@given(st.integers(3, len(LOG.rows) - 1), st.integers(10, 64))
def test_a_chain_written_anew_and_stripped_of_signatures_is_seen_with_an_anchor(index: int, digits: int) -> None:
    """The rows after the last checkpoint prove nothing by themselves; an anchor written down from the display does."""
    other = LogMaker()
    other.rows = list(LOG.rows[: index - 1])
    while len(other.rows) < len(LOG.rows):
        other.add("hold")
    forged = as_export(other.rows, header(other))
    assert judge(forged, f"{LOG.head.seq}:{LOG.head.hash[:digits]}") == verify_log.TAMPERED


@given(st.binary(max_size=3000))
def test_garbage_is_never_a_log(content: bytes) -> None:
    assert judge(content) in (verify_log.UNJUDGED, verify_log.TORN)


@given(st.binary(max_size=300), INDEX)
def test_garbage_among_rows_is_found(content: bytes, index: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    garbled = b"".join([*lines[: index + 1], content.replace(b"\n", b"") + b"\n", *lines[index + 1 :]])
    assert judge(garbled) == verify_log.TAMPERED
