"""What storage still says of the past: as if nothing had ever been deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.builders import History, keep_models
from tfx_janitor.rehearsal.replay import PastStorage
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.past import look_back


def looked_back(history: History) -> PastStorage:
    return look_back(history.case(history.policy(rules=[keep_models(last=1)])), Threads(2))


def test_what_is_deleted_has_a_place_and_what_is_still_there_a_size(tmp_path: Path) -> None:
    history = History(tmp_path)
    deleted, gone, there = (history.pipeline().retrain(pushed=False).model for _ in range(3))
    history.set_state(deleted, "DELETED")
    shutil.rmtree(gone.path)
    snapshot = history.snapshot()

    facts = looked_back(history).facts

    rows = [snapshot.row(model.id) for model in (deleted, gone, there)]
    assert all(row in facts.places for row in rows)
    assert [row in facts.bytes for row in rows] == [True, False, True]
    assert set(facts.bytes) <= set(snapshot.rows_of_type("Model"))  # no rule governs anything else


def test_destinations_that_no_longer_stand_are_told_apart(tmp_path: Path) -> None:
    history = History(tmp_path)
    removed, standing = (history.pipeline().retrain().push for _ in range(2))
    shutil.rmtree(removed.destination)
    snapshot = history.snapshot()

    storage = looked_back(history)

    assert list(storage.gone) == [snapshot.row(removed.pushed_model.id)]
    assert list(storage.facts.destinations) == [snapshot.row(standing.pushed_model.id)]
    (place,) = storage.gone.values()
    assert place.path == str(removed.destination)


def test_nothing_is_verified_for_it(tmp_path: Path) -> None:
    history = History(tmp_path)
    for _ in range(3):
        history.pipeline().retrain(pushed=False)
    asked: list[str] = []
    crew = Threads(2, lambda task, *_: asked.append(task))

    storage = look_back(history.case(history.policy(rules=[keep_models(last=1)])), crew)

    assert len(storage.facts.bytes) == 3
    assert set(asked) == {"measure"}
