"""Puts a document in its place on a local disk at once: nobody finds half of one that looks whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from tfx_janitor import effects

_BLOCK = 1 << 20
"""Bytes that are written at once."""


def put(path: str, pieces: Iterable[str]) -> None:
    """Writes a file in place of the one that was there, if any: a reader sees the old or the new one.

    What is no file, such as a device or a pipe, is written to, and so is a file in a directory in which none
    can be made. A link stays, and what it leads to is replaced.

    Raises:
      OSError: it could not be written; what was there is as it was, but for what only could be written to.
    """
    path = os.path.realpath(path)
    directory, name = os.path.split(path)
    old = _status(path)
    if old is not None and not (stat.S_ISREG(old.st_mode) and os.access(directory, os.W_OK | os.X_OK)):
        with open(path, "wb") as file:
            file.writelines(_blocks(pieces))
        return
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # Who takes each file of a kind, such as a collector of *.prom, does not take this.
    temporary = f".{name}.{os.getpid()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = effects.create(temporary, flags, dir_fd=at)
        try:
            try:
                if old is not None:
                    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
                for block in _blocks(pieces):
                    effects.write(descriptor, block, temporary)
                effects.fsync(descriptor, temporary)
            finally:
                os.close(descriptor)
            effects.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            with contextlib.suppress(OSError):
                effects.unlink(temporary, dir_fd=at)
            raise
    finally:
        os.close(at)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    block = bytearray()
    for piece in pieces:
        block += piece.encode()
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
