"""The parts of a document that are written from the code: between `<!-- generated: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The document with these parts made anew; a part that it does not have is left out."""
    for name, content in parts.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, partial(_framed, content), text, flags=re.DOTALL)
    return text


def _framed(content: str, match: re.Match[str]) -> str:
    return f"{match[1]}{content}\n{match[2]}"
