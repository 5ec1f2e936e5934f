"""The snapshot says what MLMD says, and who made what."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.builders import TRAINER, History, Output
from tfx_janitor.deletion import pins
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, ArtifactState, ExecutionState


def test_artifacts_belong_to_their_producer_not_to_their_consumers(tmp_path: Path) -> None:
    history = History(tmp_path)
    maker = history.pipeline("maker").retrain(pushed=False)
    user = history.pipeline("user").run()
    user.consume(maker.model)  # attributes the model to the contexts of the user as well

    snapshot = history.snapshot()
    row = snapshot.row(maker.model.id)

    assert row is not None
    assert snapshot.pipeline_of(row) == "maker"
    assert snapshot.node_of(row) == "Trainer"
    assert snapshot.output_of(row) == "model"
    assert snapshot.run_of(row) == maker.run.name


def test_dots_in_names_of_pipelines_and_nodes_are_told_apart(tmp_path: Path) -> None:
    history = History(tmp_path)
    short = history.pipeline("a").run()
    short.execute("x.Trainer", node="b.c")
    long = history.pipeline("a.b").run()
    long.execute("x.Trainer", node="c")

    executions = history.snapshot().executions
    named = [
        (executions.pipeline_names[p], executions.node_names[n])
        for p, n in zip(executions.pipeline, executions.node, strict=True)
    ]

    assert named == [("a", "b.c"), ("a.b", "c")]


def test_a_cache_hit_does_not_change_the_producer(tmp_path: Path) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    trained = pipeline.run().train()
    pipeline.run().train_from_cache(trained)

    snapshot = history.snapshot()
    row = snapshot.row(trained.model.id)
    assert row is not None
    assert snapshot.executions.id[snapshot.producer[row]] == trained.execution
    assert len(snapshot.executions_of(row, OUTPUTS)) == 2


def test_an_artifact_without_complete_producer_has_none(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.pipeline().run()
    _, made = run.execute(TRAINER, outputs={"model": Output("Model")}, state="FAILED")
    snapshot = history.snapshot()
    row = snapshot.row(made["model"].id)
    assert row is not None
    assert snapshot.producer[row] == -1
    assert snapshot.pipeline_of(row) is None


def test_states_properties_and_events_come_through(tmp_path: Path) -> None:
    history = History(tmp_path)
    retrained = history.pipeline().retrain()
    history.set_state(retrained.model, "MARKED_FOR_DELETION")

    snapshot = history.snapshot()
    model, blessing = snapshot.row(retrained.model.id), snapshot.row(retrained.blessing.id)
    assert model is not None
    assert blessing is not None
    assert snapshot.artifacts.state[model] == ArtifactState.MARKED_FOR_DELETION
    assert snapshot.property(blessing, "current_model_id") == retrained.model.id
    assert snapshot.property(model, "no such property") is None
    assert snapshot.properties_of(model) == {"tfx_version": "1.16.0", "is_external": 0}
    assert len(snapshot.executions_of(model, INPUTS)) == 2  # Evaluator and Pusher
    assert set(snapshot.executions.state) == {ExecutionState.COMPLETE}


def test_chunks_do_not_show(tmp_path: Path, monkeypatch) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain()
    whole = history.snapshot()
    monkeypatch.setattr(read_api, "_CHUNK", 2)
    pieces = history.snapshot()

    assert pieces.artifacts.uri == whole.artifacts.uri
    assert np.array_equal(pieces.producer, whole.producer)
    assert len(pieces.events) == len(whole.events)


def test_an_empty_store_is_an_empty_snapshot(tmp_path: Path) -> None:
    snapshot = History(tmp_path).snapshot()
    assert len(snapshot.artifacts) == len(snapshot.executions) == len(snapshot.events) == 0
    assert len(snapshot.producer) == 0


def test_an_execution_that_appears_while_reading_is_still_seen(tmp_path: Path, monkeypatch) -> None:
    history = History(tmp_path)
    pipeline = history.pipeline()
    model = pipeline.retrain().model
    started: list[int] = []
    read_events = history.store.get_events_by_artifact_ids

    def late(ids: list[int]) -> object:
        started.append(pipeline.run("late").consume(model, state="RUNNING"))
        return read_events(ids)

    monkeypatch.setattr(history.store, "get_events_by_artifact_ids", late)
    snapshot = history.snapshot()

    row = snapshot.execution_row(started[0])
    assert row is not None
    assert snapshot.executions.state[row] == ExecutionState.RUNNING
    artifact = snapshot.row(model.id)
    assert artifact is not None
    assert row in snapshot.executions_of(artifact, INPUTS)
    # What else its run uses is held only if the run is known.
    assert snapshot.executions.run_names[snapshot.executions.run[row]] == "late"


def test_a_pin_that_lost_its_properties_holds_all_the_same(tmp_path: Path) -> None:
    history = History(tmp_path)
    model = history.pipeline().run().train().model
    pin = pins.pin(history.site(), model.id, "audit")
    (context,) = history.store.get_contexts_by_id([pin.context_id])
    context.ClearField("custom_properties")
    history.store.put_contexts([context])
    (read,) = read_api.read_pins(history.store)
    assert (read.artifact_id, read.context_id, read.released_ms) == (model.id, pin.context_id, None)
    assert read.stands(history.later(days=1))
