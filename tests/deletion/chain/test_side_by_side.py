"""Acts of several janitors side by side fork the chain and join it, and are no finding."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import History, Retraining
from tests.deletion.chain.tampering import found, remove_acts, rewrite, seal_anew
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.history import verify
from tfx_janitor.retention.plan import Plan


def _begin_at_once(
    history: History, runs: list[Retraining], number: int, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Several acts of several janitors, none of which sees another."""
    seen = acts._unnamed(history.store)
    with monkeypatch.context() as at_once:
        at_once.setattr(acts, "_unnamed", lambda store: seen)
        touches = [Touch(runs[0].model.id, "purge")]
        return [acts.begin(history.site(), "purge", touches, {"janitor": n}) for n in range(number)]


def test_acts_begun_at_once_are_no_finding_and_the_next_names_them_all(
    history: History, plan: Plan, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    forked = _begin_at_once(history, runs, 3, monkeypatch)
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == forked

    joining = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [joining]
    for act in acts.read(history.store):
        if act.id in forked:
            remove_acts(history, act)
    assert found(verify(history.store)) == [("removed-act", act_id) for act_id in forked]


def test_more_acts_at_once_than_the_next_looks_at_are_no_finding(
    history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    forked = _begin_at_once(history, runs, 6, monkeypatch)
    joining = acts.begin(history.site(), "rescue", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [*forked[:2], joining]


def test_an_act_that_ended_after_the_next_had_begun_is_named_twice(history: History, runs: list[Retraining]):
    slow = acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    acts.begin(history.site(), "rescue", [], {})
    acts.end(history.site(), slow, [Outcome(runs[0].model.id, "purged")])
    last = acts.begin(history.site(), "restore", [], {})
    verified = verify(history.store)
    assert verified.findings == ()
    assert [act_id for act_id, _ in verified.heads] == [last]

    rewrite(history, acts.read(history.store)[0], outcomes="[]")
    seal_anew(history, slow)
    assert found(verify(history.store)) == [("altered-act", slow)]


def test_an_act_begun_while_reading_is_left_for_the_next_time(
    history: History, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    by_type = history.store.get_executions_by_type

    def meanwhile(name: str) -> Any:
        found = by_type(name)
        if name.endswith(".apply"):
            acts.begin(history.site(), "apply", [], {})
            acts.begin(history.site(), "purge", [], {})
        return found

    with monkeypatch.context() as reading:
        reading.setattr(history.store, "get_executions_by_type", meanwhile)
        assert [act.kind for act in acts.read(history.store)] == ["apply", "purge", "pin", "unpin"]
        assert verify(history.store).findings == ()
