"""Lets time pass in a history without waiting: everything that its store knows becomes older.

first = pipeline.retrain()
elapse(history, days=1)
second = pipeline.retrain()      # a day after the first
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

from tests.builders import History
from tfx_janitor.retention.timestamps import to_ms

_SCRIPT = """
import sqlite3, sys
path, span = sys.argv[1], int(sys.argv[2])
with sqlite3.connect(path, timeout=60) as database:
    for table in ("Artifact", "Execution", "Context"):
        for column in ("create_time_since_epoch", "last_update_time_since_epoch"):
            database.execute(f"UPDATE {table} SET {column} = {column} - ?", (span,))
    database.execute("UPDATE Event SET milliseconds_since_epoch = milliseconds_since_epoch - ?", (span,))
"""


def elapse(history: History, **span: float) -> None:
    """Moves all artifacts, executions, contexts and events back in time: `elapse(history, days=1)`.

    Another process writes it, for two SQLite libraries in one process do not see each other's locks.
    """
    command = [sys.executable, "-S", "-c", _SCRIPT, str(history.database), str(to_ms(timedelta(**span)))]
    subprocess.run(command, check=True)
