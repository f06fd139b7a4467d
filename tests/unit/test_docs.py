"""The documents say what the code does: generated parts are equal, names that are mentioned exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.cli import COMMANDS
from hwsim.exchanges import MOMENTS, WIRES
from hwsim.hands import PUT_TO
from hwsim.orders import ACTS
from tools.make_architecture_docs import DOCUMENTS, render

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_generated_parts_of_the_documents_are_up_to_date(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert render(text) == text, "run: python -m tools.make_architecture_docs"


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md"])
def test_every_path_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    missing = [link for link in links if not ((ROOT / document).parent / link).exists()]
    code = re.findall(r"`((?:controller|jobs|hal|firmware_profiles|hw-sim|tools|systemd|examples)/[\w./-]*)`", text)
    missing += [path for path in code if not (ROOT / path).exists() and not (ROOT / "controller" / path).exists()]
    assert missing == []


def test_the_readme_shows_every_command_people_need() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"print-station {name}" not in text] == []


def test_the_simulators_commands_are_in_its_document() -> None:
    text = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
    assert [word for word in (*MOMENTS, *WIRES, *ACTS, *PUT_TO) if f"`{word}`" not in text] == []
