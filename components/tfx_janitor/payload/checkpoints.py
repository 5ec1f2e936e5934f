"""The checkpoints of a directory: which files belong to which, and whether each is whole.

Files are grouped by their literal names and never by pattern: `ckpt-1` is not `ckpt-10`, and a prefix may
hold any characters. Links are listed as what they are and never followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import filesystem, keras_file, loading, orbax, saved_model, tensor_bundle
from tfx_janitor.payload.checkpoint_state import CheckpointState, StateError, read_state, write_state
from tfx_janitor.payload.verification import Damage, Level, Verification

__all__ = [
    "Checkpoint",
    "CheckpointDirectory",
    "CheckpointState",
    "StateError",
    "find_directories",
    "list_checkpoints",
    "read_directory",
    "read_state",
    "verify",
    "write_state",
]

TF, KERAS, ORBAX = "tf", "keras", "orbax"

_KINDS = {TF: "TF checkpoint", KERAS: "Keras checkpoint", ORBAX: "Orbax checkpoint"}
_META = ".meta"
_STEP = re.compile(r"(.*)-([0-9]+)", re.DOTALL)
_TEMPORARY_FILE = re.compile(r"(.+)\.tempstate[0-9]+", re.DOTALL)
_TEMPORARY_DIRECTORY = re.compile(r"(.+)_temp(?:_[0-9a-f]{32})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One restorable unit.

    Attributes:
      name: "ckpt-100"; for Keras the file's name, for Orbax the step directory's.
      prefix: what its series has in common, "ckpt"; may be empty.
      step: training step, from the name; None if the name holds none.
      format: "tf", "keras" or "orbax".
      files: names in the directory of everything that belongs to it, the one without which nothing can be
        restored first (`.index`). Files and links, for Orbax the one step directory.
      bytes: apparent size of all that.
      modified_ms: when the newest of it was last written, milliseconds since the epoch.
      complete: whether everything is there by name; says nothing about its content.
      problem: the sentence about what is not there, when it is not complete.
    """

    name: str
    prefix: str
    step: int | None
    format: str
    files: tuple[str, ...]
    bytes: int
    modified_ms: int
    complete: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class CheckpointDirectory:
    """A directory's checkpoints and what its `checkpoint` file says of them.

    Attributes:
      path: the directory, as it was given.
      checkpoints: by step, then name; those without a step come first.
      state: content of the `checkpoint` file; None if there is none.
    """

    path: str
    checkpoints: tuple[Checkpoint, ...]
    state: CheckpointState | None


@dataclass(slots=True)
class _Group:
    """The files of one TF checkpoint while they are collected."""

    index: str | None = None
    meta: str | None = None
    shards: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    leftovers: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    @property
    def files(self) -> tuple[str, ...]:
        shards = [name for of in sorted(self.shards) for _, name in sorted(self.shards[of].items())]
        return tuple(name for name in (self.index, *shards, self.meta, *self.leftovers) if name is not None)


def read_directory(path: str) -> CheckpointDirectory:
    """Reads which checkpoints a directory holds. Only names, sizes and times are looked at, and the state
    file.

    Raises:
      JanitorError: it is no directory, cannot be listed, or belongs to a SavedModel, whose variables look
        like a checkpoint but are not one's own.
      StateError: the `checkpoint` file is there but not readable. `list_checkpoints` does without it.
    """
    return CheckpointDirectory(path, list_checkpoints(path), read_state(path))


def list_checkpoints(path: str) -> tuple[Checkpoint, ...]:
    """The checkpoints of a directory by step, then name, without regard to its `checkpoint` file.

    Raises:
      JanitorError: as `read_directory`, except for the state.
    """
    real = os.path.realpath(path)
    if os.path.basename(real) == "variables" and saved_model.is_saved_model(os.path.dirname(real)):
        raise JanitorError(f"{path} holds the variables of a SavedModel, not checkpoints")
    try:
        found = filesystem.entries(path)
    except filesystem.ReadError as error:
        raise JanitorError(f"expected a directory of checkpoints: {path} {error}") from error
    checkpoints = [*_tensorflow(path, found), *_keras(found), *_orbax(path, found)]
    return tuple(sorted(checkpoints, key=lambda c: (-1 if c.step is None else c.step, c.name, c.format)))


