"""The command line: parse, call, print. Heavy imports happen inside the commands that need them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code.

    Args:
      arguments: those of the process, if not given.
    """
    _open_what_is_closed()
    try:
        from tfx_janitor.cli.application import app

        app(args=arguments, prog_name="tfx-janitor")
    except KeyboardInterrupt:
        # Ctrl-C before there is a command that could answer: as shells have it, without a word.
        raise SystemExit(130) from None
    raise SystemExit(0)


def _open_what_is_closed() -> None:
    """Gives standard input, output and error their numbers where they are closed, as under some daemons.

    The next files that are opened, such as a plan, would get them, and what is meant for people. Input and
    error lead nowhere then. Output cannot be written, which is told and has its exit code, as on a full disk.
    """
    for name, mode, may in (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            # The lowest number that is free: its own.
            setattr(sys, name, os.fdopen(os.open(os.devnull, may), mode, encoding="utf-8"))
