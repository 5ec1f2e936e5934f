"""`best` by metrics that only stand in evaluations' payloads, which TensorFlow Model Analysis wrote."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import History, Made, Retraining, keep_model_runs, keep_models
from tests.evaluating import BINARY, metrics_file, write_evaluation
from tfx_janitor.retention.plan import Decision
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

pytestmark = pytest.mark.tfx

pytest.importorskip("tensorflow_model_analysis")

BY_HOUR = BINARY + 'slicing_specs { feature_keys: "hour" }'
PREDICTIONS = {  # of four positive examples, two of each hour: accuracy, and at five o'clock
    "first": [0.9, 0.9, 0.1, 0.1],  # 0.5, 1.0
    "second": [0.9, 0.1, 0.9, 0.9],  # 0.75, 0.5
    "third": [0.1, 0.1, 0.9, 0.1],  # 0.25, 0.0
}


@dataclass(frozen=True)
class Past:
    """Four runs; the last one, which is held as the newest, was evaluated like the third."""

    history: History
    first: Retraining
    second: Retraining
    third: Retraining
    last: Retraining

    def decisions(self, **best: object) -> dict[int, Decision]:
        """By artifact id, what a plan says of Models and ModelRuns of which the best one is kept."""
        wanted = {"metric": "accuracy", "count": 1, "mode": "max", **best}
        policy = self.history.policy(rules=[keep_models(best=wanted), keep_model_runs(best=wanted)])
        plan = make_plan(self.history.case(policy), Threads(2), metadata=self.history.url, created_ms=0)
        return {decision.artifact_id: decision for decision in plan.decisions}

    def deleted(self, **best: object) -> list[Made]:
        """The Models that such a plan deletes."""
        decisions = self.decisions(**best)
        models = (retraining.model for retraining in (self.first, self.second, self.third, self.last))
        return [model for model in models if decisions[model.id].verdict == "delete"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    root = tmp_path_factory.mktemp("evaluations")
    examples = {"label": [1, 1, 1, 1], "hour": [5, 5, 6, 6]}
    return {
        name: write_evaluation(root / name, {**examples, "prediction": predictions}, BY_HOUR)
        for name, predictions in PREDICTIONS.items()
    }


@pytest.fixture
def past(tmp_path: Path, written: Mapping[str, Path]) -> Past:
    history = History(tmp_path)
    pipeline = history.pipeline("inception")
    runs = [pipeline.retrain(pushed=False) for _ in range(4)]
    for run, name in zip(runs, [*PREDICTIONS, "third"], strict=True):
        shutil.rmtree(evaluation_of(run))
        shutil.copytree(written[name], evaluation_of(run))
    return Past(history, *runs)


def evaluation_of(run: Retraining) -> Path:
    assert run.evaluation is not None
    return run.evaluation.evaluation.path


def test_the_most_accurate_model_stays(past: Past):
    assert past.deleted() == [past.first.model, past.third.model]


def test_the_reason_tells_the_value_and_leads_to_the_evaluation(past: Past):
    decision = past.decisions()[past.second.model.id]
    (reason,) = (reason for reason in decision.reasons if reason.code == "keep.best")
    assert reason.detail == "accuracy 0.75, rank 1 of 4, the best is kept"
    evaluation = past.second.evaluation
    assert evaluation is not None
    assert reason.path == (
        ("artifact", past.second.model.id),
        ("execution", evaluation.execution),
        ("artifact", evaluation.evaluation.id),
    )


def test_a_model_that_goes_is_told_its_value(past: Past):
    decision = past.decisions()[past.first.model.id]
    assert [(reason.code, reason.detail) for reason in decision.reasons] == [
        ("expire.best", "accuracy 0.5, rank 2 of 4, keeps 1")
    ]


def test_a_model_run_counts_by_its_model(past: Past):
    decisions = past.decisions()
    runs = [past.first.model_run, past.second.model_run, past.third.model_run]
    assert [decisions[run.id].verdict for run in runs] == ["delete", "keep", "delete"]


def test_another_slice_has_another_best(past: Past):
    assert past.deleted(metric="accuracy@hour:5") == [past.second.model, past.third.model]


def test_of_equal_values_the_newer_is_better(past: Past):
    assert past.deleted(mode="min") == [past.first.model, past.second.model, past.third.model]


def test_a_model_whose_evaluation_is_damaged_may_be_the_best_and_stays(past: Past):
    file = metrics_file(evaluation_of(past.first))
    file.write_bytes(file.read_bytes()[:-1])
    decision = past.decisions()[past.first.model.id]
    assert decision.verdict == "unknown"
    assert any(str(file) in reason.detail for reason in decision.reasons)
    assert past.deleted() == [past.third.model]


def test_where_no_evaluation_can_be_read_nothing_goes(past: Past):
    for run in (past.first, past.second, past.third, past.last):
        shutil.rmtree(evaluation_of(run))
    assert past.deleted() == []
