"""What SQLite says through MLMD, in words: which file it is about, and what to do.

MLMD passes SQLite's message on with the whole statement that failed, and logs it as well.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
from typing import Any

from ml_metadata import errors

from tfx_janitor.lineage.patience import PatientStore

READONLY = "attempt to write a readonly database"
"""SQLite's words for a file that may not be written."""

_LOCKED = "{path} is locked by another process: run it again when that is done; `fuser {quoted}` names it"
_PARTIAL = (
    "{path} has only some of MLMD's tables: run it again if a pipeline is just making it; else it is damaged"
)
_MEANINGS = {
    "database or disk is full": "no space is left on the disk of {path}: make room there, and run it again",
    READONLY: "{path} cannot be written: the file, its directory or its file system is read-only",
    "unable to open database file": "{path} cannot be opened: look at its permissions and its directory's",
    "file is not a database": "{path} is no SQLite database",
    "database disk image is malformed": "{path} is damaged: bring it back from a backup",
    # Before the tables: MLMD takes one that it cannot read, because of a lock, for one that is missing.
    "Concurrent writes aborted": _LOCKED,
    "database is locked": _LOCKED,
    "a subset of tables": _PARTIAL,
}
"""By a part of the message."""


def in_words(message: str, path: str) -> str | None:
    """What a message of MLMD means.

    Args:
      path: of the store's sqlite file.

    Returns:
      A sentence without its end; None if the message is MLMD's own, and speaks for itself.
    """
    meaning = next((words for part, words in _MEANINGS.items() if part in message), None)
    return None if meaning is None else meaning.format(path=path, quoted=shlex.quote(path))


class StoreInWords(PatientStore):
    """A store in an sqlite file whose errors say in words what is wrong with the file."""

    def __init__(self, config: Any) -> None:
        """Opens the store.

        Raises:
          ml_metadata.errors.StatusError: it does not open.
          RuntimeError: likewise, in MLMD's words.
        """
        super().__init__(config)
        self._path = os.path.realpath(config.sqlite.filename_uri)

    def _call(self, method_name: str, request: Any, response: Any, extra_options: Any = None) -> None:
        log, told_here = logging.getLogger("absl"), _ToldHere()
        log.addFilter(told_here)
        try:
            super()._call(method_name, request, response, extra_options)
        except errors.StatusError as error:
            words = in_words(error.message, self._path)
            if words is None:
                raise
            # Of the same class: it tells callers what to do.
            error.message, error.args = words, (words,)
            raise
        finally:
            log.removeFilter(told_here)


class _ToldHere(logging.Filter):
    """Drops what MLMD logs of an error that it raises in this thread."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread or not str(record.msg).startswith("mlmd client %s: %s")
