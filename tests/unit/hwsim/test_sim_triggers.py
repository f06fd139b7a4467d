"""Exchanges are counted by name, and something can happen at the n-th: before the machine acts on it, or after."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwsim import processes
from hwsim.control import ask
from hwsim.errors import SimError
from hwsim.exchanges import MAX_TRIGGERS, Exchanges
from hwsim.world import Spot
from tests.unit.hwsim.printer_bench import DOTS, settle
from tests.unit.hwsim.station_bench import Rig, running

UID, SELECT_DF, SELECT_FILE, WRITE = "FFCA000000", "00A40000027F0A", "00A40000026FF1", "00D6000203414243"
FIRST = "blank-00001"


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, for ever."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


async def told(rig: Rig, **request: Any) -> dict[str, Any]:
    reply: dict[str, Any] = await asyncio.to_thread(ask, rig.station.config.control, request)
    return reply


async def armed(rig: Rig, wire: str, at: int, when: str, **act: Any) -> None:
    await told(rig, command="trigger", wire=wire, at=at, when=when, **act)


async def triggers(rig: Rig) -> list[tuple[bool, str | None]]:
    """Whether each trigger fired, and what it could not do."""
    lane = (await told(rig, command="exchanges"))["exchanges"]["1"]
    return [(trigger["fired"], trigger["error"]) for trigger in lane["triggers"]]


# Counting


async def test_commands_replies_and_long_downloads_are_counted_by_name(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await told(rig, command="exchanges", record=True)
        await rig.ask("Rok", "Rrt;count")
        await rig.lane.printer.bulk_out(1, b"Db;k;2;" + DOTS["k"][:9])
        await rig.lane.printer.bulk_out(1, DOTS["k"][9:19])
        await rig.ask_raw(DOTS["k"][19:] + b"\r")
        lane = (await told(rig, command="exchanges"))["exchanges"]["1"]
        labels = ["> Rok", "< Rok", "> Rrt;count", "< Rrt;count", "> Db;k;2 first", "> Db;k;2", "< Db;k;2"]
        assert (lane["usb"], lane["labels"]["usb"]) == (7, labels)


async def test_apdus_are_counted_by_their_header_alone(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await told(rig, command="exchanges", record=True)
        await rig.ask("Sic")
        await rig.reader.ask(UID, SELECT_DF, SELECT_FILE, WRITE)
        lane = (await told(rig, command="exchanges", record=False))["exchanges"]["1"]
        assert (lane["apdu"], lane["labels"]) == (4, None)


async def test_what_is_recorded_begins_anew_with_each_record(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await told(rig, command="exchanges", record=True)
        await rig.ask("Rok")
        await told(rig, command="exchanges", record=True)
        await rig.ask("Rsn")
        assert (await told(rig, command="exchanges"))["exchanges"]["1"]["labels"]["usb"] == ["> Rsn", "< Rsn"]


# Faults at an exchange


async def test_power_lost_before_a_command_is_acted_on_leaves_it_undone(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, "usb", 3, "before", do="fault", name="printer_off")
        await rig.ask("Pem;2")
        await rig.lane.printer.bulk_out(1, b"Sic\r")
        await settle()
        assert (rig.station.world.where(FIRST).spot, await triggers(rig)) == (Spot.HOPPER, [(True, None)])


async def test_counting_may_begin_at_a_label(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await armed(rig, "usb", 3, "before", start="> Rsn", do="fault", name="reply_wrong", values={"text": "NO"})
        assert await rig.ask("Rok", "Rtp", "Rsn", "Rok", "Rok") == ["OK", "Evolis Primacy", "SIM-E-0001", "NO", "OK"]


async def test_power_lost_after_a_command_was_acted_on_takes_its_reply(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, "usb", 1, "after", do="fault", name="printer_off")
        await rig.lane.printer.bulk_out(1, b"Sic\r")
        await settle()
        rig.station.power_printer(rig.lane, on=True)
        await settle()
        assert await rig.ask("Rco;c") == ["1001"]


async def test_a_cable_pulled_before_a_command_is_acted_on_leaves_it_undone(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, "usb", 1, "before", do="fault", name="usb_unplug")
        await rig.lane.printer.bulk_out(1, b"Sic\r")
        await settle()
        assert (rig.station.world.where(FIRST).spot, rig.lane.printer.busy) == (Spot.HOPPER, False)


async def test_a_cable_pulled_before_a_reply_is_fetched_keeps_it_from_the_host(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await armed(rig, "usb", 2, "before", do="fault", name="usb_unplug")
        await rig.lane.printer.bulk_out(1, b"Rok\r")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await rig.lane.printer.bulk_in(2, 64)


async def test_a_write_to_the_chip_is_torn_at_its_exchange(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, "apdu", 3, "before", do="fault", name="torn_chip", values={"bytes": 1})
        await rig.ask("Sic")
        assert await rig.reader.ask(SELECT_DF, SELECT_FILE, WRITE) == ["9000", "9000", ""]
        assert rig.station.world.blank(FIRST).chip.written_bytes == {0x6FF1: 3}


async def test_several_things_happen_in_their_order(tmp_path: Path, victim: subprocess.Popen[bytes]) -> None:
    async with running(tmp_path) as rig:
        await armed(rig, "usb", 1, "after", do=[{"do": "kill", "pid": victim.pid}, {"do": "fault", "name": "printer_off"}])
        await rig.lane.printer.bulk_out(1, b"Rok\r")
        await settle()
        assert (victim.poll(), rig.lane.powered) == (-signal.SIGKILL, False)


async def test_what_cannot_be_done_is_told_later_and_nothing_else_is_disturbed(
    tmp_path: Path, victim: subprocess.Popen[bytes]
) -> None:
    victim.kill()
    victim.wait()
    async with running(tmp_path) as rig:
        await armed(rig, "usb", 1, "before", do="kill", pid=victim.pid)
        await armed(rig, "usb", 1, "before", do="fault", name="reply_wrong", values={"text": "NO"})
        assert await rig.ask("Rok") == ["NO"]
        gone = f"process {victim.pid} cannot be sent signal 9: No such process"
        assert await triggers(rig) == [(True, gone), (True, None)]


async def test_cleared_triggers_never_fire(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await armed(rig, "usb", 1, "before", do="fault", name="printer_off")
        await told(rig, command="trigger", clear=True)
        assert await rig.ask("Rok") == ["OK"]


# Killing


@pytest.mark.parametrize(("wire", "when", "files"), [("apdu", "before", {0x6FF1: 5}), ("apdu", "after", {0x6FF1: 5})])
async def test_a_process_is_dead_before_the_chip_acts_and_the_chip_acts_all_the_same(
    tmp_path: Path, victim: subprocess.Popen[bytes], wire: str, when: str, files: dict[int, int]
) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, wire, 3, when, do="kill", pid=victim.pid)
        await rig.ask("Sic")
        assert await rig.reader.ask(SELECT_DF, SELECT_FILE, WRITE) == ["9000", "9000", "9000"]
        assert (victim.poll(), rig.station.world.blank(FIRST).chip.written_bytes) == (-signal.SIGKILL, files)


async def test_a_command_whose_host_is_killed_is_carried_out(tmp_path: Path, victim: subprocess.Popen[bytes]) -> None:
    async with running(tmp_path, blanks=1) as rig:
        await armed(rig, "usb", 1, "before", do="kill", pid=victim.pid)
        assert await rig.ask("Sic") == ["OK"]
        assert victim.poll() == -signal.SIGKILL


def test_another_signal_is_sent_and_not_waited_for(victim: subprocess.Popen[bytes]) -> None:
    processes.send_signal(victim.pid, signal.SIGSTOP)
    processes.send_signal(victim.pid, signal.SIGCONT)
    processes.send_signal(victim.pid, signal.SIGTERM)
    assert victim.wait(timeout=5) == -signal.SIGTERM


def test_a_process_that_is_not_there_is_named(victim: subprocess.Popen[bytes]) -> None:
    victim.kill()
    victim.wait()
    with pytest.raises(SimError, match=f"process {victim.pid} cannot be sent signal 9: No such process"):
        processes.send_signal(victim.pid, signal.SIGKILL)


# Refusals


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"wire": "serial"}, "wire must be one of usb, apdu, sam, not 'serial'"),
        ({"when": "during"}, "when must be one of before, after"),
        ({"at": 0}, "at must be a whole number from 1"),
        ({"do": "sing"}, "do must be one of kill, pcscd, fault, not 'sing'"),
        ({"do": []}, "or a list of objects"),
        ({"do": [{"do": "kill", "pid": 7}, 3]}, "or a list of objects"),
        ({"do": "kill"}, "pid must be a whole number"),
        ({"do": "kill", "pid": 7, "signal": 99}, "signal must be a whole number from 1 to 64"),
        ({"do": "fault", "name": "gremlin"}, "there is no fault 'gremlin'"),
        ({"do": "fault", "name": "torn_chip", "values": {"bytes": "x"}}, "bytes must be a number"),
        ({"lane": "9"}, "there is no lane '9'"),
        ({"clear": 1}, "clear must be true or false"),
    ],
)
async def test_a_trigger_that_cannot_be_is_refused(tmp_path: Path, request_: dict[str, Any], words: str) -> None:
    good = {"wire": "usb", "at": 1, "when": "before", "do": "pcscd"}
    async with running(tmp_path) as rig:
        with pytest.raises(SimError, match=words):
            await told(rig, command="trigger", **{**good, **request_})
        assert await triggers(rig) == []


def test_counting_may_begin_at_the_nth_exchange_with_a_label() -> None:
    exchanges, seen = Exchanges(), []
    exchanges.arm("apdu", 2, "before", lambda: seen.append(exchanges.counts["apdu"]), "CA 0000", 2)
    for label in ("CA 0000", "A4 0000", "CA 0000", "A4 0000", "CA 0000", "A4 0000"):
        exchanges.begin("apdu", label)
    assert seen == [4]


def test_there_is_an_end_to_the_triggers_that_are_remembered() -> None:
    exchanges = Exchanges()
    for _ in range(MAX_TRIGGERS):
        exchanges.arm("usb", 1, "before", list)
    with pytest.raises(SimError, match="clear them first"):
        exchanges.arm("usb", 1, "before", list)
