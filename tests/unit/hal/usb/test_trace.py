"""What crosses a USB pipe is written down, and a written trace stands in for the printer: over a real USB/IP wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.evolis.driver import EvolisPrinter
from controller.hal.usb.link import UsbLink, UsbPipe, UsbWanted
from controller.hal.usb.replay import MAX_TRACE_BYTES, ReplayPipe, TraceDiffers, TraceError, parse_trace, read_trace
from controller.hal.usb.trace import FORMAT, LONG_BYTES, RecordingPipe, content
from controller.model import CardPosition
from tests.fakes.usb_printer import SERIAL, Wired, panels_for, tiny_profile, wired

PROFILE = tiny_profile()
WANTED = UsbWanted.by(PROFILE.usb, SERIAL, None)


@dataclass
class Recorded:
    """A driver whose traffic is written down, and what was written."""

    line: Wired
    driver: EvolisPrinter
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(json.dumps(line) + "\n" for line in self.lines)

    def of(self, do: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("do") == do]


@asynccontextmanager
async def recorded(*, full: bool = False) -> AsyncIterator[Recorded]:
    lines: list[dict[str, Any]] = []

    def tell(facts: Mapping[str, Any]) -> None:
        lines.append(json.loads(json.dumps(facts)))

    async with wired(PROFILE) as line:
        pipe = RecordingPipe(UsbPipe(line.address, WANTED), {"profile": "tiny"}, tell, full=full)
        driver = EvolisPrinter(PROFILE, UsbLink(line.address, WANTED, pipe))
        try:
            yield Recorded(line, driver, lines)
        finally:
            await driver.close()


async def conversation() -> str:
    """The trace of an opening and one look."""
    async with recorded() as trace:
        await trace.driver.open()
        await trace.driver.witness()
        return trace.text


async def replayed(text: str) -> tuple[ReplayPipe, EvolisPrinter]:
    pipe = ReplayPipe(parse_trace(text))
    return pipe, EvolisPrinter(PROFILE, UsbLink("usb", WANTED, pipe))


async def test_a_trace_begins_with_the_devices_own_descriptors() -> None:
    async with recorded() as trace:
        await trace.driver.open()
        descriptors = trace.line.device.descriptors()
    head = trace.lines[0]
    assert (head["format"], head["profile"], head["full"]) == (FORMAT, "tiny", False)
    assert head["device"]["device_descriptor"] == descriptors.device.hex()
    assert head["device"]["configuration_descriptor"] == descriptors.configuration.hex()
    assert (head["device"]["serial"], head["device"]["product"]) == (SERIAL, "Evolis Primacy")
    assert head["device"]["device_id"] == "MFG:Evolis;MDL:Primacy;"


async def test_every_transfer_is_a_line_with_time_endpoint_and_bytes() -> None:
    async with recorded() as trace:
        await trace.driver.open()
    asked = next(line for line in trace.of("out") if line["hex"] == b"\x1bRtp\r".hex())
    answered = trace.lines[trace.lines.index(asked) + 1]
    assert (asked["endpoint"], asked["length"]) == (0x03, 5)
    assert (answered["do"], answered["endpoint"], bytes.fromhex(answered["hex"])) == ("in", 0x85, b"Evolis Primacy\0")
    assert 0 <= asked["t_ms"] <= answered["t_ms"]
    assert all(line["took_ms"] >= 0 for line in trace.lines[1:])


async def test_dots_are_kept_as_length_and_hash_only() -> None:
    async with recorded() as trace:
        await trace.driver.open()
        panels = panels_for(PROFILE)
        await trace.driver.print(panels, Deadline.after(5))
    sent = [line for line in trace.of("out") if "sha256" in line]
    assert [bytes.fromhex(line["head"]) for line in sent] == [f"\x1bDb;{p.name};{p.levels};".encode() for p in panels]
    assert [line["length"] - len(bytes.fromhex(line["head"])) - 1 for line in sent] == [len(panel.data) for panel in panels]
    assert not any(panel.data[:8].hex() in trace.text for panel in panels)


async def test_everything_is_kept_when_that_is_asked_for() -> None:
    async with recorded(full=True) as trace:
        await trace.driver.open()
        await trace.driver.print(panels_for(PROFILE), Deadline.after(5))
    assert all(panel.data.hex() in trace.text for panel in panels_for(PROFILE))
    assert trace.lines[0]["full"] is True


@pytest.mark.parametrize(("size", "key"), [(LONG_BYTES, "hex"), (LONG_BYTES + 1, "sha256")])
def test_more_than_any_command_has_is_taken_for_dots(size: int, key: str) -> None:
    facts = content(b"\x05" * size, full=False)
    assert key in facts
    assert facts["length"] == size


def test_the_keys_of_a_magicard_job_are_told_and_not_one_byte_of_its_dots() -> None:
    header = b"\x05" * 64 + b"\x01,NOC1,VER1.0-,KGE2,SZB585216\x1c"
    assert content(header + b"A" * 4000, full=False)["head"] == header.hex()
    assert "head" not in content(b"A" * 4000, full=False)


async def test_a_printer_that_is_not_there_leaves_no_trace() -> None:
    async with recorded() as trace:
        trace.line.server.unplug("1-1")
        with pytest.raises(DeviceAbsent):
            await trace.driver.open()
    assert trace.lines == []


async def test_the_same_driver_does_the_same_against_its_trace() -> None:
    pipe, driver = await replayed(await conversation())
    identity = await driver.open()
    witness = await driver.witness()
    pipe.end()
    await driver.close()
    assert (identity.model, identity.serial, witness.position) == ("Evolis Primacy", SERIAL, CardPosition.NONE)


async def test_an_error_on_the_wire_is_an_error_in_the_replay() -> None:
    async with recorded() as trace:
        trace.line.device.at["Rco;p"] = lambda: trace.line.server.unplug("1-1")
        await trace.driver.open()
        with pytest.raises(DeviceUnknown) as first:
            await trace.driver.witness()
    _, driver = await replayed(trace.text)
    await driver.open()
    with pytest.raises(DeviceUnknown) as second:
        await driver.witness()
    await driver.close()
    assert (second.value.condition, second.value.detail) == (first.value.condition, first.value.detail)
    assert trace.lines[-1]["still_open"] is False


async def test_the_first_byte_that_differs_ends_a_replay() -> None:
    text = (await conversation()).replace(b"\x1bRfv\r".hex(), b"\x1bRxx\r".hex())
    _, driver = await replayed(text)
    with pytest.raises(
        TraceDiffers, match=r"^line \d+: today's driver sends 5 bytes 1b5266760d; the recorded one: out, 5 bytes 1b52"
    ):
        await driver.open()
    await driver.close()


async def test_other_dots_of_the_same_length_differ() -> None:
    async with recorded() as trace:
        await trace.driver.open()
        await trace.driver.print(panels_for(PROFILE), Deadline.after(5))
    panels = panels_for(PROFILE)
    changed = [type(panels[0])(panel.name, panel.levels, b"\1" + panel.data[1:]) for panel in panels]
    _, driver = await replayed(trace.text)
    await driver.open()
    with pytest.raises(TraceDiffers, match=r"today's driver sends 123 bytes sha256 .*; the recorded one: out, 123 bytes sha256"):
        await driver.print(changed, Deadline.after(5))
    await driver.close()


async def test_a_driver_that_goes_on_after_the_end_differs() -> None:
    pipe, driver = await replayed(await conversation())
    await driver.open()
    await driver.witness()
    with pytest.raises(TraceDiffers, match=r"^the end: today's driver sends 7 bytes .*; the recorded one had ended$"):
        await driver.witness()
    await driver.close()
    pipe.end()


async def test_a_driver_that_ends_too_early_differs() -> None:
    pipe, driver = await replayed(await conversation())
    await driver.open()
    await driver.close()
    with pytest.raises(TraceDiffers, match=r"today's driver has ended; the recorded one: out, 7 bytes 1b526c723b700d$"):
        pipe.end()


async def test_listening_in_vain_once_less_is_no_difference() -> None:
    lines = (await conversation()).splitlines()
    quiet = json.dumps({"t_ms": 0, "took_ms": 1, "do": "in", "endpoint": 0x85, "length": 0, "hex": ""})
    pipe, driver = await replayed("\n".join([*lines, quiet]))
    await driver.open()
    await driver.witness()
    pipe.end()
    await driver.close()


HEAD = json.dumps({"format": FORMAT})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "^line 1 does not say that this is a print-station-usb-trace/1$"),
        ('{"format": "pcap"}', "^line 1 does not say"),
        ("\x00\x01", "^line 1 is not JSON"),
        (f"{HEAD}\n[]", "^line 2 is not an object$"),
        (f'{HEAD}\n{{"do": "sing"}}', "^line 2: 'do' is 'sing', not one of open, out, in"),
        (f'{HEAD}\n{{"do": "out", "length": 3}}', "^line 2 lacks what belongs to 'out'$"),
        (f'{HEAD}\n{{"do": "open"}}', "^line 2 lacks what belongs to 'open'$"),
        (f'{HEAD}\n{{"do": "in", "length": 1, "hex": "zz"}}', "^line 2: 'zz' is not hexadecimal$"),
        (f'{HEAD}\n{{"do": "in", "length": 1, "hex": 55}}', "^line 2: 'hex' is not what it should be$"),
        (f'{HEAD}\n{{"do": "open", "error": null}}', "^line 2: 'error' is not what it should be$"),
        (f'{HEAD}\n{{"do": "open", "error": {{"class": "DeviceAbsent"}}}}', "^line 2: 'error' is not what it should be$"),
        (f'{HEAD}\n{{"do": "end", "outcome": "good"}}', "^the outcome in the last line is not an object$"),
        ("[" * 100_000, "^line 1 is not JSON"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(TraceError, match=says):
        parse_trace(text)


def test_a_trace_is_never_read_beyond_its_bound(tmp_path: Path) -> None:
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(TraceError, match=f"endless: has more than {MAX_TRACE_BYTES} bytes$"):
        read_trace(tmp_path / "endless")


def test_a_trace_that_broke_off_has_no_outcome() -> None:
    trace = parse_trace(f'{HEAD}\n{{"do": "open", "opened": true}}')
    assert (len(trace.steps), trace.outcome) == (1, None)
