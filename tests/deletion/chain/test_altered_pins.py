"""Pins that are not as their acts tell, and acts of pinning that are not as they were written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History, Retraining
from tests.deletion.chain.tampering import found, only, remove_acts, rewrite, without_hashes, write_sql
from tfx_janitor.deletion import acts, pins
from tfx_janitor.deletion.act import Touch
from tfx_janitor.deletion.history import verify
from tfx_janitor.lineage.read_api import PIN_CONTEXT_TYPE


def _alter_pin(history: History, alter: Callable[[Any], object]) -> None:
    (context,) = history.store.get_contexts_by_type(PIN_CONTEXT_TYPE)
    alter(context)
    history.store.put_contexts([context])


def _end_at(context: Any) -> None:
    context.custom_properties["until_ms"].int_value = 1


def _reword(context: Any) -> None:
    context.custom_properties["reason"].string_value = "none"


def _move(context: Any) -> None:
    context.custom_properties["artifact_id"].int_value = 1


def _empty(context: Any) -> None:
    context.custom_properties.clear()


@pytest.fixture
def pinned(history: History, runs: list[Retraining]) -> int:
    """A pin that stands; the id of its act."""
    pins.pin(history.site(), runs[2].model.id, "demo", history.later(days=30))
    return acts.read(history.store)[0].id


@pytest.mark.parametrize("alter", [_end_at, _reword, _move, _empty])
def test_an_altered_pin_is_found(history: History, pinned: int, alter: Callable[[Any], object]):
    assert verify(history.store).findings == ()
    _alter_pin(history, alter)
    assert set(found(verify(history.store))) == {("altered-pin", pinned)}


def test_a_removed_pin_is_found(history: History, pinned: int):
    write_sql(history, "DELETE FROM Context WHERE name LIKE 'artifact-%-act-%'")
    assert found(verify(history.store)) == [("removed-pin", pinned)]


def test_a_pin_that_no_act_set_is_found(history: History, pinned: int):
    type_id = history.store.get_context_type(PIN_CONTEXT_TYPE).id
    history.store.put_contexts([mlmd.Context(type_id=type_id, name="somebody's")])
    assert found(verify(history.store)) == [("unknown-pin", None)]


def test_the_pin_of_a_removed_act_is_found(history: History, pinned: int):
    remove_acts(history, *acts.read(history.store))
    assert found(verify(history.store)) == [("unknown-pin", pinned)]


def test_a_release_by_no_act_is_found(history: History, pinned: int):
    def release(context: Any) -> None:
        context.custom_properties["released_ms"].int_value = 7

    _alter_pin(history, release)
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-pin", pinned)
    assert "by no act" in finding.detail


def test_a_release_that_was_taken_back_is_found(history: History, pinned: int, runs: list[Retraining]):
    pins.unpin(history.site(), runs[2].model.id)

    def stand_again(context: Any) -> None:
        del context.custom_properties["released_ms"]

    _alter_pin(history, stand_again)
    finding = only(verify(history.store))
    assert (finding.kind, finding.act_id) == ("altered-pin", acts.read(history.store)[-1].id)


def test_a_release_at_another_time_is_found(history: History, pinned: int, runs: list[Retraining]):
    pins.unpin(history.site(), runs[2].model.id)

    def release_sooner(context: Any) -> None:
        context.custom_properties["released_ms"].int_value -= 1

    _alter_pin(history, release_sooner)
    assert found(verify(history.store)) == [("altered-pin", pinned)]


def test_a_release_cut_off_before_it_was_written_is_no_finding(history: History, pinned: int):
    (context,) = history.store.get_contexts_by_type(PIN_CONTEXT_TYPE)
    artifact_id = context.custom_properties["artifact_id"].int_value
    acts.begin(history.site(), "unpin", [Touch(artifact_id, "unpin")], {"contexts": [context.id]})
    assert verify(history.store).findings == ()


def test_an_altered_act_of_pinning_says_nothing_against_its_pin(history: History, pinned: int):
    rewrite(history, acts.read(history.store)[0], actor="somebody@else")
    assert found(verify(history.store)) == [("altered-act", pinned)]


def test_a_release_of_an_older_version_says_only_on_which_artifact(
    history: History, pinned: int, runs: list[Retraining]
):
    pins.unpin(history.site(), runs[2].model.id)
    known = acts.read(history.store)
    without_hashes(history, *known)
    rewrite(history, known[-1], details="{}")
    assert verify(history.store).findings == ()


def test_a_pin_cut_off_before_it_was_written_is_no_finding(history: History, runs: list[Retraining]):
    acts.begin(history.site(), "pin", [Touch(runs[2].model.id, "pin")], {"reason": "demo", "until_ms": None})
    assert verify(history.store).findings == ()


def test_a_pin_set_while_looking_is_no_finding(
    history: History, pinned: int, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    by_type = history.store.get_contexts_by_type

    def meanwhile(name: str) -> Any:
        pins.pin(history.site(), runs[3].model.id, "just now")
        found = by_type(name)
        with monkeypatch.context() as inside:
            inside.setattr(history.store, "get_contexts_by_type", by_type)
            pins.unpin(history.site(), runs[3].model.id)
            pins.pin(history.site(), runs[3].model.id, "later")
        return found

    with monkeypatch.context() as looking:
        looking.setattr(history.store, "get_contexts_by_type", meanwhile)
        assert verify(history.store).findings == ()
    assert verify(history.store).findings == ()
