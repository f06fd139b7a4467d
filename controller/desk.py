"""What staff see at the printer: lamps and display from the snapshot. Pure; the drivers are given by `app.py`."""

from __future__ import annotations

from controller.conditions import CONDITIONS, NOTICES, Severity
from controller.model import JobState, Lamps, LaneStatus, LogHead, StationSnapshot

_COLUMNS = 20  # of the display

# What passes without anybody: no amber lamp. A lane that only rests is as ready as one with nothing to do.
_NEEDS_NOBODY = {"stopping", "cool_down"}
_READY = {None, "cool_down"}
_RESTS, _ASKS, _WAITS, _FAULT = 1, 2, 3, 4  # ranks of what a lane has to say; 0: what it does

_ACTIVITY = {
    "starting": "MULAI",
    "idle": "SIAP",
    "waiting": "MENUNGGU",
    "stopped": "BERHENTI",
    "feed": "AMBIL BLANGKO",
    "probe": "PERIKSA CHIP",
    "encode": "TULIS CHIP",
    "read back": "BACA ULANG CHIP",
    "close": "TUTUP CHIP",
    "lift": "ANGKAT KARTU",
    "print": "CETAK",
    "check": "PERIKSA KARTU",
    "deliver": "KELUARKAN KARTU",
    "print and deliver": "CETAK",
    "reject": "BUANG KARTU",
    "recover": "PULIHKAN KARTU",
    "clean": "SEDANG DIBERSIHKAN",
    "test card": "KARTU UJI",
}

# What the buttons answer to each question, as the display's second line says it.
_ANSWERS = {"tray": "GO=KOSONG HOLD=RUSAK", "desk": "HOLD=RUSAK", "look": "GO=UTUH HOLD=RUSAK"}


def lamps(snapshot: StationSnapshot) -> Lamps:
    """Green: working or ready on some lane. Amber: a person is awaited. Red: something is broken."""
    conditions = [CONDITIONS[lane.condition] for lane in snapshot.lanes if lane.condition is not None]
    wanted = [condition for condition in conditions if condition.code not in _NEEDS_NOBODY]
    return Lamps(
        green=any(lane.condition in _READY and lane.activity not in ("starting", "stopped") for lane in snapshot.lanes),
        amber=snapshot.held
        or any(condition.severity is Severity.WAITS for condition in wanted)
        or any(lane.asks for lane in snapshot.lanes),
        red=any(condition.severity is Severity.FAULT for condition in wanted) or not snapshot.panel_up,
    )


def lines(snapshot: StationSnapshot) -> tuple[str, str]:
    """The two lines of the operator display: what the station does or waits for, and how many cards are done and queued."""
    if snapshot.notice:
        return NOTICES[snapshot.notice].short, ""
    if snapshot.questions:
        return _question(snapshot)
    lane, said = _worst(snapshot)
    first = f"{lane}: {said}" if lane else said
    fits = len(first) <= _COLUMNS  # else the words are worth more than the count of cards, or the name of one held lane
    if snapshot.held and snapshot.log is not None:
        return first if fits else said, anchor(snapshot.log)
    if not fits:
        return said, f"JALUR {lane}"[:_COLUMNS]
    issued, ready = snapshot.jobs[JobState.ISSUED], snapshot.jobs[JobState.READY] + snapshot.jobs[JobState.ACTIVE]
    return first, f"JADI {issued} ANTRE {ready}"[:_COLUMNS]


def anchor(head: LogHead) -> str:
    """The log's head, as much of it as the display shows, to be written down: what verify_log.py takes as --anchor."""
    return head.anchor[:_COLUMNS]


def _question(snapshot: StationSnapshot) -> tuple[str, str]:
    """The oldest question; the others are asked after it."""
    question = snapshot.questions[0]
    said = CONDITIONS[f"ask_{question.kind}"].short
    lane = f"{question.lane[: _COLUMNS - len(said) - 2]}: " if len(snapshot.lanes) > 1 else ""
    return lane + said, _ANSWERS[question.kind]


def _worst(snapshot: StationSnapshot) -> tuple[str, str]:
    """A fault before a wait before an activity, behind the name of its lane where there are several."""
    lane = max(snapshot.lanes, key=_rank)
    rank, name = _rank(lane), lane.name if len(snapshot.lanes) > 1 else ""
    if lane.condition is not None and rank != _ASKS:
        return name, CONDITIONS[lane.condition].short
    if snapshot.held:
        return "", CONDITIONS["held_by_operator"].short
    return name, CONDITIONS[lane.asks[0]].short if rank == _ASKS else activity(lane)[:_COLUMNS]


def activity(lane: LaneStatus) -> str:
    """What a lane does, in the words of staff."""
    return _ACTIVITY.get(lane.activity, lane.activity.upper())


def _rank(lane: LaneStatus) -> int:
    """What has to be shown first. What a working lane asks for is shown while it has nothing to do, or rests."""
    if lane.condition is None or lane.condition in _READY:
        if lane.asks and lane.activity in ("idle", "waiting"):
            return _ASKS
        return 0 if lane.condition is None else _RESTS
    return _FAULT if CONDITIONS[lane.condition].severity is Severity.FAULT else _WAITS
