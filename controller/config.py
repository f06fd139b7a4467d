"""station.toml: read with tomllib, checked with pydantic, every mistake reported at once with its place.

Profiles are looked up by `app.py`; here only the text of the file is judged.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from controller.config_tables import KeyHolderTable, Name, SamTable, Table
from controller.errors import ConfigError, Problem

DEFAULT_PROFILES = Path(__file__).parent.parent / "firmware_profiles"
MAX_LANES = 8
MAX_READERS = 16  # pcsc-lite's limit: a 17th vanishes without a message (chip.md 6.2)
SLOTS = 2  # of a reader that does not say: the chip's and the SAM's, each of which pcsc-lite counts as a reader
PINS_PER_BANK = 28  # BCM 0-27 on the 40-pin header

Pin = Annotated[int, Field(ge=0, lt=PINS_PER_BANK)]


def _port_in_range(address: str) -> str:
    port = address.rpartition(":")[2]
    if not address.startswith("unix:") and port.isdecimal() and not 0 < int(port) <= 65_535:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return address


_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)"
PinSourceAddress = Annotated[
    str, StringConstraints(pattern=rf"^(lgpio|pigpiod://{_HOST}:\d{{1,5}})$"), AfterValidator(_port_in_range)
]
UsbAddress = Annotated[str, StringConstraints(pattern=rf"^(usb|usbip://{_HOST}:\d{{1,5}})$"), AfterValidator(_port_in_range)]
UsbPort = Annotated[str, StringConstraints(pattern=r"^\d{1,3}-\d{1,3}(\.\d{1,3}){0,6}$")]  # as the kernel writes it
Listen = Annotated[
    str, StringConstraints(pattern=r"^(unix:\S+|127\.0\.0\.1:\d{1,5}|\[::1\]:\d{1,5})$"), AfterValidator(_port_in_range)
]


_READER = re.compile(r"(lanes\[\d+\]\.reader|desk_reader)\.name")
_READER_OR_SAM = re.compile(r"(lanes\[\d+\]\.reader|desk_reader)(\.sam)?\.name")
_UNIQUE = {  # where each value may be used once only
    "centre_keys[].kid": re.compile(r"centre_keys\[\d+\]\.kid"),
    "chip_keys[].kid": re.compile(r"chip_keys\[\d+\]\.kid"),
    "lanes[].name": re.compile(r"lanes\[\d+\]\.name"),
    "lanes[].printer.serial": re.compile(r"lanes\[\d+\]\.printer\.serial"),
    "lanes[].reader.name": _READER_OR_SAM,
    "http.listen[]": re.compile(r"http\.listen\[\d+\]"),
}


class StationTable(Table):
    """[station]"""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    state_dir: Path
    max_remakes: Annotated[int, Field(ge=0, le=3)] = 1
    max_rejects_in_row: Annotated[int, Field(ge=1, le=20)] = 3
    unknown_uid: Literal["refuse", "warn"] = "refuse"  # a blank whose chip no received batch lists
    reserve_mb: Annotated[int, Field(ge=1)] = 32
    profiles_dir: Path = DEFAULT_PROFILES
    layout: Path | None = None  # what is printed where; None: the installed one


class HttpTable(Table):
    """[http]: loopback addresses and Unix sockets only; records are personal data."""

    listen: Annotated[list[Listen], Field(min_length=1)]


class CentreKey(Table):
    """[[centre_keys]]: whose seals are believed; [[chip_keys]]: whose signatures in chips are."""

    kid: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    public_key: str


class CoolDownTable(Table):
    """lanes.printer.cool_down: instead of what the printer's profile says"""

    cards: Annotated[int, Field(ge=0, le=10_000)]  # 0: no rests
    rest_s: Annotated[int, Field(ge=0, le=7200)]


class PrinterTable(Table):
    """lanes.printer"""

    profile: Name
    usb: UsbAddress
    serial: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    port: UsbPort | None = None  # only a printer plugged in there, e.g. "1-1.2"
    ribbon: Name | None = None  # None: the profile's
    cool_down: CoolDownTable | None = None
    icc: Path | None = None  # colour profile of this printer with its ribbon


