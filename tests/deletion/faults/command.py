"""The command line in a process of its own, forked from one that has imported all of it and opened nothing.

So a run costs what it does, and no start of Python.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_IMPORTED = ["tests.deletion.faults.command", "ml_metadata"] + [
    f"tfx_janitor.{module}"
    for module in (
        "cli.application",
        "cli.progress",
        "deletion.gc",
        "deletion.restore",
        "lineage.connection",
        "lineage.patience",
        "report.documents",
        "report.tables",
        "survey.crew",
    )
]


@dataclass(frozen=True)
class Bell:
    """Rings in another process as a change to the world begins, the nth that the command makes."""

    number: int
    line: Connection


def started(arguments: Sequence[str], log: Path, bell: Bell | None = None) -> ForkServerProcess:
    """Starts the command line; what it prints is appended to a file."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_IMPORTED)
    process = forking.Process(target=_run, args=(list(arguments), log, bell), daemon=True)
    process.start()
    return process


def _run(arguments: Sequence[str], log: Path, bell: Bell | None) -> None:
    from tfx_janitor import effects
    from tfx_janitor.cli import main

    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    with contextlib.nullcontext() if bell is None else effects.watched(_ringing(bell)):
        main(arguments)


def _ringing(bell: Bell) -> Callable[..., Any]:
    count = itertools.count(1)

    def ring(_: object, change: Callable[[], Any]) -> Any:
        if next(count) == bell.number:
            bell.line.send_bytes(b"now")
        return change()

    return ring
