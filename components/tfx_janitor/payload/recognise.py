"""Verifying a path without being told what lies there."""

from __future__ import annotations

import os

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import checkpoints, filesystem, models, saved_model, smoke
from tfx_janitor.payload.checkpoint_state import FILE, StateError, read_state
from tfx_janitor.payload.presence import is_missing
from tfx_janitor.payload.smoke import SmokeTest
from tfx_janitor.payload.verification import Damage, Level, Verification


def verify_payload(
    path: str, level: Level, smoke_test: SmokeTest = smoke.WARM_UP
) -> tuple[Verification, ...]:
    """Recognises what lies at a path and verifies each part of it.

    Recognised are a SavedModel, an artifact's payload with SavedModels in it, directories of checkpoints at
    any depth, and one checkpoint by its prefix or by the name of one of its files. A `checkpoint` file that
    cannot be read is reported as a damage of its directory.

    Args:
      path: absolute, or relative to the working directory.
      level: how deep to look. At level SMOKE a model for evaluation, which nobody serves, is only loaded.
      smoke_test: what SavedModels are asked at level SMOKE.

    Returns:
      SavedModels first, the one for serving before others; then checkpoints by directory and step.

    Raises:
      JanitorError: nothing is there, nothing of it is recognised, a directory cannot be listed, or the
        examples of the smoke test cannot be read.
    """
    if not os.path.isdir(path):
        return _verify_one(path, level)
    found = [
        saved_model.verify(model, _level_for(path, model, level), smoke_test)
        for model in models.find_saved_models(path)
    ]
    for directory in checkpoints.find_directories(path):
        found += [
            checkpoints.verify(directory, checkpoint, level)
            for checkpoint in checkpoints.list_checkpoints(directory)
        ]
        found += _verify_state(directory, level)
    if not found:
        raise JanitorError(
            f"{path} holds neither a SavedModel (saved_model.pb, also below Format-Serving) nor checkpoints "
            "(.index with .data files, .keras, .weights.h5, Orbax steps)"
        )
    return tuple(found)


def _level_for(path: str, model: str, level: Level) -> Level:
    return Level.LOAD if level is Level.SMOKE and saved_model.is_for_evaluation(path, model) else level


def _verify_one(path: str, level: Level) -> tuple[Verification, ...]:
    directory, name = os.path.split(path.rstrip("/"))
    directory = directory or "."
    if os.path.isdir(directory):
        for checkpoint in checkpoints.list_checkpoints(directory):
            if name == checkpoint.name or name in checkpoint.files:
                return (checkpoints.verify(directory, checkpoint, level),)
    if is_missing(path):
        raise JanitorError(f"expected a SavedModel or checkpoints, but there is nothing at {path}")
    try:
        os.lstat(path)
    except OSError as error:
        raise JanitorError(
            f"expected a SavedModel or checkpoints, but {path} {filesystem.reason(error)}"
        ) from None
    raise JanitorError(f"{path} is neither a SavedModel's directory nor part of a checkpoint")


def _verify_state(directory: str, level: Level) -> list[Verification]:
    try:
        read_state(directory)
    except StateError as error:
        problem = str(error).removeprefix(os.path.join(directory, FILE)).strip()
        damage = Damage(FILE, problem)
        return [Verification(directory, "TF checkpoint", level, (damage,), 1, 0, 0)]
    return []
