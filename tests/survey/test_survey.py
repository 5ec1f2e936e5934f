"""Storage is asked for what the answer depends on, with what was found out before."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.builders import History, keep_model_runs, keep_models
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import judge


def test_a_model_that_stays_because_it_cannot_be_measured_is_verified_for_its_checkpoints(
    tmp_path: Path,
) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    old, _ = pipeline.run().train(), pipeline.run().train()
    shutil.rmtree(old.model.path)
    policy = history.policy(rules=[keep_models(last=1), keep_model_runs(last=1)])

    settlement = judge(history.case(policy), Threads(2), Level.STRUCTURE)

    snapshot = settlement.nomination.case.snapshot
    model, model_run = snapshot.row(old.model.id), snapshot.row(old.model_run.id)
    assert model is not None and model_run is not None
    assert [reason.code for reason in settlement.holds_on(model)] == ["unknown.payload"]
    (hold,) = settlement.holds_on(model_run)
    assert hold.code == "hold.newest-checkpoint"
    assert "no SavedModel lies at" in hold.detail
