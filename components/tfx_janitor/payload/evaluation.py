"""Metrics in the payload of a ModelEvaluation, as TFX's Evaluator leaves it, under the names of the policy.

TensorFlow Model Analysis reads the records. It takes what it does not find, and a file that breaks off in the
middle of a record's header, for the end of the metrics; a model would lose its place as the best without
anybody knowing. So what must be there is looked for here, before.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import filesystem
from tfx_janitor.payload.loading import attempt, without_wildcards

_METRICS = "metrics"
_RECORDS = ".tfrecord"
_CONFIG = "eval_config.json"
_CONFIG_LIMIT = 16 << 20

_SHARD = re.compile(r"(.*)-(\d+)-of-(\d+)(.*)")
"""Names that Beam gives to the files of one output: "metrics-00000-of-00003.tfrecord"."""

_FRAME = 16
"""Bytes around each record of a TFRecord file: its length (8, little-endian), and a checksum (4) of each."""


class EvaluationError(JanitorError):
    """An evaluation that is not there, not whole, or cannot be read here."""


def read_metrics(path: str) -> dict[str, float]:
    """All numbers of an evaluation, by name: "accuracy", "accuracy@hour:5", "auc@output_name:a,class_id:3".

    Left out is what is no number (arrays, texts, confusion matrices) and what compares: differences to the
    baseline, and between slices. Of a value with bounds it is the value.

    TensorFlow Model Analysis tells some metrics apart that have one name here: weighted by example or not; of
    all classes as they are, or averaged over them (micro, macro). An unaveraged one goes before an averaged
    one, then an unweighted one before a weighted one. Where that leaves two different values, nobody can tell
    which one is meant, and neither is in the answer.

    Args:
      path: absolute path of the artifact's payload.

    Returns:
      The metrics; NaN stays NaN.

    Raises:
      EvaluationError: the evaluation is missing, empty, incomplete or damaged, or TensorFlow Model Analysis
        is not installed. Evaluator leaves an empty one behind if it found no examples.
    """
    _refuse_incomplete(path)
    records = _records(path)
    return _unambiguous(_numbers(records, _candidates(path, records)))


def _refuse_incomplete(path: str) -> None:
    try:
        there = [name for name in filesystem.entries(path) if name.startswith(_METRICS)]
    except filesystem.ReadError as error:
        raise EvaluationError(f"{path} {error}") from error
    # Old versions wrote files without a suffix.
    names = [name for name in there if name.endswith(_RECORDS)] or there
    if not names:
        raise EvaluationError(
            f"{path} is no evaluation: expected a file {_METRICS}*{_RECORDS} in it, found none"
        )
    for name in [*names, *_missing_shards(names)]:
        file = os.path.join(path, name)
        try:
            _refuse_cut_off(file)
        except filesystem.ReadError as error:
            raise EvaluationError(f"{file} {error}") from error


def _missing_shards(names: list[str]) -> Iterator[str]:
    shards = [shard for name in names if (shard := _SHARD.fullmatch(name))]
    for stem, width, of, suffix in sorted({(one[1], len(one[2]), one[3], one[4]) for one in shards}):
        for number in range(int(of)):
            name = f"{stem}-{number:0{width}}-of-{of}{suffix}"
            if name not in names:
                yield name


def _refuse_cut_off(file: str) -> None:
    end = 0
    with filesystem.opened(file) as (descriptor, size):
        while end < size:
            end += _FRAME + int.from_bytes(os.pread(descriptor, 8, end), "little")
    if end != size:
        raise filesystem.ReadError(
            f"is cut off or damaged: the last record should end at {end:,} of {size:,}"
        )


def _records(path: str) -> list[Any]:
    if importlib.util.find_spec("tensorflow_model_analysis") is None:
        raise EvaluationError(
            f"reading the metrics of {path} takes TensorFlow Model Analysis, which is not installed here; "
            f"pip install 'tfx-janitor[tfx]' brings it"
        )
    records: list[Any] = []

    def load(_: Any) -> None:
        import tensorflow_model_analysis as tfma

        with without_wildcards(path) as literal:
            records.extend(tfma.load_metrics(literal))

    problem = attempt(load)
    if problem is not None:
        raise EvaluationError(f"{path} {problem}")
    if not records:
        raise EvaluationError(f"{path} holds no metrics: nothing was evaluated")
    return records


def _candidates(path: str, records: list[Any]) -> frozenset[str]:
    """Names of models that are not said: the empty one, and the candidate's if there is one candidate.

    Only an evaluation that compares models names them.
    """
    if not any(entry.key.model_name for record in records for entry in record.metric_keys_and_values):
        return frozenset({""})
    file = os.path.join(path, _CONFIG)
    try:
        config = json.loads(filesystem.read(file, _CONFIG_LIMIT))
        models = config["evalConfig"]["modelSpecs"]
        names = [model.get("name", "") for model in models if not model.get("isBaseline", False)]
    except (filesystem.ReadError, ValueError, LookupError, TypeError, AttributeError) as error:
        said = (
            error
            if isinstance(error, filesystem.ReadError)
            else "is not an EvalConfig as Evaluator writes it"
        )
        raise EvaluationError(f"{file} {said}; which of the evaluated models is the candidate?") from error
    return frozenset({"", *names}) if len(names) == 1 else frozenset({""})


_Precedence = tuple[bool, bool]
"""Whether a metric is averaged over classes, whether it is weighted: the lower goes before the higher."""


def _numbers(records: Iterable[Any], unsaid: frozenset[str]) -> Iterator[tuple[str, _Precedence, float]]:
    for record in records:
        if record.HasField("cross_slice_key"):
            continue
        features = sorted(record.slice_key.single_slice_keys, key=lambda feature: feature.column)
        slices = [f"{feature.column}:{_value(feature)}" for feature in features]
        for entry in record.metric_keys_and_values:
            key, number = entry.key, _number(entry.value)
            if number is not None and not key.is_diff:
                precedence = (key.HasField("aggregation_type"), key.example_weighted.value)
                yield _name(key.name, [*_narrowings(key, unsaid), *slices]), precedence, number
        # What an EvalSavedModel of an Estimator computed itself.
        for name, value in record.metrics.items():
            if (number := _number(value)) is not None:
                yield _name(name, slices), (False, False), number


def _name(metric: str, narrowings: list[str]) -> str:
    return f"{metric}@{','.join(narrowings)}" if narrowings else metric


def _narrowings(key: Any, unsaid: frozenset[str]) -> Iterator[str]:
    if key.model_name not in unsaid:
        yield f"model_name:{key.model_name}"
    if key.output_name:
        yield f"output_name:{key.output_name}"
    for part in ("class_id", "k", "top_k"):
        if key.sub_key.HasField(part):
            yield f"{part}:{getattr(key.sub_key, part).value}"


def _value(feature: Any) -> str:
    kind = feature.WhichOneof("kind")
    if kind == "bytes_value":
        return feature.bytes_value.decode("utf-8", "backslashreplace")
    if kind == "float_value":
        # It was stored with 32 bits: 0.1, not 0.10000000149011612.
        return str(np.float32(feature.float_value))
    return str(feature.int64_value)


def _number(value: Any) -> float | None:
    kind = value.WhichOneof("type")
    if kind == "double_value":
        return value.double_value.value
    if kind == "bounded_value":
        return value.bounded_value.value.value
    if kind == "t_distribution_value":
        return value.t_distribution_value.unsampled_value.value
    return None


def _unambiguous(numbers: Iterable[tuple[str, _Precedence, float]]) -> dict[str, float]:
    first: dict[str, tuple[_Precedence, float | None]] = {}
    for name, precedence, number in numbers:
        if name not in first or precedence < first[name][0]:
            first[name] = (precedence, number)
        elif precedence == first[name][0] and number != first[name][1]:
            first[name] = (precedence, None)
    return {name: number for name, (_, number) in first.items() if number is not None}
