"""Strings that come from stores and disks, made safe to show: they can neither style nor steer a terminal."""

from __future__ import annotations

from rich.filesize import decimal
from rich.text import Text

from tfx_janitor.retention.timestamps import to_iso


def printable(value: str) -> str:
    """A string with everything that does not print (controls, direction marks, lone surrogates) escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def text(value: object, style: str = "") -> Text:
    """A value as it stands: what looks like markup stays as it is written."""
    return Text(printable(str(value)), style=style)


def to_copy(value: object, style: str = "") -> Text:
    """A line that people copy, such as a command: it is not folded, however narrow the terminal is."""
    line = text(value, style)
    line.no_wrap = True
    return line


def size(number: int | None) -> str:
    """Bytes for people, in powers of 1000; empty where nothing was measured."""
    return "" if number is None else decimal(number)


def minute(moment_ms: int) -> str:
    """`2026-11-22 10:36`, UTC; the header of the column says so."""
    return to_iso(moment_ms)[:16].replace("T", " ")


def second(moment_ms: int) -> str:
    """`2026-11-22 10:36:19 UTC`."""
    return to_iso(moment_ms)[:19].replace("T", " ") + " UTC"


def count(number: int, noun: str) -> str:
    """`1 artifact`, `2 artifacts`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
