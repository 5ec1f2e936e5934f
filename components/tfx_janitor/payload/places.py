"""Where a payload lies: one spelling for each place, so that places can be compared.

Two records that name one directory in two ways are how bytes in use get deleted. Every comparison between
payloads, roots and destinations therefore goes through `Place`, never through strings.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError

LOCAL = "file"
"""The scheme of places on local disks."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://(.*)", re.DOTALL)


class PlaceError(JanitorError, ValueError):
    """A URI that names no place that could be compared with others."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A directory or file, spelled in exactly one way.

    Made by `parse` or `resolve`; equal places compare equal and hash alike.

    Attributes:
      scheme: "file" for local disks, else the URI's scheme in lower case.
      path: without trailing slash, `.`, `..` or doubled slashes. Local: absolute, the root is "/".
        Elsewhere: the bucket or host and what follows it, such as "bucket/models/1".
    """

    scheme: str
    path: str

    @property
    def local(self) -> bool:
        """Whether the place is on a local disk."""
        return self.scheme == LOCAL

    def contains(self, other: Place) -> bool:
        """Whether the other place lies strictly inside this one: `/a/b` contains `/a/b/c`, not `/a/bc`."""
        if self.scheme != other.scheme or self.path == other.path:
            return False
        return other.path.startswith(self.path if self.path.endswith("/") else self.path + "/")

    def __str__(self) -> str:
        return self.path if self.local else f"{self.scheme}://{self.path}"


def parse(uri: str) -> Place:
    """Normalises a URI or an absolute local path by its letters alone, without asking any file system.

    Nothing is percent-decoded, since TFX and TensorFlow do not decode either. On object stores `.`, `..` and
    doubled slashes are folded as well: places there are compared, and taking two spellings for one place errs
    on the side of keeping.

    Args:
      uri: "/a/b", "file:///a/b", "file://localhost/a/b", "gs://bucket/a", ...

    Raises:
      PlaceError: the URI is empty, relative, holds a NUL, names a file on another host, or climbs out of its
        bucket.
    """
    scheme, path = _split(uri)
    if scheme == LOCAL:
        return Place(LOCAL, "/" + "/".join(_fold(path, uri, climb=True)))
    parts = _fold(path, uri, climb=False)
    if not parts:
        raise PlaceError(f"expected a bucket or host after {scheme}://, got {uri!r}")
    return Place(scheme, "/".join(parts))


def resolve(uri: str) -> Place:
    """Like `parse`, but on local disks with every link on the way followed, existing or not.

    Links are followed before `..` is applied, as the kernel does it: after `ln -s /x/y /a/l`, the path
    `/a/l/../z` is `/x/z`.

    Raises:
      PlaceError: as `parse`.
    """
    scheme, path = _split(uri)
    if scheme != LOCAL:
        return parse(uri)
    return parse(os.path.realpath(path))


def unfollowed(uri: str) -> Place:
    """Like `resolve`, but where the last name is a link it stands for itself: what a removal would take away.

    Raises:
      PlaceError: as `parse`.
    """
    scheme, path = _split(uri)
    if scheme != LOCAL:
        return parse(uri)
    parent, name = os.path.split(path.rstrip("/"))
    return resolve(uri) if name in ("", ".", "..") else parse(os.path.join(os.path.realpath(parent), name))


def _split(uri: str) -> tuple[str, str]:
    if not uri or not uri.strip():
        raise PlaceError("expected an absolute path or a URI, got an empty string")
    if "\0" in uri:
        raise PlaceError(f"expected an absolute path or a URI, got one with a NUL byte: {uri!r}")
    match = _SCHEME.fullmatch(uri)
    if match is None:
        if not uri.startswith("/"):
            raise PlaceError(
                f"expected an absolute path or a URI, got the relative path {uri!r}; write it in full"
            )
        return LOCAL, uri
    scheme, path = match[1].lower(), match[2]
    if scheme == LOCAL:
        host, slash, rest = path.partition("/")
        if host not in ("", "localhost") or not slash:
            raise PlaceError(f"expected file:///absolute/path, got {uri!r}")
        return LOCAL, slash + rest
    return scheme, path


def _fold(path: str, uri: str, *, climb: bool) -> list[str]:
    """Path components without `.`, `..` and empty ones; `climb` says whether `..` at the top stays there."""
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            # The first part of a remote path is its bucket, and nothing lies above a bucket.
            if not climb and len(parts) <= 1:
                raise PlaceError(f"expected a place inside a bucket, got {uri!r}, which climbs out of it")
            if parts:
                parts.pop()
            continue
        parts.append(part)
    return parts
