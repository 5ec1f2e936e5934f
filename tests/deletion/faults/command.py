"""The command line in a process of its own, forked from one that has imported all of it and opened nothing.

So a run costs what it does, and no start of Python.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

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


def started(arguments: Sequence[str], log: Path) -> ForkServerProcess:
    """Starts the command line; what it prints is appended to a file."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_IMPORTED)
    process = forking.Process(target=_run, args=(list(arguments), log), daemon=True)
    process.start()
    return process


def _run(arguments: Sequence[str], log: Path) -> None:
    from tfx_janitor.cli import main

    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    main(arguments)
