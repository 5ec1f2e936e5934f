"""Keras checkpoints: `.keras` archives and `.weights.h5` files, checked as far as their formats allow.

A `.keras` file is a ZIP archive, whose members carry a CRC-32 each. An HDF5 file says in its superblock
where it ends, and that is all: its datasets carry no checksums, so a flipped bit inside a `.weights.h5` is
not found. (The HDF5 library's File Format Specification, "Disk Format: Level 0A".)
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from tfx_janitor.payload import filesystem, loading
from tfx_janitor.payload.verification import Damage, Level

ARCHIVE, WEIGHTS = ".keras", ".weights.h5"

_CONFIG, _METADATA, _MODEL_WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_CONFIG_LIMIT = 1 << 28
_PIECE_BYTES = 1 << 20
_ZIP_END_BYTES = 22
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 96

# A metric that ModelCheckpoint wrote behind the step: "weights.05-0.87".
_METRIC = re.compile(r"[-_][0-9]+\.[0-9]+$")
_FRACTION = re.compile(r"[0-9]\.$")
_STEP = re.compile(r"(.*?)[-._]?([0-9]+)", re.DOTALL)


def split_name(file: str) -> tuple[str, int | None] | None:
    """Prefix and step of a Keras checkpoint's file name; None if it is not one.

    The step is the number at the end of the name's stem: "weights.05.weights.h5" is step 5 of "weights". A
    metric behind it, as in "model.05-0.87.keras", is passed over, and a decimal fraction is no step.
    """
    for suffix in (WEIGHTS, ARCHIVE):
        if file.endswith(suffix) and len(file) > len(suffix):
            stem = _METRIC.sub("", file.removesuffix(suffix))
            match = _STEP.fullmatch(stem)
            if match and not _FRACTION.search(stem, 0, match.start(2)):
                return match[1], int(match[2])
            return stem, None
    return None


def verify(path: str, level: Level) -> Iterator[Damage]:
    """What is wrong with one Keras file.

    - STRUCTURE: an archive has its directory at its very end and the members of a model; an HDF5 file has its
      signature, was closed by its writer, and ends where its superblock says.
    - CHECKSUMS: also every member of an archive against its CRC-32.
    - LOAD: also every dataset is read with h5py, if nothing was found until then.

    Args:
      path: the file; a link is not followed.
      level: how deep to look.
    """
    name = os.path.basename(path)
    try:
        with filesystem.opened(path) as (descriptor, size), open(descriptor, "rb", closefd=False) as file:
            look = _archive if name.endswith(ARCHIVE) else _weights
            for problem in look(file, size, level):
                yield Damage(name, problem)
    except filesystem.ReadError as error:
        yield Damage(name, str(error))


def _weights(file: BinaryIO, size: int, level: Level) -> Iterator[str]:
    problem = _hdf5_problem(file.read(_SUPERBLOCK_BYTES), size)
    if problem is None and level.loads:
        file.seek(0)
        problem = loading.load_hdf5(file)
    if problem is not None:
        yield problem


def _archive(file: BinaryIO, size: int, level: Level) -> Iterator[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            problem = _end_problem(file, size, archive.comment) or _members_problem(archive, level)
    # zipfile lets odd headers surface as any of these.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        problem = f"is not a whole ZIP archive: {error}"
    if problem is not None:
        yield problem


def _end_problem(file: BinaryIO, size: int, comment: bytes) -> str | None:
    """Python's zipfile finds the archive's end even when something follows it."""
    end = _ZIP_END_BYTES + len(comment)
    file.seek(max(0, size - end))
    return None if file.read(4) == b"PK\x05\x06" else "has bytes behind its end"


def _members_problem(archive: zipfile.ZipFile, level: Level) -> str | None:
    members = {member.filename: member for member in archive.infolist()}
    for name in (_METADATA, _CONFIG, _MODEL_WEIGHTS):
        if name not in members:
            return f"lacks its member {name}"
    weights = members[_MODEL_WEIGHTS]
    if level is not Level.STRUCTURE:
        for member in members.values():
            with archive.open(member) as content:
                # Reading to the end is what makes zipfile compare the CRC-32.
                while content.read(_PIECE_BYTES):
                    pass
        for name in (_METADATA, _CONFIG):
            if members[name].file_size > _CONFIG_LIMIT:
                return f"has a member {name} of {members[name].file_size:,} bytes"
            json.loads(archive.read(name))
    with archive.open(weights) as content:
        problem = _hdf5_problem(content.read(_SUPERBLOCK_BYTES), weights.file_size)
    if problem is not None:
        return f"has a member {_MODEL_WEIGHTS} that {problem}"
    if level.loads:
        with archive.open(weights) as content:
            return loading.load_hdf5(content)
    return None


def _hdf5_problem(head: bytes, size: int) -> str | None:
    """What the first bytes of an HDF5 file say against its size."""
    if not size:
        return "is empty"
    if not head.startswith(_SIGNATURE):
        return "is not an HDF5 file"
    version = head[8] if len(head) > 8 else 0
    # Where the superblock keeps the width of its addresses, its flags, and the address of the end of the
    # file as a number of bytes plus a number of addresses.
    width_at, flags_at, end_at, addresses = (9, 11, 12, 2) if version >= 2 else (13, 20, 24 + 4 * version, 2)
    if version > 3:
        return f"has an HDF5 superblock of version {version}, which is not understood"
    if len(head) <= max(width_at, flags_at):
        return "is cut off"
    width = head[width_at]
    first = end_at + addresses * width
    if width not in (2, 4, 8) or len(head) < first + width:
        return "is cut off or has a damaged HDF5 superblock"
    end = int.from_bytes(head[first : first + width], "little")
    if version == 3 and head[flags_at] & 1:
        return "was not closed by its writer"
    if end != size:
        many = f"{filesystem.in_bytes(abs(size - end))} too {'long' if size > end else 'short'}"
        return f"is {many}: by its superblock it ends at {end:,}"
    return None
