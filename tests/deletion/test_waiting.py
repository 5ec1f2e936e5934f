"""What waits for its purge: marks that stand, and since when."""

from __future__ import annotations

import pytest

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.restore import restore
from tfx_janitor.deletion.waiting import Waiting, next_due, waiting

RULES = [keep_models(last=1), prune_checkpoints(last=1)]


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def marked_ms(history: History, retrained: object) -> int:
    """When two models, and checkpoints in three runs, were marked for a week."""
    at = history.now_ms
    collect(history.site(now_ms=at), history.policy(rules=RULES, grace="7d"))
    return at


def test_artifacts_and_checkpoints_wait(history: History, marked_ms: int):
    assert waiting(history.store) == Waiting(marks=5, oldest_ms=marked_ms)


def test_what_was_taken_back_does_not(history: History, marked_ms: int, retrained: list[Retraining]):
    restore(history.site(), [made.model.id for made in retrained[:2]])
    assert waiting(history.store) == Waiting(marks=3, oldest_ms=marked_ms)


def test_nor_does_what_is_purged(history: History, marked_ms: int):
    collect(history.site(now_ms=history.later(days=8)), history.policy(rules=RULES, grace="7d"))
    assert waiting(history.store) == Waiting(marks=0, oldest_ms=None)


def test_the_oldest_is_told(history: History, marked_ms: int):
    history.pipeline().retrain(blessed=None, pushed=False)
    later = history.later(days=2)
    collect(history.site(now_ms=later), history.policy(rules=RULES, grace="7d"))
    assert waiting(history.store) == Waiting(marks=7, oldest_ms=marked_ms)


def test_marks_of_others_are_theirs(history: History, retrained: list[Retraining]):
    history.set_state(retrained[0].model, "MARKED_FOR_DELETION")
    assert waiting(history.store) == Waiting(marks=0, oldest_ms=None)


def test_the_next_that_is_due_is_told(history: History, marked_ms: int):
    week = 7 * 24 * 60 * 60 * 1000
    assert next_due(history.store, marked_ms) == (5, marked_ms + week)
    assert next_due(history.store, marked_ms + week) == (5, None)


def test_no_store_is_asked_by_state(history: History, marked_ms: int, monkeypatch: pytest.MonkeyPatch):
    # MLMD 1.21 answers a filter query with UnimplementedError.
    def by_state(*_: object) -> None:
        raise AssertionError("asked by state")

    monkeypatch.setattr(history.store, "get_artifacts", by_state)
    assert waiting(history.store).marks == 5