class ReaderTable(Table):
    """lanes.reader and [desk_reader]"""

    profile: Name
    name: Annotated[str, StringConstraints(min_length=1, max_length=127)]
    slots: Annotated[int, Field(ge=1, le=4)] = SLOTS  # names that PC/SC gives the device, e.g. "... 00 00" and "... 00 01"
    sam: SamTable | None = None


class LanePinTable(Table):
    """lanes.pins, BCM numbers"""

    feed_beam: Pin
    exit_beam: Pin
    reject_beam: Pin
    hopper_low: Pin
    hopper_empty: Pin
    bin_full: Pin


class LaneTable(Table):
    """[[lanes]]; only a lane whose printer is fed by hand has no gpio and pins (`setup` checks)"""

    name: Name
    printer: PrinterTable
    reader: ReaderTable
    gpio: PinSourceAddress | None = None
    pins: LanePinTable | None = None


class PanelPinTable(Table):
    """front_panel.pins, BCM numbers"""

    go: Pin
    hold: Pin
    green: Pin
    amber: Pin
    red: Pin


class FrontPanelTable(Table):
    """[front_panel]"""

    gpio: PinSourceAddress
    pins: PanelPinTable


class DisplayTable(Table):
    """[display]"""

    port: Annotated[str, StringConstraints(min_length=1)]
    baud: Annotated[int, Field(ge=300, le=115_200)] = 9600


class Config(Table):
    """The whole station.toml."""

    station: StationTable
    http: HttpTable
    centre_keys: Annotated[list[CentreKey], Field(min_length=1)]
    lanes: Annotated[list[LaneTable], Field(min_length=1, max_length=MAX_LANES)]
    front_panel: FrontPanelTable
    display: DisplayTable
    desk_reader: ReaderTable | None = None  # settles the fate of cards that left unseen or unread
    key_holder: KeyHolderTable | None = None  # None: no chip profile needs one
    chip_keys: tuple[CentreKey, ...] = ()  # whose signatures over chip contents are believed; P-256, newest first


@dataclass(frozen=True, slots=True)
class Reading:
    """A station.toml as far as it can be read."""

    config: Config | None  # None when there are problems
    problems: list[Problem]
    values: Mapping[str, Any]  # every value by its place, the wrong ones too: one mistake must not hide the others


def load_config(path: Path) -> Config:
    """Read and check a station.toml. Raises ConfigError listing every mistake."""
    return _good(read_config(path))


def parse_config(text: str) -> Config:
    """Check the text of a station.toml. Raises ConfigError listing every mistake."""
    return _good(_judge(text, "station.toml"))


def read_config(path: Path) -> Reading:
    """Read and check a station.toml. Raises ConfigError only when it is no TOML at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([_mistake("file", str(path), f"tidak dapat dibaca ({error})", f"cannot be read ({error})")]) from error
    return _judge(text, str(path))


def _good(reading: Reading) -> Config:
    if reading.config is None:
        raise ConfigError(reading.problems)
    return reading.config


def _judge(text: str, place: str) -> Reading:
    try:
        table = tomllib.loads(text)
        values = dict(_leaves(table, ""))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits and thousands of brackets
        raise ConfigError([_mistake("toml", place, f"bukan TOML yang benar: {error}", f"is not valid TOML: {error}")]) from error
    problems = [*_twice(values), *_ports_twice(values), *_pins_twice(values), *_too_many_readers(values)]
    try:
        config = TypeAdapter(Config).validate_python(table)  # judged once: nothing of the judging is kept in memory
    except ValidationError as error:
        return Reading(None, [*map(_from_pydantic, error.errors(include_url=False)), *problems], values)
    return Reading(None if problems else config, problems, values)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Each value that is no table, with its place as a person writes it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, value


def _twice(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Names and devices that only one lane may have."""
    for column, pattern in _UNIQUE.items():
        counts = Counter(value for place, value in values.items() if re.fullmatch(pattern, place))
        for value, count in counts.items():
            if count > 1:
                yield _mistake("twice", column, f"'{value}' dipakai {count} kali; beri nilai yang berbeda",
                               f"'{value}' is used {count} times; give each its own")  # fmt: skip


