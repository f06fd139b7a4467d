"""What drawing and packing a card costs: CPU time of the rendering child, for each print head.

Beside it, in the same run: a plain copy of the same bytes, and the CUPS path (Ghostscript and Gutenprint) that makes a card
printer's job of the same record at 300 dpi. The same means: the same lines of text, photo and signature at the same places; its
fonts are those that every PDF reader has, and it makes no black panel and no overlay.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from pathlib import Path

from benchmarks.card_pdf import card_pdf
from benchmarks.cups_path import FILTERS, Cost, CupsPath, missing
from benchmarks.figures import Aim, Figure, Section
from benchmarks.proc import memory_mb
from benchmarks.records import records
from controller.cards.layout_file import installed_layout
from controller.cards.panel_file import read_panel_file
from controller.cards.raster import Raster, RasterPanel
from controller.cards.renderer import Renderer
from controller.config import DEFAULT_PROFILES
from controller.hal.evolis import codec as evolis_codec
from controller.hal.magicard import job as magicard_job
from controller.hal.profiles.printer import PANELS_MARK, RIBBON_MARK, EvolisProfile, MagicardProfile, find_profile
from controller.model import Panel
from controller.records.intake import load_stored

FOLDER = Path("build/bench/cards-cpu")
PRINTERS = ("evolis-primacy", "magicard-enduro", "magicard-alto")
CARDS, WARM_UP, COPIES, PEER_RUNS = 40, 5, 50, 5
OURS, PEER = Aim(at_most=40), Aim(at_most=10)
_NS_PER_MS = 1_000_000


def measure() -> list[Section]:
    """One section for the peer, one for each print head."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    paths = []
    for number, body in enumerate(records(CARDS, "CPU")):
        paths.append(FOLDER / f"{number:02}.json")
        paths[-1].write_bytes(body)
    try:
        peer = _peer(paths[:PEER_RUNS]) if missing() is None else None
        return [_peer_section(peer), *(_section(name, paths, peer) for name in PRINTERS)]
    finally:
        shutil.rmtree(FOLDER)


def _peer_section(peer: dict[str, Cost] | None) -> Section:
    if peer is None:
        return Section(f"The CUPS path was not measured: {missing()}", [])
    parts = [Figure(f"  CPU of {name}", peer[name].cpu_ms, "ms") for name in FILTERS]
    whole = Figure("CPU of the CUPS path a card", _cpu_ms(peer), "ms")
    peak = Figure("peak RSS of its largest filter", max(cost.peak_mb for cost in peer.values()), "MiB")
    return Section("Peer of the rendering: the same card by Ghostscript and Gutenprint at 300 dpi", [whole, *parts, peak])


def _share(ours: Cost, peer: dict[str, Cost]) -> Figure:
    note = f"{_cpu_ms(peer) / ours.cpu_ms:.1f} times less"
    return Figure("  share of the CUPS path's CPU", ours.cpu_ms / _cpu_ms(peer) * 100, "%", PEER, note)


def _cpu_ms(peer: dict[str, Cost]) -> float:
    return sum(cost.cpu_ms for cost in peer.values())


def _section(name: str, paths: list[Path], peer: dict[str, Cost] | None) -> Section:
    profile = find_profile(DEFAULT_PROFILES / "printers", name)
    raster = profile.raster_for(profile.ribbon)
    ours = asyncio.run(_render(raster, paths))
    panels = read_panel_file(FOLDER / "card.panels")
    copy_ms, sent_bytes = _copy_ms(panels), _job_bytes(profile, panels)
    least_bytes = sum(_dots_bytes(raster, panel) for panel in raster.panels)
    figures = [
        Figure("CPU of the rendering child a card, drawn, packed, written", ours.cpu_ms, "ms", OURS),
        Figure("  plain copy of the same bytes", copy_ms, "ms"),
        Figure("  times the plain copy", ours.cpu_ms / copy_ms, "x"),
        *([] if peer is None else [_share(ours, peer)]),
        Figure("bytes to the printer a card", sent_bytes, "bytes"),
        Figure("  times the dots themselves", sent_bytes / least_bytes, "x", note="more than 1 is the printer's own format"),
        Figure("peak RSS of the rendering child", ours.peak_mb, "MiB"),
    ]  # fmt: skip
    return Section(f"Render and pack, {profile.model}, {len(paths) - WARM_UP} cards", figures)


async def _render(raster: Raster, paths: list[Path]) -> Cost:
    renderer = Renderer(raster)
    try:
        for path in paths[:WARM_UP]:
            await renderer.render(path, FOLDER / "card.panels")
        assert renderer.pid is not None  # it has just answered
        before_ns = _on_cpu_ns(renderer.pid)
        for path in paths[WARM_UP:]:
            await renderer.render(path, FOLDER / "card.panels")
        cpu_ms = (_on_cpu_ns(renderer.pid) - before_ns) / _NS_PER_MS / (len(paths) - WARM_UP)
        return Cost(cpu_ms, memory_mb(renderer.pid)["peak"])
    finally:
        await renderer.close()


def _on_cpu_ns(pid: int) -> int:
    """CPU time of all threads, finer than the clock ticks of /proc/PID/stat."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in Path(f"/proc/{pid}/task").iterdir())


def _copy_ms(panels: tuple[Panel, ...]) -> float:
    data = bytearray().join(panel.data for panel in panels)
    target = bytearray(len(data))
    took_ms = []
    for _ in range(COPIES):
        begun_ns = time.process_time_ns()
        target[:] = data
        took_ms.append((time.process_time_ns() - begun_ns) / _NS_PER_MS)
    return statistics.median(took_ms)


def _job_bytes(profile: EvolisProfile | MagicardProfile, panels: tuple[Panel, ...]) -> int:
    """All that the driver sends to print one card."""
    if isinstance(profile, MagicardProfile):
        return sum(len(block) for block in magicard_job.job_blocks(profile, panels, 0, 50))
    words = [command for command in profile.acts.print or () if command not in (PANELS_MARK, RIBBON_MARK)]
    commands = [evolis_codec.encode(word) for word in words if not word.startswith("@")]
    return sum(map(len, commands)) + sum(len(evolis_codec.encode_panel(panel)) for panel in panels)


def _dots_bytes(raster: Raster, panel: RasterPanel) -> float:
    """The panel's dots with nothing round them; an overcoat of no plane needs none."""
    return raster.width_dots * raster.height_lines * panel.bits / 8 if panel.size_bytes else 0


def _peer(paths: list[Path]) -> dict[str, Cost]:
    """The median of each filter's CPU, its largest peak."""
    layout, path, runs = installed_layout(), CupsPath(FOLDER), []
    for record in paths:
        pdf = FOLDER / "card.pdf"
        pdf.write_bytes(card_pdf(load_stored(record.read_bytes()), layout))
        runs.append(path.send(pdf))
    return {
        name: Cost(statistics.median(run[name].cpu_ms for run in runs), max(run[name].peak_mb for run in runs))
        for name in FILTERS
    }
