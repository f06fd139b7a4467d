"""The status page: the snapshot as HTML, without scripts, under a policy that allows none. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from controller import desk
from controller.conditions import CONDITIONS, CardInside, Clears, Condition
from controller.model import JobState, LaneProfile, LaneStatus, RollYield, StationSnapshot

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

_GOES_ON = {
    Clears.SELF: ("lanjut sendiri bila sebabnya hilang", "goes on by itself once the cause is gone"),
    Clears.GO: ("lanjut setelah petugas menjawab", "goes on once a person has answered"),
    Clears.TECHNICIAN: ("perlu teknisi, lalu lanjut sendiri", "needs a technician, then goes on by itself"),
}
_INSIDE = {
    CardInside.YES: ("ada kartu di printer", "a card is in the printer"),
    CardInside.NO: ("tidak ada kartu di printer", "no card is in the printer"),
    CardInside.PERHAPS: ("mungkin ada kartu di printer", "a card may be in the printer"),
}

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
        *(_lane(lane, now) for lane in now.lanes),
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


def _lane(lane: LaneStatus, now: StationSnapshot) -> str:
    blanks = now.blanks[lane.name]
    ribbon = "?" if lane.ribbon_remaining is None else str(lane.ribbon_remaining)
    low = " (hampir habis)" if lane.hopper_low else ""
    stock = f"Blangko di hopper: {blanks.hopper}{low} · Pita: {ribbon} set · Kotak tolak: {blanks.reject}"
    stock += _care(lane, now.ribbons.get(lane.name)) + _unproven(now.profiles.get(lane.name))
    if lane.condition is None:
        said = f"<p>{escape(desk.activity(lane))}</p>"
        return f"<section><h2>Jalur {escape(lane.name)}</h2>{said}<p>{stock}</p></section>"
    condition = CONDITIONS[lane.condition]
    said = "".join(_said(condition, lane.detail))
    return f'<section class="{condition.severity}"><h2>Jalur {escape(lane.name)}</h2>{said}<p>{stock}</p></section>'


def _said(condition: Condition, detail: str) -> Iterator[str]:
    """What staff should do, what it takes to go on, and the device's own words or what the station has to add to it."""
    yield f'<p><b>{escape(condition.id)}</b></p><p lang="en"><small>{escape(condition.en)}</small></p>'
    goes_on, inside = _GOES_ON[condition.clears], _INSIDE[condition.card_inside]
    yield f'<p>{goes_on[0].capitalize()}; {inside[0]}. <small lang="en">{goes_on[1].capitalize()}; {inside[1]}.</small></p>'
    if detail:
        yield f"<p>Pesan: <code>{escape(detail)}</code></p>"


def _unproven(profile: LaneProfile | None) -> str:
    """That parts of the printer's profile were never seen on a real one."""
    if profile is None or not profile.unproven:
        return ""
    number, name = len(profile.unproven), escape(profile.name)
    return (f"<br><small>Profil {name}: {number} bagian belum terbukti pada printer nyata. "
            f'<span lang="en">Profile {name}: {number} parts not proven on a real printer.</span></small>')  # fmt: skip


def _care(lane: LaneStatus, roll: RollYield | None) -> str:
    """The rest of a lane's row: the roll's yield so far, cleaning, and what is asked for while the lane works."""
    parts = [] if roll is None or roll.sets is None else [f"Rol pita: {roll.used} dari {roll.sets} set terpakai"]
    if lane.cards_until_cleaning is not None:
        left = lane.cards_until_cleaning
        parts.append(f"Bersihkan dalam {left} kartu" if left > 0 else "Sudah waktunya dibersihkan")
    asked = "".join(
        f'<br><b>{escape(CONDITIONS[code].id)}</b> <small lang="en">{escape(CONDITIONS[code].en)}</small>' for code in lane.asks
    )
    return "".join(f" · {part}" for part in parts) + asked
