"""The simulated Magicard: what it answers, what it prints, and what stops it."""

from __future__ import annotations

import asyncio

import pytest

from hwsim.devices.parts import StagedError, fitted_ribbon
from hwsim.world import Spot
from tests.unit.hwsim.magicard_bench import DEVICE_ID, RESET, STATUS, MagicardBench, page, profile, request, settle

PLANE, BLACK = bytes(585_216), bytes(97_536)
IDLE = b"\x01STAPrinterstatus OK.\n00:00\n(c0300)\x03"


def whole_job(keys: str = "OVRON,PCT0,0,1015,641") -> bytes:
    """Yellow, magenta, cyan, black and overcoat."""
    return bytes(64 * [5]) + page(keys, y=PLANE, m=PLANE, c=PLANE, k=BLACK)


# Identity and requests


def test_it_looks_on_usb_as_in_the_capture() -> None:
    descriptors = MagicardBench(0).printer.descriptors()
    assert (descriptors.device[2:8], descriptors.device[8:14]) == (bytes((0x10, 1, 0, 0, 0, 8)), bytes.fromhex("1f0c00480001"))
    interface, out, into = descriptors.configuration[9:18], descriptors.configuration[18:25], descriptors.configuration[25:32]
    assert (interface[5:8], out[2:6], into[2:6]) == (b"\x07\x01\x02", b"\x01\x02\x40\x00", b"\x82\x02\x40\x00")


async def test_its_device_id_and_port_status() -> None:
    async with MagicardBench(0).on() as bench:
        reply = await bench.printer.control(DEVICE_ID, b"")
        assert (reply[:2], reply[2:27]) == (len(reply).to_bytes(2, "big"), b"MFG:Magicard ;MDL:Enduro;")
        assert await bench.printer.control(STATUS, b"") == b"\x18"


@pytest.mark.parametrize(
    "data",
    [
        b"\x01,REQ,ERR,\x1c\x03",
        bytes(9 * [5]) + b"\x01REQ,ERR,\x1c\x03",
        bytes(64 * [5]) + b"\x01ERR\x1c\x03",
        b"\0junk\x03\x01torn\x01,REQ,ERR,\x1c\x03",
    ],
)
async def test_a_request_in_every_form_and_after_junk_is_answered(data: bytes) -> None:
    async with MagicardBench(0).on() as bench:
        assert await bench.ask(data) == IDLE
        assert len(IDLE) == 36


async def test_the_information_has_35_fields_and_those_a_driver_needs() -> None:
    async with MagicardBench(0).on() as bench:
        fields = await bench.info()
        assert (len(fields), fields[1], fields[2], fields[3], fields[16]) == (35, "Enduro", "0", "SIM-M-0001", "50")
        assert (int(fields[22]) - int(fields[23]), fields[24], fields[19:21]) == (300, "YMCKO", ["00", "00"])


@pytest.mark.parametrize(
    ("key", "value"), [("MSR", "SIM-M-0001"), ("FPP", "50"), ("PID", "18432"), ("DFR", "300"), ("CCP", "700"), ("TCQ", "1000")]
)
async def test_a_key_is_answered_in_the_gutenprint_form(key: str, value: str) -> None:
    async with MagicardBench(0).on() as bench:
        reply = await bench.ask(bytes(9 * [5]) + f"\x01REQ,STA,{key},\x1c\x03".encode())
        assert reply == f"\x01STA,{key}{value},\x03".encode()


async def test_the_sensor_dump_ends() -> None:
    async with MagicardBench(0).on() as bench:
        lines = [await bench.ask(f"\x01SNR{number}\x1c\x03".encode()) for number in (1, 2, 3, 4)]
        assert lines == [b"LID=0", b"FRONT=0", b"DYE=1", b"END"]


@pytest.mark.parametrize("text", ["STA,XXX", "FRM100", "CHPUP", "FLIP", "ERASE", "NONSENSE"])
async def test_what_is_not_known_gets_no_reply_and_does_nothing(text: str) -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(request(text))
        assert (await bench.ask(request("ERR")), bench.status(), bench.count(Spot.HOPPER)) == (IDLE, 0x18, 1)


# Jobs


async def test_a_job_takes_a_card_from_the_hopper_prints_it_and_counts() -> None:
    async with MagicardBench(2).on() as bench:
        before = await bench.info()
        await bench.send(whole_job())
        await bench.free()
        after = await bench.info()
        assert (bench.printed(), bench.count(Spot.OUTPUT), bench.count(Spot.HOPPER)) == (["fy", "fm", "fc", "fk", "fo"], 1, 1)
        assert [int(after[n]) - int(before[n]) for n in (9, 11, 13, 14, 23)] == [1, 5, 5, 1, 1]


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_job_may_come_in_any_packets(size: int) -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(b"\x05" * 9 + page("OVROFF", k=b"\x80" * 960) + request("ERR"), size)
        await bench.free()
        assert bench.printed() == ["fk"]


async def test_sizes_count_and_not_the_image_format() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("KGE2,IMFBGRK,OVROFF", y=PLANE))
        await bench.free()
        assert bench.printed() == ["fy"]


