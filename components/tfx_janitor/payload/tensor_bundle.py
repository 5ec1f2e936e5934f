"""TensorFlow's tensor bundle: `NAME.index` and its shards `NAME.data-00000-of-00002`, tensor by tensor.

Both the variables of a SavedModel and every TF checkpoint are tensor bundles. The index lists for each
tensor its shard, offset, size and masked crc32c; the layout is that of TensorFlow's tensor_bundle.proto and
tensor_bundle.cc.

Data is read with `pread` into one buffer, not mapped: a mapped file that is cut short meanwhile, or lies on
a disk that fails, kills the process with SIGBUS, while a failed read is a damage like any other.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from tfx_janitor.payload import filesystem, protos, tensor_checksum
from tfx_janitor.payload.filesystem import in_bytes
from tfx_janitor.payload.sstable import TableError, read_table
from tfx_janitor.payload.verification import Damage, Level

INDEX = ".index"

_SHARD = re.compile(r"\.data-(\d{5,})-of-(\d{5,})", re.ASCII)
_ESCAPED = re.compile(rb"[\x00\xff]")
_ESCAPES = {b"\x00": b"\x00\xff", b"\xff": b"\xff\x00"}

INDEX_LIMIT = 1 << 30
"""An index of a million tensors has some 60 MB."""

_UNDERSTOOD_VERSION = 1
_BIG_ENDIAN = 1
_NAMED = 5
"""How many missing shards one damage names before it only counts them."""

# Bytes per element by TensorFlow's DataType number. Strings (7), resources (20) and variants (21) have no
# fixed size. A number that is not here is a newer type: its bytes are still checked against their checksum.
_ITEM_BYTES = dict.fromkeys((4, 6, 10, 11, 12, 24, 25, 29, 30), 1)
_ITEM_BYTES |= dict.fromkeys((5, 14, 15, 16, 17, 19), 2)
_ITEM_BYTES |= dict.fromkeys((1, 3, 13, 22), 4)
_ITEM_BYTES |= dict.fromkeys((2, 8, 9, 23), 8)
_ITEM_BYTES |= {18: 16}


class Tensor(NamedTuple):
    """One tensor, or one slice of a sliced tensor, as the index describes it.

    Attributes:
      key: its name in the checkpoint; for a slice with its ranges behind it.
      dtype: TensorFlow's DataType number.
      elements: product of its dimensions.
      shard: number of the shard that holds its bytes.
      offset: position of the first of them in that shard.
      size: how many they are.
      crc: masked crc32c over them, in the way of its dtype.
    """

    key: str
    dtype: int
    elements: int
    shard: int
    offset: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class Index:
    """What an index file says.

    Attributes:
      shards: how many data files belong to it.
      tensors: everything that has bytes in them. A sliced tensor appears as its slices.
    """

    shards: int
    tensors: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """What a look at a bundle's index and at the sizes of its shards tells.

    Attributes:
      damages: with file names relative to the bundle's directory.
      tensors: how many the index lists.
      held: the tensors whose bytes can be read, by the shard that holds them, in order of their offsets.
      checksummed: the shards of which each byte belongs to a tensor, and so to a checksum.
    """

    damages: tuple[Damage, ...] = ()
    tensors: int = 0
    held: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    checksummed: frozenset[str] = frozenset()


class UnsoundIndex(filesystem.ReadError):
    """An index that is readable but not sound; names the tensor when it is one tensor's entry."""

    def __init__(self, problem: str, tensor: str | None = None) -> None:
        super().__init__(problem)
        self.tensor = tensor


def shard_name(name: str, shard: int, shards: int) -> str:
    """File name of one shard: `shard_name("ckpt-5", 0, 2)` is "ckpt-5.data-00000-of-00002"."""
    return f"{name}.data-{shard:05d}-of-{shards:05d}"


def split_shard_name(file: str) -> tuple[str, int, int] | None:
    """Name, shard and number of shards of a data file's name; None if it is not one."""
    stem, dot, rest = file.rpartition(".data-")
    match = _SHARD.fullmatch(dot + rest)
    if not match or not stem:
        return None
    shard, shards = int(match[1]), int(match[2])
    # "data-000000-of-000001" is nobody's first shard.
    return (stem, shard, shards) if file == shard_name(stem, shard, shards) else None


def read_index(path: str) -> Index:
    """Reads and checks an index file.

    Raises:
      ReadError: it is missing, unreadable, does not match its checksums or contradicts itself. The message
        is the end of a sentence about the file.
    """
    try:
        return _index(read_table(filesystem.read(path, INDEX_LIMIT)))
    except TableError as error:
        raise UnsoundIndex(str(error)) from error


