"""A reader right behind a writer, each in a thread of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest
from blake3 import blake3

from tfx_janitor.verified_pusher.growing import GrowingFiles

_DATA = bytes(range(250)) * 4
_SOON = 0.2
"""Seconds in which a reader that need not wait would have read."""
_LATE = 60

Read = Callable[[int, int], tuple[int, bytes]]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file with its final size and no bytes yet."""
    (tmp_path / "shard").write_bytes(bytes(len(_DATA)))
    return str(tmp_path / "shard")


@pytest.fixture
def growing(path: str) -> GrowingFiles:
    return GrowingFiles([path])


@pytest.fixture
def write(path: str, growing: GrowingFiles) -> Callable[[int], None]:
    """Writes up to a position, and tells."""

    def until(end: int) -> None:
        with open(path, "r+b") as file:
            file.write(_DATA[:end])
        growing.grew(path, end)

    return until


@pytest.fixture
def read(path: str, growing: GrowingFiles) -> Iterator[Read]:
    """Reads some bytes from a position on; gives how many came, and them."""
    descriptor = os.open(path, os.O_RDONLY)

    def some(most: int, position: int) -> tuple[int, bytes]:
        buffer = bytearray(most)
        count = growing.read(path, descriptor, memoryview(buffer), position)
        return count, bytes(buffer[:count])

    yield some
    os.close(descriptor)


@pytest.fixture
def reader() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as crew:
        yield crew


def test_what_is_there_is_read_at_once_and_digested(
    path: str, growing: GrowingFiles, write: Callable[[int], None], read: Read
) -> None:
    write(len(_DATA))
    assert [read(600, position) for position in (0, 600)] == [(600, _DATA[:600]), (400, _DATA[600:])]
    assert growing.digest(path, len(_DATA)) == blake3(_DATA).hexdigest()


def test_what_is_not_there_is_waited_for(
    write: Callable[[int], None], read: Read, reader: ThreadPoolExecutor
) -> None:
    write(500)
    reading = reader.submit(read, 600, 0)
    with pytest.raises(TimeoutError):
        reading.result(_SOON)
    write(599)
    with pytest.raises(TimeoutError):
        reading.result(_SOON)
    write(700)
    assert reading.result(_LATE) == (600, _DATA[:600])


def test_a_writer_that_gives_up_is_no_more_waited_for(
    path: str,
    growing: GrowingFiles,
    write: Callable[[int], None],
    read: Read,
    reader: ThreadPoolExecutor,
) -> None:
    write(500)
    reading = reader.submit(read, 600, 0)
    with pytest.raises(OSError, match="full"), growing:
        raise OSError("full")
    assert reading.result(_LATE) == (500, _DATA[:500])
    assert read(600, 500) == read(600, 700) == (0, b"")
    assert growing.digest(path, len(_DATA)) is None


def test_bytes_that_were_left_out_leave_no_digest(
    path: str, growing: GrowingFiles, write: Callable[[int], None], read: Read
) -> None:
    write(len(_DATA))
    read(600, 0)
    assert growing.digest(path, len(_DATA)) is None
    read(399, 601)
    assert growing.digest(path, len(_DATA)) is None


def test_bytes_that_are_read_twice_count_once(
    path: str, growing: GrowingFiles, write: Callable[[int], None], read: Read
) -> None:
    write(len(_DATA))
    for position in (0, 300, 600):
        read(600, position)
    assert growing.digest(path, len(_DATA)) == blake3(_DATA).hexdigest()


def test_a_file_without_bytes_has_the_digest_of_nothing(path: str, growing: GrowingFiles) -> None:
    assert growing.digest(path, 0) == blake3(b"").hexdigest()


def test_a_file_that_does_not_grow_is_read_as_it_is(tmp_path: Path, growing: GrowingFiles) -> None:
    (tmp_path / "other").write_bytes(_DATA)
    buffer = bytearray(2000)
    with open(tmp_path / "other", "rb") as file:
        count = growing.read(str(tmp_path / "other"), file.fileno(), memoryview(buffer), 0)
    assert buffer[:count] == _DATA


def test_many_steps_of_a_writer_and_of_a_reader(
    path: str, growing: GrowingFiles, write: Callable[[int], None], read: Read
) -> None:
    def write_all() -> None:
        with growing:
            for end in range(7, len(_DATA) + 7, 7):
                write(min(end, len(_DATA)))

    writer = threading.Thread(target=write_all)
    writer.start()
    assert b"".join(read(13, position)[1] for position in range(0, len(_DATA), 13)) == _DATA
    writer.join()
    assert growing.digest(path, len(_DATA)) == blake3(_DATA).hexdigest()