def _too_many_readers(values: Mapping[str, Any]) -> Iterator[Problem]:
    """More readers than pcsc-lite can show; the last ones would be missing without a word."""
    slots = {place: values.get(place.removesuffix("name") + "slots", SLOTS) for place in values if _READER.fullmatch(place)}
    total = sum(count for count in slots.values() if isinstance(count, int))
    if total > MAX_READERS:
        yield _mistake("readers", list(slots)[-1],
                       f"{len(slots)} pembaca memakai {total} slot, pcscd hanya menampilkan {MAX_READERS}; kurangi pembaca, "
                       "atau tulis slots = 1 pada pembaca yang hanya punya satu",
                       f"{len(slots)} readers take {total} slots, and pcscd shows {MAX_READERS}; use fewer readers, "
                       "or write slots = 1 at those that have one slot")  # fmt: skip


def _ports_twice(values: Mapping[str, Any]) -> Iterator[Problem]:
    """A USB port may have one printer only."""
    users: dict[tuple[str, str], str] = {}
    for place, port in values.items():
        lane = re.fullmatch(r"(lanes\[\d+\])\.printer\.port", place)
        if lane is not None:
            first = users.setdefault((str(values.get(f"{lane[1]}.printer.usb")), str(port)), place)
            if first != place:
                yield _mistake("twice", place, f"port '{port}' juga dipakai {first}; satu port untuk satu printer",
                               f"port '{port}' is also {first}; a port has one printer")  # fmt: skip


def _pins_twice(values: Mapping[str, Any]) -> Iterator[Problem]:
    """A pin of a bank may have one use only."""
    users: dict[tuple[str, int], list[str]] = {}
    for place, pin in values.items():
        user = re.fullmatch(r"(lanes\[\d+\]|front_panel)\.pins\.\w+", place)
        if user is not None and f"{user[1]}.gpio" in values:
            bank = str(values[f"{user[1]}.gpio"]).replace("//localhost:", "//127.0.0.1:")
            users.setdefault((bank, pin), []).append(place)
    for (source, pin), places in users.items():
        if len(places) > 1:
            yield _mistake("pin_twice", places[-1], f"pin {pin} di {source} juga dipakai {places[0]}; pilih pin lain",
                           f"pin {pin} of {source} is also {places[0]}; choose another pin")  # fmt: skip


def _from_pydantic(error: Any) -> Problem:
    """One pydantic error as a Problem: its place as a person writes it, and for an unknown key the nearest known one."""
    place = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in error["loc"]))
    place = re.sub(r"^key_holder\.(pcsc|pkcs11)", "key_holder", place)  # pydantic names the kind it took
    if error["type"] == "extra_forbidden":
        difflib = importlib.import_module("difflib")  # 0.3 MB of memory that a running daemon has no use for
        near = difflib.get_close_matches(str(error["loc"][-1]), _keys(Config), n=1)
        hint_id, hint_en = (f"; mungkin maksudnya '{near[0]}'", f"; did you mean '{near[0]}'") if near else ("", "")
        return _mistake("unknown_key", place, f"kunci tidak dikenal{hint_id}", f"unknown key{hint_en}")
    if error["type"] == "missing":
        return _mistake("missing", place, "wajib diisi", "is required")
    return _mistake("value", place, f"nilai salah: {error['msg']}", f"wrong value: {error['msg']}")


def _keys(model: type[BaseModel]) -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        names.append(name)
        for inner in _models(field.annotation):
            names += _keys(inner)
    return names


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The tables that an annotation allows, whatever it wraps them in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


def _mistake(code: str, place: str, text_id: str, text_en: str) -> Problem:
    return Problem(f"config.{code}", place, f"{text_id}.", f"{text_en}.")
