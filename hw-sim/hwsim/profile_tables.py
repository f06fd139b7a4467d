"""Profile files as tables: a file that `extends` another lists only what differs. Tables are merged key by key, everything else
is replaced, lists of tables too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwsim.errors import SimError
from hwsim.toml_table import Table, load

MAX_PARENTS = 8  # a longer chain is no family any more


def profile_table(folder: Path, name: str) -> Table:
    """NAME.toml with everything that it extends. Raises SimError for an unknown profile and for one that extends itself."""
    table, seen = _open(folder, name), [name]
    data = dict(table.data)
    while "extends" in data:
        parent = Table(table.place, data).get("extends", str)
        seen.append(parent)
        if parent in seen[:-1] or len(seen) > MAX_PARENTS:
            raise SimError(f"{table.place}extends goes round or too far: {' > '.join(seen)}")
        del data["extends"]
        data = merged(_open(folder, parent).data, data)
    return Table(table.place, data)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables; where both have a key, `above` counts."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = merged(below[key], above[key])
    return both


def _open(folder: Path, name: str) -> Table:
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
        raise SimError(f"there is no profile {name!r} in {folder.name}/; there are: {known}")
    return load(path)
