"""The commands of an Evolis printer as a table: name -> what it does and what it answers (printers.md 3.3-3.8).

A handler returns the reply text or raises Obstacle. After an Obstacle it may be called again from the start, so it acts in
steps that are harmless to repeat. Choices of ours where the facts are silent are marked (E).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hwsim.devices.evolis_machine import BACK, FRONT, Bitmap, Machine
from hwsim.devices.evolis_panels import LEVELS, BadPanel, bmp_panel, decompress, paste_lines
from hwsim.devices.evolis_parser import Command
from hwsim.devices.evolis_parts import RIBBONS
from hwsim.world import Station

OK, UNKNOWN, BAD_PARAMETER, NO_OPTION = "OK", "ERROR CDE", "ERROR PARAMETRES", "OPT NOT AVAILABLE"
Handler = Callable[[Machine, Command], Awaitable[str]]
Query = Callable[[Machine], str]

_POSITIONS = {None: OK, Station.PRINT: "CARD", Station.CONTACT: "SMART CARD", Station.CONTACTLESS: "CONTACTLESS CARD"}
_OPEN, _SHUT, _FULL, _NONE = "0,00 Volts", "5,00 Volts", "5,00 Volts", "0,00 Volts"
_NEAR_EMPTY, _FINE = "3,92 Volts", "0,17 Volts"
_NEAR_EMPTY_AT = 10  # blanks; where the real near-empty sensor sits is not public (E)


def _near_empty(m: Machine) -> str:
    return _NEAR_EMPTY if m.mechanics.hopper_blanks <= _NEAR_EMPTY_AT else _FINE


def _tag(value: Query) -> Query:
    """A value from the ribbon's tag."""
    return lambda m: value(m) if m.mechanics.ribbon.readable else "ERR RIB DETECTION"


# Queries: the whole command text -> the reply.
QUERIES: dict[str, Query] = {
    "Rok": lambda _: OK,
    "Rtp": lambda m: m.identity.model,
    "Rfv": lambda m: m.identity.firmware,
    "Rsn": lambda m: m.identity.serial,
    "Rkn": lambda m: m.identity.head_kit,
    "Rck": lambda _: "0000",
    "Rmac": lambda _: NO_OPTION,
    "Rip": lambda _: NO_OPTION,
    "Rco;p": lambda m: str(m.mechanics.panels_printed),
    "Rco;c": lambda m: str(m.mechanics.cards_fed),
    "Rco;a": lambda _: "1000",
    "Rco;m": lambda _: "1000",
    "Rco;n": lambda _: "0",
    "Rco;l": lambda m: str(m.mechanics.ribbon.tag.value),
    "Rr": lambda m: m.settings.ribbon,
    "Rcr": lambda m: OK if m.mechanics.ribbon.remaining else "ERROR RIBBON",
    "Rrt;zone": _tag(lambda _: "0"),
    "Rrt;qty": _tag(lambda m: str(m.mechanics.ribbon.capacity)),
    "Rrt;count": _tag(lambda m: str(m.mechanics.ribbon.tag.value)),
    "Rzp": lambda _: "0",
    "Rlr;p": lambda m: _POSITIONS[m.mechanics.station],
    "Rlr;c": lambda _: OK,
    "Rlr;r": lambda _: OK,
    "Rlr;h": lambda m: "CARD" if m.mechanics.reject_full else "NO CARD",
    "Rse;f": lambda m: _FULL if m.mechanics.hopper_blanks else _NONE,
    "Rse;n": _near_empty,
    "Rse;o": lambda m: _OPEN if m.mechanics.troubles.cover_open else _SHUT,
    "Rse;b": lambda _: "0,20 Volts",
    "Rse;M": lambda _: "0,20 Volts",
    "Rem": lambda m: f"{2 * m.settings.host_errors};{2 * m.saved_host_errors}",  # the separator is ours (E)
    "Rmi": lambda m: m.settings.stored.get("Pmi", "F"),
    "Ros": lambda m: m.settings.stored.get("Pos", "1158").rpartition(";")[2],
    "Roc": lambda m: m.settings.stored.get("Poc", "800").rpartition(";")[2],
}

