"""The one error that hw-sim shows to people."""

from __future__ import annotations


class SimError(Exception):
    """A request or a file that cannot be used: one sentence saying what, where and what would be right."""
