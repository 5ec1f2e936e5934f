"""Evaluations that TensorFlow Model Analysis wrote: the names of their metrics, and all kinds of damage."""

from __future__ import annotations

import logging
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import flip_bit
from tests.evaluating import metrics_file, write_evaluation
from tfx_janitor.payload.evaluation import EvaluationError, read_metrics
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Threads

pytestmark = [
    pytest.mark.tfx,
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),  # where NaN comes from
]

tfma = pytest.importorskip("tensorflow_model_analysis")

TRIPS = {
    "label": [0, 1, 1, 0],
    "prediction": [0.2, 0.8, 0.4, 0.6],
    "heavy": [1.0, 2.0, 3.0, 4.0],
    "hour": [5, 5, 6, 6],
    "colour": ["red", "blue", "red", "blue"],
    "fare": [0.1, 0.1, 12.5, 12.5],
}
SLICED = """
    model_specs { label_key: "label" prediction_key: "prediction" example_weight_key: "heavy" }
    metrics_specs {
      metrics { class_name: "BinaryAccuracy" config: '"name": "accuracy"' }
      metrics { class_name: "Precision" config: '"name": "never_sure", "thresholds": 0.99' }
      metrics { class_name: "ConfusionMatrixAtThresholds" config: '"thresholds": [0.5]' }
      example_weights { weighted: true unweighted: true }
    }
    metrics_specs {
      metrics { class_name: "BinaryAccuracy" config: '"name": "by_weight"' }
      example_weights { weighted: true }
    }
    slicing_specs {}
    slicing_specs { feature_keys: ["hour"] }
    slicing_specs { feature_keys: ["hour", "colour"] }
    slicing_specs { feature_keys: ["fare"] }
    cross_slicing_specs { baseline_spec {} slicing_specs { feature_keys: "colour" } }
"""

DIGITS = {
    "label": [0, 1, 2, 1],
    "prediction": [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.3, 0.2]],
}
BY_CLASS = """
    model_specs { label_key: "label" prediction_key: "prediction" }
    metrics_specs { metrics { class_name: "SparseCategoricalAccuracy" config: '"name": "accuracy"' } }
    metrics_specs {
      metrics { class_name: "Recall" }
      metrics { class_name: "AUC" }
      binarize { class_ids { values: [0, 1, 2] } }
      aggregate {
        macro_average: true
        class_weights { key: 0 value: 1 } class_weights { key: 1 value: 1 } class_weights { key: 2 value: 1 }
      }
    }
    metrics_specs { metrics { class_name: "AUC" } aggregate { micro_average: true } }
    metrics_specs {
      metrics { class_name: "Precision" config: '"name": "hits"' }
      binarize { k_list { values: 2 } top_k_list { values: 2 } }
    }
    slicing_specs {}
"""

TWO_OUTPUTS = """
    model_specs {
      label_keys { key: "even" value: "is_even" } label_keys { key: "prime" value: "is_prime" }
      prediction_keys { key: "even" value: "even" } prediction_keys { key: "prime" value: "prime" }
    }
    metrics_specs {
      output_names: ["even", "prime"]
      metrics { class_name: "BinaryAccuracy" config: '"name": "accuracy"' }
    }
    slicing_specs {}
    slicing_specs { feature_keys: ["hour"] }
"""
NUMBERS = {
    "is_even": [1, 0, 1, 0],
    "is_prime": [1, 1, 0, 0],
    "even": [0.9, 0.1, 0.9, 0.1],
    "prime": [0.9, 0.1, 0.9, 0.1],
    "hour": [5, 5, 5, 6],
}

