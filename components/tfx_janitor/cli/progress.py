"""A progress bar on standard error, where somebody looks at it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from tfx_janitor.cli.saying import says_json

Bar = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress_bar() -> Iterator[Bar]:
    """Shows task, items done and items in all; silent unless standard error is a terminal for people."""
    if not sys.stderr.isatty() or says_json():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(task: str, done: int, total: int) -> None:
            # A task that is done and comes again, as verifying does round by round, starts anew.
            if task not in tasks:
                tasks[task] = progress.add_task(task, total=total)
            progress.update(tasks[task], completed=done, total=total)

        yield advance
