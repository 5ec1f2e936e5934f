"""Evaluations that TensorFlow Model Analysis itself has written, as Evaluator does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BINARY = """
    model_specs { label_key: "label" prediction_key: "prediction" }
    metrics_specs { metrics { class_name: "BinaryAccuracy" config: '"name": "accuracy"' } }
    slicing_specs {}
"""
"""An EvalConfig for columns "label" and "prediction": the metric "accuracy" over all examples."""


def write_evaluation(path: Path, examples: Mapping[str, Sequence[Any]], config: str = BINARY) -> Path:
    """Evaluates predictions that are already there.

    Args:
      path: becomes the payload.
      examples: columns of equal length: labels, predictions, features.
      config: an EvalConfig as text.
    """
    import apache_beam as beam
    import pandas
    import pyarrow
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format
    from tensorflow_model_analysis.proto import config_pb2
    from tfx_bsl.arrow import table_util

    # Not tfma.EvalConfig, which TFMA 0.52 does not export.
    empty = config_pb2.EvalConfig()
    eval_config = text_format.Parse(config, empty)
    table = table_util.CanonicalizeRecordBatch(pyarrow.RecordBatch.from_pandas(pandas.DataFrame(examples)))
    with beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline:
        _ = (
            pipeline
            | beam.Create([table])
            | tfma.ExtractEvaluateAndWriteResults(eval_config=eval_config, output_path=str(path))
        )
    return path


def metrics_file(evaluation: Path) -> Path:
    """The one file that holds an evaluation's metrics."""
    (file,) = evaluation.glob("metrics-*")
    return file
