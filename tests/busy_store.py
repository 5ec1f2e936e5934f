"""Stores in trouble: one that another process has for itself, and a server that goes away before it answers.

with held(history.database) as let_go: ...
with effects.watched(unanswered("PutArtifacts")): ...
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tenacity
from ml_metadata import errors

from tests.builders.mlmd_rows import await_next_millisecond
from tfx_janitor.effects import Effect, Watcher
from tfx_janitor.lineage import patience

_HOLD = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as database:
    database.execute("BEGIN EXCLUSIVE")
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(database: Path) -> Iterator[Callable[[], object]]:
    """Another process that has an sqlite database for itself, until it is let go."""
    command = [sys.executable, "-S", "-c", _HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process.communicate


def impatient(patch: pytest.MonkeyPatch, seconds: float = 0.2) -> None:
    """Lets patience end soon."""
    patch.setattr(patience, "_PATIENCE", patience._PATIENCE.copy(stop=tenacity.stop_after_delay(seconds)))


def unanswered(*calls: str, before: Callable[[], object] = lambda: None, carried_out: bool = True) -> Watcher:
    """A server that carries out one of each of these calls, and goes away before it answers."""
    pending = list(calls)

    def watcher(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.subject not in pending:
            return change()
        pending.remove(effect.subject)
        if carried_out:
            change()
        await_next_millisecond()
        before()
        raise errors.UnavailableError("connection reset")

    return watcher
