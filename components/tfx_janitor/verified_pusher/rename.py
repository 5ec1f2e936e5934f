"""Giving a directory a name that nobody has yet."""

from __future__ import annotations

import ctypes
import errno
import os

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h


def to_free_name(source: str, target: str) -> None:
    """Renames a directory, never onto anything.

    `os.rename` alone would replace an empty directory, such as the one in which a stock Pusher is about to
    start. Linux can rename without replacing (renameat2, RENAME_NOREPLACE). Where kernel or file system
    cannot, the name is checked first; pushers exclude each other by the lock of the base directory, so that
    what is left there is another program that makes just this name, empty, between the two calls.

    Raises:
      FileExistsError: the target exists, be it only as a broken link.
      OSError: the file system refused; both on one file system is the caller's duty.
    """
    if _rename_noreplace(source, target):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def _rename_noreplace(source: str, target: str) -> bool:
    """Returns False where the system cannot do it; then nothing happened."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # a C library without it
        return False
    answer = renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE)
    if answer == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), source, None, target)
