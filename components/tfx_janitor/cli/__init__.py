"""The command line: parse, call, print. Heavy imports happen inside the commands that need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code.

    Args:
      arguments: those of the process, if not given.
    """
    try:
        from tfx_janitor.cli.application import app

        app(args=arguments, prog_name="tfx-janitor")
    except KeyboardInterrupt:
        # Ctrl-C before there is a command that could answer: as shells have it, without a word.
        raise SystemExit(130) from None
    raise SystemExit(0)