async def test_sizes_and_planes_may_be_named_by_their_dyes() -> None:
    async with MagicardBench(1).on() as bench:
        planes = b"".join(bytes(576) + b"\x1c" + letter + b":" for letter in (b"Y", b"M", b"C"))
        await bench.send(b"\x01,NOC1,SZC576,IMFYMC,SZM576,SZY576\x1c" + planes + b"\x03")
        await bench.free()
        assert bench.printed() == ["fy", "fm", "fc"]


async def test_planes_may_come_in_the_order_of_the_sizes() -> None:
    planes = {b"K": b"\x11" * 96, b"R": b"\x22" * 576, b"B": b"\x33" * 576}
    async with MagicardBench(1).on() as bench:
        sizes = b"".join(b",SZ%s%d" % (letter, len(plane)) for letter, plane in planes.items())
        body = b"".join(plane + b"\x1c" + letter + b":" for letter, plane in planes.items())
        await bench.send(b"\x01,NOC1" + sizes + b"\x1c" + body + b"\x03", 50)
        await bench.free()
        printed = {one.panel: one.dots for one in bench.world.blank("blank-00001").printed}
        assert printed == {"y": planes[b"B"], "c": planes[b"R"], "k": planes[b"K"]}


async def test_fronts_without_their_backs_are_jobs_one_after_the_other() -> None:
    async with MagicardBench(3).on() as bench:
        await bench.send(2 * page("DPXON,PAG1,OVROFF", k=bytes(96)) + page("OVROFF", k=bytes(96)))
        await bench.free()
        assert (bench.count(Spot.OUTPUT), bench.printed("blank-00003")) == (3, ["fk"])


async def test_both_sides_are_two_pages() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("DPXON,PAG1,BACK,OVROFF", y=PLANE) + page("PAG2,OVROFF", k=BLACK))
        await bench.free()
        assert (bench.printed(), bench.mechanics.ribbon.remaining) == (["fy", "bk"], 298)


async def test_copies_are_cards() -> None:
    async with MagicardBench(3).on() as bench:
        await bench.send(page("OVROFF", k=BLACK).replace(b"NOC1", b"NOC2"))
        await bench.free()
        assert bench.count(Spot.OUTPUT) == 2


async def test_magnetic_data_and_unknown_keys_are_skipped() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("XYZ9,MAG1,BPI210,MPC7,COEH,%NOTHING?,OVROFF,Q", k=BLACK))
        await bench.free()
        assert bench.printed() == ["fk"]


async def test_at_most_two_holes_are_left_in_the_overcoat() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("OVRON,PCT0,0,1015,641,NCT1,1,2,2,NCT3,3,4,4,NCT5,5,6,6"))
        await bench.free()
        (overcoat,) = bench.world.blank("blank-00001").printed
        assert overcoat.dots == b"OVRON,PCT0,0,1015,641,NCT1,1,2,2,NCT3,3,4,4"


async def test_a_second_job_is_not_taken_while_one_is_under_way_but_requests_are() -> None:
    async with MagicardBench(0).on() as bench:
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        second = asyncio.create_task(bench.printer.bulk_out(1, page("OVROFF", k=BLACK)[:4096]))
        await settle()
        assert (second.done(), b"11:01" in await _ask_beside(bench)) == (False, True)
        second.cancel()


async def _ask_beside(bench: MagicardBench) -> bytes:
    """A request while a transfer is not taken: on the real wire it would wait behind it."""
    await bench.printer.take(request("ERR"))
    return await bench.printer.bulk_in(2, 1024)


@pytest.mark.parametrize("word", ["CAN", "RST"])
async def test_a_torn_job_waits_and_can_or_a_reset_drops_it(word: str) -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(whole_job()[:700_000])
        assert (bench.status(), await bench.ask(request("ERR"))) == (0x18, IDLE)
        await bench.send(request(word))
        await bench.send(page("OVROFF", k=BLACK))
        await bench.free()
        assert bench.printed() == ["fk"]


@pytest.mark.parametrize("how", ["cable", "soft reset"])
async def test_a_torn_job_is_forgotten_with_the_buffers(how: str) -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(whole_job()[:700_000])
        await bench.printer.control(RESET, b"") if how == "soft reset" else bench.printer.bus_reset()
        await bench.send(page("OVROFF", k=BLACK))
        await bench.free()
        assert bench.printed() == ["fk"]


async def test_a_plane_that_is_too_short_swallows_what_follows() -> None:
    async with MagicardBench(2).on() as bench:
        await bench.send(page("OVROFF", k=BLACK).replace(b"SZK97536", b"SZK97999") + page("OVROFF", k=BLACK))
        await bench.free()
        assert bench.printed() == ["fk"]
        assert (bench.world.blank("blank-00001").printed[0].dots or b"").rstrip(b"\0").endswith(b"SZK97536\x1c")


# The hand-feed slot


async def test_a_card_that_waits_in_the_slot_is_printed_and_the_hopper_left_alone() -> None:
    async with MagicardBench(2).on() as bench:
        bench.put("blank-00002")
        await bench.send(whole_job("HFDON,OVRON"))
        await bench.free()
        assert (bench.printed("blank-00002")[-1], bench.count(Spot.HOPPER)) == ("fo", 1)


