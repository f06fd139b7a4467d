"""Shortens texts that nothing else makes fit, by the layout's own rules, one at a time and in their order. Pure.

Whole words only: KABUPATEN in `KABUPATEN/KOTA` is no word of its own. A rule that is used is used on all its places in the text.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from controller.cards.layout import Abbreviation


def abbreviated(rules: Sequence[Abbreviation], texts: Mapping[str, str], fields: Container[str]) -> dict[str, str] | None:
    """The texts after the first rule that changes any of these fields; None when no rule is left that does."""
    for rule in rules:
        changed = {name: _apply(rule, texts[name]) for name in rule.fields if name in fields and name in texts}
        if any(text != texts[name] for name, text in changed.items()):
            return {**texts, **changed}
    return None


def _apply(rule: Abbreviation, text: str) -> str:
    return re.sub(rf"(?<!\S){re.escape(rule.words)}(?=[\s,]|$)", lambda _match: rule.short, text, flags=re.IGNORECASE)
