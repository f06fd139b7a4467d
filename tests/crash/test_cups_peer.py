"""The kill test on a CUPS of its own works: it loses nothing by itself, and what a kill costs is seen. Figures: `make crash`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tools.crash.cups import DATA, Moment, run
from tools.crash.ipp import IppClient, IppError, attributes
from tools.crash.private_cupsd import DEBIAN, SAFEST, CupsError, PrivateCupsd, Settings, missing

PROBLEM = missing()
pytestmark = pytest.mark.skipif(PROBLEM is not None, reason=f"cupsd cannot run here: {PROBLEM}")

SEEN_S = 20.0
SLOW_S = 1.0  # a print that leaves a busy machine the time to kill in its first or its second half


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a socket lies in it."""
    with TemporaryDirectory(prefix="cups-") as path:
        yield Path(path) / "c"


def submit(cupsd: PrivateCupsd, *titles: str) -> None:
    with IppClient(cupsd.socket) as client:
        for title in titles:
            client.submit(title, DATA)


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SEEN_S
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


@pytest.mark.parametrize("settings", [DEBIAN, SAFEST], ids=["defaults", "safest"])
def test_without_a_kill_every_job_is_printed_once(settings: Settings) -> None:
    result = run(settings, jobs=6, moment=None)
    assert (result.accepted, result.lost, result.printed_twice) == (6, 0, 0)


def test_with_the_defaults_jobs_that_were_accepted_are_lost_by_a_kill() -> None:
    result = run(DEBIAN, jobs=8, moment=Moment(prints=1, wait_s=0.0))
    assert result.printed_before is not None
    assert result.lost > 0
    assert result.printed_twice == 0


def test_with_the_safest_settings_nothing_is_lost_but_the_job_in_hand_is_printed_twice() -> None:
    result = run(SAFEST, jobs=2, moment=Moment(prints=1, wait_s=0.0), print_s=SLOW_S)  # its ink is on the card
    assert (result.lost, result.printed_twice) == (0, 1)


def test_a_job_killed_before_its_ink_is_printed_once() -> None:
    result = run(SAFEST, jobs=2, moment=Moment(prints=1, wait_s=0.6 * SLOW_S), print_s=SLOW_S)  # the next one has begun
    assert (result.lost, result.printed_twice) == (0, 0)


def test_a_kill_is_seen_in_the_log_of_prints(folder: Path) -> None:
    with PrivateCupsd(folder, SAFEST, SLOW_S) as cupsd:
        cupsd.start()
        submit(cupsd, "a", "b")
        assert until(lambda: len(cupsd.prints()) == 1)
        cupsd.kill()
        cupsd.start()
        assert until(lambda: len(cupsd.prints()) == 3)
        assert cupsd.prints()[:3] == ["a", "a", "b"]


def test_the_backend_dies_with_cupsd(folder: Path) -> None:
    with PrivateCupsd(folder, print_s=SLOW_S) as cupsd:
        cupsd.start()
        submit(cupsd, "a", "b")
        assert until(lambda: cupsd.printing() == "b")
        cupsd.kill()
        time.sleep(SLOW_S)
        assert cupsd.prints() == ["a"]


def test_nothing_runs_after_the_block(folder: Path) -> None:
    with PrivateCupsd(folder) as cupsd:
        cupsd.start()
        pid = int((folder / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_it_listens_on_its_own_socket_only(folder: Path) -> None:
    with PrivateCupsd(folder) as cupsd:
        cupsd.start()
        process = Path("/proc", (folder / "pid").read_text())
        opened = []
        for entry in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # it closes some of them while we look
                opened.append(str(entry.readlink()))
        listening = [line.split()[9] for line in (process / "net/tcp").read_text().splitlines()[1:]]
        assert any(name.startswith("socket:") for name in opened)
        assert not {f"socket:[{inode}]" for inode in listening} & set(opened)


def test_a_cupsd_that_cannot_start_says_why(folder: Path) -> None:
    with PrivateCupsd(folder) as cupsd:
        with (folder / "etc/cups-files.conf").open("a") as config:
            config.write("FatalErrors all\nNonsense yes\n")
        with pytest.raises(CupsError, match=r"did not start \(exit code 1\): .*Unknown directive Nonsense"):
            cupsd.start()


def test_a_job_for_a_dead_cupsd_is_not_acknowledged(folder: Path) -> None:
    with PrivateCupsd(folder) as cupsd:
        cupsd.start()
        cupsd.kill()
        with pytest.raises(IppError, match="no answer"):
            submit(cupsd, "a")


def test_a_refused_job_is_not_acknowledged(folder: Path) -> None:
    with PrivateCupsd(folder) as cupsd:
        printers = folder / "etc/printers.conf"
        printers.write_text(printers.read_text().replace("Accepting Yes", "Accepting No"))
        cupsd.start()
        with pytest.raises(IppError, match="IPP status 0x0506"):
            submit(cupsd, "a")


@pytest.mark.parametrize("length", [9, 12, 30])
def test_an_answer_cut_short_is_an_error(length: int) -> None:
    answer = b"\x02\x00\x00\x00\x00\x00\x00\x01\x01\x47\x00\x12attributes-charset\x00\x05utf-8\x03"
    assert attributes(answer) == [("attributes-charset", b"utf-8")]
    with pytest.raises(IppError, match="cut short"):
        attributes(answer[:length])


def test_a_folder_that_a_socket_cannot_lie_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CupsError, match="short and without spaces"):
        PrivateCupsd(tmp_path / ("x" * 100))
