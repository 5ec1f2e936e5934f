"""Copying a model in as few passes over its bytes as still prove that the copy is the model.

The copy shares the blocks of the original where the file system can (btrfs, XFS). Where the file system has
another way of its own, the system moves the bytes without showing them to us; else we read and write them.

Whoever copies digests the original at the same time, with `content.digest`, and `read_back` compares the copy
with those digests. Files that the model's own checksums cover are read only once, and in the copy: `lay_out`
gives them their sizes, `fill` their bytes, and while it does they are verified and digested.

The copy is read back through the file system, as its readers will read it, not past the memory in which the
system keeps it: of what a disk does with bytes that it has confirmed, no look right after tells anything.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import functools
import logging
import mmap
import os
from collections.abc import Callable, Collection, Iterable

from tfx_janitor import effects
from tfx_janitor.verified_pusher import content
from tfx_janitor.verified_pusher.content import ContentFile, FoundFile, Tree
from tfx_janitor.verified_pusher.durability import Unsynced, make_directories
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError, naming

_STEP = 4 << 20
"""Bytes that the system is asked to copy at once."""

_PIECE = 1 << 20
"""Bytes that are read and written at once: few enough for the cache of one core."""

# File systems that leave copy_file_range to the kernel, which then copies a few pages at once: larger pieces
# take less time. Others know better, above all those whose server copies by itself.
_COPYING_PAGE_BY_PAGE = frozenset(("ext4", "xfs"))

# What says that another way is needed, not that something failed. EAGAIN is what ZFS says where blocks cannot
# be shared yet, for they are not on disk: those of a model that was written just now.
_NOT_THIS_WAY = frozenset(
    (
        *(errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EINVAL, errno.ENOSYS, errno.ENOTTY),
        *(errno.EOPNOTSUPP, errno.EAGAIN),
    )
)

_log = logging.getLogger(__name__)


class Archive(str, enum.Enum):
    """What lies at the PushedModel's own URI.

    LINK: the files of the served version under second names, which cost nothing; a copy where the file system
      cannot. Retiring the version leaves them as they are; whoever writes into its files writes into these.
    COPY: files of its own (sharing blocks where the file system can, until either is written to).
    NONE: nothing.
    """

    LINK = "link"
    COPY = "copy"
    NONE = "none"


def lay_out(tree: Tree, followed: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
    """Begins the copy of a listed model: its directories, and files of the right sizes without their bytes.

    Args:
      tree: the model, from `content.scan`.
      followed: those files.
      target: directory that does not exist yet, or is empty.
      unsynced: is told of everything that was made.

    Raises:
      PushError: the target is not empty.
      OSError: the file system refused.
    """
    _make_empty(target, unsynced)
    _make_inside(tree, target, unsynced)
    for file in followed:
        path = os.path.join(target, file.path)
        descriptor = effects.create(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        try:
            effects.truncate(descriptor, file.size, path)
        finally:
            os.close(descriptor)
        unsynced.add(path)


def fill(files: Iterable[FoundFile], target: str, grew: Callable[[str, int], None]) -> None:
    """Copies the bytes of files that were laid out.

    Args:
      files: of the original.
      target: directory of the copy.
      grew: is told the path of a file, and how many of its bytes are there.

    Raises:
      ModelRefused: a file was exchanged for something else since it was listed.
      OSError: the file system refused.
    """
    for file in files:
        path = os.path.join(target, file.path)
        _copy_into(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), file, path, grew)


def copy(files: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
    """Copies files of a listed model into its directories, which are there.

    Raises:
      As `fill`.
    """
    for file in files:
        _copy_file(file, os.path.join(target, file.path), unsynced)


def archive(tree: Tree, target: str, way: Archive, unsynced: Unsynced) -> Archive:
    """Gives a listed model a second place, in a way or in the next best one.

    Returns:
      The way that was found: COPY if any file had to be copied. The copy is yet to be read back.

    Raises:
      As `lay_out` and `fill`.
    """
    if way is Archive.NONE:
        return way
    _make_empty(target, unsynced)
    _make_inside(tree, target, unsynced)
    for file in tree.files:
        place = os.path.join(target, file.path)
        if way is not Archive.LINK or not _link(file.real_path, place):
            way = Archive.COPY
            _copy_file(file, place, unsynced)
    return way


def refuse_changed(tree: Tree, now: Tree) -> None:
    """Makes sure that nobody wrote into a model since it was listed: it could be copied in two states.

    Args:
      tree: the listing that it was copied by.
      now: another one, from `content.scan` after that.

    Raises:
      ModelRefused: somebody did.
    """
    found = {file.path: file for file in now.files}
    for file in tree.files:
        other = found.pop(file.path, None)
        if other != file:
            after = "none" if other is None else str(other.size)
            raise ModelRefused(
                f"{file.path} changed while it was copied ({file.size} bytes before, {after} after); "
                "push after whoever writes it is done"
            )
    if found:
        raise ModelRefused(
            f"{min(found)} was added while the model was copied; push after whoever writes it is done"
        )


def read_back(target: str, expected: Collection[ContentFile], *, unread: Collection[FoundFile] = ()) -> None:
    """Proves that a copy holds exactly the expected files.

    Args:
      target: directory of the copy.
      expected: its files.
      unread: its other files, of which only paths and sizes are compared.

    Raises:
      PushError: it does not; the message names the first file that differs.
      OSError: the copy cannot be read.
    """
    missing = {(file.path, file.size) for file in unread}
    found: set[ContentFile] = set()
    for file in content.scan(target).files:
        if (file.path, file.size) in missing:
            missing.remove((file.path, file.size))
        else:
            found.add(content.digest_file(file))
    differing = sorted({file.path for file in found ^ set(expected)} | {path for path, _ in missing})
    if differing:
        raise PushError(
            f"what was written to {target} reads back differently: {differing[0]} and {len(differing) - 1} "
            "more; check the disk and the file system, then run the push again"
        )


def _make_empty(target: str, unsynced: Unsynced) -> None:
    make_directories(target, unsynced)
    unsynced.add(target)
    if there := sorted(os.listdir(target)):
        raise PushError(
            f"expected an empty directory to copy the model to, but {target} holds {there[0]!r}; "
            "move it away or choose another place"
        )


def _make_inside(tree: Tree, target: str, unsynced: Unsynced) -> None:
    for directory in tree.directories:
        path = os.path.join(target, directory)
        effects.mkdir(path)
        unsynced.add(path)


def _link(source: str, target: str) -> bool:
    """Whether a file could be given a second name."""
    try:
        effects.link(source, target)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
        _log.info("Could not link %s, it is copied: %s.", target, error)
        return False
    return True


def _copy_file(file: FoundFile, target: str, unsynced: Unsynced) -> None:
    descriptor = effects.create(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    _copy_into(descriptor, file, target, _tell_nobody)
    unsynced.add(target)


def _tell_nobody(_path: str, _written: int) -> None:
    pass


def _copy_into(target_fd: int, file: FoundFile, target: str, grew: Callable[[str, int], None]) -> None:
    """Copies the bytes of a file into an open one, and closes that."""
    try:
        source_fd = content.open_regular(file.real_path)
        try:
            with naming(file.real_path, target):
                _copy_bytes(file.size, source_fd, target_fd, target, grew)
        finally:
            os.close(source_fd)
    finally:
        os.close(target_fd)


def _copy_bytes(
    size: int, source_fd: int, target_fd: int, target: str, grew: Callable[[str, int], None]
) -> None:
    if size and _clone(source_fd, target_fd, target):
        grew(target, size)
    elif size:
        _transfer(size, source_fd, target_fd, target, grew)


def _clone(source_fd: int, target_fd: int, target: str) -> bool:
    """Whether the target now shares the blocks of the source."""
    try:
        effects.clone(source_fd, target_fd, target)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
        return False
    return True


def _transfer(
    size: int, source_fd: int, target_fd: int, target: str, grew: Callable[[str, int], None]
) -> None:
    """Copies all bytes, and lets the disk write while more are copied."""
    by_system = _file_system(os.fstat(target_fd).st_dev) not in _COPYING_PAGE_BY_PAGE
    if not by_system and size >= _STEP:
        _allocate(target_fd, size, target)
    # Anonymous memory starts at a page, as the kernel's own copies do.
    buffer = memoryview(mmap.mmap(-1, _PIECE))
    position = 0
    while True:
        count = _step_by_system(source_fd, target_fd, position, target) if by_system else 0
        if not count:
            # Some file systems answer 0 without having copied anything.
            by_system = False
            count = _step_by_hand(source_fd, target_fd, position, target, buffer)
        if not count:
            return
        # Of pages that are not on disk yet this drops none: it has the system begin to write them.
        os.posix_fadvise(target_fd, position, count, os.POSIX_FADV_DONTNEED)
        position += count
        grew(target, position)


def _allocate(target_fd: int, size: int, target: str) -> None:
    """Has the file system look for room once, not for every page, and say at once if there is none."""
    try:
        effects.allocate(target_fd, size, target)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise


def _step_by_system(source_fd: int, target_fd: int, position: int, target: str) -> int:
    try:
        return effects.copy_range(source_fd, target_fd, _STEP, position, target)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
        return 0


def _step_by_hand(source_fd: int, target_fd: int, position: int, target: str, buffer: memoryview) -> int:
    if count := os.preadv(source_fd, [buffer], position):
        os.lseek(target_fd, position, os.SEEK_SET)
        effects.write(target_fd, buffer[:count], target)
    return count


@functools.cache
def _file_system(device: int) -> str:
    """What the kernel calls the file system with a device number, such as "ext4"; "" if it does not say."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with (
        contextlib.suppress(OSError),
        open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts,
    ):
        for mount in mounts:
            before, _, after = mount.partition(" - ")
            if before.split(" ", 3)[2] == number:
                return after.split(" ", 1)[0]
    return ""
