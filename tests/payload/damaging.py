"""Ways to hurt a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def flip(file: Path, at: int, bit: int = 0) -> None:
    """Flips one bit in place."""
    with file.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte ^ 1 << bit]))


@contextlib.contextmanager
def flipped(file: Path, at: int, bit: int = 0) -> Iterator[None]:
    """One bit is flipped inside the block, and back behind it."""
    flip(file, at, bit)
    yield
    flip(file, at, bit)


def cut(file: Path, count: int) -> None:
    file.write_bytes(file.read_bytes()[:-count])


def append(file: Path, data: bytes = b"\0") -> None:
    file.write_bytes(file.read_bytes() + data)
