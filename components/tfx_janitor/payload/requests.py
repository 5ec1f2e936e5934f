"""The requests of a smoke test: a model's own warm-up requests, or examples that somebody gave."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfx_janitor.payload import filesystem
from tfx_janitor.payload.loading import told
from tfx_janitor.payload.smoke import SIGNATURE, SmokeTestError

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TensorFlow Serving, and TFX's InfraValidator, have the warm-up requests of a SavedModel."""

THE_ONLY_INPUT = ""
"""Stands for the one input of a signature in requests that do not name it."""

_MOST_REQUESTS = 1000
"""TensorFlow Serving loads no model that brings more."""

_MOST_RECORDS = 64
"""So many examples of a file are asked: a smoke test is no evaluation."""

_JSON_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a signature.

    Attributes:
      name: what to call it in a sentence.
      signature: the signature that is called.
      inputs: values by name of the input: arrays, whose type must be the input's, or lists, which take it.
      outputs: the outputs that are asked for; empty for all.
    """

    name: str
    signature: str
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...] = ()


class WarmUpError(Exception):
    """Warm-up requests that no model server can use. The message is the end of a sentence about the file."""


def of_model(tf: Any, path: str) -> Iterator[Request]:
    """The warm-up requests that a SavedModel brings, if any; one after the other, for they may be large.

    Args:
      tf: the module `tensorflow`.
      path: the SavedModel's directory.

    Raises:
      WarmUpError: there are too many, or one that cannot be understood.
      SmokeTestError: they cannot be read here.
    """
    file = os.path.join(path, FILE)
    if not os.path.lexists(file):
        return
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise SmokeTestError(
            "reading warm-up requests takes tensorflow-serving-api, which is not installed here; "
            "pip install 'tfx-janitor[tfx]' brings it"
        ) from error
    log: Any = prediction_log_pb2  # protobuf makes its classes at run time
    try:
        for number, record in enumerate(_records(tf, file), 1):
            if number > _MOST_REQUESTS:
                raise WarmUpError(f"holds more than {_MOST_REQUESTS:,} requests; no model server takes it")
            try:
                found = tuple(_of_log(tf, log.PredictionLog.FromString(record), number))
            except WarmUpError:
                raise
            # Whatever a tensor's or a message's reader does not like is the finding.
            except Exception as error:
                raise WarmUpError(f"holds request {number}, which cannot be read: {told(error)}") from error
            yield from found
    except tf.errors.OpError as error:
        raise WarmUpError(f"cannot be read: {told(error)}") from error


def of_examples(tf: Any, examples: str | list[Any] | Mapping[str, Any], signature: str) -> Request:
    """The one request that examples make; their spellings are told at `SmokeTest`.

    Args:
      tf: the module `tensorflow`.
      examples: a path, rows or columns.
      signature: whom they are for.

    Raises:
      SmokeTestError: they cannot be read or understood.
    """
    inputs = _from_file(tf, examples) if isinstance(examples, str) else _columns(examples)
    return Request("the batch of examples", signature, inputs)


def _records(tf: Any, file: str) -> Iterator[bytes]:
    compression = "GZIP" if file.endswith(".gz") else ""
    return tf.data.TFRecordDataset(file, compression_type=compression).as_numpy_iterator()


def _of_log(tf: Any, log: Any, number: int) -> Iterator[Request]:
    """What one warm-up record asks; each kind as TensorFlow Serving does."""
    name = f"warm-up request {number}"
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
        yield Request(name, _signature(request), inputs, tuple(request.output_filter))
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        yield Request(name, _signature(request), _examples(request.input))
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        for task in request.tasks:
            yield Request(name, _signature(task), _examples(request.input))
    else:
        what = kind or "no request at all"
        raise WarmUpError(
            f"holds request {number}, which is {what}; expected a predict, classify, regress or "
            "multi-inference request"
        )


def _signature(request: Any) -> str:
    return request.model_spec.signature_name or SIGNATURE


def _examples(given: Any) -> dict[str, list[bytes]]:
    """The serialized examples of an `Input`; a common context is part of each."""
    kind = given.WhichOneof("kind")
    examples = getattr(given, kind).examples if kind else ()
    context = b""
    if kind == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
    # Two messages behind each other are read as one, the later one's fields before the earlier one's.
    return {THE_ONLY_INPUT: [context + example.SerializeToString() for example in examples]}


def _from_file(tf: Any, path: str) -> Mapping[str, Any]:
    try:
        if path.endswith(".json"):
            return _columns(json.loads(filesystem.read(path, _JSON_LIMIT)))
        with filesystem.opened(path):  # says better than TensorFlow what is wrong with it
            records = list(itertools.islice(_records(tf, path), _MOST_RECORDS))
    except filesystem.ReadError as error:
        raise SmokeTestError(f"expected the examples of the smoke test in {path}, but it {error}") from error
    except (ValueError, tf.errors.OpError) as error:
        raise SmokeTestError(
            f"expected the examples of the smoke test in {path}, as JSON if it ends in .json, else as "
            f"TFRecords: {told(error)}"
        ) from error
    if not records:
        raise SmokeTestError(f"expected the examples of the smoke test in {path}, but it holds none")
    return {THE_ONLY_INPUT: records}


def _columns(examples: object) -> Mapping[str, Any]:
    """Rows and columns as columns, with their base64 decoded."""
    examples = _decoded(examples)
    if isinstance(examples, dict) and examples:
        return examples
    if not isinstance(examples, list) or not examples:
        raise SmokeTestError(f"expected the examples of a smoke test as rows or columns, got {examples!r}")
    if not any(isinstance(row, dict) for row in examples):
        return {THE_ONLY_INPUT: examples}
    names = set(examples[0]) if isinstance(examples[0], dict) else set()
    for number, row in enumerate(examples, 1):
        if not isinstance(row, dict) or set(row) != names:
            raise SmokeTestError(
                f"expected all examples of a smoke test to give the same inputs, but number {number} does not"
            )
    return {name: [row[name] for row in examples] for name in sorted(names)}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise SmokeTestError(
                f"expected base64 in the examples of a smoke test, got {value['b64'][:60]!r}: {error}"
            ) from error
    return {str(key): _decoded(item) for key, item in value.items()}
