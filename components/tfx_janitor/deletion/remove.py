"""The only lines that remove bytes.

Everything here works relative to directory descriptors and never follows a link, so that swapping a directory
for a link between a check and a deletion gains nobody anything. Nor does it enter another mount: what lies
there is somebody else's. Names are literal; nothing globs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tfx_janitor import effects
from tfx_janitor.deletion.attributes import Attribute, attributes
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place, parse

TRASH = ".tfx-janitor-trash"
"""Directory beside a payload into which it is renamed before its bytes go; servers and TFX ignore it."""

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""For directories on the way: those one may often enter, but not list."""

_DESCRIPTORS = "/proc/self/fdinfo"

_AROUND = "the directory around it"
"""How errors name the directory that a payload or a checkpoint lies in."""

_NOTHING_TO_TIDY = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)


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
        parent_fd = _open(parent)
    except FileNotFoundError:
        return Removed()
    with _closing(parent_fd):
        return vanish_at(parent_fd, name, label)


def vanish_at(parent_fd: int, name: str, label: str) -> Removed:
    """`vanish` for a name in a directory that is open."""
    try:
        entry = _rename_into_trash(parent_fd, name, label)
        return Removed() if entry is None else _empty_entry(parent_fd, entry)
    finally:
        _tidy_up(parent_fd)


def check_removable_at(parent_fd: int, name: str) -> None:
    """Looks whether `vanish_at` could remove a name in a directory that is open, and changes nothing.

    Args:
      name: it need not be there.

    Raises:
      RemovalError: it or the trash is a mount point, or one lies in it; or something of it is protected.
      OSError: it, the trash, or a directory in it may not be written to.
    """
    _check_writable(parent_fd, _AROUND)
    if _is_there(parent_fd, TRASH):
        trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
        with _closing(trash_fd):
            if _mount(trash_fd) != _mount(parent_fd):
                raise _mount_point(TRASH)
            _check_writable(trash_fd, TRASH)
    _traverse(parent_fd, name, at_file=_check_file, on_entering=_check_writable)


def check_unlinkable(directory_fd: int, names: Sequence[str]) -> None:
    """Looks whether `unlink_files` could unlink files, and changes nothing.

    Raises:
      RemovalError: something is mounted upon one of them, or it is protected.
      OSError: the directory may not be written to.
    """
    _check_writable(directory_fd, _AROUND)
    for name in names:
        _check_file(directory_fd, name)


def _check_writable(directory_fd: int, name: str) -> None:
    _check_unprotected(attributes(directory_fd, "."), name)
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory_fd, effective_ids=True):
        code = errno.EROFS if os.fstatvfs(directory_fd).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(code, os.strerror(code), name)


def _check_file(directory_fd: int, name: str) -> None:
    found = attributes(directory_fd, name)
    _check_unprotected(found, name)
    if Attribute.MOUNT_ROOT in found:
        raise _mount_point(name)


def _check_unprotected(found: Attribute, name: str) -> None:
    if found & (Attribute.IMMUTABLE | Attribute.APPEND):
        raise RemovalError(f"{name} is protected by its attributes; `chattr -ia` takes them off")


def _mount_point(name: str) -> RemovalError:
    return RemovalError(f"{name} is a mount point; unmount it first")


def finish(path: str, label: str, *, roots: Sequence[Place]) -> Removed:
    """Removes what an interrupted `vanish` of this path and label left in the trash.

    Raises:
      RemovalError: the path is outside the roots.
      OSError: the file system refused.
    """
    parent, _ = _locate(path, roots)
    try:
        parent_fd = _open(parent)
    except FileNotFoundError:
        return Removed()
    with _closing(parent_fd):
        return finish_at(parent_fd, label)


def finish_at(parent_fd: int, label: str) -> Removed:
    """`finish` for a label in the trash of a directory that is open."""
    removed = Removed()
    try:
        for entry in _entries(parent_fd, label):
            removed += _empty_entry(parent_fd, entry)
    finally:
        _tidy_up(parent_fd)
    return removed


def in_trash(path: str, label: str) -> bool:
    """Whether an interrupted `vanish` of this path and label left bytes in the trash beside it."""
    return any(_is_of(entry, label) for entry in _beside(path) or ())


