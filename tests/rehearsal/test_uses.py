"""Who used an artifact: events, references that are none, and people."""

from __future__ import annotations

import pytest

from tests.builders import History, Made, Retraining
from tfx_janitor.deletion import pins
from tfx_janitor.deletion.act import Touch
from tfx_janitor.deletion.acts import begin
from tfx_janitor.rehearsal.uses import Use, Uses


@pytest.fixture
def trained(history: History) -> Retraining:
    return history.pipeline("inception").retrain(blessed=None, pushed=False)


def uses_of(history: History, artifact: Made) -> list[Use]:
    case = history.case(history.policy())
    row = case.snapshot.row(artifact.id)
    assert row is not None
    return Uses(case).of(row)


def test_who_made_it_did_not_use_it(history: History, trained: Retraining) -> None:
    assert uses_of(history, trained.model) == []
    assert [use.node for use in uses_of(history, trained.examples)] == ["Trainer"]


def test_the_janitors_own_acts_are_no_uses_but_a_pin_is(history: History, trained: Retraining) -> None:
    begin(history.site(), "apply", [Touch(trained.model.id, "mark")], {})
    pins.pin(history.site(), trained.model.id, "keep it for the audit")

    assert [use.how for use in uses_of(history, trained.model)] == ["pin"]


def test_an_execution_counts_once_told_by_the_most_direct_way(history: History, trained: Retraining) -> None:
    trained.run.evaluate()  # takes the model as input, and its blessing names the model by id
    trained.run.push()  # takes the model as input, and pushes it

    assert [(use.how, use.node) for use in uses_of(history, trained.model)] == [
        ("input", "Evaluator"),
        ("input", "Pusher"),
    ]


def test_uses_come_in_their_order_with_the_names_of_who_used_it(
    history: History, trained: Retraining
) -> None:
    later = history.pipeline("inception").run("later")
    execution = later.train_from_cache(trained.training)
    history.pipeline("scoring").run("nightly").consume(trained.model)

    first, second = uses_of(history, trained.model)

    assert (first.how, first.execution_id, first.run, first.node) == ("cache", execution, "later", "Trainer")
    assert (second.how, second.pipeline, second.run) == ("input", "scoring", "nightly")
    assert first.at_ms <= second.at_ms


def test_an_execution_in_no_context_has_no_names(history: History, trained: Retraining) -> None:
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    type_id = history.type_id("execution", "a.notebook")
    (execution,) = history.store.put_executions([mlmd.Execution(type_id=type_id)])
    event = mlmd.Event(artifact_id=trained.model.id, execution_id=execution, type=mlmd.Event.INPUT)
    history.store.put_events([event])

    (use,) = uses_of(history, trained.model)

    assert (use.execution_id, use.pipeline, use.run, use.node) == (execution, None, None, None)
