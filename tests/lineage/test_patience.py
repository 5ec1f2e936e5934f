"""A store that others write to is waited for, for a while; a write that went unanswered is made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore, errors
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History
from tests.busy_store import held, impatient, unanswered
from tfx_janitor import effects
from tfx_janitor.deletion import acts, pins
from tfx_janitor.deletion import history as told
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.effects import Effect
from tfx_janitor.lineage import patience
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.survey.crew import Threads

LIVE, MARKED, DELETED = ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def store(history: History) -> MetadataStore:
    return open_url(history.url, readonly=False)[0]


@pytest.fixture
def site(history: History, store: MetadataStore) -> Site:
    return Site(store, history.url, "tester@here", history.now_ms, Threads(2))


def test_it_waits_until_another_process_lets_go(history: History, store: MetadataStore) -> None:
    attempts: list[str] = []
    with held(history.database) as let_go:

        def watcher(effect: Effect, change: Callable[[], Any]) -> Any:
            attempts.append(effect.subject)
            if len(attempts) == 2:
                let_go()
            return change()

        with effects.watched(watcher):
            made = store.put_execution_type(mlmd.ExecutionType(name="another"))
    assert attempts == ["PutExecutionType"] * 2
    assert made == history.store.get_execution_type("another").id


def test_its_patience_ends(history: History, store: MetadataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    with held(history.database), pytest.raises(errors.AbortedError):
        store.put_execution_type(mlmd.ExecutionType(name="another"))
    with pytest.raises(errors.NotFoundError):
        store.get_execution_type("another")


@pytest.mark.parametrize(("noticeable", "told"), [(0.0, 1), (60.0, 0)])
def test_that_it_waits_is_told_once_where_it_is_noticeable(
    store: MetadataStore, monkeypatch: pytest.MonkeyPatch, caplog, noticeable: float, told: int
) -> None:
    monkeypatch.setattr(patience, "_NOTICEABLE", noticeable)
    call = "PutExecutionType"
    with effects.watched(unanswered(call, call, call, carried_out=False)):
        store.put_execution_type(mlmd.ExecutionType(name="another"))
    messages = [record.message for record in caplog.records if record.name == patience.__name__]
    assert messages == ["the metadata store is busy: waiting for it, for a minute at most"] * told


def test_a_server_that_does_not_answer_is_asked_again(store: MetadataStore) -> None:
    with effects.watched(unanswered("PutExecutionType", carried_out=False)):
        assert store.put_execution_type(mlmd.ExecutionType(name="another")) > 0


def test_a_state_that_was_set_without_an_answer_is_set(history: History, store: MetadataStore) -> None:
    run = history.pipeline().run()
    models = [run.train(steps=()).model for _ in range(3)]
    with effects.watched(unanswered("PutArtifacts")):
        answers = transition(store, {model.id: None for model in models}, source=LIVE, target=MARKED)
    assert answers == {model.id: None for model in models}
    assert set(history.states(*models)) == {"MARKED_FOR_DELETION"}


def test_what_another_changed_while_nobody_answered_is_his(history: History, store: MetadataStore) -> None:
    run = history.pipeline().run()
    one, two = run.train(steps=()).model, run.train(steps=()).model
    with effects.watched(unanswered("PutArtifacts", before=lambda: history.set_state(two, "LIVE"))):
        answers = transition(store, {one.id: None, two.id: None}, source=LIVE, target=MARKED)
    assert answers == {one.id: None, two.id: "it changed since it was decided"}
    assert history.states(one, two) == ["MARKED_FOR_DELETION", "LIVE"]


def test_what_another_set_before_a_write_that_came_to_nothing_is_his(
    history: History, store: MetadataStore
) -> None:
    # Each artifact is deleted once: a write is one transaction, and the other row shows that it was not made.
    run = history.pipeline().run()
    one, two = run.train(steps=()).model, run.train(steps=()).model
    for model in (one, two):
        history.set_state(model, "MARKED_FOR_DELETION")
    watcher = unanswered("PutArtifacts", before=lambda: history.set_state(two, "DELETED"), carried_out=False)
    with effects.watched(watcher):
        answers = transition(store, {one.id: None, two.id: None}, source=MARKED, target=DELETED)
    assert answers == {one.id: None, two.id: "it changed since it was decided"}


def test_a_lost_race_is_lost_however_often_it_is_run(history: History, store: MetadataStore) -> None:
    model = history.pipeline().run().train(steps=()).model
    watcher = unanswered(
        "PutArtifacts", before=lambda: history.set_property(model, "a", 1), carried_out=False
    )
    with effects.watched(watcher):
        answers = transition(store, {model.id: None}, source=LIVE, target=MARKED)
    assert answers == {model.id: "it changed since it was decided"}
    assert history.state(model) == "LIVE"


def test_an_act_is_begun_and_ended_once(history: History, site: Site) -> None:
    model = history.pipeline().run().train(steps=()).model
    with effects.watched(unanswered("PutExecutionType", "PutLineageSubgraph", "PutExecutions")):
        act = acts.begin(site, "purge", [Touch(model.id, "purge")], {"plan_ids": []})
        acts.end(site, act, [Outcome(model.id, "purged")])
    (read,) = acts.read(history.store)
    assert (read.id, read.ended, read.outcomes) == (act, True, (Outcome(model.id, "purged"),))
    assert read.touches == (Touch(model.id, "purge"),)
    acts.end(site, acts.begin(site, "rescue", [], {}), [])
    assert told.verify(history.store).findings == ()


def test_a_pin_is_set_and_released_once(history: History, site: Site) -> None:
    model = history.pipeline().run().train(steps=()).model
    with effects.watched(unanswered("PutContextType", "PutContexts", "PutAttributionsAndAssociations")):
        pinned = pins.pin(site, model.id, "shown to a customer")
    assert pins.standing(site) == [pinned]
    with effects.watched(unanswered("PutContexts", "PutLineageSubgraph")):
        pins.unpin(site, model.id)
    assert pins.standing(site) == []
    assert told.verify(history.store).findings == ()
