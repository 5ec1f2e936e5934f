"""Log records as JSON, one object a line, for those who collect logs; loaded where somebody asks for it."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator

from tfx_janitor.retention.timestamps import to_iso

FIELDS = "fields"
"""Attribute of a record that has more fields for its line: JSON-ready values by name."""


class JsonLines(logging.Formatter):
    """Time, level, logger and message of a record, its fields, and the traceback of its error, if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, ASCII alone."""
        line = {
            "time": to_iso(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@contextlib.contextmanager
def json_lines() -> Iterator[JsonLines]:
    """While the block runs, whatever this process logs or warns of is written so to standard error."""
    root = logging.getLogger()
    handler = logging.StreamHandler()
    handler.setFormatter(formatter := JsonLines())
    before, root.handlers[:] = list(root.handlers), [handler]
    logging.captureWarnings(True)
    try:
        yield formatter
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
