"""Putting on disk what was written, many files and directories at once.

A disk takes about as long for one `fsync` as for several at the same time: it empties its cache for all of
them together. So whoever writes says what, and it is put on disk where the order of a push asks for it.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future, ThreadPoolExecutor

from tfx_janitor import effects
from tfx_janitor.verified_pusher.errors import naming

_AT_ONCE = 16
_FEW = 4
"""As many threads do until each has that many paths: to start one takes as long as an fsync of little."""


class Unsynced:
    """Files, and directories for the names in them, that may not survive a power cut yet."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}

    def add(self, *paths: str) -> None:
        """Notes what was written."""
        self._paths |= dict.fromkeys(paths)

    def sync(self) -> None:
        """Puts all of it on disk; none of it is noted any more, be it on disk or not.

        Raises:
          OSError: a file or directory could not be opened, or its disk failed; the others were synced.
        """
        paths, self._paths = list(self._paths), {}
        if not paths:
            return
        threads = min(max(_FEW, len(paths) // _FEW), _AT_ONCE)
        with ThreadPoolExecutor(threads, thread_name_prefix="fsync") as crew:
            # Each is tried before the first that failed is told.
            for synced in [_submit(crew, path) for path in paths]:
                synced.result()


def _submit(crew: ThreadPoolExecutor, path: str) -> Future[None]:
    try:
        return crew.submit(_sync, path)
    except RuntimeError:  # no thread can be started: then this one does it, for it must be done
        done: Future[None] = Future()
        try:
            done.set_result(_sync(path))
        except OSError as error:
            done.set_exception(error)
        return done


def make_directories(path: str, unsynced: Unsynced) -> None:
    """Makes a directory and those above it, as far as they are missing.

    Raises:
      OSError: there is something else in its place, or the file system refused.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_directories(parent, unsynced)
    with contextlib.suppress(FileExistsError):
        effects.mkdir(path)
    if not os.path.isdir(path):
        raise NotADirectoryError(f"expected a directory at {path}, and there is something else")
    unsynced.add(parent)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with naming(path):
            effects.fsync(descriptor, path)
    finally:
        os.close(descriptor)
