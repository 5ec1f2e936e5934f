"""Nodes of a pipeline that costs nothing: they copy a small SavedModel and small checkpoints."""

# No `from __future__ import annotations`: TFX reads the annotations of a function component as they stand.
# What they stand for, an int or an artifact, no type checker can tell.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false
# pyright: reportInvalidTypeArguments=false

import shutil
from pathlib import Path

from tfx.v1.dsl.components import InputArtifact, OutputArtifact, Parameter, component
from tfx.v1.types.standard_artifacts import Model, ModelBlessing, ModelRun, PushedModel

from tests.builders import write_checkpoints, write_saved_model


@component
def Train(span: Parameter[int], model: OutputArtifact[Model], model_run: OutputArtifact[ModelRun]):
    """Trains anew when there is a new span."""
    write_saved_model(Path(model.uri) / "Format-Serving")
    write_checkpoints(Path(model_run.uri), (span * 100, span * 100 + 1, span * 100 + 2))


@component
def Bless(model: InputArtifact[Model], blessing: OutputArtifact[ModelBlessing]):
    """Blesses every model."""
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)


@component
def Push(model: InputArtifact[Model], base: Parameter[str], pushed_model: OutputArtifact[PushedModel]):
    """Pushes every model and retires the version before."""
    shutil.rmtree(base, ignore_errors=True)
    destination = Path(base) / str(model.id)
    write_saved_model(destination)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_destination", str(destination))
    pushed_model.set_string_custom_property("pushed_version", destination.name)
