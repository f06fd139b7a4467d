"""`print-station printer` against a served station: what it prints, and its exit codes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller import cli
from controller.http import care as care_api
from controller.jobs import care_acts, printer_settings
from controller.jobs.care_acts import End, Outcome
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import CardPosition, LaneStatus, PrinterIdentity, PrinterWitness, RollYield
from tests.fakes.site import Site, served
from tests.fakes.stock import fill

BEFORE = PrinterWitness(CardPosition.NONE, 100, 500, 50)
PRINTER = PrinterIdentity("Fake", "2.1", "SN1")
LANE = LaneStatus("1", activity="waiting", condition="held_by_operator", printer_up=True, printer=PRINTER, ribbon_remaining=42,
                  asks=("settings_changed",), cards_until_cleaning=7, rest_s=15)  # fmt: skip

Said = tuple[int, str, str]


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(care_api, "WAIT_S", 0.0)  # constants: no test should wait
    async with served(store, spool, tmp_path / "http.sock") as site:
        site.station.lane_changed(LANE)
        await store.transact(fill, "1", 5)
        yield site


async def _run(site: Site, capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    code = await asyncio.to_thread(cli.main, ["printer", *words, "--station", site.address])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_the_status_of_a_printer_is_all_on_one_screen(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    await site.store.transact(printer_settings.note, "1", "SN1", {"contrast_black": "10"})
    await site.store.transact(printer_settings.note, "1", "SN1", {"contrast_black": "12"})
    now = site.station.snapshot
    site.station.counted(now.jobs, now.outcomes, now.blanks, {}, {}, {"1": RollYield(300, 9, 200, 125)})
    code, out, _ = await _run(site, capsys, "status")
    assert code == 0
    assert out.splitlines()[0] == "lane 1: Fake, serial SN1, 2.1"
    for line in (
        "  ribbon: 42 sets left by its own count, 9 of 300 printed; the roll before gave 125 of 200",
        "  cleaning: in 7 cards, never by this station",
        "  rests for 15 s more",
        "  contrast_black           12  <- accepted: 10",
    ):
        assert line in out.splitlines()


async def test_a_printer_that_never_answered_is_said_and_an_unknown_lane_refused(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.station.lane_changed(LaneStatus("1", condition="printer_absent"))
    _, out, _ = await _run(site, capsys, "status", "--lane", "1")
    assert out.startswith("lane 1: has not answered yet (does not answer)")
    assert "ribbon: ? sets left" in out
    code, _, err = await _run(site, capsys, "status", "--lane", "9")
    assert (code, "There is no such lane." in err) == (1, True)


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (End(Outcome.DONE, after=BEFORE), 0, "lane 1: the cleaning cycle is done; put the ribbon back"),
        (End(Outcome.FAILED, "card_jam", "Scp: CARD JAM", BEFORE), 1, "begun, and the printer said no: A card is jammed"),
        (End(Outcome.FAILED, "card_jam", "Scp: CARD JAM", BEFORE), 1, "sudah dimulai, lalu ditolak printer: Kartu macet"),
        (End(Outcome.UNKNOWN, "care_interrupted"), 1, "nobody saw its end: Nobody saw the end of this care of the printer"),
    ],
)
async def test_how_an_act_ended_is_said(site: Site, capsys: pytest.CaptureFixture[str], how: End, code: int, said: str) -> None:
    _, out, _ = await _run(site, capsys, "clean", "--who", "ani", "--key", "first-try")
    assert "under way; 'print-station printer status --lane 1' tells how it ends" in out
    act = await site.store.read(care_acts.open_in, "1")
    assert act is not None
    begun = await site.store.transact(care_acts.begin, act, "SN1", BEFORE)
    await site.store.transact(care_acts.end, begun, how)
    got, out, err = await _run(site, capsys, "clean", "--who", "ani", "--key", "first-try")
    assert (got, said in out + err) == (code, True)


async def test_the_status_tells_how_the_newest_act_ended(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    await _run(site, capsys, "test-card", "--who", "ani", "--reason", "pale")
    _, out, _ = await _run(site, capsys, "status")
    assert re.search(r"test card asked \S+ by ani: sedang berjalan\n +under way\n", out)
    await site.store.transact(care_acts.forget_asked)
    _, out, _ = await _run(site, capsys, "status")
    assert re.search(r"by ani: tidak dimulai: Perawatan printer .*\n +not begun: This care of the printer was not begun", out)


async def test_cleaning_that_is_due_is_called_so(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.station.lane_changed(replace(LANE, cards_until_cleaning=-3))
    _, out, _ = await _run(site, capsys, "status")
    assert "  cleaning: due, never by this station" in out.splitlines()


async def test_a_test_card_and_accepted_settings_need_a_reason(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("test-card", "accept-settings"):
        with pytest.raises(SystemExit):
            await _run(site, capsys, verb, "--who", "ani")
        assert "--reason" in capsys.readouterr().err
    code, _, err = await _run(site, capsys, "accept-settings", "--reason", "just so")
    assert (code, "No setting of printer SN1 has changed; nothing was accepted." in err) == (1, True)
