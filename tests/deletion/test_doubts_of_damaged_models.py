"""Damaged Models that the policy lets go: they go beside a whole one, and without one nothing goes round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.builders import History, Retraining, damage_saved_model, keep_model_runs, keep_models
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.gc import collect
from tfx_janitor.policy.schema import RetentionPolicy


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2), blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def policy(history: History) -> RetentionPolicy:
    return history.policy(rules=[keep_models(last=1), keep_model_runs(last=1)])


def gc(history: History, policy: RetentionPolicy) -> list[tuple[int, str]]:
    outcomes: Sequence[Outcome] = collect(history.site(), policy).outcomes
    return [(outcome.artifact_id, outcome.done) for outcome in outcomes]


def test_a_damaged_model_goes_beside_a_whole_one(
    history: History, runs: list[Retraining], policy: RetentionPolicy
):
    damage_saved_model(runs[0].model.path)
    assert {done for _, done in gc(history, policy)} == {"marked", "purged"}
    assert [run.model.path.exists() for run in runs] == [False, False, True]
    assert gc(history, policy) == []


def test_where_none_is_whole_their_model_runs_are_taken_back_once(
    history: History, runs: list[Retraining], policy: RetentionPolicy
):
    for run in runs:
        damage_saved_model(run.model.path)
    models, model_runs = [run.model.id for run in runs[:2]], [run.model_run.id for run in runs[:2]]
    first = gc(history, policy)
    assert sorted(first) == sorted(
        [(one, "marked") for one in (*models, *model_runs)]
        + [(model, "failed") for model in models]  # needed again, but not whole: it stays marked
        + [(model_run, "rescued") for model_run in model_runs]
    )
    # A night later, and one more, only the Models are told of, and nothing is begun.
    known = len(acts.read(history.store))
    for _ in range(2):
        assert gc(history, policy) == [(model, "failed") for model in models]
    assert len(acts.read(history.store)) == known

    history.pipeline().retrain(steps=(1, 2), blessed=None, pushed=False)
    gone = {artifact_id for artifact_id, done in gc(history, policy) if done == "purged"}
    assert gone >= {*models, *model_runs}
    assert gc(history, policy) == []
