"""The only lines that remove bytes.

Everything here works relative to directory descriptors and never follows a link, so that swapping a directory
for a link between a check and a deletion gains nobody anything. Names are literal; nothing globs.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place

TRASH = ".tfx-janitor-trash"
"""Directory beside a payload into which it is renamed before its bytes go; servers and TFX ignore it."""

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RemovalError(JanitorError):
    """A path that must not, or cannot, be removed."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What is gone: apparent size in bytes and number of files (links count as files)."""

    bytes: int = 0
    files: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.bytes + other.bytes, self.files + other.files)


def vanish(path: str, label: str, *, roots: Sequence[Place]) -> Removed:
    """Makes a file or directory tree disappear at once, then removes its bytes.

    The disappearance is one rename into `TRASH` beside the path, so no reader ever sees part of it.
    Whatever a crash leaves in the trash is finished by `finish`.

    Args:
      path: absolute path of the payload; if it is a link, the link itself is removed.
      label: name of the entry in the trash, one path component; it tells recovery whose bytes these are.
      roots: the path must lie strictly inside one of these after links in its parents are resolved.

    Returns:
      What was removed. Nothing, if nothing lies at the path.

    Raises:
      RemovalError: the path is outside the roots, or a mount point stands in the way.
      OSError: the file system refused.
    """
    parent, name = _locate(path, roots)
    try:
        parent_fd = os.open(parent, _OPEN_DIRECTORY)
    except FileNotFoundError:
        return Removed()
    with _closing(parent_fd):
        entry = _rename_into_trash(parent_fd, name, label)
        return Removed() if entry is None else _empty_entry(parent_fd, entry)


def finish(path: str, label: str, *, roots: Sequence[Place]) -> Removed:
    """Removes what an interrupted `vanish` of this path and label left in the trash.

    Raises:
      RemovalError: the path is outside the roots.
      OSError: the file system refused.
    """
    parent, _ = _locate(path, roots)
    removed = Removed()
    try:
        parent_fd = os.open(parent, _OPEN_DIRECTORY)
    except FileNotFoundError:
        return removed
    with _closing(parent_fd):
        for entry in _entries(parent_fd, label):
            removed += _empty_entry(parent_fd, entry)
    return removed


def in_trash(path: str, label: str) -> bool:
    """Whether an interrupted `vanish` of this path and label left bytes in the trash beside it."""
    try:
        parent_fd = os.open(os.path.dirname(path), _OPEN_DIRECTORY)
    except OSError:
        return False
    with _closing(parent_fd):
        return bool(_entries(parent_fd, label))


def unlink_files(directory: str, names: Sequence[str], *, roots: Sequence[Place]) -> Removed:
    """Unlinks the named files of one directory, in the order given; those already gone are passed over.

    Args:
      directory: absolute path of the directory, which stays.
      names: literal file names, one path component each.
      roots: the directory must be one of these or lie inside one.

    Raises:
      RemovalError: the directory is outside the roots, or a name is not a plain file name.
      OSError: the file system refused; the files before the failing one are gone.
    """
    for name in names:
        if not _is_component(name):
            raise RemovalError(f"expected a plain file name to remove in {directory}, got {name!r}")
    real = os.path.realpath(directory)
    place = Place("file", real)
    if not any(root == place or root.contains(place) for root in roots):
        raise RemovalError(_outside(directory, real, roots))
    removed = Removed()
    directory_fd = os.open(real, _OPEN_DIRECTORY)
    with _closing(directory_fd):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                removed += _unlink(directory_fd, name)
        os.fsync(directory_fd)
    return removed


def _locate(path: str, roots: Sequence[Place]) -> tuple[str, str]:
    if not os.path.isabs(path):
        raise RemovalError(f"expected an absolute path to remove, got {path!r}")
    parent, name = os.path.split(path.rstrip("/"))
    if not _is_component(name):
        raise RemovalError(f"expected a path that ends in a name, got {path!r}")
    parent = os.path.realpath(parent)
    place = Place("file", os.path.join(parent, name))
    if not any(root.contains(place) for root in roots):
        raise RemovalError(_outside(path, place.path, roots))
    return parent, name


def _outside(path: str, real: str, roots: Sequence[Place]) -> str:
    allowed = ", ".join(map(str, roots)) or "nothing"
    return f"{path} (really {real}) is not inside what may be removed: {allowed}"


def _is_component(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name


def _rename_into_trash(parent_fd: int, name: str, label: str) -> str | None:
    if not _is_component(label):
        raise RemovalError(f"expected a plain name as trash label, got {label!r}")
    try:
        status = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if status.st_dev != os.fstat(parent_fd).st_dev:
        raise RemovalError(f"{name} is a mount point; unmount it first")
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(TRASH, 0o700, dir_fd=parent_fd)
        try:
            trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
        except FileNotFoundError:  # whoever removed the payload beside this one tidied up in between
            continue
        with _closing(trash_fd):
            entry = _free_name(trash_fd, label)
            try:
                os.rename(name, entry, src_dir_fd=parent_fd, dst_dir_fd=trash_fd)
            except FileNotFoundError:
                if _is_there(parent_fd, name):  # so it was the trash that went
                    continue
                return None  # another janitor was faster
            # On disk before any byte goes, or a power cut shows half a payload at a live URI.
            os.fsync(trash_fd)
        os.fsync(parent_fd)
        return entry


def _free_name(trash_fd: int, label: str) -> str:
    taken = set(os.listdir(trash_fd))
    entry, attempt = label, 0
    while entry in taken:
        attempt += 1
        entry = f"{label}~{attempt}"
    return entry


def _is_there(directory_fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _entries(parent_fd: int, label: str) -> list[str]:
    try:
        trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:
        return []
    with _closing(trash_fd):
        return sorted(n for n in os.listdir(trash_fd) if n == label or n.startswith(f"{label}~"))


def _empty_entry(parent_fd: int, entry: str) -> Removed:
    try:
        trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:  # another attempt at the same payload emptied it
        return Removed()
    with _closing(trash_fd):
        removed = _remove(trash_fd, entry, os.fstat(trash_fd).st_dev)
    # Another payload of the same parent may be on its way through the trash: then it is not empty, and stays.
    with contextlib.suppress(OSError):
        os.rmdir(TRASH, dir_fd=parent_fd)
    return removed


def _remove(directory_fd: int, name: str, device: int) -> Removed:
    try:
        status = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return Removed()
    if not stat.S_ISDIR(status.st_mode):
        with contextlib.suppress(FileNotFoundError):
            return _unlink(directory_fd, name)
        return Removed()
    if status.st_dev != device:
        raise RemovalError(f"{name} is a mount point; unmount it first")
    removed = Removed()
    try:
        child_fd = os.open(name, _OPEN_DIRECTORY, dir_fd=directory_fd)
    except FileNotFoundError:  # another attempt at the same payload was faster
        return removed
    with _closing(child_fd):
        for child in os.listdir(child_fd):
            removed += _remove(child_fd, child, device)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=directory_fd)
    return removed


def _unlink(directory_fd: int, name: str) -> Removed:
    size = os.stat(name, dir_fd=directory_fd, follow_symlinks=False).st_size
    os.unlink(name, dir_fd=directory_fd)
    return Removed(size, 1)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