def verify(directory: str, name: str, level: Level) -> tuple[tuple[Damage, ...], int]:
    """Checks a bundle's index against its shards and, from level CHECKSUMS on, every tensor's bytes.

    Args:
      directory: where the files lie.
      name: their common name, such as "variables" or "ckpt-100".
      level: LOAD looks no deeper here than CHECKSUMS.

    Returns:
      The damages, with file names relative to the directory, and the number of tensors in the index.
    """
    structure = look(directory, name)
    if level is Level.STRUCTURE:
        return structure.damages, structure.tensors
    return (*structure.damages, *compare(directory, structure)), structure.tensors


def look(directory: str, name: str) -> Structure:
    """Checks a bundle's index, and its shards against it, without reading them; arguments as of `verify`."""
    try:
        present = filesystem.entries(directory)
        index = read_index(os.path.join(directory, name + INDEX))
    except filesystem.ReadError as error:
        tensor = error.tensor if isinstance(error, UnsoundIndex) else None
        return Structure((Damage(name + INDEX, str(error), tensor),))
    damages = list(_missing(name, index.shards, present))
    ordered = sorted(index.tensors, key=lambda tensor: (tensor.shard, tensor.offset, tensor.size))
    listed = {shard: list(tensors) for shard, tensors in groupby(ordered, key=lambda tensor: tensor.shard)}
    held: dict[str, Sequence[Tensor]] = {}
    checksummed: set[str] = set()
    for shard in _shards_present(name, index.shards, present):
        file, tensors = shard_name(name, shard, index.shards), listed.get(shard, [])
        problems, held[file] = _look_at_shard(os.path.join(directory, file), file, tensors)
        damages += problems
        if _filled(tensors) == present[file].st_size:
            checksummed.add(file)
    return Structure(tuple(damages), len(index.tensors), held, frozenset(checksummed))


def compare(
    directory: str, structure: Structure, read: tensor_checksum.Read = tensor_checksum.pread
) -> Iterator[Damage]:
    """Compares every tensor's bytes with their checksum.

    Args:
      directory: where the shards lie.
      structure: of the bundle, be it of this one or of the one that this is a copy of.
      read: reads the shards, each from front to back.
    """
    for file, tensors in structure.held.items():
        if not tensors:
            continue
        path = os.path.join(directory, file)
        try:
            with filesystem.opened(path) as (descriptor, _):
                shard = tensor_checksum.Shard(path, descriptor, read)
                for tensor in tensors:
                    problem = shard.problem(
                        tensor.dtype, tensor.elements, tensor.offset, tensor.size, tensor.crc
                    )
                    if problem is not None:
                        yield Damage(file, problem, tensor.key)
        except filesystem.ReadError as error:
            yield Damage(file, str(error))


def _index(table: Iterator[tuple[bytes, bytes]]) -> Index:
    key, value = next(table, (None, b""))
    if key != b"":
        raise UnsoundIndex("has no header")
    shards = _shards(value)
    entries: dict[bytes, Any] = {}
    sliced: dict[bytes, Any] = {}
    for key, value in table:
        try:
            entry = protos.parse(protos.BundleEntry, value)
        except DecodeError as error:
            raise UnsoundIndex("has an entry that cannot be parsed", _text(key)) from error
        (sliced if entry.slices else entries)[key] = entry
    elements = functools.cache(_elements)
    names: dict[bytes, str] = {}
    for key, entry in sliced.items():
        covered = 0
        for part in entry.slices:
            slice_key = _slice_key(key, part)
            if slice_key not in entries:
                raise UnsoundIndex(f"lacks the slice {_ranges(part)}", _text(key))
            names[slice_key] = f"{_text(key)} {_ranges(part)}"
            covered += elements(entries[slice_key].shape)
        if covered < elements(entry.shape):
            raise UnsoundIndex("lacks some slices", _text(key))
    tensors = []
    for key, entry in entries.items():
        name = names.get(key) or _text(key)
        try:
            tensors.append(_tensor(name, entry, elements(entry.shape), shards))
        except DecodeError as error:
            raise UnsoundIndex("has a shape that cannot be parsed", name) from error
    return Index(shards, tuple(tensors))


def _shards(header: bytes) -> int:
    try:
        message = protos.parse(protos.BundleHeader, header)
    except DecodeError as error:
        raise UnsoundIndex("has a header that cannot be parsed") from error
    if message.endianness == _BIG_ENDIAN:
        raise UnsoundIndex("says its data is in big-endian byte order, which is not understood")
    if message.version.min_consumer > _UNDERSTOOD_VERSION:
        raise UnsoundIndex(
            f"needs a reader of version {message.version.min_consumer}, which is not understood"
        )
    if message.num_shards < 0:
        raise UnsoundIndex(f"says that it has {message.num_shards} shards")
    return message.num_shards


def _tensor(name: str, entry: Any, elements: int, shards: int) -> Tensor:
    shard, offset, size = entry.shard_id, entry.offset, entry.size
    if offset < 0 or size < 0 or elements < 0:
        raise UnsoundIndex("has an entry with a negative number", name)
    if not 0 <= shard < shards:
        raise UnsoundIndex(f"has an entry in shard {shard} of {shards}", name)
    item = _ITEM_BYTES.get(entry.dtype)
    if item is not None and size != elements * item:
        raise UnsoundIndex(f"has an entry of {in_bytes(size)} for {elements:,} elements of {item}", name)
    return Tensor(name, entry.dtype, elements, shard, offset, size, entry.crc32c)


