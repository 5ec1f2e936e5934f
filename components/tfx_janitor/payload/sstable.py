"""The sorted string table that a checkpoint's `.index` file is, with every checksum in it checked.

The layout is that of LevelDB's tables as TensorFlow writes them: blocks of prefix-shared keys with their
values, each followed by one byte for its compression and a masked crc32c of both; then an (empty) meta index
block, a block that says where the others are, and a footer of 48 bytes. TensorFlow leaves no gaps between
these parts, so that every byte of the file is accounted for: whatever is cut off, appended or flipped shows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cramjam  # a compiled module, of which type checkers see nothing
from crc32c import crc32c

from tfx_janitor.errors import JanitorError

_FOOTER_BYTES = 48
_HANDLES_BYTES = 40
_TRAILER_BYTES = 5
_MAGIC = 0xDB4775248B80FB57
_UNCOMPRESSED, _SNAPPY = 0, 1

_SNAPPY_RATIO = 64
"""No stream of Snappy's copies (at most 64 bytes for each 2 or 3) expands beyond this."""

_SHARED_KEYS_RATIO = 64
"""How many bytes of keys a byte of table may stand for. A key is written out again at every 16th entry, so
real tables stay far below; without a bound a small file could stand for gigabytes of keys."""


class TableError(JanitorError):
    """A table that cannot be trusted. The message is the end of a sentence about its file."""


def masked(crc: int) -> int:
    """The form in which LevelDB and TensorFlow store a crc32c: rotated by 15 bits, plus a constant."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys of a table with their values, keys strictly ascending.

    Memory stays in proportion to the size of the data, whatever the data says.

    Raises:
      TableError: a part is missing, does not match its checksum, or is followed or parted by bytes that
        belong to no part. Raised at the latest when the last entry has been yielded.
    """
    if len(data) < _FOOTER_BYTES:
        raise TableError(f"has {len(data)} bytes, too few for an index")
    footer = data[-_FOOTER_BYTES:]
    if struct.unpack_from("<Q", footer, _HANDLES_BYTES)[0] != _MAGIC:
        raise TableError("does not end like an index")
    end = len(data) - _FOOTER_BYTES
    meta_offset, at = _varint(footer, 0, _HANDLES_BYTES)
    meta_size, at = _varint(footer, at, _HANDLES_BYTES)
    index_offset, at = _varint(footer, at, _HANDLES_BYTES)
    index_size, at = _varint(footer, at, _HANDLES_BYTES)
    if any(footer[at:_HANDLES_BYTES]):
        raise TableError("has a damaged footer")

    budget = _SHARED_KEYS_RATIO * len(data)
    position, last = 0, None
    for _, handle in _entries(_block(data, index_offset, index_size, end), budget):
        offset, at = _varint(handle, 0, len(handle))
        size, _ = _varint(handle, at, len(handle))
        if offset != position:
            raise TableError(f"has bytes that belong to no block at {position:,}")
        position = offset + size + _TRAILER_BYTES
        for key, value in _entries(_block(data, offset, size, end), budget):
            if last is not None and key <= last:
                raise TableError("has keys that are out of order")
            last = key
            budget -= len(key)
            yield key, value
    for offset, size in ((meta_offset, meta_size), (index_offset, index_size)):
        if offset != position:
            raise TableError(f"has bytes that belong to no block at {position:,}")
        _block(data, offset, size, end)
        position = offset + size + _TRAILER_BYTES
    if position != end:
        raise TableError(f"has bytes that belong to no block at {position:,}")


def _block(data: bytes, offset: int, size: int, end: int) -> bytes:
    """The content of one block, its checksum checked and its compression undone."""
    stop = offset + size
    if stop + _TRAILER_BYTES > end:
        raise TableError(f"has a block at {offset:,} that reaches beyond its end")
    (stored,) = struct.unpack_from("<I", data, stop + 1)
    if masked(crc32c(memoryview(data)[offset : stop + 1])) != stored:
        raise TableError(f"has a block at {offset:,} that does not match its checksum")
    compression = data[stop]
    if compression == _UNCOMPRESSED:
        return data[offset:stop]
    if compression != _SNAPPY:
        raise TableError(f"has a block at {offset:,} with compression {compression}, which is not understood")
    length, _ = _varint(data, offset, stop)
    if length > _SNAPPY_RATIO * size:
        raise TableError(f"has a block at {offset:,} that claims to expand to {length:,} bytes")
    try:
        return bytes(cramjam.snappy.decompress_raw(data[offset:stop]))  # pyright: ignore
    except cramjam.DecompressionError as error:  # pyright: ignore
        raise TableError(f"has a block at {offset:,} that cannot be decompressed") from error


def _entries(block: bytes, budget: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block, at most `budget` bytes of keys.

    Each key is stored as the number of bytes that it shares with the one before it, and the rest.
    """
    if len(block) < 4:
        raise TableError("has a block that is too short")
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise TableError("has a block with more restart points than bytes")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at, end)
        unshared, at = _varint(block, at, end)
        value_size, at = _varint(block, at, end)
        middle = at + unshared
        after = middle + value_size
        if shared > len(key) or after > end:
            raise TableError("has an entry that reaches beyond its block")
        key = key[:shared] + block[at:middle]
        budget -= len(key)
        if budget < 0:
            raise TableError("stands for more bytes of keys than an index of its size can hold")
        yield key, block[middle:after]
        at = after


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The unsigned base-128 number at a position, and the position after it."""
    if at < end and data[at] < 0x80:  # nearly all of them: lengths
        return data[at], at + 1
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # A zero at the end adds nothing: no writer puts it there, but a flipped bit may seem to.
            if not byte and shift:
                break
            return value, at
        shift += 7
    raise TableError("has a number that is not written as numbers are")
