"""What the command line itself says on standard error: sentences for people, or JSON for who asked for it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tfx_janitor.cli.json_lines import JsonLines

NAME = "tfx-janitor"

Level = Literal["warning", "error"]

_formatter: JsonLines | None = None


@contextlib.contextmanager
def in_json() -> Iterator[None]:
    """While the block runs, all that this process says, logs or warns of is JSON, one object a line."""
    global _formatter
    from tfx_janitor.cli.json_lines import json_lines

    with json_lines() as formatter:
        _formatter = formatter
        try:
            yield
        finally:
            _formatter = None


def says_json() -> bool:
    """Whether somebody asked for JSON."""
    return _formatter is not None


def say(message: str, level: Level = "error", **fields: object) -> None:
    """One message on standard error.

    Args:
      fields: JSON-ready values; only JSON has a place for them.
    """
    print(spelled(message, level, **fields), file=sys.stderr)


def spelled(message: str, level: Level = "error", **fields: object) -> str:
    """A message as it stands on standard error, with what could steer a terminal escaped."""
    if _formatter is not None:
        import logging

        record = logging.LogRecord(
            NAME, logging.WARNING if level == "warning" else logging.ERROR, "", 0, message, None, None
        )
        record.fields = fields
        return _formatter.format(record)
    safe = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message
    )
    return f"{NAME}: {safe}"
