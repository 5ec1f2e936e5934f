"""What strikes an effect of the deletion: the end of the process, or what disks and stores answer.

A crash ends everybody: from the moment on at which it strikes, no thread changes anything any more. After an
error the act goes on, as it does where a disk or a store fails.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import tenacity
from ml_metadata import errors

from tfx_janitor.effects import Effect
from tfx_janitor.lineage import patience

Change = Callable[[], Any]

COLLECTING = ("deletion/gc.py",)
"""It makes plans, applies and purges: the ways are those of these."""


class Crash(BaseException):
    """The process is dead."""


@dataclass(frozen=True)
class Fault:
    """What strikes one effect, and what happens to all that come after it.

    Attributes:
      here: instead of the change that is struck.
      after: instead of each later change.
      harmless: whether the act must end as if nothing had happened.
    """

    name: str
    here: Callable[[Change], Any]
    after: Callable[[Effect, Change], Any] = lambda _, change: change()
    harmless: bool = False


def _dies(*_: Any) -> Any:
    raise Crash


def _fails(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def _then(end: Callable[..., Any]) -> Callable[[Change], Any]:
    """The change is carried out, and nobody hears of it."""

    def carry_out(change: Change) -> Any:
        change()
        return end()

    return carry_out


def _for_good(fails: Callable[..., Any], *, mlmd: bool) -> Callable[[Effect, Change], Any]:
    """Either all of the disk or all of the store fails from there on."""
    return lambda effect, change: fails() if (effect.kind == "mlmd") is mlmd else change()


def _errno(number: int) -> Callable[..., Any]:
    return _fails(OSError(number, os.strerror(number)))


_GONE = _fails(errors.UnavailableError("the server went away"))
_BUSY = _fails(errors.AbortedError("the database is locked"))

CRASHES = (Fault("crash before", _dies, _dies), Fault("crash after", _then(_dies), _dies))
OF_FILES = (
    *(Fault(errno.errorcode[number], _errno(number)) for number in (errno.ENOSPC, errno.EACCES, errno.EIO)),
    Fault("EROFS from there on", _errno(errno.EROFS), _for_good(_errno(errno.EROFS), mlmd=False)),
)
OF_MLMD = (
    Fault("aborted once", _BUSY, harmless=True),
    Fault("unavailable from there on", _GONE, _for_good(_GONE, mlmd=True)),
    Fault("carried out, yet unavailable", _then(_GONE)),
    Fault("carried out, yet unavailable from there on", _then(_GONE), _for_good(_GONE, mlmd=True)),
)


@dataclass
class Striking:
    """A watcher that strikes at one effect. Changes are made one at a time, so that a crash stops all.

    Attributes:
      at: number of the effect, from 1.
    """

    fault: Fault
    at: int
    count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def struck(self) -> bool:
        return self.count >= self.at

    def __call__(self, effect: Effect, change: Change) -> Any:
        with self._lock:
            if self.struck:
                return self.fault.after(effect, change)
            self.count += 1
            return self.fault.here(change) if self.struck else change()


def without_waiting(patch: pytest.MonkeyPatch) -> None:
    """Lets the store try again at once, and give up after three times."""
    patch.setattr(patience._PATIENCE, "wait", tenacity.wait_none())
    patch.setattr(patience._PATIENCE, "stop", tenacity.stop_after_attempt(3))
