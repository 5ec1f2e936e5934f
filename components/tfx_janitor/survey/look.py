"""Looking at one payload: the functions that a crew carries to wherever the payloads are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import checkpoints, evaluation, filesystem, models
from tfx_janitor.payload.places import resolve
from tfx_janitor.payload.verification import Level, Verification
from tfx_janitor.retention.facts import CheckpointFact, Verified
from tfx_janitor.retention.pruning import Candidate


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """A Model artifact's URI, and how thoroughly to verify what lies there."""

    uri: str
    level: Level


@dataclass(frozen=True, slots=True)
class CheckpointOrder:
    """One checkpoint to verify: its directory as an absolute path, and its name there."""

    directory: str
    name: str
    level: Level


def measure(uri: str) -> int:
    """Apparent size of a payload in bytes.

    Raises:
      FileNotFoundError: nothing lies there.
    """
    return filesystem.measure(resolve(uri).path).bytes


def verify_model(order: ModelOrder) -> Verified:
    """Whether the models of a Model artifact are whole; one that has none is not."""
    path = resolve(order.uri).path
    found = models.verify(path, order.level)
    if not found:
        return Verified(False, f"no model lies at {path}, neither a SavedModel nor a .keras archive")
    return _summed(found, order.level)


def list_checkpoints(uri: str) -> tuple[CheckpointFact, ...]:
    """All checkpoints of a ModelRun payload, complete or not, unverified."""
    root = resolve(uri).path
    return tuple(
        CheckpointFact(
            directory="" if directory == root else os.path.relpath(directory, root),
            candidate=candidate_of(checkpoint),
            bytes=checkpoint.bytes,
        )
        for directory in checkpoints.find_directories(root)
        for checkpoint in checkpoints.read_directory(directory).checkpoints
    )


def verify_checkpoint(order: CheckpointOrder) -> Verified:
    """Whether one checkpoint is whole.

    Raises:
      JanitorError: some of it cannot be read, so that it may be whole.
    """
    for checkpoint in checkpoints.list_checkpoints(order.directory):
        if checkpoint.name == order.name:
            verification = checkpoints.verify(order.directory, checkpoint, order.level)
            for damage in verification.damages:
                if filesystem.is_refused(damage.problem):
                    raise JanitorError(str(damage))
            return _summed([verification], order.level)
    return Verified(False, f"{order.name} is gone")


def read_evaluation(uri: str) -> dict[str, float]:
    """The metrics of a ModelEvaluation by name, as `best` of a policy names them.

    Raises:
      EvaluationError: they cannot be read.
    """
    return evaluation.read_metrics(resolve(uri).path)


def candidate_of(checkpoint: checkpoints.Checkpoint) -> Candidate:
    """A checkpoint as retention ranks it; an incomplete one is known not to be restorable."""
    return Candidate(
        name=checkpoint.name,
        prefix=checkpoint.prefix,
        step=checkpoint.step,
        modified_ms=checkpoint.modified_ms,
        restorable=None if checkpoint.complete else False,
        problem=checkpoint.problem,
    )


def _summed(verifications: Sequence[Verification], level: Level) -> Verified:
    damages = [str(damage) for verification in verifications for damage in verification.damages]
    if damages:
        more = f" and {len(damages) - 1} more" if len(damages) > 1 else ""
        return Verified(False, f"{damages[0]}{more}")
    return Verified(True, f"whole ({level.value})")