def is_tidy(path: str, label: str) -> bool:
    """Whether an interrupted `vanish` of this path and label left nothing: no bytes, and no empty trash."""
    entries = _beside(path)
    return entries is None or not (entries == [] or in_trash(path, label))


def _beside(path: str) -> list[str] | None:
    """What the trash beside a path holds; None if there is none."""
    try:
        parent_fd = _open(os.path.realpath(os.path.dirname(path)))
        with _closing(parent_fd):
            return _listed(parent_fd)
    except (OSError, RemovalError):  # no such directory, or no trash that anything could have been put into
        return None


@contextlib.contextmanager
def opened(directory: str, *, roots: Sequence[Place]) -> Iterator[int]:
    """Holds a directory open whose files may be removed: what happens to its path meanwhile changes nothing.

    Args:
      directory: absolute path, without links: one that has come since it was resolved is refused.
      roots: the directory must be one of these or lie inside one.

    Yields:
      Its descriptor, for `unlink_files`, `vanish_at` and `finish_at`.

    Raises:
      RemovalError: the directory is outside the roots, or a link leads to it.
      OSError: it is not there, or the file system refused.
    """
    place = parse(directory)
    if not any(root == place or root.contains(place) for root in roots):
        raise RemovalError(_outside(directory, place.path, roots))
    directory_fd = _open(place.path)
    with _closing(directory_fd):
        yield directory_fd


def unlink_files(directory_fd: int, names: Sequence[str]) -> Removed:
    """Unlinks the named files of one directory, in the order given; those already gone are passed over.

    Args:
      directory_fd: the directory, as `opened` gave it; it stays.
      names: literal file names, one path component each.

    Raises:
      RemovalError: a name is not a plain file name.
      OSError: the file system refused; the files before the failing one are gone.
    """
    for name in names:
        if not _is_component(name):
            raise RemovalError(f"expected a plain file name to remove, got {name!r}")
    removed = Removed()
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            removed += _unlink(directory_fd, name)
    effects.fsync(directory_fd, ".")
    return removed


def _locate(path: str, roots: Sequence[Place]) -> tuple[str, str]:
    if not os.path.isabs(path) or "\0" in path:
        raise RemovalError(f"expected an absolute path to remove, got {path!r}")
    parent, name = os.path.split(path.rstrip("/"))
    if not _is_component(name):
        raise RemovalError(f"expected a path that ends in a name, got {path!r}")
    parent = os.path.realpath(parent)
    place = Place("file", os.path.join(parent, name))
    if not any(root.contains(place) for root in roots):
        raise RemovalError(_outside(path, place.path, roots))
    return parent, name


def _open(path: str) -> int:
    """Opens a directory name by name from the top, so that a link put anywhere on the way is an error.

    Args:
      path: absolute, in the spelling that was checked.
    """
    descriptor = os.open("/", _OPEN_DIRECTORY)
    *way, last = path.strip("/").split("/")
    for name, flags in (*((name, _PASS_THROUGH) for name in way), (last, _OPEN_DIRECTORY)):
        if name:
            with _closing(descriptor):
                try:
                    descriptor = os.open(name, flags, dir_fd=descriptor)
                except NotADirectoryError:
                    raise RemovalError(f"{path}: {name} is a link or a file where a directory was") from None
    return descriptor


def _outside(path: str, real: str, roots: Sequence[Place]) -> str:
    allowed = ", ".join(map(str, roots)) or "nothing"
    return f"{path} (really {real}) is not inside what may be removed: {allowed}"


