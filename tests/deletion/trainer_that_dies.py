"""A pipeline whose trainer can die or take its time, run by LocalDagRunner in a process of its own.

    python -m tests.deletion.trainer_that_dies HOME MODE...

Runs it once for each mode: `ends` as a training does; `dies` takes the process with it, after the checkpoints
were written; `waits` says so on standard output, and trains until standard input closes.
"""

# No `from __future__ import annotations`: TFX reads the annotations of a function component as they stand.
# What they stand for, an int or an artifact, no type checker can tell.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false
# pyright: reportInvalidTypeArguments=false

import os
import signal
import sys
from pathlib import Path

from tfx.v1.dsl import Pipeline
from tfx.v1.dsl.components import OutputArtifact, Parameter, component
from tfx.v1.orchestration import LocalDagRunner
from tfx.v1.orchestration.metadata import sqlite_metadata_connection_config
from tfx.v1.types.standard_artifacts import Model, ModelRun

from tests.builders import write_checkpoints, write_saved_model

WAITING = "training"


@component
def Train(mode: Parameter[str], model: OutputArtifact[Model], model_run: OutputArtifact[ModelRun]):
    """Writes checkpoints, and a model if it lives that long."""
    write_checkpoints(Path(model_run.uri), (100, 200))
    if mode == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "waits":
        print(WAITING, flush=True)
        sys.stdin.read()
    write_saved_model(Path(model.uri) / "Format-Serving")


def run(home: Path, mode: str) -> None:
    """Runs the pipeline once."""
    config = sqlite_metadata_connection_config(str(home / "metadata.db"))
    config.retry_options.max_num_retries = 100
    LocalDagRunner().run(
        Pipeline(
            pipeline_name="inception",
            pipeline_root=str(home / "pipelines" / "inception"),
            components=[Train(mode=mode)],
            enable_cache=False,
            metadata_connection_config=config,
        )
    )


if __name__ == "__main__":
    # TFX wants to import what it runs, by its true name.
    from tests.deletion import trainer_that_dies

    for asked in sys.argv[2:]:
        trainer_that_dies.run(Path(sys.argv[1]), asked)
