"""What a model consists of: its files, and one digest over all of them.

Digests are BLAKE3: as hard to forge as SHA-256, and more than twice as fast, even on a processor that has
instructions for SHA-256. A push must not wait for its digest.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from blake3 import blake3

from tfx_janitor.payload.places import Place
from tfx_janitor.verified_pusher.errors import ModelRefused, naming

CHUNK = 4 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True, order=True)
class ContentFile:
    """One file of a model: path relative to the model with `/` between names, size in bytes, hex BLAKE3."""

    path: str
    size: int
    blake3: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file before anybody read it.

    Attributes:
      path: where it belongs in the model.
      real_path: where its bytes lie.
      size: their number.
      state: what is another after somebody wrote into the file or put another in its place.
    """

    path: str
    real_path: str
    size: int
    state: tuple[int, int, int]

    @classmethod
    def of(cls, path: str, real_path: str, status: os.stat_result) -> FoundFile:
        """Describes a file by its status."""
        return cls(path, real_path, status.st_size, (status.st_dev, status.st_ino, status.st_mtime_ns))


@dataclass(frozen=True, slots=True)
class Tree:
    """A listing of a model; directories come before what lies in them, all sorted by name.

    `has_links` tells that some of it was reached through a link inside the model.
    """

    files: tuple[FoundFile, ...]
    directories: tuple[str, ...]
    has_links: bool

    def split(self, paths: Collection[str]) -> tuple[Tree, tuple[FoundFile, ...]]:
        """The listing without some files, and those files."""
        rest = tuple(file for file in self.files if file.path not in paths)
        return replace(self, files=rest), tuple(file for file in self.files if file.path in paths)


DIGEST_KIND = "blake3:"
"""How every digest of a content begins."""


def content_digest(files: Iterable[ContentFile]) -> str:
    """Returns `blake3:<hex>` over paths, sizes and digests of all files, whatever their order.

    Directories do not count: an object store has none, and the same model has the same digest everywhere.
    """
    rows = [[file.path, file.size, file.blake3] for file in sorted(files)]
    # ASCII escapes keep the digest defined for file names that are not UTF-8.
    canonical = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    return DIGEST_KIND + blake3(canonical.encode("ascii")).hexdigest()


def scan(path: str, *, without: Collection[str] = ()) -> Tree:
    """Lists a model without reading its files.

    A link counts as what it points to, as it does for whoever loads the model, but only if that lies inside
    the model: bytes from elsewhere may change or vanish after the push, and nobody verified them.

    Args:
      path: directory of the model; may itself be reached through links.
      without: names directly below `path` that are no part of the model.

    Raises:
      ModelRefused: a link points outside, nowhere or into a circle, or something else lies there.
      OSError: a directory cannot be read.
    """
    root = os.path.realpath(path)
    files: list[FoundFile] = []
    directories: list[str] = []
    has_links = False
    for relative, real_path, status in _walk(root, root, "", (root,)):
        if relative in without:
            continue
        has_links = has_links or real_path != os.path.join(root, relative)
        if stat.S_ISDIR(status.st_mode):
            directories.append(relative)
        else:
            files.append(FoundFile.of(relative, real_path, status))
    return Tree(tuple(sorted(files, key=lambda file: file.path)), tuple(sorted(directories)), has_links)


def digest(tree: Tree) -> tuple[ContentFile, ...]:
    """Reads every file of a listing once.

    Raises:
      ModelRefused: a file was exchanged for something else since it was listed.
      OSError: a file cannot be read.
    """
    return tuple(digest_file(file) for file in tree.files)


def digest_file(file: FoundFile) -> ContentFile:
    """Reads a file once; raises as `digest`."""
    descriptor = open_regular(file.real_path)
    try:
        hasher, size = blake3(), 0
        with naming(file.real_path):
            for chunk in chunks(descriptor, bytearray(min(CHUNK, file.size + 1))):
                hasher.update(chunk)
                size += len(chunk)
    finally:
        os.close(descriptor)
    return ContentFile(file.path, size, hasher.hexdigest())


def open_regular(path: str) -> int:
    """Opens a file for reading; the descriptor is the caller's to close.

    Raises:
      ModelRefused: it is a link or a special file; a pipe would block whoever reads it.
      OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ModelRefused(f"expected a regular file at {path}, and it is none; export the model anew")
        opened.pop_all()
    return descriptor


def chunks(descriptor: int, buffer: bytearray) -> Iterator[memoryview]:
    """Reads a file to its end through one buffer; each view is valid until the next is asked for."""
    view = memoryview(buffer)
    while count := os.readv(descriptor, [view]):
        yield view[:count]


def _walk(
    root: str, directory: str, prefix: str, ancestors: tuple[str, ...]
) -> Iterator[tuple[str, str, os.stat_result]]:
    with os.scandir(directory) as entries:
        listed = list(entries)
    for entry in listed:
        relative = prefix + entry.name
        real_path = _inside(root, entry.path, relative) if entry.is_symlink() else entry.path
        try:
            status = os.stat(real_path, follow_symlinks=False)
        except FileNotFoundError:
            raise ModelRefused(f"{relative} in {root} is a link to nothing; export the model anew") from None
        if stat.S_ISDIR(status.st_mode):
            if real_path in ancestors:
                raise ModelRefused(
                    f"{relative} in {root} is a link that leads in a circle; export the model anew"
                )
            yield relative, real_path, status
            yield from _walk(root, real_path, f"{relative}/", (*ancestors, real_path))
        elif stat.S_ISREG(status.st_mode):
            yield relative, real_path, status
        else:
            raise ModelRefused(
                f"{relative} in {root} is neither a file nor a directory; a model holds nothing else"
            )


def _inside(root: str, path: str, relative: str) -> str:
    real_path = os.path.realpath(path)
    if real_path != root and not Place("file", root).contains(Place("file", real_path)):
        raise ModelRefused(
            f"{relative} in {root} is a link to {real_path}, outside the model; "
            "put the file itself into the model instead"
        )
    return real_path