def _elements(shape: bytes) -> int:
    """Product of the dimensions of a serialised shape, which many tensors share; -1 if one is negative."""
    sizes = [dimension.size for dimension in protos.parse(protos.Shape, shape).dim]
    return -1 if any(size < 0 for size in sizes) else math.prod(sizes)


def _missing(name: str, shards: int, present: Mapping[str, os.stat_result]) -> Iterator[Damage]:
    """The shards that the index counts and that are not there, told apart from those of another number."""
    found = _shards_present(name, shards, present)
    lacking = shards - len(found)
    if not lacking:
        return
    other = sorted(
        {parts[2] for parts in map(split_shard_name, present) if parts and parts[0] == name} - {shards}
    )
    hint = (
        f"; there are files of {', '.join(map(str, other))} shards, the index says {shards}" if other else ""
    )
    have = set(found)
    # Bounded: of the numbers walked over, only as many as there are files can be present.
    for shard in islice((shard for shard in range(shards) if shard not in have), _NAMED):
        yield Damage(shard_name(name, shard, shards), f"is missing{hint}")
    if lacking > _NAMED:
        yield Damage(name + INDEX, f"lacks {lacking - _NAMED:,} more of its {shards:,} shards")


def _shards_present(name: str, shards: int, present: Mapping[str, os.stat_result]) -> list[int]:
    parsed = (split_shard_name(file) for file in present)
    return sorted(
        parts[1]
        for parts in parsed
        if parts and parts[0] == name and parts[2] == shards and 0 <= parts[1] < shards
    )


def _filled(tensors: Sequence[Tensor]) -> int:
    """How many bytes a shard's tensors, in order of their offsets, fill from its start on without a gap."""
    end = 0
    for tensor in tensors:
        if tensor.offset == end:
            end += tensor.size
    return end


def _look_at_shard(path: str, file: str, tensors: Sequence[Tensor]) -> tuple[list[Damage], Sequence[Tensor]]:
    """Checks one shard against its tensors, which come in order of their offsets; gives those it holds."""
    try:
        with filesystem.opened(path) as (_, size):
            pass
    except filesystem.ReadError as error:
        return [Damage(file, str(error))], ()
    damages: list[Damage] = []
    end = max((tensor.offset + tensor.size for tensor in tensors), default=0)
    beyond = [tensor for tensor in tensors if tensor.offset + tensor.size > size]
    if beyond:
        cut = f" and {len(beyond) - 1:,} more are cut off" if len(beyond) > 1 else " is cut off"
        damages.append(Damage(file, f"is {in_bytes(end - size)} too short: a tensor{cut}", beyond[0].key))
    elif size > end:
        damages.append(Damage(file, f"is {in_bytes(size - end)} too long: the index accounts for {end:,}"))
    held: list[Tensor] = []
    position = 0
    for tensor in tensors:
        if tensor.size and tensor.offset < position:
            # No writer shares bytes between tensors; without this check a small index could have the same
            # gigabytes read a million times.
            damages.append(Damage(file, "holds a tensor that overlaps the one before it", tensor.key))
            continue
        position = tensor.offset + tensor.size
        if position <= size:
            held.append(tensor)
    return damages, held


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


def _ranges(part: Any) -> str:
    """A slice as TensorFlow prints it: "0,4:-" is the first four rows, all columns."""
    return ":".join(
        f"{extent.start},{extent.length}" if extent.HasField("length") else "-" for extent in part.extent
    )


def _slice_key(name: bytes, part: Any) -> bytes:
    """The key under which the index keeps one slice of a tensor (TensorFlow's EncodeTensorNameSlice).

    An ordered code: the number 0, the name with its NULs and 0xFFs escaped, the number of dimensions, and for
    each of them start and length, -1 for a whole dimension.
    """
    key = bytearray(b"\x00" + _ESCAPED.sub(lambda match: _ESCAPES[match[0]], name) + b"\x00\x01")
    rank = len(part.extent)
    digits = rank.to_bytes((rank.bit_length() + 7) // 8, "big")
    key += bytes([len(digits)]) + digits
    for extent in part.extent:
        key += _ordered(extent.start)
        key += _ordered(extent.length if extent.HasField("length") else -1)
    return bytes(key)


def _ordered(number: int) -> bytes:
    """A signed number in as many bytes as its leading bits count, so that bytes sort as numbers do."""
    magnitude = ~number if number < 0 else number
    length = magnitude.bit_length() // 7 + 1
    header = ((1 << length) - 1) << (7 * length)
    return ((number ^ header) & ((1 << 8 * length) - 1)).to_bytes(length, "big")
