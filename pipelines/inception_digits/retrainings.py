"""What became of each retraining, as ML Metadata and the files that it points to tell it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_model_analysis as tfma
from ml_metadata import MetadataStore

from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, Snapshot


@dataclass(frozen=True, slots=True)
class Retraining:
    """One Model and all that is known of how it came to be.

    Attributes:
      model: MLMD id of the Model; `base_model` of the one whose weights it started from.
      run: the pipeline run that made it.
      span: number of the span of examples.
      trained, evaluated: numbers of examples in the splits.
      accuracy: on the evaluation split, from 0 to 1; `baseline` is that of the blessed model of its time.
      version: under which it was pushed, None if it was not.
    """

    model: int
    base_model: int | None
    run: str | None
    span: int
    trained: int
    evaluated: int
    steps: int
    learning_rate: float
    accuracy: float | None
    baseline: float | None
    blessed: bool
    version: str | None


def read(store: MetadataStore, snapshot: Snapshot, pipeline: str) -> list[Retraining]:
    """All retrainings of a pipeline that produced a model, oldest first."""
    models = (row for row in snapshot.rows_of_type("Model") if snapshot.pipeline_of(row) == pipeline)
    return [_retraining(store, snapshot, model) for model in models]


def _retraining(store: MetadataStore, snapshot: Snapshot, model: int) -> Retraining:
    artifacts = snapshot.artifacts
    trainer = int(snapshot.producer[model])
    inputs = snapshot.artifacts_of(trainer, INPUTS)
    examples = next(row for row in inputs if snapshot.type_of(row) == "Examples")
    base = next((row for row in inputs if snapshot.type_of(row) == "Model"), None)
    [execution] = store.get_executions_by_id([int(snapshot.executions.id[trainer])])
    settings = json.loads(execution.custom_properties["custom_config"].string_value)
    steps = json.loads(execution.custom_properties["train_args"].string_value)["num_steps"]
    evaluation = next(_made_from(snapshot, model, "ModelEvaluation"), None)
    blessing = next(_made_from(snapshot, model, "ModelBlessing"), None)
    pushed = next(_made_from(snapshot, model, "PushedModel"), None)
    compared = blessing is not None and snapshot.property(blessing, "baseline_model_id") is not None
    return Retraining(
        model=int(artifacts.id[model]),
        base_model=None if base is None else int(artifacts.id[base]),
        run=snapshot.run_of(model),
        span=int(snapshot.property(examples, "span") or 0),
        trained=_count(artifacts.uri[examples], "train"),
        evaluated=_count(artifacts.uri[examples], "eval"),
        steps=steps,
        learning_rate=settings["learning_rate"],
        accuracy=None if evaluation is None else _accuracy(artifacts.uri[evaluation]),
        baseline=_accuracy(artifacts.uri[evaluation], "baseline")
        if evaluation is not None and compared
        else None,
        blessed=blessing is not None and snapshot.property(blessing, "blessed") == 1,
        version=None if pushed is None else _text(snapshot.property(pushed, "pushed_version")),
    )


def _made_from(snapshot: Snapshot, model: int, type_name: str) -> Iterator[int]:
    """Artifacts of a type that executions made which had the model as their input `model`."""
    for event in snapshot.events_of_artifact(model):
        key = snapshot.events.key[event]
        if snapshot.events.kind[event] in INPUTS and key >= 0 and snapshot.events.key_names[key] == "model":
            outputs = snapshot.artifacts_of(int(snapshot.events.execution[event]), OUTPUTS)
            yield from (row for row in outputs if snapshot.type_of(row) == type_name)


def _count(examples: str, split: str) -> int:
    files = tf.io.gfile.glob(f"{examples}/Split-{split}/*.gz")
    return sum(1 for _ in tf.data.TFRecordDataset(files, compression_type="GZIP"))


def _accuracy(evaluation: str, model_name: str | None = None) -> float:
    overall: Any = tfma.load_eval_result(evaluation, model_name=model_name).slicing_metrics[0][1]
    return overall[""][""]["sparse_categorical_accuracy"]["doubleValue"]


def _text(value: object) -> str | None:
    return str(value) if value else None
