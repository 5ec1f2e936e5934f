"""The one seam: each change that the janitor makes, on disk or in ML Metadata, is one call through here.

Nothing is decided here, and nothing is caught. What stands between a decision and the world is in one place
so that it can be counted, and so that a test can let the process die before any single change or after it, or
let the change fail as storage and stores do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Kind = Literal["mlmd", "create", "write", "mkdir", "rename", "unlink", "rmdir", "fsync"]

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Effect:
    """One change.

    Attributes:
      kind: "mlmd" is one call that writes to the metadata store; the others are system calls.
      subject: the name of that call, or the name of the file or directory.
    """

    kind: Kind
    subject: str


class Watcher(Protocol):
    """Stands between the janitor and the world."""

    def __call__(self, effect: Effect, change: Callable[[], Any]) -> Any:
        """Makes the change by calling it, and gives what it gives; or does not, or raises."""
        ...


_watchers: list[Watcher] = []


def perform(kind: Kind, subject: str, change: Callable[[], _Result]) -> _Result:
    """Makes one change to the world."""
    return _watchers[-1](Effect(kind, subject), change) if _watchers else change()


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Lets somebody stand at the seam: in this process, in all of its threads."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def mkdir(name: str, mode: int, *, dir_fd: int) -> None:
    """`os.mkdir`."""
    perform("mkdir", name, lambda: os.mkdir(name, mode, dir_fd=dir_fd))


def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
    """`os.rename`."""
    perform("rename", source, lambda: os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd))


def unlink(name: str, *, dir_fd: int) -> None:
    """`os.unlink`."""
    perform("unlink", name, lambda: os.unlink(name, dir_fd=dir_fd))


def rmdir(name: str, *, dir_fd: int) -> None:
    """`os.rmdir`."""
    perform("rmdir", name, lambda: os.rmdir(name, dir_fd=dir_fd))


def fsync(descriptor: int, name: str) -> None:
    """`os.fsync`; the name is what the descriptor is of."""
    perform("fsync", name, lambda: os.fsync(descriptor))


def create(name: str, flags: int, mode: int, *, dir_fd: int) -> int:
    """`os.open`, for a file to be written."""
    return perform("create", name, lambda: os.open(name, flags, mode, dir_fd=dir_fd))


def write(descriptor: int, content: bytes, name: str) -> None:
    """Writes all of the content to a file that is open; the name is the file's."""

    def write_all() -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    perform("write", name, write_all)
