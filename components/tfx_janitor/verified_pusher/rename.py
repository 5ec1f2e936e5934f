"""Giving a directory a name that nobody has yet."""

from __future__ import annotations

import errno
import os

from tfx_janitor import effects

_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


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
    try:
        effects.rename_to_free_name(source, target)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        effects.rename(source, target)
