"""The renderer against its real child: work, refusals, and a child that hangs, dies or outlives nobody."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from controller.cards.colour import ProfiledColour
from controller.cards.face import Face
from controller.cards.layout_file import read_layout
from controller.cards.panel_file import read_panel_file
from controller.cards.renderer import Renderer
from controller.errors import RendererFailed, RenderError, StoreError
from tests.golden.cards.sample import REPOSITORY, portrait, primacy, raster_of, record, record_json, signature, two_sided_layout
from tests.unit.cards.icc_maker import cmyk
from tests.unit.cards.test_images import bomb


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    renderer = Renderer(primacy())
    yield renderer
    await renderer.close()


def stored(folder: Path, **person: Any) -> Path:
    path = folder / "record.json"
    path.write_text(json.dumps(record_json(**person)))
    return path


def process_of(renderer: Renderer) -> int:
    assert renderer.pid is not None
    return renderer.pid


def gone(pid: int) -> bool:
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter: it went while we read
        return True


async def test_a_record_becomes_a_panel_file(renderer: Renderer, tmp_path: Path) -> None:
    await renderer.render(stored(tmp_path), tmp_path / "job.panels")
    panels = read_panel_file(tmp_path / "job.panels")
    assert [len(panel.data) for panel in panels] == [576_072, 576_072, 576_072, 82_296, 82_296]
    assert (tmp_path / "job.panels").stat().st_mode & 0o077 == 0


async def test_a_panel_file_becomes_a_picture(renderer: Renderer, tmp_path: Path) -> None:
    await renderer.render(stored(tmp_path), tmp_path / "job.panels")
    await renderer.picture(tmp_path / "job.panels", tmp_path / "card.png")
    with Image.open(tmp_path / "card.png") as picture:
        assert picture.size == (1016, 648)
    assert (tmp_path / "card.png").stat().st_mode & 0o077 == 0
    with pytest.raises(RenderError, match="the side 'back' of this card is not printed"):
        await renderer.picture(tmp_path / "job.panels", tmp_path / "back.png", "back")
    with pytest.raises(RenderError, match="the drawn card is not in the spool"):
        await renderer.picture(tmp_path / "none.panels", tmp_path / "card.png")


async def test_another_layout_and_an_icc_profile_reach_the_child(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(two_sided_layout())
    (tmp_path / "printer.icc").write_bytes(cmyk())
    both = raster_of("evolis-primacy", "ymckok")
    renderer = Renderer(both, layout=tmp_path / "two.toml", icc=tmp_path / "printer.icc")
    await renderer.render(stored(tmp_path), tmp_path / "job.panels")
    panels = read_panel_file(tmp_path / "job.panels")
    await renderer.close()
    assert [panel.side for panel in panels] == ["front"] * 5 + ["back"]
    assert panels == Face(read_layout(tmp_path / "two.toml"), ProfiledColour(cmyk())).render(record(), both)


@pytest.mark.parametrize(
    ("profile", "why"),
    [(None, "No such file"), (b"x" * 500, "is no ICC profile"), (cmyk().replace(b"mft1", b"mft9"), "cannot build")],
)
async def test_an_icc_file_that_goes_bad_fails_the_renderer_not_the_record(
    tmp_path: Path, profile: bytes | None, why: str
) -> None:
    if profile is not None:
        (tmp_path / "printer.icc").write_bytes(profile)
    renderer = Renderer(primacy(), icc=tmp_path / "printer.icc")
    with pytest.raises(RendererFailed, match=f"the printer's ICC profile cannot be used .*{why}"):
        await renderer.render(stored(tmp_path), tmp_path / "job.panels")
    await renderer.close()


async def test_good_images_pass_and_one_child_serves_all_requests(renderer: Renderer) -> None:
    await renderer.start()
    first = renderer.pid
    await asyncio.gather(*(renderer.check_images(portrait(), signature()) for _ in range(3)))
    assert renderer.pid == first


async def test_bad_images_are_problems_with_a_place(renderer: Renderer) -> None:
    with pytest.raises(RenderError) as raised:
        await renderer.check_images(portrait()[:-5000], signature())
    assert raised.value.problem.code == "image.unreadable"
    assert raised.value.problem.place == "photo.data"
    assert "minta gambar baru" in raised.value.problem.id


async def test_an_image_bomb_costs_no_memory(renderer: Renderer) -> None:
    with pytest.raises(RenderError, match=r"signature\.data: the image has more than 4000000 pixels"):
        await renderer.check_images(portrait(), bomb(6000, 6000))
    peak = Path(f"/proc/{process_of(renderer)}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(peak) < 120_000  # kB


async def test_an_image_of_too_many_bytes_is_not_even_sent(renderer: Renderer) -> None:
    with pytest.raises(RenderError, match=r"photo\.data: the image has more than 200000 bytes"):
        await renderer.check_images(bytes(100_000_000), signature())
    assert renderer.pid is None


async def test_a_text_that_does_not_fit_is_told(renderer: Renderer, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"person\.name: the text does not fit"):
        await renderer.render(stored(tmp_path, name="W" * 100), tmp_path / "job.panels")
    assert not (tmp_path / "job.panels").exists()


async def test_a_record_that_is_gone_or_garbled_is_told(renderer: Renderer, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="the stored record cannot be read"):
        await renderer.render(tmp_path / "none.json", tmp_path / "job.panels")
    (tmp_path / "torn.json").write_text('{"format":1,')
    with pytest.raises(RenderError, match="line 1"):
        await renderer.render(tmp_path / "torn.json", tmp_path / "job.panels")


async def test_a_folder_that_cannot_be_written_is_a_store_error(renderer: Renderer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        await renderer.render(stored(tmp_path), tmp_path / "none" / "job.panels")


async def test_the_child_is_fenced_in(renderer: Renderer) -> None:
    await renderer.check_images(portrait(), signature())
    pid = process_of(renderer)
    assert resource.prlimit(pid, resource.RLIMIT_AS) == (512 << 20, 512 << 20)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (32 << 20, 32 << 20)


async def test_secrets_of_the_daemon_do_not_reach_the_child(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CENTRE_TOKEN", "secret")
    await renderer.check_images(portrait(), signature())
    assert "secret" not in Path(f"/proc/{process_of(renderer)}/environ").read_text()


async def test_a_child_that_hangs_is_killed_and_replaced() -> None:
    renderer = Renderer(primacy(), request_s=3.0)
    await renderer.check_images(portrait(), signature())
    hung = process_of(renderer)
    os.kill(hung, signal.SIGSTOP)
    with pytest.raises(RenderError, match="took longer than 3 seconds"):
        await renderer.check_images(portrait(), signature())
    await renderer.check_images(portrait(), signature())
    assert gone(hung)
    await renderer.close()


async def test_a_child_that_dies_at_work_is_told_and_replaced(renderer: Renderer) -> None:
    await renderer.check_images(portrait(), signature())
    os.kill(process_of(renderer), signal.SIGSTOP)
    asking = asyncio.create_task(renderer.check_images(portrait(), signature()))
    await asyncio.wait([asking], timeout=0.05)
    os.kill(process_of(renderer), signal.SIGKILL)
    with pytest.raises(RenderError, match="the drawing program died"):
        await asking
    await renderer.check_images(portrait(), signature())


async def test_a_request_given_up_never_answers_the_next(renderer: Renderer, tmp_path: Path) -> None:
    await renderer.check_images(portrait(), signature())
    asking = asyncio.create_task(renderer.render(tmp_path / "none.json", tmp_path / "job.panels"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await renderer.check_images(portrait(), signature())


async def test_closing_twice_is_fine_and_leaves_no_process(renderer: Renderer) -> None:
    await renderer.start()
    pid = process_of(renderer)
    await renderer.close()
    await renderer.close()
    assert gone(pid)
    assert renderer.pid is None


STARTS_A_CHILD = """
import asyncio, tests.golden.cards.sample as sample
from controller.cards.renderer import Renderer
async def main():
    renderer = Renderer(sample.primacy())
    await renderer.check_images(sample.portrait(), sample.signature())
    print(renderer.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_the_child_dies_with_a_killed_daemon() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_A_CHILD], stdout=subprocess.PIPE, cwd=REPOSITORY) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        daemon.kill()
    deadline = time.monotonic() + 5
    while not gone(pid) and time.monotonic() < deadline:
        os.sched_yield()
    assert gone(pid)


def test_a_child_whose_daemon_is_gone_ends_at_once() -> None:
    command = [sys.executable, "-m", "controller.cards.render_child", "--parent", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPOSITORY, timeout=20)
    assert (done.returncode, done.stderr) == (1, "render child: the daemon is gone\n")


def test_stderr_says_where_but_never_what() -> None:
    body = b'{"do": "SITI RAHMAWATI", "turn": 1}'
    command = [sys.executable, "-m", "controller.cards.render_child", "--parent", str(os.getpid())]
    frame = len(body).to_bytes(4, "big") + body
    done = subprocess.run(command, input=frame, capture_output=True, cwd=REPOSITORY, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith(b"render child: KeyError at render_child.py:")
    assert b"SITI" not in done.stderr + done.stdout


def test_the_daemons_side_needs_neither_numpy_nor_pillow() -> None:
    script = "import sys, controller.cards.renderer, controller.cards.panel_file; print({'numpy', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, timeout=20)
    assert done.stdout == "set()\n"
