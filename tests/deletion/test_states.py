"""State changes are compare-and-set, touch nothing else, and one loser does not stop the others."""

from __future__ import annotations

from tests.builders import History
from tfx_janitor.deletion import states
from tfx_janitor.deletion.states import transition
from tfx_janitor.lineage.snapshot import ArtifactState

LIVE, MARKED = ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION


def test_each_artifact_is_answered(history: History) -> None:
    run = history.pipeline().run()
    one, two, three = (run.train().model for _ in range(3))
    history.set_state(two, "DELETED")
    stale = history.row(three).last_update_time_since_epoch - 1
    answers = transition(
        history.store, {one.id: None, two.id: None, three.id: stale, 99: None}, source=LIVE, target=MARKED
    )
    assert answers == {
        one.id: None,
        two.id: "expected state LIVE, found DELETED",
        three.id: "it changed since it was decided",
        99: "it is not in the store",
    }
    assert history.states(one, two, three) == ["MARKED_FOR_DELETION", "DELETED", "LIVE"]


def test_a_race_lost_between_reading_and_writing_is_noticed(history: History, monkeypatch) -> None:
    run = history.pipeline().run()
    one, two = run.train().model, run.train().model
    original = states._compare_and_set
    raced: list[int] = []

    def race(store, rows, target) -> None:
        if not raced:
            raced.append(two.id)
            history.set_property(two, "meanwhile", "another writer")
        original(store, rows, target)

    monkeypatch.setattr(states, "_compare_and_set", race)
    answers = transition(history.store, {one.id: None, two.id: None}, source=LIVE, target=MARKED)
    assert answers == {one.id: None, two.id: "it changed since it was decided"}
    assert history.states(one, two) == ["MARKED_FOR_DELETION", "LIVE"]
    assert history.row(two).custom_properties["meanwhile"].string_value == "another writer"


def test_many_go_in_batches(history: History, monkeypatch) -> None:
    monkeypatch.setattr(states, "_BATCH", 2)
    run = history.pipeline().run()
    models = [run.train(steps=()).model for _ in range(5)]
    answers = transition(history.store, {model.id: None for model in models}, source=LIVE, target=MARKED)
    assert set(answers.values()) == {None}
    assert set(history.states(*models)) == {"MARKED_FOR_DELETION"}
