"""Retrains, evaluates, pushes and cleans up, again and again: `python -m pipelines.inception_digits.run`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.inception_digits.workspace import Workspace, open_workspace

PIPELINES = {"compact": "inception-digits", "inception_v3": "inception-v3-digits"}
STEPS = {"compact": 100, "inception_v3": 150}
LEARNING_RATE = 0.003
RUINOUS_LEARNING_RATE = 100.0
"""Tried in the fourth of every six retrainings, so that there is a model to keep out of service."""


def main() -> None:
    """Runs the pipeline as often as asked, then shows what is left and why."""
    options = _options()
    console = Console()
    try:
        workspace = open_workspace(options.workdir, PIPELINES[options.architecture], fresh=options.fresh)
    except ValueError as error:
        sys.exit(str(error))
    with contextlib.nullcontext() if options.verbose else _quiet(workspace.log):
        try:
            _demonstrate(console, workspace, options)
        except Exception:
            if not options.verbose:
                console.print(f"[red]It failed; what led to it is in {workspace.log}[/]")
            raise


def _demonstrate(console: Console, workspace: Workspace, options: argparse.Namespace) -> None:
    with console.status("Importing TensorFlow and TFX"):
        from absl import logging

        from pipelines.inception_digits import data, pipeline, summary
        from tfx_janitor import RetentionPolicy
    logging.set_verbosity(logging.INFO)

    policy = RetentionPolicy.from_yaml(workspace.write_policy(Path(__file__).with_name("janitor.yaml")))
    data.write_held_out(workspace.held_out)
    for number in range(1, options.runs + 1):
        span = data.newest_span(workspace.spans) + 1
        data.write_span(workspace.spans, span)
        with console.status(f"Retraining {number} of {options.runs}, on span {span}"):
            _run(
                pipeline.create_pipeline(
                    name=workspace.pipeline,
                    root=str(workspace.root),
                    metadata_path=str(workspace.metadata),
                    spans=str(workspace.spans),
                    serving=str(workspace.serving),
                    policy=policy,
                    architecture=options.architecture,
                    steps=options.steps or STEPS[options.architecture],
                    learning_rate=RUINOUS_LEARNING_RATE if span % 6 == 4 else LEARNING_RATE,
                ),
                options.runner,
            )
        summary.show_newest_retraining(console, workspace)
    summary.show_everything(console, workspace)


def _run(pipeline: Any, runner: str) -> None:
    if runner == "beam":
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

        BeamDagRunner().run(pipeline)
    else:
        from tfx.v1.orchestration import LocalDagRunner

        LocalDagRunner().run(pipeline)


@contextlib.contextmanager
def _quiet(log: Path) -> Iterator[None]:
    """Sends standard error to a file: by descriptor, for TensorFlow and MLMD also write from C++."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.inception_digits.run",
        description=__doc__.partition(":")[0] if __doc__ else None,
    )
    parser.add_argument(
        "--workdir", type=Path, default=Path("build/demo"), help="holds all that is made (build/demo)"
    )
    parser.add_argument("--fresh", action="store_true", help="start anew instead of continuing there")
    parser.add_argument("--runs", type=int, default=6, metavar="N", help="number of retrainings (6)")
    parser.add_argument(
        "--runner", choices=("local", "beam"), default="local", help="TFX orchestrator (local)"
    )
    parser.add_argument(
        "--architecture", choices=tuple(PIPELINES), default="compact", help="network (compact)"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="training steps (100; 150 for inception_v3)")
    parser.add_argument("--verbose", action="store_true", help="show what TFX, TensorFlow and Beam log")
    options = parser.parse_args()
    if options.runs < 1 or (options.steps is not None and options.steps < 1):
        parser.error("expected --runs and --steps to be at least 1")
    return options


if __name__ == "__main__":
    main()
