"""Writes warm-up requests into a SavedModel, as TFX's InfraValidator does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfx_janitor.payload import requests


def predict(signature: str = "", outputs: tuple[str, ...] = (), **inputs: Any) -> Any:
    """A PredictionLog that asks a signature; the inputs are arrays or what makes one."""
    import tensorflow as tf

    log = _log()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.output_filter.extend(outputs)
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log


def classify(signature: str, *examples: Any, context: Any = None) -> Any:
    """A PredictionLog that asks for the class of examples."""
    log = _log()
    _fill(log.classify_log.request, signature, examples, context)
    return log


def regress(signature: str, *examples: Any) -> Any:
    """A PredictionLog that asks for a number for each example."""
    log = _log()
    _fill(log.regress_log.request, signature, examples, None)
    return log


def infer(signatures: tuple[str, ...], *examples: Any) -> Any:
    """A PredictionLog that asks several signatures the same."""
    log = _log()
    request = log.multi_inference_log.request
    for signature in signatures:
        request.tasks.add().model_spec.signature_name = signature
    request.input.example_list.examples.extend(examples)
    return log


def session_run() -> Any:
    """A PredictionLog that names nodes of the graph."""
    log = _log()
    log.session_run_log.request.fetch.append("y:0")
    return log


def example(**features: list[float]) -> Any:
    """A `tf.Example`."""
    import tensorflow as tf

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=values))
                for name, values in features.items()
            }
        )
    )


def write(model: Path, *logs: Any) -> Path:
    """Puts the requests where a model server looks for them; bytes are taken as a record as they are."""
    file = model / requests.FILE
    file.parent.mkdir(exist_ok=True)
    write_records(file, *(log if isinstance(log, bytes) else log.SerializeToString() for log in logs))
    return file


def write_records(file: Path, *records: bytes) -> Path:
    """Writes a TFRecord file, gzipped if its name says so."""
    import tensorflow as tf

    compression = "GZIP" if file.suffix == ".gz" else ""
    with tf.io.TFRecordWriter(str(file), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for record in records:
            writer.write(record)
    return file


def _log() -> Any:
    from tensorflow_serving.apis import prediction_log_pb2

    protos: Any = prediction_log_pb2  # protobuf makes its classes at run time
    return protos.PredictionLog()


def _fill(request: Any, signature: str, examples: tuple[Any, ...], context: Any) -> None:
    request.model_spec.signature_name = signature
    if context is None:
        request.input.example_list.examples.extend(examples)
    else:
        request.input.example_list_with_context.examples.extend(examples)
        request.input.example_list_with_context.context.CopyFrom(context)
