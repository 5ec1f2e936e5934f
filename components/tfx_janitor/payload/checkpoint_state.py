"""The `checkpoint` file with which TensorFlow remembers the checkpoints of a directory.

It holds a CheckpointState message as text (checkpoint_state.proto). `tf.train.latest_checkpoint`,
`get_checkpoint_state` and `CheckpointManager` read it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from dataclasses import dataclass

from google.protobuf import text_format

from tfx_janitor import effects
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import filesystem, protos

FILE = "checkpoint"

_LIMIT = 1 << 28

_TEMPORARY = f".{FILE}.tfx-janitor-"

_ABANDONED_S = 600
"""Seconds after which a temporary file is that of a writer that died: one that lives needs milliseconds."""


class StateError(JanitorError):
    """A `checkpoint` file that cannot be read or written. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """What a `checkpoint` file says, its strings just as they stand there: relative to it, or absolute.

    Attributes:
      latest: path of the newest checkpoint, without `.index`; None if there is none.
      all: paths of all checkpoints, oldest first.
      timestamps: for each of them when it was saved, in seconds since the epoch; may be empty.
      last_preserved: when `keep_checkpoint_every_n_hours` last kept one for ever, in seconds since the epoch.
    """

    latest: str | None
    all: tuple[str, ...]
    timestamps: tuple[float, ...]
    last_preserved: float | None


def read_state(directory: str) -> CheckpointState | None:
    """Reads a directory's `checkpoint` file; None if it has none.

    A directory of that name, which Orbax makes, is none either.

    Raises:
      StateError: there is one, but it is no file, not readable or not a checkpoint state. It is an error
        rather than a missing state, because pruning would otherwise overwrite what somebody may still want
        to mend.
    """
    path = os.path.join(directory, FILE)
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            return None
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return None
        raise StateError(f"{path} {filesystem.reason(error)}") from error
    message = protos.CheckpointState()
    try:
        text_format.Parse(filesystem.read(path, _LIMIT).decode(), message, allow_unknown_field=True)
    except filesystem.ReadError as error:
        raise StateError(f"{path} {error}") from error
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(
            f"{path} is not a checkpoint state as TensorFlow writes it; mend it or move it away ({error})"
        ) from error
    return CheckpointState(
        latest=message.model_checkpoint_path or None,
        all=tuple(message.all_model_checkpoint_paths),
        timestamps=tuple(message.all_model_checkpoint_timestamps),
        last_preserved=message.last_preserved_timestamp
        if message.HasField("last_preserved_timestamp")
        else None,
    )


def write_state(path: str, state: CheckpointState) -> None:
    """Replaces a directory's `checkpoint` file, atomically: a reader sees the old state or the new one.

    The new one is on disk when this returns. It keeps the old one's permissions; if that was a link, the
    link is replaced, not what it points to.

    Args:
      path: the directory.
      state: what to write.

    Raises:
      StateError: the state cannot be written as text, or the path is no directory.
      OSError: the file system refused; the old state stands.
    """
    if not os.path.isdir(path):
        raise StateError(f"expected a directory of checkpoints to write the state of, got {path!r}")
    message = protos.CheckpointState(
        all_model_checkpoint_paths=state.all, all_model_checkpoint_timestamps=state.timestamps
    )
    try:
        if state.latest is not None:
            message.model_checkpoint_path = state.latest
        if state.last_preserved is not None:
            message.last_preserved_timestamp = state.last_preserved
        text = text_format.MessageToString(message).encode()
    except (UnicodeError, ValueError) as error:
        raise StateError(f"the checkpoints of {path} have names that are not valid text: {error}") from error
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _replace(directory, path, text)
    finally:
        os.close(directory)


def _sweep(directory: int) -> None:
    """Removes what writers that died left in a directory."""
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            with contextlib.suppress(FileNotFoundError):  # another writer was faster
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_mtime < time.time() - _ABANDONED_S:
                    effects.unlink(name, dir_fd=directory)


def _replace(directory: int, path: str, text: bytes) -> None:
    _sweep(directory)
    # One name per thread: no two writers share one.
    temporary = f"{_TEMPORARY}{os.getpid()}-{threading.get_ident()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = effects.create(temporary, flags, 0o666, dir_fd=directory)
    try:
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(FILE, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(old.st_mode):
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        effects.write(descriptor, text, temporary)
        effects.fsync(descriptor, temporary)
        effects.rename(temporary, FILE, src_dir_fd=directory, dst_dir_fd=directory)
    except Exception:
        with contextlib.suppress(OSError):
            effects.unlink(temporary, dir_fd=directory)
        raise
    finally:
        os.close(descriptor)
    # Until the directory itself is on disk, a power cut can bring the old state back, which by then may name
    # checkpoints that are gone.
    effects.fsync(directory, path)
