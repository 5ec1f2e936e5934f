"""The pushers' own corner of a base directory: a lock, a record of numbers, and where models are staged.

It lies inside the base directory, for only there a rename is sure to stay on one file system, below a name
that no model server takes for a version:

    <base>/.tfx-janitor-push/lock              held while numbers are given out and names change
    <base>/.tfx-janitor-push/versions.json     the highest number ever used
    <base>/.tfx-janitor-push/staging/<n>/lock  held by the living pusher that stages there
    <base>/.tfx-janitor-push/staging/<n>/model
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tfx_janitor.deletion import remove
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place
from tfx_janitor.verified_pusher.copying import sync_directory

CORNER = ".tfx-janitor-push"

_TRASH_LABEL = "staged"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Corner:
    """The pushers' corner of one base directory, given as absolute path without links."""

    base: str

    @property
    def path(self) -> str:
        """The corner itself."""
        return os.path.join(self.base, CORNER)

    @property
    def record(self) -> str:
        """File that remembers the highest version number."""
        return os.path.join(self.path, "versions.json")

    @property
    def staging(self) -> str:
        """Directory of all staging directories."""
        return os.path.join(self.path, "staging")

    def make(self) -> None:
        """Makes the corner, and the base directory if need be."""
        if not os.path.isdir(self.base):
            os.makedirs(self.base, exist_ok=True)
            sync_directory(os.path.dirname(self.base))
        if not os.path.isdir(self.staging):
            os.makedirs(self.staging, exist_ok=True)
            sync_directory(self.path)
            sync_directory(self.base)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Excludes all other pushers of this base directory, threads and processes alike; does not nest."""
        descriptor = os.open(os.path.join(self.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # flock and not lockf: it belongs to the descriptor, so it holds between threads, too, and a dead
            # process never keeps it.
            if not _lock_now(descriptor):
                _log.info("Waiting for another pusher in %s.", self.base)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def stage(corner: Corner) -> Iterator[str]:
    """Gives a place for one model; clears away first what dead pushers left, later what this one did.

    Yields:
      Path at which the model is to be built; nothing lies there yet.

    Raises:
      OSError: the file system refused.
    """
    corner.make()
    with corner.alone():
        clear_abandoned(corner)
        directory = _make_directory(corner)
        # Locked before anybody else may look: without a lock it would pass for abandoned.
        owner = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(owner, fcntl.LOCK_EX)
    try:
        yield os.path.join(directory, "model")
    finally:
        with _logged(directory), corner.alone():
            _discard(corner, directory)
        os.close(owner)


def clear_abandoned(corner: Corner) -> None:
    """Removes staging directories whose pusher is no more; call it while `alone`.

    What cannot be removed is logged and left: it is invisible to model servers and harms no push.
    """
    for name in sorted(os.listdir(corner.staging)):
        directory = os.path.join(corner.staging, name)
        if name != remove.TRASH and _is_abandoned(directory):
            _log.warning("Clearing away %s, left by a push that died.", directory)
            _discard(corner, directory)
    with _logged("what a dead push left in the trash"):
        remove.finish(os.path.join(corner.staging, _TRASH_LABEL), _TRASH_LABEL, roots=[_root(corner)])


def _make_directory(corner: Corner) -> str:
    number = 1
    while os.path.lexists(directory := os.path.join(corner.staging, f"stage-{number}")):
        number += 1
    os.mkdir(directory)
    return directory


def _is_abandoned(directory: str) -> bool:
    try:
        descriptor = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        # Its pusher died before it locked: while we are alone, no other is between making and locking one.
        return True
    except OSError:  # somebody else's, perhaps of another user: not ours to judge
        return False
    try:
        return _lock_now(descriptor)
    finally:
        os.close(descriptor)


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _discard(corner: Corner, directory: str) -> None:
    with _logged(directory):
        remove.vanish(directory, _TRASH_LABEL, roots=[_root(corner)])


def _root(corner: Corner) -> Place:
    return Place("file", corner.path)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, JanitorError):
        _log.warning("Could not remove %s; the next push tries again.", what, exc_info=True)
