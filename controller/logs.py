"""Log lines: one JSON object each on stderr, for journald. Events with fields; never a person's data, never wire bytes."""

from __future__ import annotations

import json
import logging
import sys

from controller.clock import wall_text, wall_us


class JsonFormatter(logging.Formatter):
    """`logger.info("card issued", extra={"facts": {...}})` as one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": wall_text(wall_us()), "level": record.levelname.lower(), "event": record.getMessage(), "from": record.name}
        line |= getattr(record, "facts", {})
        if record.exc_info is not None:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure() -> None:
    """Send every logger's lines to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
