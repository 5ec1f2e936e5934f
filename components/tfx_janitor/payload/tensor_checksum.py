"""One tensor's bytes in a shard against the checksum that the index keeps of them.

Each kind of tensor is laid out and summed in its own way (TensorFlow's tensor_bundle.cc):

- numbers: the bytes as they are;
- strings: all lengths as varints, a masked crc32c of the lengths, all bytes. Summed are the lengths as 32-bit
  numbers (64-bit from 4 GiB on), the stored checksum, the bytes;
- variants: for each element its length as a varint, its bytes, and a masked crc32c of everything so far.
  Summed are the length as a 64-bit number, the bytes, the stored checksum.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator

from crc32c import crc32c

from tfx_janitor.payload.filesystem import ReadError
from tfx_janitor.payload.sstable import masked

_STRING, _VARIANT = 7, 21
_BUFFER_BYTES = 1 << 20
"""Large enough that crc32c lets other threads run meanwhile (from 32 KiB on), small enough for the cache."""

Read = Callable[[str, int, memoryview, int], int]
"""Reads as `pread` does: path, descriptor, buffer and position give the number of bytes that were read."""

_MISMATCH = "has bytes that do not match their checksum"
_MALFORMED = "has bytes that are not laid out as their type is"


class _Malformed(Exception):
    """Bytes that contradict their own lengths."""


def pread(_path: str, descriptor: int, buffer: memoryview, position: int) -> int:
    """Reads what is there."""
    return os.preadv(descriptor, [buffer], position)


class Shard:
    """A window of fixed size that moves over one open data file. Not for several threads at once."""

    def __init__(self, path: str, descriptor: int, read: Read = pread) -> None:
        self._path = path
        self._descriptor = descriptor
        self._read = read
        # Anonymous memory starts at a page. Into a bytearray, which does not, the kernel copies up to 4 times
        # slower.
        self._buffer = memoryview(mmap.mmap(-1, _BUFFER_BYTES))
        self._start = self._end = 0

    def problem(self, dtype: int, elements: int, offset: int, size: int, crc: int) -> str | None:
        """What is wrong with the bytes of one tensor; None if they are what was written.

        Args:
          dtype: TensorFlow's DataType number.
          elements: product of the tensor's dimensions.
          offset: position of its first byte in the file.
          size: number of its bytes.
          crc: the masked crc32c that they should have.

        Raises:
          ReadError: the file ended before the tensor did.
          OSError: the disk failed.
        """
        cursor = _Cursor(self, offset, size)
        try:
            if dtype == _STRING and size:
                actual = _crc_of_strings(cursor, elements)
            elif dtype == _VARIANT and size:
                actual = _crc_of_variants(cursor, elements)
            else:
                actual = _crc(cursor, size, 0)
        except _Malformed:
            return _MALFORMED
        return None if masked(actual) == crc else _MISMATCH

    def at(self, position: int, most: int) -> memoryview:
        """Between one and `most` bytes from a position on, valid until the next call."""
        if not self._start <= position < self._end:
            count = self._read(self._path, self._descriptor, self._buffer, position)
            if not count:
                raise ReadError(f"ended at {position:,} while it was read")
            self._start, self._end = position, position + count
        first = position - self._start
        return self._buffer[first : min(first + most, self._end - self._start)]


class _Cursor:
    """The bytes of one tensor, taken from front to back."""

    def __init__(self, shard: Shard, offset: int, size: int) -> None:
        self._shard = shard
        self._position = offset
        self.left = size

    def take(self, most: int) -> memoryview:
        """Between one and `most` of the bytes that are left."""
        if not self.left:
            raise _Malformed
        piece = self._shard.at(self._position, min(most, self.left))
        self._position += len(piece)
        self.left -= len(piece)
        return piece

    def exactly(self, count: int) -> bytes:
        """The next few bytes."""
        taken = b""
        while len(taken) < count:
            taken += self.take(count - len(taken))
        return taken


def _crc(cursor: _Cursor, count: int, crc: int) -> int:
    if count > cursor.left:
        raise _Malformed
    while count:
        piece = cursor.take(count)
        crc = crc32c(piece, crc)
        count -= len(piece)
    return crc


def _crc_of_strings(cursor: _Cursor, elements: int) -> int:
    crc = total = value = shift = 0
    while elements:
        # A length takes at least one byte, so this never reaches into what follows the lengths.
        head = bytes(cursor.take(elements))
        if not shift and head.isascii():
            # Below 0x80 each byte is a whole length: the common case, and some 50 times faster.
            lengths = bytearray(4 * len(head))
            lengths[::4] = head
            total += sum(head)
            elements -= len(head)
        else:
            lengths = bytearray()
            for byte in head:
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    lengths += _length(value)
                    total += value
                    elements -= 1
                    value = shift = 0
                elif shift > 63:
                    raise _Malformed
        crc = crc32c(lengths, crc)
    stored = cursor.exactly(4)
    if masked(crc) != int.from_bytes(stored, "little") or total != cursor.left:
        raise _Malformed
    return _crc(cursor, cursor.left, crc32c(stored, crc))


def _length(value: int) -> bytes:
    if value >= 1 << 64:
        raise _Malformed
    return value.to_bytes(4 if value < 1 << 32 else 8, "little")


def _crc_of_variants(cursor: _Cursor, elements: int) -> int:
    crc = 0
    for _ in range(elements):
        length = _varint(iter(lambda: cursor.take(1)[0], None))
        crc = _crc(cursor, length, crc32c(length.to_bytes(8, "little"), crc))
        stored = cursor.exactly(4)
        if masked(crc) != int.from_bytes(stored, "little"):
            raise _Malformed
        crc = crc32c(stored, crc)
    if cursor.left:
        raise _Malformed
    return crc


def _varint(data: Iterator[int]) -> int:
    value = 0
    for shift, byte in zip(range(0, 64, 7), data, strict=False):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value
    raise _Malformed