def find_directories(path: str) -> tuple[str, ...]:
    """Every directory at or below a path that holds checkpoints, parents first.

    Does not descend into SavedModels, Orbax steps, TensorFlow's temporary directories, links, and hidden
    directories (TFX keeps its `.system` in one, and what is being deleted lies in another).

    Raises:
      JanitorError: a directory cannot be listed.
    """
    directories: list[str] = []
    waiting = [path]
    while waiting:
        directory = waiting.pop()
        if saved_model.is_saved_model(directory):
            continue
        checkpoints = list_checkpoints(directory)
        if checkpoints:
            directories.append(directory)
        steps = {checkpoint.name for checkpoint in checkpoints if checkpoint.format == ORBAX}
        below = [
            name
            for name, status in filesystem.entries(directory).items()
            if stat.S_ISDIR(status.st_mode)
            and not name.startswith(".")
            and name not in steps
            and not _TEMPORARY_DIRECTORY.fullmatch(name)
        ]
        waiting += [os.path.join(directory, name) for name in reversed(below)]
    return tuple(directories)


def verify(directory: str, checkpoint: Checkpoint, level: Level) -> Verification:
    """Checks one checkpoint.

    TF checkpoints: see `tensor_bundle.verify`; `.meta` holds a graph and no tensors, and must be a file that
    is not empty. Keras: see `keras_file.verify`. Orbax: see `orbax.verify`, which reads no arrays.

    Args:
      directory: where the checkpoint lies.
      checkpoint: as `read_directory` gave it.
      level: how deep to look.
    """
    path = os.path.join(directory, checkpoint.name)
    tensors = 0
    if checkpoint.format == KERAS:
        damages = [*keras_file.verify(path, level)]
    elif checkpoint.format == ORBAX:
        damages = [*orbax.verify(path, level)]
    else:
        problems, tensors = tensor_bundle.verify(directory, checkpoint.name, level)
        damages = [*problems, *_graph(directory, checkpoint)]
        if level.loads and not damages and (problem := loading.load_checkpoint(path)):
            damages.append(Damage(checkpoint.name, problem))
    files = len(checkpoint.files)
    if checkpoint.format == ORBAX:
        files = sum(1 for _ in _walk_quietly(path))
    return Verification(
        path, _KINDS[checkpoint.format], level, tuple(damages), files, checkpoint.bytes, tensors
    )


def _graph(directory: str, checkpoint: Checkpoint) -> Iterator[Damage]:
    name = checkpoint.name + _META
    if name not in checkpoint.files:
        return
    try:
        with filesystem.opened(os.path.join(directory, name)) as (_, size):
            if not size:
                yield Damage(name, "is empty")
    except filesystem.ReadError as error:
        yield Damage(name, str(error))


def _tensorflow(path: str, found: Mapping[str, os.stat_result]) -> Iterator[Checkpoint]:
    groups: dict[str, _Group] = defaultdict(_Group)
    for name, status in found.items():
        if stat.S_ISDIR(status.st_mode):
            match = _TEMPORARY_DIRECTORY.fullmatch(name)
            if match and _holds_anything(os.path.join(path, name)):
                groups[match[1]].unfinished.append(f"{name}/")
            continue
        temporary = _TEMPORARY_FILE.fullmatch(name)
        whole = temporary[1] if temporary else name
        shard = tensor_bundle.split_shard_name(whole)
        stem = shard[0] if shard else whole.removesuffix(tensor_bundle.INDEX)
        if temporary and stem != whole:
            groups[stem].leftovers.append(name)
        elif shard:
            groups[stem].shards[shard[2]][shard[1]] = name
        elif stem and stem != whole:
            groups[stem].index = name
        elif name.endswith(_META) and name != _META:
            groups[name.removesuffix(_META)].meta = name
    for name, group in groups.items():
        # A `.meta` or `.index` alone may be anybody's; data files and leftovers have names like nobody
        # else's.
        if group.shards or group.leftovers or (group.index and _is_table(path, group.index)):
            yield _checkpoint(name, group, found)


