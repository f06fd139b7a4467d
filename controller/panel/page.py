"""The status page: the snapshot as HTML, without scripts, under a policy that allows none. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from controller import desk
from controller.conditions import CONDITIONS
from controller.model import Balance, JobState, LaneStatus, StationSnapshot

REFRESH_S = 2  # a person looks at it; each look costs about a millisecond
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_LAMPS = (
    ("green", "Bekerja / siap", "working or ready"),
    ("amber", "Menunggu petugas", "waiting for a person"),
    ("red", "Gangguan", "fault"),
)
_JOBS = (
    (JobState.ISSUED, "Jadi", "issued"),
    (JobState.ACTIVE, "Dikerjakan", "in work"),
    (JobState.READY, "Antre", "queued"),
    (JobState.HELD, "Ditahan", "held"),
    (JobState.FAILED, "Gagal", "failed"),
)

_STOCK = (
    ("store", "Di gudang", "blanks in the store"),
    ("missing", "Hilang", "missing"),
)

STYLE = """\
body { font: 18px/1.5 sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1b1b; background: #fff; }
h1 { font-size: 1.6rem; } small { color: #555; } ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 1rem; }
li { border: 1px solid #bbb; border-radius: .4rem; padding: .5rem 1rem; } li b { font-size: 1.5rem; display: block; }
.lamp::before { content: "\\25CB"; margin-right: .5rem; } .lit::before { content: "\\25CF"; } .lit { font-weight: bold; }
.green.lit::before { color: #107c10; } .amber.lit::before { color: #b36b00; } .red.lit::before { color: #b00020; }
section { border-left: .5rem solid #107c10; padding: .2rem 1rem; margin: 1rem 0; } section.waits { border-color: #b36b00; }
section.fault { border-color: #b00020; } section p { margin: .3rem 0; } h2 { font-size: 1.2rem; margin: .3rem 0; }
"""


def page(now: StationSnapshot) -> str:
    """The whole page."""
    return "\n".join([
        "<!doctype html>",
        '<html lang="id">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="refresh" content="{REFRESH_S}">',
        '<meta name="viewport" content="width=device-width">',
        '<link rel="stylesheet" href="/panel.css">',
        f"<title>{escape(now.name)}</title>",
        "</head>",
        f"<body><h1>{escape(now.name)}</h1>",
        *_lamps(now),
        *_jobs(now),
        *_stock(now),
        *(_lane(lane, now.blanks[lane.name]) for lane in now.lanes),
        "</body></html>\n",
    ])  # fmt: skip


def _lamps(now: StationSnapshot) -> Iterator[str]:
    lamps = desk.lamps(now)
    yield '<ul aria-label="Lampu">'
    for name, text_id, text_en in _LAMPS:
        lit, word = (" lit", "menyala") if getattr(lamps, name) else ("", "padam")
        yield f'<li class="lamp {name}{lit}">{text_id}: {word} <small lang="en">{text_en}</small></li>'
    yield "</ul>"


def _jobs(now: StationSnapshot) -> Iterator[str]:
    yield '<ul aria-label="Kartu">'
    for state, text_id, text_en in _JOBS:
        yield f'<li><b>{now.jobs[state]}</b>{text_id} <small lang="en">{text_en}</small></li>'
    yield "</ul>"


def _stock(now: StationSnapshot) -> Iterator[str]:
    rows = [(now.stock[name], text_id, text_en) for name, text_id, text_en in _STOCK if name in now.stock]
    rows.append((sum(now.incidents.values()), "Kejadian terbuka", "open incidents"))
    yield '<ul aria-label="Buku blangko">'
    for number, text_id, text_en in rows:
        yield f'<li><b>{number}</b>{text_id} <small lang="en">{text_en}</small></li>'
    yield "</ul>"


def _lane(lane: LaneStatus, blanks: Balance) -> str:
    ribbon = "?" if lane.ribbon_remaining is None else str(lane.ribbon_remaining)
    low = " (hampir habis)" if lane.hopper_low else ""
    stock = f"Blangko di hopper: {blanks.hopper}{low} · Pita: {ribbon} kartu · Bak tolak: {blanks.reject}"
    if lane.condition is None:
        said = f"<p>{escape(desk.activity(lane))}</p>"
        return f"<section><h2>Jalur {escape(lane.name)}</h2>{said}<p>{stock}</p></section>"
    condition = CONDITIONS[lane.condition]
    said = f'<p><b>{escape(condition.id)}</b></p><p lang="en"><small>{escape(condition.en)}</small></p>'
    return f'<section class="{condition.severity}"><h2>Jalur {escape(lane.name)}</h2>{said}<p>{stock}</p></section>'
