"""Writes the generated parts of firmware_profiles/README.md: the shipped profiles, and a printer's keys with form and meaning.

Run by hand: `python -m tools.make_profile_docs`. A test compares, so that the document stays true.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from controller.chips import profile as chip_profile
from controller.chips.profile_checks import PARTS
from controller.hal.profiles.files import profile_names
from controller.hal.profiles.printer import EvolisProfile, find_profile
from controller.hal.profiles.tables import EvolisTable, MagicardTable
from tools.generated_parts import filled

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "firmware_profiles" / "README.md"
PRINTERS, CHIPS = ROOT / "firmware_profiles" / "printers", ROOT / "firmware_profiles" / "chips"
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_ALIKE = ("usb", "firmware", "raster", "ribbons", "stations", "cool_down", "timing_s", "confidence", "format", "model", "ribbon")
_LEVELS = "ABCDE"


def render(text: str) -> str:
    """The document with its generated parts made anew."""
    schemas = {"evolis": TypeAdapter(EvolisTable).json_schema(), "magicard": TypeAdapter(MagicardTable).json_schema()}
    parts = {
        "profiles": _profiles(),
        "chips": _chips(),
        "common": _table(schemas["evolis"], lambda key: key in _ALIKE),
        **{family: _table(schema, lambda key: key not in _ALIKE) for family, schema in schemas.items()},
    }
    return filled(text, parts)


def _profiles() -> str:
    """The shipped profiles, with how many parts of each stand on which level."""
    rows = ["| profile | model | family | plan | ribbons | " + " | ".join(_LEVELS) + " |", "|---|---|---|---|---|" + "---|" * 5]
    for name in profile_names(PRINTERS):
        profile = find_profile(PRINTERS, name)
        family = "evolis" if isinstance(profile, EvolisProfile) else "magicard"
        counts = [str(sum(row.level == level for row in profile.confidence.values())) for level in _LEVELS]
        ribbons = ", ".join(profile.ribbons)
        rows.append(f"| `{name}` | {profile.model} | {family} | {profile.plan} | {ribbons} | {' | '.join(counts)} |")
    return "\n".join(rows)


def _chips() -> str:
    """The shipped chip profiles: part by part, how sure each is."""
    rows = ["| profile | channel | written by | " + " | ".join(PARTS) + " |", "|---|---|---|" + "---|" * len(PARTS)]
    for name in profile_names(CHIPS):
        profile = chip_profile.find_profile(CHIPS, name)
        levels = [profile.confidence[part].level if part in profile.confidence else "" for part in PARTS]
        rows.append(f"| `{name}` | {profile.channel.kind} | {profile.invented.write} | {' | '.join(levels)} |")
    return "\n".join(rows)


def _table(schema: dict[str, Any], wanted: Any) -> str:
    """A row for each key, those of a table under the table's own."""
    rows = ["| key | form | meaning |", "|---|---|---|"]
    for key, field in schema["properties"].items():
        if wanted(key):
            rows += _rows(key, field, key in schema.get("required", []), schema["$defs"])
    return "\n".join(rows)


def _rows(place: str, field: dict[str, Any], required: bool, defs: dict[str, Any]) -> Iterator[str]:
    field = _plain(field)
    model = _model(field, defs)
    text = field.get("description", "")
    if model is None:
        yield f"| `{place}` | {_form(field, defs)}{'' if required else ', optional'} | {text} |"
        return
    about = " ".join(model.get("description", "").split())
    yield f"| **`{place}`** | {_kind(field)} | {' '.join(filter(None, (about, text)))} |"
    inner = place if field.get("type") != "object" else f"{place}.NAME"
    for key, below in model["properties"].items():
        yield from _rows(f"{inner}.{key}", below, key in model.get("required", []), defs)


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """What an optional key has when it is there."""
    choices = [choice for choice in field.get("anyOf", []) if choice.get("type") != "null"]
    return {**choices[0], **{key: value for key, value in field.items() if key != "anyOf"}} if choices else field


def _model(field: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    """The table that a key holds, once, in an array or under names of its own."""
    for place in (
        field,
        field.get("items", {}),
        field.get("additionalProperties") or {},
        *field.get("patternProperties", {}).values(),
    ):
        if isinstance(place, dict) and "$ref" in place:
            found: dict[str, Any] = defs[place["$ref"].rsplit("/", 1)[1]]
            return found if "properties" in found else None
    return None


def _kind(field: dict[str, Any]) -> str:
    return {"array": "array of tables", "object": "table of tables by name"}.get(field.get("type", ""), "table")


def _form(field: dict[str, Any], defs: dict[str, Any]) -> str:
    if "$ref" in field:
        return _form(defs[field["$ref"].rsplit("/", 1)[1]], defs)
    if "const" in field or "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_form(_plain(field['items']), defs)}"
    if field.get("type") == "object":
        values = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
        return f"names, each with {_form(_plain(next(value for value in values if value)), defs)}"
    return _TYPES[field["type"]] + _limits(field)


def _limits(field: dict[str, Any]) -> str:
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    if low is None or high is None:
        return ""
    above = "above " if "exclusiveMinimum" in field else ""
    return f", {above}{low} to {'below ' if 'exclusiveMaximum' in field else ''}{high}"


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(render(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
