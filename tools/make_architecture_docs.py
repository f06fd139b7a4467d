"""Writes the generated parts of the documents from the running tables: `python -m tools.make_architecture_docs`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.jobs import events, passage, states, verdict
from hwsim.chip_faults import CHIP_FAULTS
from tools.generated_parts import filled

DOCS = Path(__file__).resolve().parent.parent / "docs"
DOCUMENTS = (DOCS / "architecture.md", DOCS / "crash-windows.md", DOCS / "event-log.md", DOCS / "simulator.md")


def render(text: str) -> str:
    """A document with its generated parts made anew."""
    parts = {
        "states": f"```mermaid\n{states.diagram()}\n```",
        "passages": passage.describe(),
        "failures": _failures(),
        "verdicts": verdict.describe(),
        "events": events.describe(),
        "chip faults": _chip_faults(),
    }
    return filled(text, parts)


def _failures() -> str:
    """The rows in the docstring of the deciding function, which stand beside the code that follows them."""
    rows = [line.strip() for line in (inspect.getdoc(passage.after_failure) or "").splitlines() if "->" in line]
    table = [" | ".join(part.strip() for part in row.split("->")) for row in rows]
    return "\n".join(["| failure | what follows |", "|---|---|", *(f"| {row} |" for row in table)])


def _chip_faults() -> str:
    """What the simulator can do to chips, their reader and the SAM."""
    rows = (f"| `{name}` | {fault.about} | {_values(fault.takes)} |" for name, fault in CHIP_FAULTS.items())
    return "\n".join(["| fault | what happens | values, with what they are when left out |", "|---|---|---|", *rows])


def _values(takes: Mapping[str, Any]) -> str:
    said = (f"`{name}={value if not isinstance(value, bool) else ('yes' if value else 'no')}`" for name, value in takes.items())
    return ", ".join(said)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(render(document.read_text(encoding="utf-8")), encoding="utf-8")
