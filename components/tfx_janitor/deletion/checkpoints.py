"""Deletes checkpoints inside a directory that stays, by their literal listed names.

The order is the guarantee: first the state file stops naming them, then the `.index` goes, so that nothing
takes what is left for a checkpoint, then the shards.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tfx_janitor.deletion.remove import (
    Removed,
    check_removable_at,
    check_unlinkable,
    finish_at,
    opened,
    unlink_files,
    vanish_at,
)
from tfx_janitor.payload import checkpoints
from tfx_janitor.payload.checkpoint_state import StateError
from tfx_janitor.payload.checkpoints import Checkpoint, CheckpointDirectory, CheckpointState
from tfx_janitor.payload.places import Place


@dataclass(frozen=True, slots=True)
class PruneOrder:
    """Checkpoints to delete in one directory.

    Attributes:
      directory: absolute path, links resolved.
      names: literal checkpoint names; one that is not there is passed over.
      half_gone: names that an earlier attempt failed or was cut off at: they go too if their `.index` is
        gone, and what is left of them in the trash.
      not_restorable: names of those that stay although they are damaged, which must not become the latest.
      roots: the directory must be one of these or lie inside one.
      mends_state: a state file that nobody can read is written anew, instead of refusing.
    """

    directory: str
    names: tuple[str, ...]
    not_restorable: tuple[str, ...]
    roots: tuple[Place, ...]
    half_gone: tuple[str, ...] = ()
    mends_state: bool = False


def prune(order: PruneOrder) -> Removed:
    """Carries out an order.

    Raises:
      RemovalError: the directory is outside the roots, or a link has taken its place; or something of a
        checkpoint is protected or a mount point, and nothing was changed.
      JanitorError: its state file cannot be read; nothing was changed.
      OSError: the file system refused; the next run finishes, for a checkpoint without `.index` is
        incomplete.
    """
    with opened(order.directory, roots=order.roots) as directory_fd:
        return _prune(order, directory_fd)


def _prune(order: PruneOrder, directory_fd: int) -> Removed:
    directory = _path_of(directory_fd, order.directory)
    found = _read(directory, order)
    going = [c for c in found.checkpoints if c.name in order.names or _is_rest(c, order.half_gone)]
    for checkpoint in going:
        if checkpoint.format == "orbax":
            check_removable_at(directory_fd, checkpoint.files[0])
        else:
            check_unlinkable(directory_fd, checkpoint.files)
    if found.state is not None:
        staying = [c for c in found.checkpoints if c not in going]
        after = state_after(found.state, staying, order.not_restorable)
        if after != found.state:
            checkpoints.write_state(directory, after)
    removed = Removed()
    for name in order.half_gone:
        removed += finish_at(directory_fd, name)
    for checkpoint in going:
        if checkpoint.format == "orbax":
            removed += vanish_at(directory_fd, checkpoint.files[0], checkpoint.name)
        else:
            removed += unlink_files(directory_fd, _index_first(checkpoint.files))
    return removed


def _read(directory: str, order: PruneOrder) -> CheckpointDirectory:
    try:
        return checkpoints.read_directory(directory)
    except StateError:
        if not order.mends_state:
            raise
        says_nothing = CheckpointState(latest="", all=(), timestamps=(), last_preserved=None)
        return CheckpointDirectory(directory, checkpoints.list_checkpoints(directory), says_nothing)


def state_after(
    state: CheckpointState, staying: Sequence[Checkpoint], not_restorable: Collection[str]
) -> CheckpointState:
    """The `checkpoint` state file for what stays.

    It lists every whole-looking TF checkpoint that stays, except where a `tf.train.CheckpointManager` wrote
    it (only a manager sets last_preserved_timestamp): then what the manager no longer lists is what it
    preserved for ever by `keep_checkpoint_every_n_hours`, and listing it again would make the manager
    delete it.

    Args:
      staying: ascending by step.
      not_restorable: names that are listed if they were, but never as the latest.
    """
    spelled = {os.path.basename(path): path for path in state.all}
    stamps = dict(zip(spelled, state.timestamps, strict=False)) if state.timestamps else {}
    complete = [c for c in staying if c.format == "tf" and c.complete and _is_text(c.name)]
    if state.last_preserved is not None:
        complete = [c for c in complete if c.name in spelled]
    restorable = [c.name for c in complete if c.name not in not_restorable]
    latest = os.path.basename(state.latest) if state.latest else None
    if latest not in restorable:
        latest = restorable[-1] if restorable else None
    return CheckpointState(
        latest=None if latest is None else spelled.get(latest, latest),
        all=tuple(spelled.get(c.name, c.name) for c in complete),
        timestamps=tuple(stamps.get(c.name, c.modified_ms / 1000) for c in complete) if stamps else (),
        last_preserved=state.last_preserved,
    )


def _path_of(descriptor: int, path: str) -> str:
    """A path that leads to an open directory whatever its own path leads to by now; its own without /proc."""
    link = f"/proc/self/fd/{descriptor}"
    return link if os.path.isdir(link) else path


def _is_rest(checkpoint: Checkpoint, half_gone: Collection[str]) -> bool:
    """Whether this is what a cut-off deletion left, and not a checkpoint that was written again since."""
    has_index = any(name.endswith(".index") for name in checkpoint.files)
    return checkpoint.format == "tf" and checkpoint.name in half_gone and not has_index


def _is_text(name: str) -> bool:
    """Whether the state file can name it; a file name need not be text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _index_first(files: Sequence[str]) -> list[str]:
    return sorted(files, key=lambda name: (not name.endswith(".index"), name))
