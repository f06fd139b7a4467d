"""What the keys of a printer profile must have in common: commands for the plan, panel sizes, ribbons, job keys.

Pure. Each mistake is a place, its text in Indonesian and in English. Sizes: printers.md 3.8 and 4.5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from controller.hal.profiles.parts import (
    BACK_MARK,
    DONE,
    JOB_MARKS,
    PANELS_MARK,
    RIBBON_MARK,
    PanelRow,
    ProfileTable,
    RasterTable,
)
from controller.hal.profiles.tables import EvolisActs, EvolisTable, MagicardTable

Mistake = tuple[str, str, str]  # place, Indonesian, English

_HOLDING = ("print", "to_chip_station", "deliver")
_EVOLIS_LEVELS = (2, 32, 64, 128, 256)
_KGE_HEAD_DOTS = 672
_KGE_BYTES_PER_PLANE = 96  # of one column: 24 words of 32 bits
_KGE_LEVELS = 64
_RIBBON_KEY = r"LC\d{1,2}"  # of a job (printers.md 4.4)
_OF_MARKS = ("TDT", "IMF", "XCO", "YCO", "WID", "HGT", "OVR", "PCT", "NCT", "SZB", "SZG", "SZR", "SZK")  # keys the driver writes


def mistakes_of(table: EvolisTable | MagicardTable) -> list[Mistake]:
    """Every mistake that is not one of a single key."""
    common = [*_raster_mistakes(table.raster), *_ribbon_mistakes(table)]
    if isinstance(table, EvolisTable):
        return [
            *_plan_mistakes(table),
            *_act_mistakes(table.acts),
            *common,
            *_flip_mistakes(table),
            *_reply_mistakes(table.replies),
        ]
    return [*_job_mistakes(table), *_ribbon_key_mistakes(table), *common]


def _plan_mistakes(table: EvolisTable) -> Iterator[Mistake]:
    wanted, other = (_HOLDING, ("print_and_deliver",)) if table.plan == "held" else (("print_and_deliver",), _HOLDING)
    for name in wanted:
        if getattr(table.acts, name) is None:
            yield f"acts.{name}", f"wajib ada untuk plan '{table.plan}'", f"is required for the plan '{table.plan}'"
    for name in other:
        if getattr(table.acts, name) is not None:
            yield f"acts.{name}", f"tidak boleh ada dengan plan '{table.plan}'", f"cannot be there with the plan '{table.plan}'"
    for name in ("contactless", "reject"):
        if not getattr(table.stations, name):
            yield (f"stations.{name}", f"plan '{table.plan}' memerlukan stasiun ini",
                   f"the plan '{table.plan}' needs this station")  # fmt: skip


def _act_mistakes(acts: EvolisActs) -> Iterator[Mistake]:
    """Each mark where it belongs and nowhere else."""
    for name in acts.__dataclass_fields__:
        commands: tuple[str, ...] | None = getattr(acts, name)
        if commands is None:
            continue
        prints = name.startswith("print")
        yield from _mark_mistakes(name, commands, PANELS_MARK, wanted=1 if prints or name == "back" else 0)
        yield from _mark_mistakes(name, commands, RIBBON_MARK, wanted=1 if name == "open" else 0)
        yield from _mark_mistakes(name, commands, BACK_MARK, wanted=1 if prints and acts.back is not None else 0)
        marks = [command for command in commands if command in (PANELS_MARK, BACK_MARK)]
        if marks == [BACK_MARK, PANELS_MARK]:
            yield f"acts.{name}", f"{BACK_MARK} harus sesudah {PANELS_MARK}", f"must have {BACK_MARK} after {PANELS_MARK}"
    if acts.open[0] == RIBBON_MARK:
        yield "acts.open", "perintah mode galat harus pertama", "must begin with the command of the error mode"


def _mark_mistakes(name: str, commands: tuple[str, ...], mark: str, wanted: int) -> Iterator[Mistake]:
    if commands.count(mark) != wanted:
        yield f"acts.{name}", f"harus memuat {mark} {wanted} kali", f"must have {mark} {wanted} times"


def _flip_mistakes(table: EvolisTable) -> Iterator[Mistake]:
    """A back that is never sent would leave the card's back blank, and nobody would be told."""
    if table.stations.flip and table.acts.back is None and any(ribbon.back_panels for ribbon in table.ribbons.values()):
        yield "acts.back", "wajib ada: stations.flip benar dan ada pita dua sisi", "is required: the card can be turned"


