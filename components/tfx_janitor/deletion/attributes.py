"""What Linux says of a file beyond its mode: whether it is protected, and whether it is a mount point."""

from __future__ import annotations

import ctypes
import enum
import os
from functools import cache
from typing import Any

_AT_SYMLINK_NOFOLLOW = 0x100  # linux/fcntl.h
_AT_NO_AUTOMOUNT = 0x800
_STATX_BYTES = 256  # linux/stat.h: struct statx, and where in it stx_attributes is
_ATTRIBUTES_AT = 8


class Attribute(enum.IntFlag):
    """STATX_ATTR_* of linux/stat.h."""

    IMMUTABLE = 0x10
    APPEND = 0x20
    MOUNT_ROOT = 0x2000


def attributes(directory_fd: int, name: str) -> Attribute:
    """What is known of a name in a directory that is open, a link not followed.

    Returns:
      None of them where kernel, C library or file system do not tell; nor if the name is not there.
    """
    statx = _statx()
    found = ctypes.create_string_buffer(_STATX_BYTES)
    flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
    if statx is None or statx(directory_fd, os.fsencode(name), flags, 0, found):
        return Attribute(0)
    told = int.from_bytes(found.raw[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 8], "little")
    return Attribute(told & (Attribute.IMMUTABLE | Attribute.APPEND | Attribute.MOUNT_ROOT))


@cache
def _statx() -> Any:
    return getattr(ctypes.CDLL(None), "statx", None)
