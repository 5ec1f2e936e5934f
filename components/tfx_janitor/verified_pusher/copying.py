"""Copying a model once, with its digest, durably; and reading back what was written."""

from __future__ import annotations

import hashlib
import os

from tfx_janitor.verified_pusher import content
from tfx_janitor.verified_pusher.content import ContentFile, FoundFile, Tree
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError


def copy(tree: Tree, target: str) -> tuple[ContentFile, ...]:
    """Copies a listed model; when this returns, every byte and every name is on disk.

    Args:
      tree: what to copy, from `content.scan`.
      target: directory that does not exist yet, or is empty; its parent exists.

    Returns:
      The files as they were *read*. What was *written* is for `read_back` to say.

    Raises:
      PushError: the target is not empty.
      ModelRefused: the model changed while it was copied.
      OSError: the file system refused.
    """
    _make_empty(target)
    for directory in tree.directories:
        os.mkdir(os.path.join(target, directory))
    files = tuple(_copy_file(file, os.path.join(target, file.path)) for file in tree.files)
    for directory in reversed(tree.directories):
        sync_directory(os.path.join(target, directory))
    sync_directory(target)
    sync_directory(os.path.dirname(target))
    return files


def read_back(target: str, expected: tuple[ContentFile, ...]) -> None:
    """Proves that a copy holds exactly the expected files.

    Raises:
      PushError: it does not; the message names the first file that differs.
      OSError: the copy cannot be read.
    """
    found = content.digest(content.scan(target))
    if found == expected:
        return
    differing = sorted({file.path for file in set(found) ^ set(expected)})
    raise PushError(
        f"what was written to {target} reads back differently: {differing[0]} and {len(differing) - 1} more; "
        "check the disk and the file system, then run the push again"
    )


def sync_directory(path: str) -> None:
    """Puts the names in a directory on disk: a rename or a new file is not durable before."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_empty(target: str) -> None:
    os.makedirs(target, exist_ok=True)
    if there := sorted(os.listdir(target)):
        raise PushError(
            f"expected an empty directory to copy the model to, but {target} holds {there[0]!r}; "
            "move it away or choose another place"
        )


def _copy_file(file: FoundFile, target: str) -> ContentFile:
    sha256, size = hashlib.sha256(), 0
    source_fd = content.open_regular(file.real_path)
    try:
        target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            for chunk in content.chunks(source_fd, bytearray(min(content.CHUNK, file.size + 1))):
                sha256.update(chunk)
                _write(target_fd, chunk)
                size += len(chunk)
            os.fsync(target_fd)
            _forget_cached(target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)
    if size != file.size:
        raise ModelRefused(
            f"{file.path} changed while it was copied ({file.size} bytes before, {size} read); "
            "push after whoever writes it is done"
        )
    return ContentFile(file.path, size, sha256.hexdigest())


def _write(descriptor: int, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[os.write(descriptor, chunk) :]


def _forget_cached(descriptor: int) -> None:
    # Otherwise reading back would ask the page cache, which never saw the disk.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
