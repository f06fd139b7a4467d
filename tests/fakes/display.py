"""An operator display in memory, for tests of the layers above. Held to tests/contract/test_display.py."""

from __future__ import annotations

COLUMNS = 20


class FakeDisplay:
    """`ports.OperatorDisplay`; `lines` is what a person would read, `texts` everything ever shown. `up` may be switched."""

    def __init__(self) -> None:
        self.up = True
        self.texts: list[tuple[str, str]] = []
        self._text = ("", "")

    @property
    def lines(self) -> tuple[str, str]:
        return self._text if self.up else ("", "")

    def show(self, first: str, second: str) -> None:
        text = (first[:COLUMNS], second[:COLUMNS])
        if text != self._text:
            self.texts.append(text)
        self._text = text