def _raster_mistakes(raster: RasterTable) -> Iterator[Mistake]:
    yield from _twice("raster.panels", [row.name for row in raster.panels])
    if raster.packing != "evolis" and raster.width_dots > _KGE_HEAD_DOTS:
        yield "raster.width_dots", f"paling banyak {_KGE_HEAD_DOTS}", f"can be at most {_KGE_HEAD_DOTS}"
    for index, row in enumerate(raster.panels):
        place = f"raster.panels[{index}]"
        levels = _levels(raster, row)
        if row.levels not in levels:
            listed = ", ".join(map(str, levels))
            yield f"{place}.levels", f"seharusnya {listed}, bukan {row.levels}", f"should be {listed}, not {row.levels}"
        size = _size_bytes(raster, row)
        if row.size_bytes != size:
            yield (f"{place}.size_bytes", f"seharusnya {size} byte, bukan {row.size_bytes}",
                   f"should be {size} bytes, not {row.size_bytes}")  # fmt: skip


def _levels(raster: RasterTable, row: PanelRow) -> tuple[int, ...]:
    if raster.packing == "evolis":
        return _EVOLIS_LEVELS
    return (2,) if row.name in ("k", "o") else (_KGE_LEVELS,)


def _size_bytes(raster: RasterTable, row: PanelRow) -> int:
    """What the packing makes of this panel. The overcoat of a Magicard travels in the job's header, not as dots."""
    if raster.packing == "evolis":
        return -(-raster.width_dots * raster.height_lines * row.bits // 8)
    return 0 if row.name == "o" else _KGE_BYTES_PER_PLANE * row.bits * raster.height_lines


def _ribbon_mistakes(table: ProfileTable) -> Iterator[Mistake]:
    order = [row.name for row in table.raster.panels]
    source = "tag" if isinstance(table, EvolisTable) else "info"
    for name, ribbon in table.ribbons.items():
        for key, panels in (("panels", ribbon.panels), ("back_panels", ribbon.back_panels)):
            place = f"ribbons.{name}.{key}"
            yield from _twice(place, list(panels))
            unknown = [panel for panel in panels if panel not in order]
            for panel in unknown:
                yield place, f"panel '{panel}' tidak ada di raster.panels", f"panel '{panel}' is not one of raster.panels"
            if not unknown and sorted(panels, key=order.index) != list(panels):
                yield place, "urutannya harus seperti raster.panels", "must be in the order of raster.panels"
        if ribbon.remaining != source:
            yield f"ribbons.{name}.remaining", f"keluarga ini: '{source}'", f"is '{source}' for this family"
    if table.ribbon not in table.ribbons:
        listed = ", ".join(table.ribbons)
        yield "ribbon", f"'{table.ribbon}' tidak ada; yang ada: {listed}", f"'{table.ribbon}' is not there; there are: {listed}"
    elif table.ribbons[table.ribbon].back_panels and not table.stations.flip:
        yield "ribbon", "printer ini tidak membalik kartu", "needs a printer that turns the card: stations.flip is false"


def _twice(place: str, names: list[str]) -> Iterator[Mistake]:
    for name, times in Counter(names).items():
        if times > 1:
            yield place, f"panel '{name}' ganda", f"panel '{name}' is listed twice"


def _job_mistakes(table: MagicardTable) -> Iterator[Mistake]:
    keys = table.job.keys
    for mark in JOB_MARKS:
        if keys.count(mark) != 1:
            yield "job.keys", f"harus memuat {mark} satu kali", f"must have {mark} once"
    if keys[0] != "NOC1":
        yield "job.keys", "NOC1 harus pertama", "must begin with NOC1: one card"
    names = Counter(key[:3] for key in keys if key not in JOB_MARKS) + Counter(_OF_MARKS)
    for name, times in names.items():
        if times > 1:
            yield "job.keys", f"{name} ganda", f"{name} is there twice, or one of the marks stands for it"
    if table.raster.packing.upper() not in keys:
        head = table.raster.packing.upper()
        yield "job.keys", f"harus memuat {head}, sesuai raster.packing", f"must have {head}, as raster.packing says"
    if table.job.heads is not None and table.raster.packing.upper() not in table.job.heads.values():
        yield "job.heads", "harus memuat kepala cetak raster.packing", "must have the print head of raster.packing"
    if "HFDON" not in keys:
        yield "job.keys", "harus memuat HFDON: kartu dimasukkan dengan tangan", "must have HFDON: the card is fed by hand"


def _ribbon_key_mistakes(table: MagicardTable) -> Iterator[Mistake]:
    for name, ribbon in table.ribbons.items():
        if not re.fullmatch(_RIBBON_KEY, ribbon.command):
            yield f"ribbons.{name}.command", "seharusnya kunci LC", "should be one LC key, such as LC1"
        if ribbon.back_panels:
            yield (
                f"ribbons.{name}.back_panels",
                "sisi belakang tidak didukung keluarga ini",
                "the driver prints no back on this family",
            )


def _reply_mistakes(replies: Mapping[str, str]) -> Iterator[Mistake]:
    for word in replies:
        if word == DONE:
            yield f"replies.{word}", "bukan kata galat", "is no error word: it says that all is well"
        if word.split(" ")[0] == "ERR":
            yield f"replies.{word}", "tulis ERROR, bukan ERR", "write ERROR, not ERR: both are read as ERROR"
