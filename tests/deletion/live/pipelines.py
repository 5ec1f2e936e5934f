"""Two pipelines of one store, run by LocalDagRunner.

nightly    trains from nothing: what it made of a span that comes back is in TFX's cache
hourly     goes on from the newest model and its checkpoints, which a Resolver finds

Both evaluate against the latest blessed model, which a Resolver finds, push with VerifiedPusher, and read at
the end of a run all that was in it once more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

NIGHTLY = ("Generate", "latest_blessed", "Train", "Evaluate", "VerifiedPusher", "Compare")
"""Nodes, in their order."""

HOURLY = ("Generate", "latest", *NIGHTLY[1:])

FIRST_HOURLY = NIGHTLY
"""There is nothing yet to go on from."""


def connection(database: Path) -> Any:
    """As a pipeline needs it that shares its sqlite file: with the patience to wait for others."""
    from tfx.v1.orchestration.metadata import sqlite_metadata_connection_config

    config = sqlite_metadata_connection_config(str(database))
    config.retry_options.max_num_retries = 100
    return config


def run(home: Path, name: str, span: int, *, good: bool, goes_on: bool) -> None:
    """Runs a pipeline once.

    Args:
      home: holds `metadata.db`, `pipelines/` and `serving/`.
      span: of its data.
      good: whether the model gets blessed, and so pushed.
      goes_on: whether it goes on from the newest model.
    """
    from tfx.v1.dsl import Pipeline
    from tfx.v1.orchestration import LocalDagRunner

    LocalDagRunner().run(
        Pipeline(
            pipeline_name=name,
            pipeline_root=str(home / "pipelines" / name),
            components=_nodes(home / "serving" / name, span, int(good), goes_on),
            enable_cache=True,
            metadata_connection_config=connection(home / "metadata.db"),
        )
    )


def _nodes(served: Path, span: int, good: int, goes_on: bool) -> list[Any]:
    from tfx.v1.dsl import Channel, Resolver
    from tfx.v1.dsl.experimental import LatestArtifactStrategy, LatestBlessedModelStrategy
    from tfx.v1.proto import PushDestination  # pyright: ignore[reportAttributeAccessIssue]
    from tfx.v1.types.standard_artifacts import Model, ModelBlessing, ModelRun

    from tests.deletion.live.stages import Compare, Evaluate, Generate, Train
    from tfx_janitor import VerifiedPusher

    start: dict[str, Any] = {}
    resolvers = []
    if goes_on:
        latest = Resolver(
            strategy_class=LatestArtifactStrategy, model=Channel(type=Model), run=Channel(type=ModelRun)
        ).with_id("latest")
        start = {"base_model": latest.outputs["model"], "base_run": latest.outputs["run"]}
        resolvers.append(latest)
    blessed = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("latest_blessed")
    generator = Generate(span=span)
    trainer = Train(examples=generator.outputs["examples"], **start)
    model, baseline = trainer.outputs["model"], blessed.outputs["model"]
    evaluator = Evaluate(examples=generator.outputs["examples"], model=model, good=good, baseline=baseline)
    pusher = VerifiedPusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=str(served))),
        keep_versions=2,
    )
    compared = Compare(
        model=model,
        blessing=evaluator.outputs["blessing"],
        pushed=pusher.outputs["pushed_model"],
        baseline=baseline,
        goes_on=int(goes_on),
        **({"base_model": start["base_model"]} if goes_on else {}),
    )
    return [generator, *resolvers, blessed, trainer, evaluator, pusher, compared]
