"""The page of a store tells what the store's own collections do."""

from __future__ import annotations

from pathlib import Path

from tests.builders import History, damage_saved_model, keep_model_runs, keep_models
from tfx_janitor.deletion.gc import collect
from tfx_janitor.payload.verification import Level
from tfx_janitor.report.page.overview import overview


def test_what_a_purge_took_back_for_damage_is_not_said_to_go(tmp_path: Path) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    older, _ = (pipeline.retrain(steps=(1, 2), blessed=None, pushed=False) for _ in range(2))
    damage_saved_model(older.model.path)
    policy = history.policy(rules=[keep_models(last=2), keep_model_runs(last=1)])
    assert [outcome.done for outcome in collect(history.site(), policy).outcomes] == ["marked", "rescued"]

    page = overview(history.site(), policy, "janitor.yaml", Level.STRUCTURE, replaying=False)

    (decision,) = (one for one in page.plan.decisions if one.artifact_id == older.model_run.id)
    assert (decision.verdict, decision.reasons[0].code) == ("keep", "hold.newest-checkpoint")
    assert [act.kind for act in page.acts] == ["apply", "rescue"]
