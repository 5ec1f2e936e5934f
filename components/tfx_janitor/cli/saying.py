"""What the command line itself says on standard error: sentences for people, or JSON for who asked for it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TextIO

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
    try:
        print(spelled(message, level, **fields), file=sys.stderr)
    except OSError:  # nobody can be told, and how the command ends is what counts
        lead_nowhere(sys.stderr)


def lead_nowhere(stream: TextIO) -> None:
    """Gives up a stream that cannot be written: Python must not trip over what is left in it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
