"""What the parser says of values and in its help, in the words of all other messages.

It reads values with pydantic and names them by their Python types, and would say so.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

_IDS = ("ID", "EXECUTION")
_ID = "an id, a whole number such as 12"
_BY_PATH = "; `tfx-janitor lineage PATH` tells the ids behind a path"
_KINDS = {"int": "a whole number", "float": "a number"}


class CommandInPlainWords(TyperCommand):
    """A command whose help calls its arguments as its usage does, and those that may be repeated `ID...`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes what the help says of arguments and options."""
        told: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                name = f"{parameter.metavar or parameter.name}{'' if parameter.nargs == 1 else '...'}"
                told["Arguments"].append((name, record[1]))
            else:
                told["Options"].append(record)
        for heading, records in told.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def in_plain_words(error: Any) -> None:
    """Has the parser say of a value that it could not read what was expected, what came, and what to do."""
    # Of pydantic, which is loaded only where there was a value to read.
    found = getattr(error.__cause__, "errors", None)
    if found is not None and (details := found()):
        error.message = _message(details[0], getattr(getattr(error, "param", None), "metavar", None))


def _message(detail: dict[str, Any], metavar: str | None) -> str:
    """What is wrong with a value of what the help calls so."""
    kind, limits, got = str(detail["type"]), detail.get("ctx", {}), f"got {detail['input']!r}"
    if kind == "greater_than_equal":
        return f"expected at least {limits['ge']}, {got}"
    told = str(limits["error"]) if kind == "value_error" else str(detail["msg"])
    _, choice, choices = told.partition(" is not one of ")
    if choice:
        *most, last = choices.rstrip(".").replace("'", "").split(", ")
        return f"expected {', '.join(most)}{' or ' if most else ''}{last}, {got}"
    number = _KINDS.get(kind.partition("_")[0])
    if number is None:
        return told if kind == "value_error" else f"{told}, {got}"
    return f"expected {_ID}, {got}{_BY_PATH}" if metavar in _IDS else f"expected {number}, {got}"
