"""What led to a model that was pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import PUSHER, History, Made, Output
from tfx_janitor.lineage.origin import Origin, Origins


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def origin(history: History, artifact: Made) -> dict[str, list[int]]:
    snapshot = history.snapshot()
    row = snapshot.row(artifact.id)
    assert row is not None
    found = Origins(snapshot).of(row)
    assert isinstance(found, Origin)
    ids = snapshot.artifacts.id
    return {
        name: [int(ids[one]) for one in getattr(found, name)] for name in ("models", "blessings", "examples")
    }


def test_a_push_by_its_model_its_data_and_the_blessing_that_it_was_given(history: History):
    pipeline = history.pipeline()
    pipeline.retrain()
    made = pipeline.retrain()
    expected = {"models": [made.model.id], "blessings": [made.blessing.id], "examples": [made.examples.id]}
    assert origin(history, made.push.pushed_model) == expected
    assert origin(history, made.model) == expected


def test_a_push_by_way_of_an_infra_blessing(history: History):
    run = history.pipeline().run()
    examples, model = run.ingest(), run.train().model
    pushed = run.push(infra_blessing=run.infra_validate()).pushed_model
    assert origin(history, pushed) == {"models": [model.id], "blessings": [], "examples": [examples.id]}


def test_not_the_baseline_and_not_the_data_of_the_model_that_it_started_from(history: History):
    pipeline = history.pipeline()
    first = pipeline.retrain()
    run = pipeline.run()
    examples, model = run.ingest(span=7), run.train(warm_start=first.model).model
    blessing = run.evaluate(model=model, baseline=first.model).blessing
    pushed = run.push().pushed_model
    expected = {"models": [model.id], "blessings": [blessing.id], "examples": [examples.id]}
    assert origin(history, pushed) == expected


def test_data_as_it_came_in_and_not_as_a_transform_left_it(history: History):
    run = history.pipeline().run()
    examples = run.ingest(span=3)
    outputs = {"transformed_examples": Output("Examples"), "transform_graph": Output("TransformGraph")}
    run.execute("x.Transform", inputs={"examples": [examples]}, outputs=outputs)
    assert origin(history, run.train().model)["examples"] == [examples.id]


def test_what_was_put_back_by_what_it_was_before(history: History):
    run = history.pipeline()
    made = run.retrain()
    again = Output("PushedModel", {"pushed": 1, "pushed_destination": "/srv/x/2", "put_back_version": 1})
    _, outputs = run.run().execute(
        PUSHER, inputs={"put back": [made.push.pushed_model]}, outputs={"pushed_model": again}
    )
    assert origin(history, outputs["pushed_model"])["models"] == [made.model.id]


def test_other_artifacts_have_none(history: History):
    made = history.pipeline().retrain()
    snapshot = history.snapshot()
    row = snapshot.row(made.examples.id)
    assert row is not None and Origins(snapshot).of(row) is None
