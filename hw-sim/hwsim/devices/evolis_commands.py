"""The commands of an Evolis printer as a table: name -> what it does and what it answers (printers.md 3.3-3.8).

A handler returns the reply text or raises Obstacle. After an Obstacle it may be called again from the start, so it acts in
steps that are harmless to repeat. Choices of ours where the facts are silent are marked (E).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hwsim.devices.evolis_machine import BACK, FRONT, Bitmap, Machine
from hwsim.devices.evolis_panels import LEVELS, BadPanel, bmp_panel, decompress, filled, paste_lines
from hwsim.devices.evolis_parser import Command
from hwsim.devices.evolis_press import DuePanel
from hwsim.devices.evolis_queries import BAD_PARAMETER, NO_OPTION, OK, QUERIES
from hwsim.devices.evolis_settings import SETTERS, change, factory_settings
from hwsim.devices.parts import known_ribbons, whole_number
from hwsim.world import Station

Handler = Callable[[Machine, Command], Awaitable[str]]

# Parameters that are taken, kept for reading back, and change nothing here.
_PLAIN_PARAMETERS = (
    "Pcim", "Pmi", "Pcem", "Pcrm", "Psmgr", "Psoe", "Pbc", "Ppsc", "Psdc", "Pkey", "Pdt", "Ppws", "Pps", "Psc", "Mr", "Sdm",
    "Sdu", "Pwr", "Pwb", "Wt", "Wb", "Wl", "Pms", "Pnl", "Pnw", "Ase", "Sa",
)  # fmt: skip
_ABSENT_OPTIONS = ("Dm", "Smw", "Smr", "Rmb", "Rmp", "Sk")
_TEST_STRIPES = b"\x0f"  # what a test card shows (E)
MAX_COPIES = 255  # of one Sc
MAX_ERROR_MODE = 63  # the guide's bits are 1 to 5, counted from 0 or from 1


async def _query(m: Machine, c: Command) -> str:
    if c.text in m.sensors:
        return m.sensors[c.text]
    if c.text in m.unit_settings:
        return m.unit_settings[c.text]
    query = QUERIES.get(c.text)
    return BAD_PARAMETER if query is None else query(m)


async def _plain(m: Machine, c: Command) -> str:
    m.settings.stored[c.name] = ";".join(c.parameters)
    return OK


async def _set(m: Machine, c: Command) -> str:
    return OK if change(m.unit_settings, c.name, c.parameters) else BAD_PARAMETER


async def _absent(_m: Machine, _c: Command) -> str:
    return NO_OPTION


async def _error_mode(m: Machine, c: Command) -> str:
    """Pem;n[;s]: the bit of 2 is "host handles"; s keeps it for power-on. ACK and NACK (4) are not spoken."""
    mode = whole_number(c.parameters[0]) if c.parameters else None
    if mode is None or mode not in range(MAX_ERROR_MODE + 1):
        return BAD_PARAMETER
    m.settings.error_mode = mode
    if c.parameters[1:] == ("s",):
        m.saved_error_mode = mode
    return OK


async def _choose_ribbon(m: Machine, c: Command) -> str:
    if len(c.parameters) != 1 or c.parameters[0] not in known_ribbons(m.profile):
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
    if "flip" not in m.profile.stations:
        return NO_OPTION
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
    if "reject" not in m.profile.stations:
        return NO_OPTION
    m.drop_sequence()
    await m.mechanics.reject()
    return OK


def _bring(station: Station) -> Handler:
    async def handler(m: Machine, _c: Command) -> str:
        if station is not Station.PRINT and station.value not in m.profile.stations:
            return NO_OPTION
        await m.mechanics.bring(station)
        return OK

    return handler


async def _insert_rear(m: Machine, _c: Command) -> str:
    """Sib: nobody holds a card to the rear slot, so only a card inside is moved."""
    if not m.mechanics.cards:
        return "ERROR TIME OUT"
    await m.mechanics.bring(Station.PRINT)
    return OK


async def _clean(m: Machine, _c: Command) -> str:
    """Scp: the cleaning cycle."""
    await m.mechanics.clean()
    return OK


async def _test_card(m: Machine, _c: Command) -> str:
    """St, Stt: a card of the printer's own, in black where the ribbon has it."""
    m.settings.ribbon = m.mechanics.ribbon.type
    panel = "k" if "k" in m.mechanics.ribbon.panels else min(m.mechanics.ribbon.panels)
    levels = m.profile.levels.get(panel, LEVELS[panel][-1])
    m.last = [DuePanel(FRONT, panel, levels, _TEST_STRIPES * m.geometry.panel_bytes(levels), m.form)]
    await m.make_copies(1)
    return OK


async def _copy(m: Machine, c: Command) -> str:
    """Sc;n: more cards like the last one."""
    number = c.parameters[0] if c.parameters else "1"
    if not number.isdecimal() or not 1 <= int(number) <= MAX_COPIES or not m.last:
        return BAD_PARAMETER
    await m.make_copies(int(number))
    return OK


async def _clear_status(m: Machine, _c: Command) -> str:
    m.drop_sequence()
    return OK


async def _fill(m: Machine, c: Command) -> str:
    """Wcb;panel[;value]: clear or fill a bitmap, 255 being full dye; a filled one prints with the next sequence."""
    panel, value = (*c.parameters, "0")[:2] if c.parameters else ("", "")
    if panel not in LEVELS or len(c.parameters) > 2 or not value.isdecimal() or int(value) > 255:
        return BAD_PARAMETER
    levels = m.profile.levels.get(panel, LEVELS[panel][-1])
    m.bitmaps[panel] = Bitmap(levels, filled(-(-int(value) * (levels - 1) // 255), levels, m.geometry))
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
    **{text.partition(";")[0]: _query for text in (*QUERIES, *factory_settings())},
    **dict.fromkeys(SETTERS, _set),
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
    "Sc": _copy,
    "Scp": _clean,
    "St": _test_card,
    "Stt": _test_card,
    "Scs": _clear_status,
    "Wcb": _fill,
    **dict.fromkeys(("Db", "Dbc", "Dbp", "Dbpc", "Dbmp"), _download),
}
RESTART = "Srs"  # like switching it off and on, so the printer itself does it
