"""Files that are verified and digested while they are written: one pass over them, right behind the writer.

A push is over sooner when each byte is proven as soon as it is there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from types import TracebackType

from blake3 import blake3


class _Growing:
    """One of them: how far it was written, and the digest of how far it was read."""

    def __init__(self) -> None:
        self.written = self.read = 0
        self.hasher = blake3()


class GrowingFiles:
    """Files of which each has its final size, and bytes up to where its writer is; one writer, one reader.

    As a context it is the writer's: when the writer is done, or has failed, nobody waits for it any more.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._files = {path: _Growing() for path in paths}
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> GrowingFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def grew(self, path: str, written: int) -> None:
        """Tells that the first bytes of a file, this many, are there."""
        with self._changed:
            self._files[path].written = written
            self._changed.notify_all()

    def read(self, path: str, descriptor: int, buffer: memoryview, position: int) -> int:
        """Reads as `os.preadv` into one buffer, once the bytes are there; digests what it read.

        A file that is none of these is there already, and not digested.

        Returns:
          The number of bytes read. Fewer than the buffer holds at the end, or where the writer gave up.
        """
        file = self._files.get(path)
        if file is None:
            return os.preadv(descriptor, [buffer], position)
        end = min(position + len(buffer), os.fstat(descriptor).st_size)
        with self._changed:
            self._changed.wait_for(lambda: self._ended or file.written >= end)
            there = max(0, min(end, file.written) - position)
        count = os.preadv(descriptor, [buffer[:there]], position)
        if position == file.read:
            file.hasher.update(buffer[:count])
            file.read += count
        return count

    def digest(self, path: str, size: int) -> str | None:
        """The hex BLAKE3 of a file; None unless each of its bytes was read, in order."""
        file = self._files[path]
        return file.hasher.hexdigest() if file.read == size else None
