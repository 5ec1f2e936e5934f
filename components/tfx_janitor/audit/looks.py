"""What an audit asks about one payload: functions that a crew carries to wherever the payloads are."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from tfx_janitor.payload import checkpoints, filesystem, models, saved_model
from tfx_janitor.payload.checkpoint_state import FILE, StateError
from tfx_janitor.payload.places import resolve
from tfx_janitor.payload.presence import Unread, is_missing, on_the_way
from tfx_janitor.payload.verification import Damage, Level, Verification
from tfx_janitor.survey.look import ModelOrder


@dataclass(frozen=True, slots=True)
class Presence:
    """What lies at a URI.

    Attributes:
      there: whether anything does, be it a broken link.
      mounted: whether the directory that it lies in is there; else its disk may not be mounted.
      filled: by name whether an entry of its directory is a file, or holds anything; empty for a file.
      is_directory: whether it is one, links followed.
    """

    there: bool
    mounted: bool
    is_directory: bool
    filled: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointOrder:
    """A ModelRun's URI, and how thoroughly to verify the checkpoints in it."""

    uri: str
    level: Level


@dataclass(frozen=True, slots=True)
class CheckpointProblem:
    """One thing that is wrong with checkpoints.

    Attributes:
      directory: absolute path.
      name: of the checkpoint; None if it is the `checkpoint` file that is wrong.
      problem: in words.
      bytes: of the checkpoint.
      unread: what of it cannot be read, if that is the problem.
    """

    directory: str
    name: str | None
    problem: str
    bytes: int = 0
    unread: Unread | None = None


def see(uri: str) -> Presence:
    """Whether something lies at a URI, and what of it can be seen at a glance."""
    path = resolve(uri).path
    mounted = os.path.isdir(os.path.dirname(path))
    if is_missing(path):
        return Presence(False, mounted, False)
    os.lstat(path)  # raises what keeps one from looking: that is no absence
    if not os.path.isdir(path):
        return Presence(True, mounted, False)
    with os.scandir(path) as entries:
        filled = tuple(sorted((entry.name, _is_filled(entry)) for entry in entries))
    return Presence(True, mounted, True, filled)


def _is_filled(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return True
    try:
        with os.scandir(entry.path) as inside:
            return next(inside, None) is not None
    except FileNotFoundError:  # it has gone since: that keeps nobody from looking at the rest
        return False


def obstacle(uri: str) -> Unread | None:
    """The first thing that cannot be read on the way to a payload, or else in it; None if there is none."""
    path = resolve(uri).path
    if (barrier := on_the_way(path)) is not None:
        return barrier
    if is_missing(path):
        return None
    if not os.path.isdir(path):
        return _closed(path)
    try:
        for entry in filesystem.walk(path):
            if stat.S_ISREG(entry.status.st_mode) and (found := _closed(os.path.join(path, entry.name))):
                return found
    except OSError as error:
        return Unread(os.path.normpath(error.filename or path), filesystem.reason(error))
    return None


def _closed(path: str) -> Unread | None:
    """A file, if one may not open it."""
    try:
        with filesystem.opened(path):
            return None
    except filesystem.ReadError as error:
        return Unread(path, str(error)) if filesystem.is_refused(str(error)) else None


def unread(path: str, damages: Sequence[Damage]) -> Unread | None:
    """What cannot be read of what was verified at a path; the other damages may only follow from that."""
    for damage in damages:
        if filesystem.is_refused(damage.problem):
            return Unread(os.path.normpath(os.path.join(path, damage.file)), damage.problem)
    return None


def inspect_models(order: ModelOrder) -> tuple[Verification, ...]:
    """Every model of a Model artifact, verified; an artifact without any is damaged as a whole."""
    path = resolve(order.uri).path
    none = Damage(".", "holds neither a SavedModel nor a .keras archive")
    return models.verify(path, order.level) or (
        Verification(path, saved_model.KIND, order.level, (none,), 0, 0, 0),
    )


def inspect_checkpoints(order: CheckpointOrder) -> tuple[CheckpointProblem, ...]:
    """What is wrong with the checkpoints of a ModelRun, and with the files that name them."""
    found: list[CheckpointProblem] = []
    for directory in checkpoints.find_directories(resolve(order.uri).path):
        try:
            listed = checkpoints.read_directory(directory)
        except StateError as error:
            problem = str(error).removeprefix(os.path.join(directory, FILE)).strip()
            refused = unread(directory, (Damage(FILE, problem),))
            told = f"its checkpoint file {problem}"
            found.append(CheckpointProblem(directory, None, told, unread=refused))
            listed = checkpoints.CheckpointDirectory(directory, checkpoints.list_checkpoints(directory), None)
        broken: set[str] = set()
        for checkpoint in listed.checkpoints:
            verification = checkpoints.verify(directory, checkpoint, order.level)
            if not verification.whole:
                # Files of an Orbax step are named from the step, those of others from the directory.
                within = verification.path if checkpoint.format == checkpoints.ORBAX else directory
                refused = unread(within, verification.damages)
                if refused is None:
                    broken.add(checkpoint.name)
                told = "; ".join(map(str, verification.damages[:3]))
                found.append(CheckpointProblem(directory, checkpoint.name, told, checkpoint.bytes, refused))
        if listed.state is not None:
            known = {checkpoint.name for checkpoint in listed.checkpoints}
            found += _stale(directory, listed.state, known, broken)
    return tuple(found)


def _stale(
    directory: str, state: checkpoints.CheckpointState, known: set[str], broken: set[str]
) -> list[CheckpointProblem]:
    named = [os.path.basename(path) for path in state.all]
    latest = None if state.latest is None else os.path.basename(state.latest)
    if latest is not None and latest not in known:
        return [
            CheckpointProblem(directory, None, f"its checkpoint file names {latest} as the latest: not there")
        ]
    if latest in broken:
        problem = f"its checkpoint file names {latest} as the latest, which is broken"
        return [CheckpointProblem(directory, None, problem)]
    gone = [name for name in named if name not in known]
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        return [CheckpointProblem(directory, None, f"its checkpoint file lists {gone[0]}{more}: not there")]
    return []


def measure(path: str) -> int:
    """Apparent size of what lies at an absolute path, in bytes."""
    return filesystem.measure(path).bytes
