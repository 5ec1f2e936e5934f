"""The one seam: each change that the janitor makes, on disk or in ML Metadata, is one call through here.

Nothing is decided here, and nothing is caught. What stands between a decision and the world is in one place
so that it can be counted, and so that a test can let the process die before any single change or after it, or
let the change fail as storage and stores do.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Kind = Literal[
    "mlmd",
    "create",
    "write",
    "copy",
    "truncate",
    "allocate",
    "link",
    "mkdir",
    "rename",
    "unlink",
    "rmdir",
    "fsync",
]

_Result = TypeVar("_Result")

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
_FICLONE = 0x40049409  # linux/fs.h


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


def mkdir(name: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """`os.mkdir`."""
    perform("mkdir", name, lambda: os.mkdir(name, mode, dir_fd=dir_fd))


def rename(source: str, target: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    """`os.rename`."""
    perform("rename", source, lambda: os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd))


def rename_to_free_name(source: str, target: str) -> None:
    """Linux's `renameat2` with the flag that forbids replacing; both are absolute paths.

    Raises:
      FileExistsError: the target exists.
      OSError: with ENOSYS or EINVAL where C library, kernel or file system cannot do it.
    """

    def renameat2() -> None:
        try:
            call = ctypes.CDLL(None, use_errno=True).renameat2
        except (AttributeError, OSError):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source, None, target) from None
        if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), source, None, target)

    perform("rename", source, renameat2)


def link(source: str, target: str) -> None:
    """`os.link`."""
    perform("link", target, lambda: os.link(source, target))


def unlink(name: str, *, dir_fd: int) -> None:
    """`os.unlink`."""
    perform("unlink", name, lambda: os.unlink(name, dir_fd=dir_fd))


def rmdir(name: str, *, dir_fd: int) -> None:
    """`os.rmdir`."""
    perform("rmdir", name, lambda: os.rmdir(name, dir_fd=dir_fd))


def fsync(descriptor: int, name: str) -> None:
    """`os.fsync`; the name is what the descriptor is of."""
    perform("fsync", name, lambda: os.fsync(descriptor))


def create(name: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int:
    """`os.open`, for a file to be written."""
    return perform("create", name, lambda: os.open(name, flags, mode, dir_fd=dir_fd))


def truncate(descriptor: int, size: int, name: str) -> None:
    """`os.ftruncate`; the name is the file's."""
    perform("truncate", name, lambda: os.ftruncate(descriptor, size))


def allocate(descriptor: int, size: int, name: str) -> None:
    """Linux's `fallocate`, from the first byte on; the name is the file's.

    Unlike `os.posix_fallocate` it never writes to each block where the file system has no such thing.

    Raises:
      OSError: with ENOSPC where there is no room, with EOPNOTSUPP or ENOSYS where it cannot be done.
    """

    def fallocate() -> None:
        try:
            call = ctypes.CDLL(None, use_errno=True).fallocate
        except (AttributeError, OSError):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name) from None
        if call(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)

    perform("allocate", name, fallocate)


def write(descriptor: int, content: bytes | memoryview, name: str) -> None:
    """Writes all of the content to a file that is open; the name is the file's."""

    def write_all() -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    perform("write", name, write_all)


def clone(source: int, target: int, name: str) -> None:
    """Lets one open file share the blocks of another until either is written to; the name is the target's.

    Raises:
      OSError: the file system has no such thing.
    """
    perform("copy", name, lambda: fcntl.ioctl(target, _FICLONE, source))


def copy_range(source: int, target: int, count: int, position: int, name: str) -> int:
    """`os.copy_file_range`, at the same position of both; the name is the target's."""
    return perform("copy", name, lambda: os.copy_file_range(source, target, count, position, position))
