"""Exit codes, and the one place where an error becomes one: no traceback reaches a user.

Bad usage (an unknown command or option) is answered by the parser itself, with 2 as well.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from tfx_janitor.cli.options import completed
from tfx_janitor.cli.saying import lead_nowhere, say, says_json
from tfx_janitor.cli.usage import in_plain_words
from tfx_janitor.errors import JanitorError

FINDINGS = 1
"""Done, but with findings, or with items that were skipped or failed."""

BAD_INPUT = 2
"""Bad input, or a store that cannot be used."""

UNEXPECTED = 70
"""An error that nobody foresaw, or output that cannot be written: a bug, or a file system that broke.

EX_SOFTWARE of sysexits.h.
"""

INTERRUPTED = 130
"""Ctrl-C, as shells have it: 128 and the signal's number."""

PIPE_CLOSED = 141
"""Whoever read the output went away, as in `| head`; 128 and the number of SIGPIPE."""

DEBUG = "TFX_JANITOR_DEBUG"
"""Environment variable that asks for tracebacks."""


class OutputError(Exception):
    """Standard output took less than all, as on a full disk; whatever the command did stands."""

    exit_code = UNEXPECTED


class CommandsThatAnswer(TyperGroup):
    """A group of commands whose errors end in a message and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Understands what stands before the command; `--version` and `--help` are answered here."""
        with _answering(ctx), writing():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        with _answering(ctx):
            return super().invoke(ctx)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """While the block runs, nothing but standard output is written to.

    Raises:
      OutputError: it could not be written.
      BrokenPipeError: nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output could not be written: {error.strerror}") from None


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


@contextlib.contextmanager
def _answering(ctx: Any) -> Iterator[None]:
    """What ends the block is answered, and becomes an exit code."""
    try:
        with _written_out():
            yield
    except KeyboardInterrupt as error:
        raise _exit(ctx, error, "interrupted") from None
    except BrokenPipeError as error:
        raise typer.Exit(code_of(error)) from None
    except (JanitorError, OutputError) as error:
        raise _exit(ctx, error, completed(ctx, str(error))) from None
    # The outermost boundary of the program: whatever arrives here has no other reader than the user.
    except Exception as error:
        if _is_for_the_parser(error):
            _say_where(ctx, error)
            in_plain_words(error)
            _complete(ctx, error)
            if says_json() and (usage := _usage(error)) is not None:
                raise _exit(ctx, error, usage) from None
            raise
        if (answer := answer_of_store(error)) is not None:
            # Whoever had done something says Stopped, and what (cli/site.py).
            raise _exit(ctx, error, f"{answer}; nothing was done") from None
        hint = "" if DEBUG in os.environ else f" (set {DEBUG}=1 for the traceback)"
        raise _exit(ctx, error, f"unexpected {type(error).__name__}: {error}{hint}") from None


@contextlib.contextmanager
def _written_out() -> Iterator[None]:
    """What the block prints is written at its end, and not at Python's, where nobody could answer for it."""
    ended: typer.Exit | None = None
    try:
        try:
            yield
        except typer.Exit as done:  # it was carried out all the same
            ended = done
        with writing():
            sys.stdout.flush()
    except BaseException:
        try:
            sys.stdout.flush()
        except OSError:
            lead_nowhere(sys.stdout)
        raise
    if ended is not None:
        raise ended


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


def _say_where(ctx: Any, error: Any) -> None:
    """Has the parser say of an option of the program itself, given to a command, where it stands."""
    name = getattr(error, "option_name", None)
    if ctx.invoked_subcommand and any(name in parameter.opts for parameter in ctx.command.params):
        place = f"tfx-janitor {name} ... {ctx.invoked_subcommand} ..."
        error.message, error.possibilities = f"{name} stands before the command, as in {place}", None


def _complete(ctx: Any, error: Any) -> None:
    """Has the parser name the store in the commands that it names."""
    if isinstance(getattr(error, "message", None), str):
        error.message = completed(ctx, error.message)


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
