"""The pushers' own corner of a base directory: a lock, a record of numbers, and where models are staged.

It lies inside the base directory, for only there a rename is sure to stay on one file system, below a name
that no model server takes for a version:

    <base>/.tfx-janitor-push/lock           held while numbers are given out and names change
    <base>/.tfx-janitor-push/versions.json  the highest number ever used
    <base>/.tfx-janitor-push/staging/<name> a model that is being built, until it is renamed to its version
    <base>/.tfx-janitor-push/locks/<name>   held by the living pusher that builds it

The files that are locked are empty and stay, one for each pusher that ever worked at the same time as others.
A push that succeeds has nothing to clear away.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tfx_janitor import effects
from tfx_janitor.deletion import remove
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place
from tfx_janitor.verified_pusher import versions
from tfx_janitor.verified_pusher.durability import Unsynced, make_directories

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
        """Directory in which models are built."""
        return os.path.join(self.path, "staging")

    @property
    def locks(self) -> str:
        """Directory of the files that those who build them lock."""
        return os.path.join(self.path, "locks")

    def make(self, unsynced: Unsynced) -> None:
        """Makes the corner, and the base directory if need be, as far as they are missing."""
        make_directories(self.staging, unsynced)
        make_directories(self.locks, unsynced)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Excludes all other pushers of this base directory, threads and processes alike; does not nest."""
        descriptor = _open_lock(os.path.join(self.path, "lock"))
        try:
            # flock and not lockf: it belongs to the descriptor, so it holds between threads, too, and a dead
            # process never keeps it.
            if not _lock_now(descriptor):
                _log.info("Waiting for another pusher in %s.", self.base)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            # Closing alone keeps the lock while a process lives that another thread has forked meanwhile.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


@contextlib.contextmanager
def stage(corner: Corner, unsynced: Unsynced) -> Iterator[str]:
    """Gives a place for one model; clears away first what dead pushers left, later what this one did.

    Args:
      unsynced: is told of the directories that had to be made.

    Yields:
      Path at which the model is to be built; nothing lies there yet.

    Raises:
      OSError: the file system refused.
    """
    corner.make(unsynced)
    with contextlib.ExitStack() as owned:
        with corner.alone():
            clear_abandoned(corner)
            name = _take_name(corner, owned)
        staged = os.path.join(corner.staging, name)
        try:
            yield staged
        finally:
            if os.path.lexists(staged):
                with _logged(staged), corner.alone():
                    _discard(corner, staged)


def clear_abandoned(corner: Corner) -> None:
    """Removes what pushers that are no more left in the corner; call it while `alone`.

    What cannot be removed is logged and left: it is invisible to model servers and harms no push.
    """
    for name in sorted(os.listdir(corner.staging)):
        staged = os.path.join(corner.staging, name)
        if name != remove.TRASH and _is_abandoned(os.path.join(corner.locks, name)):
            _log.warning("Clearing away %s, left by a push that died.", staged)
            _discard(corner, staged)
    with _logged("what a dead push left in the trash"):
        remove.finish(os.path.join(corner.staging, _TRASH_LABEL), _TRASH_LABEL, roots=[_root(corner)])
    fresh = f"{corner.record}{versions.FRESH}"
    if os.path.lexists(fresh):
        with _logged(fresh), remove.opened(corner.path, roots=[_root(corner)]) as directory:
            remove.unlink_files(directory, [os.path.basename(fresh)])


def _take_name(corner: Corner, owned: contextlib.ExitStack) -> str:
    """A name in `staging` that nobody has; its lock is held until `owned` is closed."""
    for number in itertools.count(1):
        name = f"stage-{number}"
        with contextlib.ExitStack() as tried:
            lock = _open_lock(os.path.join(corner.locks, name))
            tried.callback(os.close, lock)
            if _lock_now(lock) and not os.path.lexists(os.path.join(corner.staging, name)):
                owned.push(tried.pop_all())
                return name
    raise AssertionError("there is always one more number")


def _open_lock(path: str) -> int:
    # For writing: file systems of the network lock no other way. Only what makes the file is a change.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        return effects.create(path, flags | os.O_CREAT)


def _is_abandoned(lock: str) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # nobody builds without a lock
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


def _discard(corner: Corner, staged: str) -> None:
    with _logged(staged):
        remove.vanish(staged, _TRASH_LABEL, roots=[_root(corner)])


def _root(corner: Corner) -> Place:
    return Place("file", corner.path)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, JanitorError):
        _log.warning("Could not remove %s; the next push tries again.", what, exc_info=True)
