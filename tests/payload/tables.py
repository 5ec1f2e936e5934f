"""Writing tables, the files that indexes of tensor bundles are."""

from __future__ import annotations

import struct

import cramjam
from crc32c import crc32c

from tfx_janitor.payload.sstable import masked


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def table(*blocks: list[tuple[bytes, bytes]], compress: bool = False) -> bytes:
    """A table like TensorFlow's, with one data block for each list of keys and values."""
    data = bytearray()
    handles: list[tuple[bytes, bytes]] = []

    def add(entries: list[tuple[bytes, bytes]]) -> bytes:
        content = bytearray()
        for key, value in entries:
            content += varint(0) + varint(len(key)) + varint(len(value)) + key + value
        content += struct.pack("<II", 0, 1)
        stored = bytes(content)
        if compress:
            stored = bytes(cramjam.snappy.compress_raw(stored))  # pyright: ignore
        handle = varint(len(data)) + varint(len(stored))
        stored += b"\1" if compress else b"\0"
        data.extend(stored + struct.pack("<I", masked(crc32c(stored))))
        return handle

    for entries in blocks:
        handles.append((entries[-1][0], add(entries)))
    footer = add([]) + add(handles)
    return bytes(data) + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