# Parameters that are taken, kept for reading back, and change nothing here.
_PLAIN_PARAMETERS = (
    "Pcim", "Pmi", "Pcem", "Pcrm", "Pc", "Pl", "Ps", "Pos", "Poc", "Psmgr", "Psoe", "Pbc", "Ppsc", "Psdc", "Pkey", "Pdt",
    "Ppws", "Pps", "Psc", "Mr", "Sdm", "Sdu",
)  # fmt: skip
_ABSENT_OPTIONS = ("Dm", "Smw", "Smr", "Rmb", "Rmp", "Scp", "St", "Stt")


async def _query(m: Machine, c: Command) -> str:
    query = QUERIES.get(c.text)
    return BAD_PARAMETER if query is None else query(m)


async def _plain(m: Machine, c: Command) -> str:
    m.settings.stored[c.name] = ";".join(c.parameters)
    return OK


async def _absent(_m: Machine, _c: Command) -> str:
    return NO_OPTION


async def _error_mode(m: Machine, c: Command) -> str:
    """Pem;n[;s]: bit 1 is "host handles"; s keeps it for power-on."""
    if not c.parameters or not c.parameters[0].isdecimal():
        return BAD_PARAMETER
    m.settings.host_errors = bool(int(c.parameters[0]) & 2)
    if c.parameters[1:] == ("s",):
        m.saved_host_errors = m.settings.host_errors
    return OK


async def _choose_ribbon(m: Machine, c: Command) -> str:
    if len(c.parameters) != 1 or c.parameters[0] not in RIBBONS:
        return BAD_PARAMETER
    if c.parameters[0] != m.mechanics.ribbon.type:
        return "ERR RIBBON TYPE"
    m.settings.ribbon = c.parameters[0]
    return OK


async def _eject_after_print(m: Machine, c: Command) -> str:
    """Pneab;E and Pneab;A;1 hold the card after printing; Pneab;A;0 and Pneab;D let it go."""
    hold = {("E",): True, ("A", "1"): True, ("A", "0"): False, ("D",): False}.get(c.parameters)
    if hold is None:
        return BAD_PARAMETER
    m.settings.no_eject = hold
    return OK


async def _start(m: Machine, _c: Command) -> str:
    m.start_sequence()
    return OK


async def _front(m: Machine, _c: Command) -> str:
    m.side = FRONT
    return OK


async def _back(m: Machine, _c: Command) -> str:
    m.side = BACK
    return OK


async def _print_panel(m: Machine, c: Command) -> str:
    """Sp;panel and Ssd;panel: print what is in memory."""
    if len(c.parameters) != 1 or c.parameters[0] not in m.bitmaps:
        return BAD_PARAMETER
    await m.print(c.parameters[0])
    return OK


async def _finish(m: Machine, _c: Command) -> str:
    """Se: print what is pending and eject, unless printing is to hold the card; with nothing to print, eject."""
    printed = await m.finish()
    if not (printed and m.settings.no_eject):
        await m.mechanics.eject()
    return OK


async def _eject_moving(m: Machine, _c: Command) -> str:
    """Sie: the card inside goes out; without one, one is fed and goes out."""
    m.drop_sequence()
    if not m.mechanics.cards:
        await m.mechanics.bring(Station.PRINT)
    await m.mechanics.eject()
    return OK


async def _reject(m: Machine, _c: Command) -> str:
    m.drop_sequence()
    await m.mechanics.reject()
    return OK


def _bring(station: Station) -> Handler:
    async def handler(m: Machine, _c: Command) -> str:
        await m.mechanics.bring(station)
        return OK

    return handler


