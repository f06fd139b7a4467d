"""Reading TOML with its place in every complaint: which file, which key, what was expected."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from hwsim.errors import SimError

T = TypeVar("T")
_REQUIRED: Any = object()
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class Table:
    """One TOML table; every getter raises SimError naming the key and what it must be."""

    place: str  # e.g. "examples/hw-sim.toml: lanes[0]."
    data: Mapping[str, Any]

    def get(self, key: str, kind: type[T], default: Any = _REQUIRED) -> T:
        """The value of `key`, which must be a `kind` (an int also serves as float, a bool never as int)."""
        value = self.data.get(key, default)
        if value is _REQUIRED:
            raise SimError(f"{self.place}{key} is missing; it must be {_WORDS[kind]}")
        if kind is float and type(value) is int:
            value = float(value)
        if value is not default and type(value) is not kind:
            raise SimError(f"{self.place}{key} must be {_WORDS[kind]}, not {value!r}")
        return cast("T", value)

    def at_least(self, key: str, least: int, default: Any = _REQUIRED) -> int:
        """A whole number not below `least`."""
        value = self.get(key, int, default)
        if value < least:
            raise SimError(f"{self.place}{key} must be {least} or more, not {value}")
        return value

    def choice(self, key: str, default: str | None, allowed: tuple[str, ...]) -> str | None:
        """One of the allowed words, or the default when there is none."""
        value = None if key not in self.data else self.get(key, str)
        if value is not None and value not in allowed:
            raise SimError(f"{self.place}{key} must be one of {', '.join(allowed)}, not {value!r}")
        return default if value is None else value

    def table(self, key: str, default: Any = _REQUIRED) -> Table:
        """The sub-table of `key`."""
        return Table(f"{self.place}{key}.", self.get(key, cast("type[dict[str, Any]]", dict), default))

    def tables(self, key: str) -> list[Table]:
        """The array of tables of `key`; at least one."""
        rows = self.get(key, cast("type[list[Any]]", list))
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise SimError(f"{self.place}{key} must be a list of at least one table ([[{key}]])")
        return [Table(f"{self.place}{key}[{index}].", row) for index, row in enumerate(rows)]

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads: most likely a typing mistake."""
        unknown = sorted(set(self.data) - set(known))
        if unknown:
            raise SimError(f"{self.place}{unknown[0]} is not known; known here: {', '.join(sorted(known))}")


def load(path: Path) -> Table:
    """The root table of a TOML file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SimError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SimError(f"{path} is not TOML: {error}") from error
    return Table(f"{path}: ", data)
