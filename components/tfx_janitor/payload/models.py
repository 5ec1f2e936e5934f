"""The models of a Model artifact: its SavedModels or, where it has none, its Keras archives.

A `.keras` archive holds a whole model, and a CRC-32 of each of its parts. No model server loads one, so
beside a SavedModel it is not asked for; but it is what `model.save` writes since Keras 3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import checkpoints, keras_file, saved_model
from tfx_janitor.payload.verification import Level, Verification

KERAS = "Keras model"


def verify(path: str, level: Level) -> tuple[Verification, ...]:
    """Checks every model of a Model artifact's payload, its SavedModels as `saved_model.verify` does.

    Args:
      path: the payload's directory.
      level: how deep to look.

    Returns:
      SavedModels, the one for serving first, or Keras archives by name; empty if there is neither.
    """
    found = find_saved_models(path)
    if found:
        return tuple(saved_model.verify(model, level) for model in found)
    return tuple(
        replace(checkpoints.verify(directory, archive, level), kind=KERAS)
        for directory in saved_model.find(path) or (path,)
        for archive in _archives(directory)
    )


def find_saved_models(path: str) -> tuple[str, ...]:
    """As `saved_model.find`, but a directory that is only named for one may hold Keras archives instead."""
    found = saved_model.find(path)
    if any(saved_model.is_saved_model(model) for model in found):
        return found
    return tuple(model for model in found if not any(_archives(model)))


def _archives(directory: str) -> Iterator[checkpoints.Checkpoint]:
    # Of what cannot be listed, the verification of the SavedModel that it may hold says so.
    with contextlib.suppress(JanitorError):
        for checkpoint in checkpoints.list_checkpoints(directory):
            if checkpoint.name.endswith(keras_file.ARCHIVE):
                yield checkpoint
