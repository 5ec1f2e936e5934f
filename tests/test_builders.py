"""The builder makes what TFX makes, as the rest of the tests rely on it."""

from __future__ import annotations

from pathlib import Path

from tests.builders import (
    History,
    damage_checkpoint,
    damage_saved_model,
    keep_models,
    prune_checkpoints,
    write_checkpoints,
    write_saved_model,
)
from tfx_janitor.payload import checkpoints, saved_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.survey import make_plan


def test_a_retraining_has_the_lineage_that_tfx_writes(tmp_path: Path):
    history = History(tmp_path)
    made = history.pipeline("inception").retrain()
    snapshot = history.snapshot()
    row = snapshot.row(made.model.id)
    assert row is not None
    owner = (snapshot.pipeline_of(row), snapshot.node_of(row), snapshot.output_of(row), snapshot.run_of(row))
    assert owner == ("inception", "Trainer", "model", "inception-run-1")
    assert snapshot.siblings(row, "ModelRun") == [snapshot.row(made.model_run.id)]
    assert snapshot.property(row, "is_external") == 0
    blessing = snapshot.row(made.blessing.id)
    assert blessing is not None and snapshot.property(blessing, "current_model_id") == made.model.id
    assert made.model.uri == f"{history.root}/inception/Trainer/model/{made.training.execution}"


def test_payloads_are_whole_until_they_are_damaged(tmp_path: Path):
    model = write_saved_model(tmp_path / "model")
    run = write_checkpoints(tmp_path / "run", (1, 2))

    def whole() -> list[bool]:
        found = checkpoints.read_directory(str(run))
        return [
            saved_model.verify(str(model), Level.CHECKSUMS).whole,
            *(checkpoints.verify(str(run), c, Level.CHECKSUMS).whole for c in found.checkpoints),
        ]

    assert whole() == [True, True, True]
    damage_saved_model(model)
    damage_checkpoint(run, "ckpt-2")
    assert whole() == [False, True, False]


def test_a_policy_decides_over_the_whole_of_it(tmp_path: Path):
    history = History(tmp_path)
    pipeline = history.pipeline()
    first, second, third = (pipeline.retrain(pushed=False) for _ in range(3))
    case = history.case(history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)]))
    plan = make_plan(case, history.site().crew, metadata=history.url, created_ms=0)
    verdicts = {decision.artifact_id: decision.verdict for decision in plan.decisions}
    assert [verdicts[made.model.id] for made in (first, second, third)] == ["delete", "delete", "keep"]


def test_an_artifact_can_be_made_older(tmp_path: Path):
    history = History(tmp_path)
    model = history.pipeline().run().train().model
    before = history.row(model).create_time_since_epoch
    history.backdate(model, days=30)
    assert history.row(model).create_time_since_epoch == before - 30 * 86_400_000


def test_what_is_in_flight_has_directories_and_no_artifacts(tmp_path: Path):
    history = History(tmp_path)
    run = history.pipeline().run()
    execution = run.start_training(steps=(100,))
    assert (run.pipeline.root / "Trainer" / "model_run" / str(execution) / "ckpt-100.index").exists()
    assert not history.store.get_artifacts()
    history.end(execution)
    assert history.store.get_executions_by_id([execution])[0].last_known_state == 3
