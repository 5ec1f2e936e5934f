"""How neighbours on a lineage path are connected, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, Output
from tfx_janitor.deletion.pins import pin
from tfx_janitor.report.lineage_links import LineageLinks
from tfx_janitor.retention.plan import Step


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def told(history: History, *steps: Step) -> list[tuple[str, str]]:
    return [(link.by, link.words) for link in LineageLinks(history.snapshot()).path(steps)]


def test_events_by_their_role_and_key(history: History):
    made = history.pipeline().retrain()
    path: list[Step] = [
        ("artifact", made.examples.id),
        ("execution", made.training.execution),
        ("artifact", made.model.id),
    ]
    assert told(history, *path) == [("event", "input examples of"), ("event", "output model:")]
    assert told(history, *reversed(path)) == [("event", "output model of"), ("event", "input examples:")]


def test_what_a_resolver_found(history: History):
    model = history.pipeline().run().train().model
    resolver = history.pipeline("other").run().resolve(model)
    steps: list[Step] = [("artifact", model.id), ("execution", resolver)]
    assert told(history, *steps) == [("event", "internal output model of")]


def test_a_run_that_both_are_part_of(history: History):
    run = history.pipeline().run()
    trained, failed = run.train(), run.fail_training()
    other = history.pipeline().run("other").fail_training()
    one: Step = ("execution", trained.execution)
    assert told(history, one, ("execution", failed)) == [("run", "in the same run as")]
    assert told(history, one, ("execution", other))[0][0] == "nothing"


def test_a_property_that_names_the_other_by_id_or_uri(history: History):
    run = history.pipeline().run()
    model = run.train().model
    by_id = run.evaluate(model=model).blessing
    blessing = Output("ModelBlessing", {"blessed": 1, "current_model": model.uri})
    by_uri = run.execute("x.ModelValidator", outputs={"blessing": blessing})[1]["blessing"]
    step: Step = ("artifact", model.id)
    assert told(history, ("artifact", by_uri.id), step) == [("property", "its current_model is")]
    assert told(history, step, ("artifact", by_uri.id)) == [("property", "current_model of")]
    assert told(history, step, ("artifact", by_id.id))[0][1].startswith("current_model")


def test_a_place_that_both_claim(history: History):
    run = history.pipeline().run()
    outer = run.import_model(history.root / "model")
    inner = run.import_model(f"file://{history.root}/./model/inner/")
    elsewhere = run.import_model(history.root / "models")
    step: Step = ("artifact", outer.id)
    assert told(history, step, ("artifact", inner.id)) == [("place", "shares its place with")]
    assert told(history, step, ("artifact", elsewhere.id))[0][0] == "nothing"


def test_a_pin(history: History):
    model = history.pipeline().run().train().model
    held = pin(history.site(), model.id, "demo")
    assert told(history, ("artifact", model.id), ("context", held.context_id)) == [("pin", "held by")]


def test_what_nothing_connects_says_so(history: History):
    one, other = (history.pipeline(name).run().train() for name in ("one", "other"))
    step: Step = ("artifact", one.model.id)
    for stranger in (("execution", other.execution), ("execution", 4711), ("artifact", other.model.id)):
        assert told(history, step, stranger) == [("nothing", "not connected by anything in the store to")]