def _checkpoint(name: str, group: _Group, found: Mapping[str, os.stat_result]) -> Checkpoint:
    match = _STEP.fullmatch(name)
    prefix, step = (match[1], int(match[2])) if match else (name, None)
    problem = _problem(name, group, found)
    size, modified_ms = _extent([found[file] for file in group.files])
    return Checkpoint(
        name, prefix, step, TF, group.files, size, modified_ms, complete=problem is None, problem=problem
    )


def _problem(name: str, group: _Group, found: Mapping[str, os.stat_result]) -> str | None:
    if group.leftovers or group.unfinished:
        left = ", ".join([*group.leftovers, *group.unfinished])
        return f"{name} was not finished: {left} is left of its saving"
    if group.index is None:
        return f"{name} has no index file {name}{tensor_bundle.INDEX}"
    if len(group.shards) > 1:
        return f"{name} has data files that are counted in different ways: of {_listed(sorted(group.shards))}"
    if not group.shards:
        return f"{name} has no data files"
    ((count, shards),) = group.shards.items()
    if len(shards) < count:
        missing = next(shard for shard in range(count) if shard not in shards)
        lacking = tensor_bundle.shard_name(name, missing, count)
        return f"{name} lacks {count - len(shards):,} of its {count:,} data files, first {lacking}"
    for file in group.files:
        if not stat.S_ISREG(found[file].st_mode):
            return f"{file} is {filesystem.kind(found[file].st_mode)}, not a file"
    if not found[group.index].st_size:
        return f"{group.index} is empty"
    return None


def _keras(found: Mapping[str, os.stat_result]) -> Iterator[Checkpoint]:
    for name, status in found.items():
        parts = keras_file.split_name(name)
        if parts is None or stat.S_ISDIR(status.st_mode):
            continue
        problem = None
        if not stat.S_ISREG(status.st_mode):
            problem = f"{name} is {filesystem.kind(status.st_mode)}, not a file"
        elif not status.st_size:
            problem = f"{name} is empty"
        size, modified_ms = _extent([status])
        yield Checkpoint(name, *parts, KERAS, (name,), size, modified_ms, problem is None, problem)


def _orbax(path: str, found: Mapping[str, os.stat_result]) -> Iterator[Checkpoint]:
    for name, status in found.items():
        parts = orbax.split_name(name)
        directory = os.path.join(path, name)
        if parts is None or not stat.S_ISDIR(status.st_mode):
            continue
        prefix, step, temporary = parts
        if not temporary and (saved_model.is_saved_model(directory) or not orbax.is_step(directory)):
            continue
        size, modified_ms = _extent([status, *_walk_quietly(directory)])
        problem = f"{name} was not finished: it still has its temporary name" if temporary else None
        yield Checkpoint(
            name,
            prefix,
            step,
            ORBAX,
            (name,),
            size - status.st_size,
            modified_ms,
            complete=problem is None,
            problem=problem,
        )


def _walk_quietly(directory: str) -> Iterator[os.stat_result]:
    """What can be listed below a directory; what cannot is for `verify` to report."""
    try:
        for entry in filesystem.walk(directory):
            yield entry.status
    except OSError:
        return


def _extent(statuses: list[os.stat_result]) -> tuple[int, int]:
    """Apparent size together, and the newest modification in milliseconds."""
    newest = max((status.st_mtime_ns for status in statuses), default=0)
    return sum(status.st_size for status in statuses), newest // 1_000_000


def _holds_anything(directory: str) -> bool:
    """Some file systems keep the emptied directory of a save that went well."""
    return next(_walk_quietly(directory), None) is not None


def _is_table(path: str, name: str) -> bool:
    try:
        tensor_bundle.read_index(os.path.join(path, name))
    except filesystem.ReadError:
        return False
    return True


def _listed(numbers: list[int]) -> str:
    return " and of ".join(map(str, numbers))
