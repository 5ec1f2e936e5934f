"""The janitor knows the run that it is part of, and what went wrong in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders import TRAINER
from tests.checkpoint_janitor.conftest import Past
from tfx_janitor.checkpoint_janitor import own_run
from tfx_janitor.checkpoint_janitor.own_run import OwnRun
from tfx_janitor.errors import JanitorError


def find(past: Past, execution: int | None = None) -> OwnRun:
    execution = past.execution if execution is None else execution
    return own_run.find(past.history.snapshot(), execution, pipeline="inception", node="CheckpointJanitor")


def test_a_run_that_went_well_has_no_troubles(past: Callable[[int], Past]):
    made = past(2)
    execution = made.start_janitor()
    assert find(made) == OwnRun(execution, "inception", "inception-run-2", ())


def test_a_failed_node_is_a_trouble(past: Callable[[int], Past]):
    made = past(2)
    failed = made.retrainings[-1].run.fail_training()
    made.start_janitor()
    assert find(made).troubles == (f"Trainer is FAILED (execution {failed})",)


@pytest.mark.parametrize("state", ["CANCELED", "UNKNOWN"])
def test_a_node_without_success_is_a_trouble(past: Callable[[int], Past], state: str):
    made = past(1)
    made.retrainings[-1].run.execute(TRAINER, node="Tuner", state=state)
    made.start_janitor()
    (trouble,) = find(made).troubles
    assert trouble.startswith(f"Tuner is {state}")


def test_a_node_that_was_tried_again_and_succeeded_is_none(past: Callable[[int], Past]):
    made = past(1)
    run = made.retrainings[-1].run
    run.execute(TRAINER, node="Tuner", state="FAILED")
    run.execute(TRAINER, node="Tuner", state="COMPLETE")
    made.start_janitor()
    assert find(made).troubles == ()


def test_neither_is_a_cached_one_or_another_branch_under_way(past: Callable[[int], Past]):
    made = past(1)
    run = made.retrainings[-1].run
    run.train_from_cache(made.retrainings[0].training)
    run.start_training()
    made.start_janitor()
    assert find(made).troubles == ()


def test_neither_is_a_failure_in_an_earlier_run_or_in_another_pipeline(past: Callable[[int], Past]):
    made = past(2)
    made.retrainings[0].run.fail_training()
    made.history.pipeline("other").run().fail_training()
    made.start_janitor()
    assert find(made).troubles == ()


def test_a_store_that_does_not_know_the_janitor_is_not_its_own(past: Callable[[int], Past]):
    made = past(1)
    made.start_janitor()
    trainer = made.retrainings[0].training.execution
    for execution, found in (
        (4711, "none of that id"),
        (trainer, "one of node Trainer in pipeline inception"),
    ):
        with pytest.raises(JanitorError, match=f"found {found}.*same metadata_connection_config"):
            find(made, execution)
    made.history.end(made.execution)
    with pytest.raises(JanitorError, match="which is COMPLETE"):
        find(made)


@pytest.mark.parametrize("claim", [{"pipeline": "other"}, {"node": "Trainer"}])
def test_what_the_orchestrator_says_must_agree(past: Callable[[int], Past], claim: dict[str, str]):
    made = past(1)
    made.start_janitor()
    says = {"pipeline": "inception", "node": "CheckpointJanitor", **claim}
    with pytest.raises(JanitorError, match="expected the metadata store to have"):
        own_run.find(made.history.snapshot(), made.execution, **says)


def test_an_orchestrator_that_says_nothing_is_believed(past: Callable[[int], Past]):
    made = past(1)
    made.start_janitor()
    assert (
        own_run.find(made.history.snapshot(), made.execution, pipeline=None, node=None).pipeline
        == "inception"
    )