async def _insert_rear(m: Machine, _c: Command) -> str:
    """Sib: nobody holds a card to the rear slot, so only a card inside is moved."""
    if not m.mechanics.cards:
        return "ERROR TIME OUT"
    await m.mechanics.bring(Station.PRINT)
    return OK


async def _clear_status(m: Machine, _c: Command) -> str:
    m.drop_sequence()
    return OK


async def _fill(m: Machine, c: Command) -> str:
    """Wcb;panel[;value]: clear or fill a bitmap; a filled one prints with the next sequence."""
    panel, value = (*c.parameters, "0")[:2] if c.parameters else ("", "")
    if panel not in LEVELS or len(c.parameters) > 2 or not value.isdecimal() or int(value) > 255:
        return BAD_PARAMETER
    levels = m.profile.levels.get(panel, LEVELS[panel][-1])
    m.bitmaps[panel] = Bitmap(levels, (b"\xff" if int(value) else b"\0") * m.geometry.panel_bytes(levels))
    (m.prefilled.add if int(value) else m.prefilled.discard)(panel)
    return OK


async def _download(m: Machine, c: Command) -> str:
    """Db, Dbc, Dbp, Dbpc, Dbmp. A header that makes no sense comes without data: bad parameter."""
    if c.data is None:
        return BAD_PARAMETER
    levels = 2 if c.name == "Dbmp" else int(c.parameters[1])
    try:
        dots = _dots(m, c, c.data, levels)
    except BadPanel:
        return BAD_PARAMETER
    await m.download(c.parameters[0], Bitmap(levels, dots))
    return OK


def _dots(m: Machine, c: Command, data: bytes, levels: int) -> bytes:
    if c.name == "Db":
        return data
    if c.name == "Dbc":
        return decompress(data, levels, m.geometry)
    if c.name == "Dbmp":
        x, y = (int(p) if p.isdecimal() else -1 for p in c.parameters[1:3])
        return bmp_panel(data, x, y, m.geometry)
    return _some_lines(m, c, data, levels)


def _some_lines(m: Machine, c: Command, data: bytes, levels: int) -> bytes:
    """Dbp and Dbpc replace some lines of the bitmap."""
    old = m.bitmaps.get(c.parameters[0])
    panel = old.dots if old is not None and old.levels == levels else bytes(m.geometry.panel_bytes(levels))
    first = int(c.parameters[2])
    if c.name == "Dbp":
        return paste_lines(panel, data, first, levels, m.geometry)
    part = type(m.geometry)(m.geometry.width_dots, int(c.parameters[3]))
    return paste_lines(panel, decompress(data, levels, part), first, levels, m.geometry)


# Downloads go on while the head prints; everything else waits until it rests.
DOWNLOADS = frozenset({"Db", "Dbc", "Dbp", "Dbpc", "Dbmp", "Sp", "Ssd"})

COMMANDS: dict[str, Handler] = {
    **{text.partition(";")[0]: _query for text in QUERIES},
    **dict.fromkeys(_PLAIN_PARAMETERS, _plain),
    **dict.fromkeys(_ABSENT_OPTIONS, _absent),
    "Pem": _error_mode,
    "Pr": _choose_ribbon,
    "Pneab": _eject_after_print,
    "Ss": _start,
    "Sr": _front,
    "Sv": _back,
    "Sp": _print_panel,
    "Ssd": _print_panel,
    "Se": _finish,
    "Si": _bring(Station.PRINT),
    "Sis": _bring(Station.CONTACT),
    "Sic": _bring(Station.CONTACTLESS),
    "Sib": _insert_rear,
    "Sie": _eject_moving,
    "Ser": _reject,
    "Seb": _reject,
    "Scs": _clear_status,
    "Wcb": _fill,
    **dict.fromkeys(("Db", "Dbc", "Dbp", "Dbpc", "Dbmp"), _download),
}
RESTART = "Srs"  # like switching it off and on, so the printer itself does it
