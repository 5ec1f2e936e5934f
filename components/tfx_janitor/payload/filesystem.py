"""Looking at local disks without following links, without blocking, and without trusting what is there.

Only local POSIX file systems are known here. Everything else in this package reads through these functions,
so this is where other kinds of storage join.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError


@dataclass(frozen=True, slots=True)
class Size:
    """How much lies at a path.

    Attributes:
      bytes: apparent size, the sum of `st_size`; directories themselves count nothing.
      files: everything that is not a directory, links included.
    """

    bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing below a directory that is not itself a directory.

    Attributes:
      name: path relative to the directory that was listed, with "/" between its parts.
      status: what `os.lstat` says of it.
    """

    name: str
    status: os.stat_result


class ReadError(JanitorError):
    """A file that is missing, no file, or not readable. The message is the end of a sentence about it."""


def measure(path: str) -> Size:
    """Measures a file or directory tree. Links count as themselves and are never followed.

    Entries that vanish meanwhile count nothing.

    Raises:
      FileNotFoundError: nothing lies at the path.
      OSError: a directory cannot be listed.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        return Size(status.st_size, 1)
    size = files = 0
    for entry in walk(path):
        size += entry.status.st_size
        files += 1
    return Size(size, files)


def walk(directory: str) -> Iterator[Entry]:
    """Everything below a directory that is not a directory, in no particular order; links are not followed.

    Raises:
      OSError: the directory, or one below it, cannot be listed. One that vanished meanwhile is passed over,
        unless it is the first.
    """
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            scan = os.scandir(os.path.join(directory, prefix))
        except FileNotFoundError:
            if not prefix:
                raise
            continue
        with scan:
            for found in scan:
                name = f"{prefix}{found.name}"
                if found.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                    continue
                with contextlib.suppress(FileNotFoundError):
                    yield Entry(name, found.stat(follow_symlinks=False))


def entries(directory: str) -> dict[str, os.stat_result]:
    """Names in a directory, directories too, each with what `os.lstat` says of it, in order of names.

    Raises:
      ReadError: it is not there, not a directory, or cannot be listed.
    """
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(directory) as scan:
            for entry in scan:
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = entry.stat(follow_symlinks=False)
    except OSError as error:
        raise ReadError(reason(error)) from error
    return dict(sorted(found.items()))


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[int, int]]:
    """Opens a regular file for reading and yields its descriptor and its size in bytes.

    A link, FIFO, socket, device or directory in its place is refused; opening one never blocks.

    Raises:
      ReadError: the file is missing, no regular file, or not readable. Also for what the block itself meets
        while reading.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ReadError(_refusal(path, error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ReadError(f"is {kind(status.st_mode)}, not a file")
        yield descriptor, status.st_size
    except OSError as error:
        raise ReadError(reason(error)) from error
    finally:
        os.close(descriptor)


def read(path: str, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
      ReadError: as `opened`, or the file is larger than the limit.
    """
    with opened(path) as (descriptor, size):
        if size > limit:
            raise ReadError(f"has {in_bytes(size)}, more than such a file can have ({limit:,})")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(size)


def in_bytes(count: int) -> str:
    """A number of bytes for people: "1 byte", "1,024 bytes"."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


def kind(mode: int) -> str:
    """What a file mode says a thing is, with its article: "a file", "a link", "a FIFO"."""
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")


_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _refusal(path: str, error: OSError) -> str:
    # open(2) reports a link as ELOOP and a socket as ENXIO; naming the thing says more than the error does.
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            return f"is {kind(mode)}, not a file"
    return reason(error)


_REFUSED = "cannot be read: "


def is_refused(problem: str) -> bool:
    """Whether a problem, in the words of `reason`, is that something is there and cannot be read.

    What else it is like then, and what else is missing, nobody can tell.
    """
    return problem.startswith(_REFUSED)


def reason(error: OSError) -> str:
    """An error of the file system as the end of a sentence about its file: "is missing"."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, PermissionError):
        return f"{_REFUSED}permission denied"
    if isinstance(error, NotADirectoryError):
        return "is not a directory"
    return f"{_REFUSED}{error.strerror or error}"