TWO_MODELS = """
    model_specs {{ name: "trial" label_key: "label" prediction_key: "prediction" }}
    model_specs {{ name: "before" {} label_key: "label" prediction_key: "earlier" }}
    metrics_specs {{
      metrics {{ class_name: "BinaryAccuracy" config: '"name": "accuracy"' }}
      model_names: ["trial", "before"]
    }}
    slicing_specs {{}}
"""
COMPARED = {"label": [0, 1, 1, 0], "prediction": [0.2, 0.8, 0.9, 0.6], "earlier": [0.2, 0.3, 0.4, 0.6]}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one evaluation of each kind. Never write into it: take a `copy`."""
    root = tmp_path_factory.mktemp("evaluations")
    write_evaluation(root / "sliced", TRIPS, SLICED)
    write_evaluation(root / "by class", DIGITS, BY_CLASS)
    write_evaluation(root / "two outputs", NUMBERS, TWO_OUTPUTS)
    write_evaluation(root / "baseline", COMPARED, TWO_MODELS.format("is_baseline: true"))
    write_evaluation(root / "two candidates", COMPARED, TWO_MODELS.format(""))
    write_evaluation(root / "no examples", {"label": [], "prediction": []})
    return root


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies one of the written evaluations to where a test may damage it."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(written / name, tmp_path / name))

    return copied


def test_over_all_examples_a_metric_has_its_plain_name(written: Path):
    assert read_metrics(str(written / "sliced"))["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy@hour:5", 1.0),
        ("accuracy@hour:6", 0.0),
        ("accuracy@colour:red,hour:5", 1.0),
        ("accuracy@colour:blue,hour:6", 0.0),
        ("accuracy@fare:0.1", 1.0),
        ("accuracy@fare:12.5", 0.0),
    ],
)
def test_a_slice_is_named_by_its_features(written: Path, name: str, value: float):
    assert read_metrics(str(written / "sliced"))[name] == value


def test_nan_stays_nan(written: Path):
    assert math.isnan(read_metrics(str(written / "sliced"))["never_sure"])


def test_what_is_no_number_is_left_out(written: Path):
    assert not any(name.startswith("confusion_matrix") for name in read_metrics(str(written / "sliced")))


def test_unweighted_goes_before_weighted(written: Path):
    metrics = read_metrics(str(written / "sliced"))
    assert metrics["accuracy"] == 0.5
    assert metrics["by_weight"] == pytest.approx(0.3)


def test_classes_and_ranks_are_named(written: Path):
    metrics = read_metrics(str(written / "by class"))
    assert metrics["accuracy"] == 0.75
    assert [metrics[f"recall@class_id:{digit}"] for digit in range(3)] == [1.0, 0.5, 0.0]
    assert {"hits@k:2", "hits@top_k:2"} < metrics.keys()


def test_an_average_over_classes_has_the_plain_name(written: Path):
    assert read_metrics(str(written / "by class"))["recall"] == 0.5


def test_two_averages_are_ambiguous(written: Path):
    metrics = read_metrics(str(written / "by class"))
    assert "auc@class_id:1" in metrics
    assert "auc" not in metrics


def test_outputs_are_named_before_slices(written: Path):
    metrics = read_metrics(str(written / "two outputs"))
    assert metrics == {
        "accuracy@output_name:even": 1.0,
        "accuracy@output_name:prime": 0.5,
        "accuracy@output_name:even,hour:5": 1.0,
        "accuracy@output_name:prime,hour:5": pytest.approx(1 / 3),
        "accuracy@output_name:even,hour:6": 1.0,
        "accuracy@output_name:prime,hour:6": 1.0,
    }


def test_the_candidate_needs_no_name_and_differences_are_left_out(written: Path):
    assert read_metrics(str(written / "baseline")) == {"accuracy": 0.75, "accuracy@model_name:before": 0.25}


def test_of_two_candidates_neither_is_the_one(written: Path):
    assert read_metrics(str(written / "two candidates")) == {
        "accuracy@model_name:trial": 0.75,
        "accuracy@model_name:before": 0.25,
    }


def test_what_old_versions_wrote_is_read(tmp_path: Path):
    write_record(
        tmp_path / "metrics",
        """
        metrics { key: "accuracy" value { double_value { value: 0.5 } } }
        metrics { key: "auc" value { bounded_value { lower_bound { value: 0.6 } value { value: 0.7 } } } }
        metrics { key: "loss" value { t_distribution_value { unsampled_value { value: 0.4 } } } }
        metrics { key: "note" value { bytes_value: "no number" } }
        """,
    )
    assert read_metrics(str(tmp_path)) == {"accuracy": 0.5, "auc": 0.7, "loss": 0.4}


def test_the_features_of_a_slice_stand_in_the_order_of_their_names(tmp_path: Path):
    write_record(
        tmp_path / "metrics.tfrecord",
        """
        slice_key {
          single_slice_keys { column: "hour-of-day" int64_value: 7 }
          single_slice_keys { column: "hour" bytes_value: "7" }
        }
        metrics { key: "accuracy" value { double_value { value: 1 } } }
        """,
    )
    assert list(read_metrics(str(tmp_path))) == ["accuracy@hour:7,hour-of-day:7"]


def test_a_directory_with_brackets_is_one_directory(copy: Callable[[str], Path]):
    evaluation = copy("baseline")
    evaluation.rename(evaluation.with_name("run1"))
    bracketed = evaluation.with_name("run[1]")
    bracketed.mkdir()
    with pytest.raises(EvaluationError, match="is no evaluation"):
        read_metrics(str(bracketed))
    shutil.copytree(evaluation.with_name("run1"), bracketed, dirs_exist_ok=True)
    shutil.rmtree(evaluation.with_name("run1"))
    assert read_metrics(str(bracketed))["accuracy"] == 0.75


def test_nothing_there_is_not_no_metrics(tmp_path: Path):
    with pytest.raises(EvaluationError, match=f"{tmp_path}/evaluation is missing"):
        read_metrics(str(tmp_path / "evaluation"))
    with pytest.raises(EvaluationError, match=r"expected a file metrics\*\.tfrecord in it, found none"):
        read_metrics(str(tmp_path))


def test_an_evaluation_without_examples_holds_no_metrics(written: Path):
    with pytest.raises(EvaluationError, match="nothing was evaluated"):
        read_metrics(str(written / "no examples"))


@pytest.mark.parametrize("left", [3, 8, 11, 12, 500, -1, -5])
def test_a_file_that_breaks_off_is_noticed(copy: Callable[[str], Path], left: int):
    evaluation = copy("sliced")
    file = metrics_file(evaluation)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(EvaluationError, match=f"{file} is cut off or damaged"):
        read_metrics(str(evaluation))


def test_the_start_of_another_record_is_noticed(copy: Callable[[str], Path]):
    evaluation = copy("sliced")
    with metrics_file(evaluation).open("ab") as file:
        file.write(b"\x20\0\0")
    with pytest.raises(EvaluationError, match="is cut off or damaged"):
        read_metrics(str(evaluation))


def test_a_flipped_bit_is_noticed(copy: Callable[[str], Path]):
    evaluation = copy("sliced")
    flip_bit(metrics_file(evaluation), 40)
    with pytest.raises(EvaluationError, match=f"{evaluation} is not loaded by TensorFlow: DataLossError"):
        read_metrics(str(evaluation))


def test_a_missing_shard_is_noticed(copy: Callable[[str], Path]):
    evaluation = copy("sliced")
    first = metrics_file(evaluation).rename(evaluation / "metrics-00000-of-00002.tfrecord")
    with pytest.raises(EvaluationError, match=r"metrics-00001-of-00002\.tfrecord is missing"):
        read_metrics(str(evaluation))
    shutil.copyfile(first, evaluation / "metrics-00001-of-00002.tfrecord")
    assert read_metrics(str(evaluation))["accuracy"] == 0.5


def test_a_fifo_does_not_block(copy: Callable[[str], Path]):
    evaluation = copy("sliced")
    file = metrics_file(evaluation)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(EvaluationError, match="is a FIFO, not a file"):
        read_metrics(str(evaluation))


@pytest.mark.parametrize("config", [None, "{", "[]", "{}", '{"evalConfig": {"modelSpecs": [1]}}'])
def test_without_its_config_nobody_knows_the_candidate(copy: Callable[[str], Path], config: str | None):
    evaluation = copy("baseline")
    (evaluation / "eval_config.json").unlink()
    if config is not None:
        (evaluation / "eval_config.json").write_text(config)
    with pytest.raises(EvaluationError, match=r"eval_config\.json is .*; which .* is the candidate\?"):
        read_metrics(str(evaluation))


def test_one_model_needs_no_config(copy: Callable[[str], Path]):
    evaluation = copy("sliced")
    (evaluation / "eval_config.json").unlink()
    assert read_metrics(str(evaluation))["accuracy"] == 0.5


def test_without_tensorflow_model_analysis_it_says_what_to_install(
    written: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorflow_model_analysis", None)
    with pytest.raises(EvaluationError, match=r"pip install 'tfx-janitor\[tfx\]'"):
        read_metrics(str(written / "sliced"))


def test_tensorflow_may_log_again_afterwards(written: Path, caplog: pytest.LogCaptureFixture):
    Threads().run("read", look.read_evaluation, [str(written / "sliced")] * 20)
    with caplog.at_level(logging.WARNING, "tensorflow"):
        logging.getLogger("tensorflow").addHandler(caplog.handler)
        logging.getLogger("tensorflow").warning("to be seen")
        logging.getLogger("tensorflow").removeHandler(caplog.handler)
    assert "to be seen" in caplog.messages


def test_many_threads_may_be_the_first_to_read_and_none_prints(written: Path):
    first = f"""
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Threads
answers = Threads(8).run("read", look.read_evaluation, [{str(written / "sliced")!r}] * 8)
print({{answer["accuracy"] for answer in answers}})
"""
    done = subprocess.run([sys.executable, "-c", first], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{0.5}\n", "")


def write_record(file: Path, metrics_for_slice: str) -> None:
    import tensorflow as tf
    from google.protobuf import text_format

    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(text_format.Parse(metrics_for_slice, tfma.MetricsForSlice()).SerializeToString())
