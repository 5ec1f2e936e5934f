"""What names another without an event: ids, URIs, and paths inside a component's parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import IMPORTER, History, Made, Output
from tfx_janitor.lineage.walk import Edge
from tfx_janitor.report.lineage_references import Claims


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def references(history: History) -> list[tuple[int, int, str]]:
    """Triples of the earlier id, the later id, and the property."""
    found = Claims(history.snapshot()).references()
    return [(edge.origin[1], edge.target[1], edge.name) for edge in found]


def mentioned(history: History, execution: int, **parameters: str | int) -> list[tuple[int, str]]:
    """Pairs of an artifact's id and the parameter that names it."""
    found = list(Claims(history.snapshot()).mentions(execution, parameters))
    assert all(edge.target == edge.holder == ("execution", execution) for edge in found)
    return [(edge.origin[1], edge.name) for edge in found]


def thing(history: History, **properties: str | int) -> Made:
    run = history.pipeline("things").run()
    return run.execute("x.Maker", outputs={"thing": Output("Thing", properties)})[1]["thing"]


def test_a_blessing_by_the_ids_of_what_it_judged_and_compared(history: History):
    first = history.pipeline().retrain(blessed=None, pushed=False).model
    run = history.pipeline().run()
    model = run.train().model
    blessing = run.evaluate(baseline=first).blessing
    assert sorted(references(history)) == [
        (first.id, blessing.id, "baseline_model_id"),
        (model.id, blessing.id, "current_model_id"),
    ]


def test_an_old_blessing_by_the_uri_however_it_is_spelled(history: History):
    model = history.pipeline().run().train().model
    blessing = thing(history, current_model=f"file://{model.uri}/./")
    assert references(history) == [(model.id, blessing.id, "current_model")]


def test_a_number_that_may_be_anything_names_nothing(history: History):
    thing(history)
    thing(history, trial_id=1, seed=1, owner="/")
    assert references(history) == []


def test_where_something_is_served_leads_to_who_imported_it_from_there(history: History):
    made = history.pipeline().retrain(blessed=None)
    imported = history.pipeline("other").run().import_model(made.push.destination)
    pushed = made.push.pushed_model.id
    found = list(Claims(history.snapshot()).references())
    expected = Edge(("artifact", pushed), ("artifact", imported.id), "pushed_destination")
    assert [(e.origin, e.target, e.name) for e in found] == [
        (expected.origin, expected.target, expected.name)
    ]
    assert found[0].holder == ("artifact", pushed)


def test_a_parameter_by_a_path_inside_a_payload(history: History):
    run = history.pipeline().run()
    model = run.train().model
    execution, _ = run.execute(IMPORTER)
    assert mentioned(history, execution, artifact_uri=model.uri) == [(model.id, "artifact_uri")]
    inside = json.dumps({"start_from": f"{model.uri}/Format-Serving", "steps": 10})
    assert mentioned(history, execution, custom_config=inside) == [(model.id, "custom_config")]
    assert mentioned(history, execution, custom_config=inside.replace(model.uri, f"{model.uri}0")) == []
    assert mentioned(history, execution, span=3, module_file="/home/ann/module.py", url="gs://b/c") == []


def test_what_an_event_tells_already_is_told_once(history: History):
    run = history.pipeline().run()
    training = run.train()
    assert mentioned(history, training.execution, out=training.model.uri) == []


def test_of_nested_payloads_the_inner_one(history: History):
    run = history.pipeline().run()
    outer = run.import_model(history.home / "outside")
    inner = run.import_model(history.home / "outside" / "inner")
    execution, _ = run.execute("x.Reader")
    assert mentioned(history, execution, a=f"{inner.uri}/x") == [(inner.id, "a")]
    assert mentioned(history, execution, a=f"{outer.uri}/x") == [(outer.id, "a")]