async def test_it_works_while_it_waits_for_a_card() -> None:
    async with MagicardBench(1, patience_s=60.0).on() as bench:
        await bench.send(page("HFDON,OVROFF", k=BLACK))
        await settle()
        waiting = bench.status()
        bench.put("blank-00001")
        await bench.free()
        assert (waiting, bench.status(), bench.printed(), (await bench.info())[8]) == (0x08, 0x18, ["fk"], "1")


async def test_without_a_card_in_the_slot_it_says_not_fed_and_ok_tries_again() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("LANGER,HFDON,OVROFF", k=BLACK))
        await bench.stopped()
        reply = await bench.ask(request("ERR"))
        assert (bench.status(), len(reply)) == (0x10, 101)  # printers.md 4.2
        assert reply.partition(b"\n")[2] == b"Fehlercode - 11:01\n(c0201)\x03\x00"
        bench.put("blank-00001")
        await bench.send(request("OKY"))
        await bench.free()
        assert (bench.printed(), await bench.ask(request("ERR"))) == (["fk"], IDLE)


@pytest.mark.parametrize("patience_s", [0.0, 60.0])
async def test_cancel_drops_a_job_whose_card_never_came(patience_s: float) -> None:
    async with MagicardBench(1, patience_s=patience_s).on() as bench:
        await bench.send(page("HFDON,OVROFF", k=BLACK))
        await settle()
        await bench.send(request("CAN"))
        await bench.free()
        bench.put("blank-00001")
        await settle()
        assert (bench.status(), bench.printed(), bench.mechanics.slot_card) == (0x18, [], "blank-00001")


# Trouble


async def test_an_empty_hopper_is_not_fed() -> None:
    async with MagicardBench(0).on() as bench:
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        assert b"The card was not fed.\nError code - 11:01\n(c0201)\x03\x00" in await bench.ask(request("ERR"))
        assert (await bench.info())[19:21] == ["11", "01"]


async def test_a_chosen_error_is_told_and_cancel_lets_the_card_out() -> None:
    async with MagicardBench(1).on() as bench:
        bench.mechanics.troubles.errors.append(StagedError("print", "Dye film", (23, 7)))
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        assert b"Dye film\nError code - 23:07\n" in await bench.ask(request("ERR"))
        await bench.send(request("CAN"))
        await bench.free()
        assert (bench.printed(), bench.count(Spot.OUTPUT), (await bench.info())[9]) == ([], 1, "1000")


async def test_an_open_cover_stops_the_print_with_a_pair_that_is_not_public() -> None:
    async with MagicardBench(1).on() as bench:
        bench.mechanics.troubles.cover_open = True
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        bench.mechanics.troubles.cover_open = False
        assert b"99:99" in await bench.ask(request("ERR"))
        await bench.send(request("OKY"))
        await bench.free()
        assert bench.printed() == ["fk"]


async def test_dyes_on_a_black_ribbon_and_a_used_up_ribbon_are_errors() -> None:
    async with MagicardBench(2).on() as bench:
        for ribbon in (fitted_ribbon(bench.machine.profile, "k"), fitted_ribbon(bench.machine.profile, "ymcko", 0)):
            bench.mechanics.ribbon = ribbon
            await bench.send(page("OVROFF", y=PLANE))
            await bench.stopped()
            await bench.send(request("CAN"))
            await bench.free()
        assert (bench.printed(), bench.printed("blank-00002"), bench.count(Spot.OUTPUT)) == ([], [], 2)


async def test_cleaning_counts_from_nought_again() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(page("OVROFF", k=BLACK))
        await bench.free()
        await bench.send(request("CLN"))
        await bench.free()
        assert (await bench.info())[12:15] == ["1", "0", "0"]


async def test_a_test_card_is_printed_and_a_reset_ends_a_fault() -> None:
    async with MagicardBench(1).on() as bench:
        await bench.send(b"\x01TST,\x1c\x03")
        await bench.free()
        assert bench.printed() == ["fk", "fo"]
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        await bench.send(request("RST"))
        await bench.free()
        assert bench.status() == 0x18


async def test_without_power_the_job_is_gone_and_the_card_comes_out_with_it() -> None:
    bench = MagicardBench(1)
    async with bench.on():
        bench.mechanics.troubles.head_error = True
        await bench.send(page("OVROFF", k=BLACK))
        await bench.stopped()
        bench.printer.cut_power()
        assert (bench.status(), bench.count(Spot.INSIDE)) == (0x18, 1)
    async with bench.on():
        await settle()
        assert (bench.count(Spot.OUTPUT), (await bench.info())[9]) == (1, "1000")


def test_the_alto_extends_the_enduro() -> None:
    alto, enduro = profile("magicard-alto"), profile("magicard-enduro")
    assert (alto.packing, alto.height_lines, alto.product_id) == ("kge", 1000, 0x2800)
    assert (alto.vendor_id, alto.timing_s, alto.external) == (enduro.vendor_id, enduro.timing_s, True)
