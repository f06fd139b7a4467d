"""Writes the generated parts of the documents from the running tables: `python -m tools.make_architecture_docs`."""

from __future__ import annotations

import inspect
from pathlib import Path

from controller.jobs import events, passage, states, verdict
from tools.generated_parts import filled

DOCS = Path(__file__).resolve().parent.parent / "docs"
DOCUMENTS = (DOCS / "architecture.md", DOCS / "crash-windows.md", DOCS / "event-log.md")


def render(text: str) -> str:
    """A document with its generated parts made anew."""
    parts = {
        "states": f"```mermaid\n{states.diagram()}\n```",
        "passages": passage.describe(),
        "failures": _failures(),
        "verdicts": verdict.describe(),
        "events": events.describe(),
    }
    return filled(text, parts)


def _failures() -> str:
    """The rows in the docstring of the deciding function, which stand beside the code that follows them."""
    rows = [line.strip() for line in (inspect.getdoc(passage.after_failure) or "").splitlines() if "->" in line]
    table = [" | ".join(part.strip() for part in row.split("->")) for row in rows]
    return "\n".join(["| failure | what follows |", "|---|---|", *(f"| {row} |" for row in table)])


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(render(document.read_text(encoding="utf-8")), encoding="utf-8")
