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

from tfx_janitor.cli.saying import say, says_json
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
        except KeyboardInterrupt as error:
            raise _exit(ctx, error, "interrupted") from None
        except BrokenPipeError as error:
            # Python flushes once more at its end, and must not trip over the closed pipe again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(code_of(error)) from None
        except JanitorError as error:
            raise _exit(ctx, error, str(error)) from None
        # The outermost boundary of the program: whatever arrives here has no other reader than the user.
        except Exception as error:
            if _is_for_the_parser(error):
                if says_json() and (usage := _usage(error)) is not None:
                    raise _exit(ctx, error, usage) from None
                raise
            if (answer := answer_of_store(error)) is not None:
                raise _exit(ctx, error, answer) from None
            hint = "" if DEBUG in os.environ else f" (set {DEBUG}=1 for the traceback)"
            raise _exit(ctx, error, f"unexpected {type(error).__name__}: {error}{hint}") from None


def code_of(error: BaseException | None) -> int:
    """The exit code of a command, by the error that ended it, if any."""
    if error is None:
        return 0
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    # Those of this package have a code, and so have those of the parser.
    if isinstance(code := getattr(error, "exit_code", None), int):
        return code
    return UNEXPECTED if answer_of_store(error) is None else BAD_INPUT


def finish(well: bool) -> None:
    """Ends a command that was carried out.

    Raises:
      Exit: with 1, unless everything went well.
    """
    if not well:
        raise typer.Exit(FINDINGS)


def answer_of_store(error: BaseException) -> str | None:
    """What the metadata store answered, in words; None if the error is none of its."""
    # An error of MLMD exists only where MLMD is loaded already.
    errors = sys.modules.get("ml_metadata.errors")
    if errors is None or not isinstance(error, errors.StatusError):
        return None
    return f"the metadata store answered {type(error).__name__}: {error}"


def _exit(ctx: Any, error: BaseException, message: str) -> typer.Exit:
    code = code_of(error)
    fields = {"command": ctx.invoked_subcommand, "exit_code": code}
    if DEBUG in os.environ:
        if says_json():
            fields["traceback"] = traceback.format_exc()
        else:
            traceback.print_exc()
    say(message, **fields)
    return typer.Exit(code)


def _usage(error: Exception) -> str | None:
    """What the parser has to say of a usage error; None if it is none, but the wish to end."""
    told = getattr(error, "format_message", None)
    return None if told is None else str(told())


def _is_for_the_parser(error: Exception) -> bool:
    """Usage errors, exits and aborts, which the parser shows and turns into exit codes.

    Typer carries its own copy of click since 0.2x, so the classes are told by what they have.
    """
    return isinstance(error, typer.Exit | typer.Abort) or (
        hasattr(error, "exit_code") and hasattr(error, "show")
    )
