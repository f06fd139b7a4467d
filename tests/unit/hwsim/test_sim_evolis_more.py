"""What the simulated Evolis does besides printing cards: copies, test cards, cleaning, settings, options, and rarer faults."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwsim.arming import arm
from hwsim.devices.mechanics import STAGES
from hwsim.devices.parts import StagedError, fitted_ribbon
from hwsim.errors import SimError
from hwsim.profiles import PROFILES, EvolisProfile, load_printer
from hwsim.world import Place, Spot
from tests.unit.hwsim.printer_bench import CHIP, LANE, PROFILE, Bench, settle
from tests.unit.hwsim.station_bench import running


async def refused(bench: Bench, command: str) -> str:
    """The reply in host error mode."""
    return (await bench.ask("Pem;2", command))[-1]


# Printing


async def test_a_panel_of_256_levels_has_a_byte_for_each_dot() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Ss", "Sr")
        assert await bench.ask_raw(b"\x1bDb;y;256;" + bytes(658_368) + b"\r") == "OK"
        await bench.ask("Se")
        assert bench.world.blank("blank-00001").printed[0].levels == 256


async def test_copies_are_cards_like_the_last_one() -> None:
    async with Bench(3).on() as bench:
        await bench.ask("Ss", "Sr")
        await bench.download("yk")
        assert await bench.ask("Se", "Sc;2") == ["OK", "OK"]
        assert (bench.printed("blank-00003"), bench.count(Spot.OUTPUT)) == (["fy", "fk"], 3)


async def test_copies_wait_for_blanks_and_go_on_where_they_stopped() -> None:
    async with Bench(2).on() as bench:
        await bench.ask("Ss", "Sr")
        await bench.download("k")
        await bench.ask("Se")
        asking = asyncio.create_task(bench.ask("Sc;2"))
        while await bench.status() != 0x38:
            await asyncio.sleep(0)
        bench.world.move(bench.world.make(1, CHIP)[0], Place(Spot.HOPPER, LANE))
        bench.mechanics.touched()
        assert (await asking, bench.count(Spot.OUTPUT), bench.printed("blank-00002"), bench.printed("blank-00003")) == (
            ["OK"], 3, ["fk"], ["fk"],
        )  # fmt: skip


@pytest.mark.parametrize("command", ["Sc", "Sc;0", "Sc;x", "Sc;999"])
async def test_copies_of_nothing_and_numbers_that_make_no_sense_are_refused(command: str) -> None:
    async with Bench(1).on() as bench:
        assert await bench.ask(command) == ["ERROR PARAMETRES"]


@pytest.mark.parametrize(("ribbon", "panel"), [("ymcko", "fk"), ("k", "fk"), ("ho", "fo")])
@pytest.mark.parametrize("command", ["St", "Stt"])
async def test_a_test_card_is_one_card(command: str, ribbon: str, panel: str) -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.ribbon = fitted_ribbon(PROFILE, ribbon)
        assert await bench.ask(command) == ["OK"]
        assert (bench.printed(), bench.count(Spot.OUTPUT)) == ([panel], 1)


async def test_a_real_windows_job_prints_in_the_printers_own_error_mode_with_one_reply_each() -> None:
    job = (
        b"\x1bPr;k\r\x1bPmi;F;s\r\x1bSs\r\x1bSr\r\x1bDbc;k;2;1017;\x01\x80"
        + bytes(1015)
        + b"\r"
        + bytes(50)
        + b"\x1bSe;1\r"
        + bytes(32)
    )
    async with Bench(1).on() as bench:
        await bench.printer.bulk_out(1, job)
        assert [await bench.reply() for _ in range(6)] == ["ERR RIBBON TYPE", "OK", "OK", "OK", "OK", "OK"]
        assert bench.printed() == ["fk"]


# Upkeep


async def test_cards_count_down_to_cleaning_and_cleaning_counts_anew() -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Si", "Se")
        assert await bench.ask("Rco;r", "Rco;n", "Scp", "Rco;r", "Rco;n") == ["999", "0", "OK", "1000", "1"]


async def test_a_printer_that_wants_to_be_cleaned_says_so_and_prints_unless_it_stops(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, "cleaning_due", None, {})
        assert await rig.ask("Pem;2", "Rlr;c", "Rco;r", "Si", "Se") == ["OK", "NEED CLEANING", "0", "OK", "OK"]
        rig.lane.load(1, frozenset())
        arm(rig.station, "cleaning_due", None, {"stop": "yes"})
        assert await rig.ask("Si", "Scp", "Si") == ["NEED CLEANING", "OK", "OK"]


@pytest.mark.parametrize(
    ("setter", "query", "value"),
    [
        ("Pc;y;=;12", "Rc;y", "12"),
        ("Pc;a;=;7", "Rc;o", "7"),
        ("Pl;k;+;3", "Rl;k", "13"),
        ("Ps;m;-;4", "Rs;m", "6"),
        ("Px;=;-5", "Rx", "-5"),
        ("Pos;=;1160", "Ros", "1160"),
        ("Poc;=;801", "Roc", "801"),
    ],
)
async def test_a_setting_is_read_back(setter: str, query: str, value: str) -> None:
    async with Bench(0).on() as bench:
        assert await bench.ask(setter, query) == ["OK", value]


@pytest.mark.parametrize("setter", ["Pc", "Pc;y", "Pc;q;=;1", "Pc;ym;=;1", "Pc;y;=;x", "Pos", "Pos;1160", "Px;*;2"])
async def test_a_setter_that_makes_no_sense_changes_nothing(setter: str) -> None:
    async with Bench(0).on() as bench:
        before = dict(bench.machine.unit_settings)
        assert (await bench.ask(setter), bench.machine.unit_settings) == (["ERROR PARAMETRES"], before)


async def test_settings_outlive_power() -> None:
    async with Bench(0).on() as bench:
        await bench.ask("Pc;y;=;12")
        bench.printer.cut_power()
    async with bench.on():
        assert await bench.ask("Rc;y") == ["12"]


async def test_a_person_turns_a_setting_and_a_service_changes_the_firmware(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "setting", None, {"name": "station_contactless", "value": "790"})
        arm(rig.station, "firmware", None, {"text": "9.1"})
        assert await rig.ask("Roc", "Rfv") == ["790", "9.1"]


# Options and variants


@pytest.mark.parametrize(("station", "command"), [("flip", "Sv"), ("reject", "Ser"), ("contact", "Sis"), ("contactless", "Sic")])
async def test_what_a_model_does_not_have_is_no_option(station: str, command: str) -> None:
    async with Bench(1, profile=replace(PROFILE, stations=PROFILE.stations - {station})).on() as bench:
        assert (await bench.ask(command), bench.count(Spot.HOPPER)) == (["OPT NOT AVAILABLE"], 1)


def test_a_variant_is_one_file_that_lists_what_differs() -> None:
    zenius = load_printer("evolis-zenius")
    assert isinstance(zenius, EvolisProfile)
    assert (zenius.model, zenius.product_id, sorted(zenius.stations)) == (
        "Evolis Zenius",
        0x0A00,
        ["contact", "contactless", "reject"],
    )
    assert (zenius.levels, zenius.timing_s["eject"], zenius.timing_s["feed"]) == (PROFILE.levels, 1.5, 3.0)


def _profiles(folder: Path, **files: str) -> Path:
    (folder / "printers").mkdir()
    primacy = (PROFILES / "printers/evolis-primacy.toml").read_text(encoding="utf-8")
    for name, text in {"evolis-primacy": primacy, **files}.items():
        (folder / f"printers/{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_tables_are_merged_and_lists_replaced(tmp_path: Path) -> None:
    small = '[[raster.panels]]\nname = "k"\nlevels = 2\nsize_bytes = 82296\n'
    folder = _profiles(tmp_path, other=f'extends = "evolis-primacy"\nmodel = "Evolis Other"\n[stations]\nflip = false\n{small}')
    other: Any = load_printer("other", folder)
    assert (other.model, other.levels, "flip" in other.stations, "contact" in other.stations) == (
        "Evolis Other",
        {"k": 2},
        False,
        True,
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"p": 'extends = "q"', "q": 'extends = "p"'}, "extends goes round or too far: p > q > p"),
        ({"p": 'extends = "p"'}, "extends goes round or too far: p > p"),
        ({"p": 'extends = "nobody"'}, "there is no profile 'nobody' in printers/"),
        ({"p": "extends = 1"}, "extends must be a text"),
        ({"p": 'extends = "evolis-primacy"\nribbon = "gold"'}, "ribbon must be one of ymcko, ymckok, ko, k, not 'gold'"),
        (
            {"p": 'extends = "evolis-primacy"\nfamily = "magicard"\n[raster]\npacking = "evolis"'},
            "packing must be one of kge2, kge, kee",
        ),
    ],
)
def test_a_variant_that_cannot_be_is_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(SimError, match=words):
        load_printer("p", _profiles(tmp_path, **files))


# Faults


@pytest.mark.parametrize(
    ("trouble", "command", "word"),
    [
        ("hopper_door", "Se", "HOPPER DOOR"),
        ("hopper_error", "Se", "ERROR HOPPER"),
        ("output_full", "Se", "HOPPER FULL"),
        ("reject_full", "Ser", "HOPPER FULL"),
    ],
)
async def test_trouble_at_the_output_keeps_the_card_inside(trouble: str, command: str, word: str) -> None:
    async with Bench(1).on() as bench:
        await bench.ask("Pem;2", "Si")
        setattr(bench.mechanics.troubles, trouble, True)
        assert (await bench.ask(command), bench.count(Spot.INSIDE)) == ([word], 1)


async def test_a_head_that_fails_prints_nothing() -> None:
    async with Bench(1).on() as bench:
        bench.mechanics.troubles.head_error = True
        await bench.ask("Pem;2", "Ss")
        await bench.download("k")
        assert (await bench.ask("Se"), bench.printed()) == (["ERROR HEAD"], [])


async def test_the_reject_box_says_when_it_is_full() -> None:
    async with Bench(0).on() as bench:
        bench.mechanics.troubles.reject_full = True
        assert await bench.ask("Rlr;h") == ["CARD"]


@pytest.mark.parametrize("stage", STAGES)
async def test_any_word_can_come_at_any_stage_once(stage: str) -> None:
    commands = {"feed": "Si", "move": "Sis", "print": "Se", "eject": "Se", "reject": "Ser"}
    async with Bench(2).on() as bench:
        await bench.ask("Pem;2", *(["Si"] if stage != "feed" else []), *(["Ss"] if stage == "print" else []))
        bench.mechanics.troubles.errors.append(StagedError(stage, "ERROR UNKNOW", (1, 2)))
        if stage == "print":
            await bench.download("k")
        assert [await refused(bench, commands[stage]), await refused(bench, commands[stage])] == ["ERROR UNKNOW", "OK"]


async def test_a_sensor_says_what_a_test_wants_and_then_the_truth_again(tmp_path: Path) -> None:
    async with running(tmp_path, blanks=1) as rig:
        arm(rig.station, "sensor", None, {"query": "Rse;b", "text": "4,95 Volts"})
        changed = await rig.ask("Rse;b")
        arm(rig.station, "sensor", None, {"query": "Rse;b"})
        assert changed + await rig.ask("Rse;b") == ["4,95 Volts", "0,20 Volts"]


async def test_a_busy_printer_takes_nothing_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "busy", None, {"seconds": "0.05"})
        sending = asyncio.create_task(rig.ask("Rok"))
        await settle()
        assert (rig.lane.printer.port_status, sending.done()) == (0x08, False)
        assert (await sending, rig.lane.printer.port_status) == (["OK"], 0x18)


async def test_the_port_status_may_lie(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "port_status", None, {"value": "56"})
        lied = rig.lane.printer.port_status
        arm(rig.station, "port_status", None, {})
        assert (lied, rig.lane.printer.port_status) == (0x38, 0x18)


async def test_a_reply_may_have_no_end(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "reply_endless", None, {})
        await rig.lane.printer.bulk_out(1, b"Rok\r")
        pieces = [await rig.lane.printer.bulk_in(2, 512) for _ in range(200)]
        assert set(b"".join(pieces)) == {ord("A")}


async def test_another_printer_on_the_cable_says_another_serial(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "swapped_printer", None, {"serial": "SIM-E-9999", "model": "Evolis Zenius"})
        assert await rig.ask("Rsn", "Rtp") == ["SIM-E-9999", "Evolis Zenius"]
        assert (rig.lane.printer.descriptor(3, 3, 0) or b"").decode("utf-16-le").endswith("SIM-E-9999")


async def test_the_wrong_ribbon_is_fitted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        arm(rig.station, "ribbon_wrong", None, {"type": "k"})
        assert await rig.ask("Pr;ymcko", "Pr;k") == ["ERR RIBBON TYPE", "OK"]


async def test_text_and_lines_are_taken_and_nothing_prints_of_them() -> None:
    async with Bench(1).on() as bench:
        assert await bench.ask("Pwb;k", "Wt;1;2;0;30;TEXT", "Wl;1;2;3;4", "Ss", "Se") == ["OK"] * 5
        assert bench.printed() == []
