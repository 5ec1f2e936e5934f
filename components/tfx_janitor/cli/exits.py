"""Exit codes, and the one place where an error becomes one: no traceback reaches a user.

Bad usage (an unknown command or option) is answered by the parser itself, with 2 as well.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from tfx_janitor.errors import JanitorError

FINDINGS = 1
"""Done, but with findings, or with items that were skipped or failed."""

BAD_INPUT = 2
"""Bad input, or a store that cannot be used."""

UNEXPECTED = 70
"""An error that nobody foresaw: a bug, or a file system that broke. EX_SOFTWARE of sysexits.h."""

INTERRUPTED = 130
"""Ctrl-C, as shells have it: 128 and the signal's number."""

PIPE_CLOSED = 141
"""Whoever read the output went away, as in `| head`; 128 and the number of SIGPIPE."""

DEBUG = "TFX_JANITOR_DEBUG"
"""Environment variable that asks for tracebacks."""


class CommandsThatAnswer(TyperGroup):
    """A group of commands whose errors end in a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except KeyboardInterrupt:
            raise _exit(INTERRUPTED, "interrupted") from None
        except BrokenPipeError:
            # Python flushes once more at its end, and must not trip over the closed pipe again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except JanitorError as error:
            raise _exit(error.exit_code, str(error)) from None
        # The outermost boundary of the program: whatever arrives here has no other reader than the user.
        except Exception as error:
            if _is_for_the_parser(error):
                raise
            if (answer := answer_of_store(error)) is not None:
                raise _exit(BAD_INPUT, answer) from None
            hint = "" if DEBUG in os.environ else f" (set {DEBUG}=1 for the traceback)"
            raise _exit(UNEXPECTED, f"unexpected {type(error).__name__}: {error}{hint}") from None


def finish(well: bool) -> None:
    """Ends a command that was carried out.

    Raises:
      Exit: with 1, unless everything went well.
    """
    if not well:
        raise typer.Exit(FINDINGS)


def say(message: str) -> None:
    """One message on standard error, with what could steer a terminal escaped."""
    safe = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message
    )
    print(f"tfx-janitor: {safe}", file=sys.stderr)


def answer_of_store(error: Exception) -> str | None:
    """What the metadata store answered, in words; None if the error is none of its."""
    # An error of MLMD exists only where MLMD is loaded already.
    errors = sys.modules.get("ml_metadata.errors")
    if errors is None or not isinstance(error, errors.StatusError):
        return None
    return f"the metadata store answered {type(error).__name__}: {error}"


def _exit(code: int, message: str) -> typer.Exit:
    if DEBUG in os.environ:
        traceback.print_exc()
    say(message)
    return typer.Exit(code)


def _is_for_the_parser(error: Exception) -> bool:
    """Usage errors, exits and aborts, which the parser shows and turns into exit codes.

    Typer carries its own copy of click since 0.2x, so the classes are told by what they have.
    """
    return isinstance(error, typer.Exit | typer.Abort) or (
        hasattr(error, "exit_code") and hasattr(error, "show")
    )
