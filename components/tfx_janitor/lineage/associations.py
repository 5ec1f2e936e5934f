"""Which executions each context has, all at once, straight from an sqlite file.

MLMD tells the executions of one context at a time. Half a millisecond each is nothing for a hundred runs, and
minutes for the runs of a store with a million artifacts; one query takes a second.

The query runs in a process of its own. A lock on an sqlite file is the process's, not the connection's,
and MLMD brings a copy of SQLite with it: were Python's copy to close the file in this process, the locks that
MLMD holds on it, in whatever thread, would be gone (https://www.sqlite.org/howtocorrupt.html, section 2.2.1).
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from tfx_janitor.lineage.snapshot import Ints

_QUERY = """
import array, sqlite3, sys, urllib.parse
database = sqlite3.connect(f"file:{urllib.parse.quote(sys.argv[1])}?mode=ro", uri=True, timeout=60)
pairs = array.array("q")
for pair in database.execute("SELECT context_id, execution_id FROM Association ORDER BY execution_id"):
    pairs.extend(pair)
pairs.tofile(sys.stdout.buffer)
"""


class Associations:
    """The executions of every context, as they were when the file was read."""

    def __init__(self, contexts: Ints, executions: Ints) -> None:
        """Takes the two columns of the table, sorted by the executions."""
        order = np.argsort(contexts, kind="stable")
        self._contexts, self._executions = contexts[order], executions[order]

    def of(self, context_id: int) -> list[int]:
        """Ids of a context's executions, ascending."""
        first, end = self._contexts.searchsorted((context_id, context_id + 1))
        return self._executions[first:end].tolist()


def read_associations(path: str) -> Associations | None:
    """Reads an MLMD database; None where it cannot be read so, and must be asked context by context.

    Args:
      path: of the sqlite file.
    """
    command = [sys.executable, "-I", "-S", "-c", _QUERY, path]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    pairs = np.frombuffer(done.stdout, np.int64).reshape(-1, 2)
    return Associations(pairs[:, 0], pairs[:, 1])
