"""Writes what docs say about records from the code: docs/record.schema.json and the marked parts of docs/record-format.md.

Run by hand: `python -m tools.make_record_docs`. A test compares, so that the documents stay true.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.api_jws import PyJWS

from controller.records.canonical import canonical_bytes
from controller.records.prr import FIRST_YEAR, TEXT_PATTERN, json_schema
from controller.records.refusals import REFUSALS
from controller.records.status import REFUSED_STATUSES

ROOT = Path(__file__).parent.parent
SCHEMA_FILE = ROOT / "docs" / "record.schema.json"
FORMAT_FILE = ROOT / "docs" / "record-format.md"
_KEY_FILE = ROOT / "examples" / "keys" / "contoh-2026.key.pem"


def schema_text() -> str:
    """The text of docs/record.schema.json."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def filled(text: str) -> str:
    """The text of docs/record-format.md with every marked part as the code has it now."""
    for name, make in _PARTS.items():
        start, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        text = before + start + make() + end + rest.split(end)[1]
    return text


def _fields() -> str:
    schema = json_schema()
    rows = ["| field | required | form | meaning |", "|---|---|---|---|", *_field_rows(schema, schema["$defs"], "")]
    return "\n".join(rows) + "\n"


def _field_rows(model: dict[str, Any], models: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, field in model["properties"].items():
        required = "yes" if name in model["required"] else "no"
        yield f"| `{prefix}{name}` | {required} | {_form(field)} | {field['description']} |"
        if "$ref" in field:
            yield from _field_rows(models[field["$ref"].rsplit("/", 1)[1]], models, f"{prefix}{name}.")


def _form(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "object"
    if "anyOf" in field:
        return " or ".join(_form(choice) for choice in field["anyOf"])
    if "const" in field or "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field.get("enum", [field.get("const")]))
    if field.get("format") == "date":
        return f"`YYYY-MM-DD`, from {FIRST_YEAR}"
    return _text_form(field)


def _text_form(field: dict[str, Any]) -> str:
    if field.get("pattern") == TEXT_PATTERN:
        return f"card text, at most {field['maxLength']} characters"
    if "pattern" in field:
        return f"`{field['pattern']}`"
    if field.get("contentEncoding") == "base64":
        return "base64"
    return f"at most {field['maxLength']} characters"


def _refusals() -> str:
    rows = [f"| `{row.code}` | {row.en} | {row.id} |" for row in REFUSALS.values()]
    return "\n".join(["| code | English | Indonesian |", "|---|---|---|", *rows]) + "\n"


def _statuses() -> str:
    rows = [f"| `{status}` | `{code}` | {REFUSALS[code].en} |" for status, code in REFUSED_STATUSES.items()]
    return "\n".join(["| status | code | what happens |", "|---|---|---|", "| `PRINT_READY_RECORD` | | printed |", *rows]) + "\n"


def _example() -> str:
    record = {"record_id": "X-1", "format": 1, "person": {"name": "SITI", "birth_place": "SOLO"}}
    payload = canonical_bytes(record)  # type: ignore[arg-type]  # dict is invariant; this one is plain JSON
    key = load_pem_private_key(_KEY_FILE.read_bytes(), password=None)
    headers = {"typ": "", "kid": "contoh-2026", "b64": False}
    seal = PyJWS().encode(payload, key, algorithm="EdDSA", headers=headers, is_payload_detached=True)  # type: ignore[arg-type]  # an Ed25519 key
    header = seal.split(".", maxsplit=1)[0]
    return (
        f"```text\nrecord          {json.dumps(record)}\ncanonical       {payload.decode()}\n"
        f'header          {{"alg":"EdDSA","b64":false,"crit":["b64"],"kid":"contoh-2026"}}\n'
        f"signing input   {header}.{payload.decode()}\nseal            {seal}\n```\n"
    )


_PARTS: dict[str, Callable[[], str]] = {"fields": _fields, "statuses": _statuses, "refusals": _refusals, "example": _example}


def main() -> None:
    """Write both files."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    FORMAT_FILE.write_text(filled(FORMAT_FILE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
