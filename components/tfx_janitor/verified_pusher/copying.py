"""Copying a model in as few passes over its bytes as still prove that the copy is the model.

The system copies: it lets the copy share the blocks of the original where the file system can (btrfs, XFS),
or moves the bytes without showing them to us, or we read and write them. Whoever copies digests the original
at the same time, with `content.digest`; `read_back` then compares the copy with those digests, except what
the model's own checksums have proven of the copy already.

The copy is read back through the file system, as its readers will read it, not past the memory in which the
system keeps it: of what a disk does with bytes that it has confirmed, no look right after tells anything.
"""

from __future__ import annotations

import enum
import errno
import logging
import os
from collections.abc import Collection

from tfx_janitor import effects
from tfx_janitor.verified_pusher import content
from tfx_janitor.verified_pusher.content import ContentFile, FoundFile, Tree
from tfx_janitor.verified_pusher.durability import Unsynced, make_directories
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError

_STEP = 16 << 20
"""Bytes after which the disk is asked to start writing."""

# What says that another way is needed, not that something failed.
_NOT_THIS_WAY = frozenset(
    (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP)
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


def copy(tree: Tree, target: str, unsynced: Unsynced) -> None:
    """Copies a listed model.

    Args:
      tree: what to copy, from `content.scan`.
      target: directory that does not exist yet, or is empty.
      unsynced: is told of everything that was written.

    Raises:
      PushError: the target is not empty.
      ModelRefused: a file was exchanged for something else since it was listed.
      OSError: the file system refused.
    """
    _make_empty(target, unsynced)
    _make_inside(tree, target, unsynced)
    for file in tree.files:
        _copy_file(file, os.path.join(target, file.path), unsynced)


def archive(tree: Tree, target: str, way: Archive, unsynced: Unsynced) -> Archive:
    """Gives a listed model a second place, in a way or in the next best one.

    Returns:
      The way that was found: COPY if any file had to be copied. The copy is yet to be read back.

    Raises:
      As `copy`.
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


def refuse_changed(tree: Tree) -> None:
    """Makes sure that nobody wrote into a model since it was listed: it could be copied in two states.

    Raises:
      ModelRefused: somebody did.
      OSError: a file is gone or cannot be looked at.
    """
    for file in tree.files:
        status = os.stat(file.real_path, follow_symlinks=False)
        if file != FoundFile.of(file.path, file.real_path, status):
            raise ModelRefused(
                f"{file.path} changed while it was copied ({file.size} bytes before, {status.st_size} "
                "after); push after whoever writes it is done"
            )


def read_back(target: str, expected: tuple[ContentFile, ...], *, proven: Collection[str] = ()) -> None:
    """Proves that a copy holds exactly the expected files.

    Args:
      proven: paths of files whose bytes need no other look.

    Raises:
      PushError: it does not; the message names the first file that differs.
      OSError: the copy cannot be read.
    """
    known = {(file.path, file.size): file for file in expected if file.path in proven}
    found = {
        known.get((file.path, file.size)) or content.digest_file(file) for file in content.scan(target).files
    }
    if differing := sorted({file.path for file in found ^ set(expected)}):
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
    source_fd = content.open_regular(file.real_path)
    try:
        target_fd = effects.create(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        try:
            if file.size and not _clone(source_fd, target_fd, target):
                _transfer(source_fd, target_fd, target)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)
    unsynced.add(target)


def _clone(source_fd: int, target_fd: int, target: str) -> bool:
    """Whether the target now shares the blocks of the source."""
    try:
        effects.clone(source_fd, target_fd, target)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
        return False
    return True


def _transfer(source_fd: int, target_fd: int, target: str) -> None:
    """Copies all bytes, and lets the disk write while more are copied."""
    position = 0
    while count := _transfer_some(source_fd, target_fd, position, target):
        # Of pages that are not on disk yet this drops none: it has the system begin to write them.
        os.posix_fadvise(target_fd, position, count, os.POSIX_FADV_DONTNEED)
        position += count


def _transfer_some(source_fd: int, target_fd: int, position: int, target: str) -> int:
    try:
        # Some file systems answer 0 without having copied anything.
        if count := effects.copy_range(source_fd, target_fd, _STEP, position, target):
            return count
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
    chunk = os.pread(source_fd, content.CHUNK, position)
    if chunk:
        os.lseek(target_fd, position, os.SEEK_SET)
        effects.write(target_fd, chunk, target)
    return len(chunk)
