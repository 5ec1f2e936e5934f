"""Whose an artifact is, and what came of the same execution; `test_read_api.py` reads it from real stores."""

from __future__ import annotations

from tests.retention.pure_histories import CACHED, FAILED, FIRST_ARTIFACT, RUNNING, PureHistory
from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, EventKind


def test_an_artifact_belongs_to_the_first_execution_that_completed_with_it_as_output():
    past = PureHistory()
    model = past.artifact("Model")
    past.run("failed", pipeline="nobody").execute("Tuner", state=FAILED, outputs={"tuned": model})
    past.run("cut off", pipeline="nobody").execute("Tuner", state=RUNNING, outputs={"tuned": model})
    owner = past.run("first", pipeline="owner").execute("Trainer")
    past.run("hit", pipeline="owner").execute("Trainer", state=CACHED, outputs={"again": model})
    past.run("import", pipeline="other").execute("Importer", outputs={"result": model})
    past.link(owner, EventKind.OUTPUT, {"model": model})  # no order of events says who was first
    snapshot = past.snapshot()
    assert (snapshot.pipeline_of(0), snapshot.run_of(0)) == ("owner", "first")
    assert (snapshot.node_of(0), snapshot.output_of(0)) == ("Trainer", "model")


def test_what_is_only_taken_or_found_belongs_to_nobody():
    past = PureHistory()
    model = past.artifact("Model")
    past.run().execute("BulkInferrer", inputs={"model": model})
    past.link(past.run().execute("Resolver"), EventKind.INTERNAL_OUTPUT, {"model": model})
    snapshot = past.snapshot()
    assert (snapshot.pipeline_of(0), snapshot.node_of(0), snapshot.output_of(0)) == (None, None, None)
    assert snapshot.siblings(0, "Model") == []


def test_siblings_came_of_the_same_execution_and_were_not_only_used_again_by_it():
    past = PureHistory()
    old, model, run, twin = (past.artifact(type) for type in ("Model", "Model", "ModelRun", "Model"))
    past.execution("Trainer", outputs=[old])
    past.execution("Trainer", outputs=[old, model, run, twin])
    snapshot = past.snapshot()
    rows = {
        name: number - FIRST_ARTIFACT for name, number in (("model", model), ("run", run), ("twin", twin))
    }
    assert snapshot.siblings(rows["model"], "Model") == [rows["twin"]]
    assert snapshot.siblings(rows["run"], "Model") == [rows["model"], rows["twin"]]
    assert snapshot.siblings(rows["run"], "ModelRun") == []
    assert snapshot.siblings(old - FIRST_ARTIFACT, "Model") == []


def test_events_keep_their_order_however_many_there_are():
    past = PureHistory()
    artifacts = [past.artifact("Examples") for _ in range(100)]
    one, other = past.execution("Trainer"), past.execution("Tuner")
    for artifact in reversed(artifacts):
        past.link(one, EventKind.INPUT, [artifact])
        past.link(other, EventKind.OUTPUT, [artifact])
    snapshot = past.snapshot()
    rows = [artifact - FIRST_ARTIFACT for artifact in artifacts]
    assert snapshot.artifacts_of(0, INPUTS) == snapshot.artifacts_of(1, OUTPUTS) == rows[::-1]
    assert snapshot.executions_of(rows[0], (*INPUTS, *OUTPUTS)) == [0, 1]