def _is_component(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name


def _rename_into_trash(parent_fd: int, name: str, label: str) -> str | None:
    if not _is_component(label):
        raise RemovalError(f"expected a plain name as trash label, got {label!r}")
    if not _is_there(parent_fd, name):
        return None
    while True:
        with contextlib.suppress(FileExistsError):
            effects.mkdir(TRASH, 0o700, dir_fd=parent_fd)
        try:
            trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
        except FileNotFoundError:  # whoever removed the payload beside this one tidied up in between
            continue
        with _closing(trash_fd):
            entry = _free_name(trash_fd, label)
            try:
                effects.rename(name, entry, src_dir_fd=parent_fd, dst_dir_fd=trash_fd)
            except FileNotFoundError:
                if _is_there(parent_fd, name):  # so it was the trash that went
                    continue
                return None  # another janitor was faster
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise _mount_point(name) from None
                raise
            # On disk before any byte goes, or a power cut shows half a payload at a live URI.
            effects.fsync(trash_fd, TRASH)
        effects.fsync(parent_fd, "..")
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
    return sorted(entry for entry in _listed(parent_fd) or () if _is_of(entry, label))


def _listed(parent_fd: int) -> list[str] | None:
    """What the trash in a directory holds; None if there is none."""
    try:
        trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:
        return None
    with _closing(trash_fd):
        return os.listdir(trash_fd)


def _is_of(entry: str, label: str) -> bool:
    return entry == label or entry.startswith(f"{label}~")


def _empty_entry(parent_fd: int, entry: str) -> Removed:
    try:
        trash_fd = os.open(TRASH, _OPEN_DIRECTORY, dir_fd=parent_fd)
    except FileNotFoundError:  # another attempt at the same payload emptied it
        return Removed()
    with _closing(trash_fd):
        return _remove(trash_fd, entry)


def _tidy_up(parent_fd: int) -> None:
    try:
        effects.rmdir(TRASH, dir_fd=parent_fd)
    except OSError as error:
        # Another payload of the same parent may be on its way through the trash: then it is not empty, and
        # stays. Whatever else keeps it here is told, and the next purge tries again.
        if error.errno not in _NOTHING_TO_TIDY:
            raise


def _remove(trash_fd: int, entry: str) -> Removed:
    """Removes a file or a tree that is in the trash."""
    removed = Removed()

    def take(here: int, child: str) -> None:
        nonlocal removed
        with contextlib.suppress(FileNotFoundError):
            removed += _unlink(here, child)

    def close(here: int, child: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            effects.rmdir(child, dir_fd=here)

    _traverse(trash_fd, entry, way=(TRASH,), at_file=take, on_leaving=close)
    return removed


def _nothing(_: int, __: str) -> None:
    pass


def _traverse(
    directory_fd: int,
    name: str,
    *,
    way: Sequence[str] = (),
    at_file: Callable[[int, str], None] = _nothing,
    on_entering: Callable[[int, str], None] = _nothing,
    on_leaving: Callable[[int, str], None] = _nothing,
) -> None:
    """Goes through a file or a tree; no link and no mount is entered.

    It neither recurses nor holds more than one directory open, so that no depth is too deep. What vanishes
    meanwhile is passed over: another attempt at the same payload was faster.

    Args:
      way: what errors are to say before the name.
      at_file: is given the directory that a file or a link is in, and its name.
      on_entering: is given a directory, and its name.
      on_leaving: is given the directory that a directory is in, and its name, once all inside was visited.
    """
    mount = _mount(directory_fd)
    here, names = os.dup(directory_fd), [name]
    above: list[tuple[str, list[str], tuple[int, int]]] = []  # the way back: what is left to do on each level
    try:
        while True:
            while names:
                child = names.pop()
                if not _is_directory(here, child):
                    at_file(here, child)
                    continue
                try:
                    below = os.open(child, _OPEN_DIRECTORY, dir_fd=here)
                except FileNotFoundError:
                    continue
                above.append((child, names, _identity(here)))
                os.close(here)
                here = below
                if _mount(here) != mount:
                    path = "/".join((*way, *(level[0] for level in above)))
                    raise _mount_point(path)
                on_entering(here, child)
                names = os.listdir(here)
            if not above:
                return
            child, names, identity = above.pop()
            parent = os.open("..", _OPEN_DIRECTORY, dir_fd=here)
            os.close(here)
            here = parent
            if _identity(here) != identity:
                raise RemovalError(f"{child} was moved elsewhere while it was being removed")
            on_leaving(here, child)
    finally:
        os.close(here)


def _is_directory(directory_fd: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _mount(descriptor: int) -> tuple[int, str]:
    """What tells mounts apart. The device does not always: a bind mount has that of what it shows."""
    device = os.fstat(descriptor).st_dev
    with contextlib.suppress(OSError), open(f"{_DESCRIPTORS}/{descriptor}") as lines:
        return device, next((line for line in lines if line.startswith("mnt_id:")), "")
    return device, ""  # no Linux, or no /proc


def _unlink(directory_fd: int, name: str) -> Removed:
    size = os.stat(name, dir_fd=directory_fd, follow_symlinks=False).st_size
    effects.unlink(name, dir_fd=directory_fd)
    return Removed(size, 1)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
