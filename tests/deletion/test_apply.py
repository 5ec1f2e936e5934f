"""A plan is applied: what it marks, what it skips, and when the limits refuse it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, keep_models
from tests.deletion.three_runs import done, planned, three_runs
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.errors import JanitorError, Refused


def test_apply_marks_and_touches_no_byte(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], grace="7d")
    before = sorted(path for path in history.root.rglob("*"))

    outcomes = apply(history.site(), planned(history, policy))

    assert done(outcomes) == {runs[0].model.id: "marked", runs[1].model.id: "marked"}
    assert history.states(*(run.model for run in runs)) == ["MARKED_FOR_DELETION"] * 2 + ["LIVE"]
    assert sorted(history.root.rglob("*")) == before


def test_nothing_but_the_state_changes_in_the_store(history: History) -> None:
    runs = three_runs(history)
    rows = {run.model.id: history.row(run.model) for run in runs}
    apply(history.site(), planned(history, history.policy(rules=[keep_models(last=1)])))
    for artifact_id, row in rows.items():
        now = history.row(artifact_id)
        assert (now.uri, now.name, dict(now.custom_properties)) == (
            row.uri,
            row.name,
            dict(row.custom_properties),
        )


def test_what_changed_since_the_plan_is_skipped_and_said_so(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)]))
    history.pipeline("other").run().consume(runs[0].model, state="RUNNING")
    history.set_property(runs[1].model, "note", "written meanwhile")
    outcomes = {outcome.artifact_id: outcome for outcome in apply(history.site(), plan)}
    assert "needed again: hold.active-execution" in outcomes[runs[0].model.id].detail
    assert "changed since" in outcomes[runs[1].model.id].detail
    assert history.states(runs[0].model, runs[1].model) == ["LIVE", "LIVE"]


def test_a_plan_is_for_the_store_that_it_was_made_on(history: History, tmp_path: Path) -> None:
    three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)]))
    (tmp_path / "other").mkdir()
    other = History(tmp_path / "other")
    with pytest.raises(JanitorError, match="was made on"):
        apply(other.site(), plan)


def test_limits_refuse_until_the_plan_is_approved_by_its_id(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], limits={"max_fraction": 0.5})
    plan = planned(history, policy)
    with pytest.raises(Refused, match=f"2 of 3 artifacts is more than max_fraction 0.5.*{plan.id}"):
        apply(history.site(), plan)
    with pytest.raises(JanitorError, match="expected the id of this plan"):
        apply(history.site(), plan, approved="sha256:another")
    assert history.states(*(run.model for run in runs)) == ["LIVE"] * 3
    assert len(apply(history.site(), plan, approved=plan.id)) == 2


@pytest.mark.parametrize("limit", [{"max_items": 1}, {"max_bytes": 1000}])
def test_limits_on_items_and_bytes(history: History, limit: dict[str, int]) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)], limits={"max_fraction": None, **limit})
    with pytest.raises(Refused, match=next(iter(limit))):
        apply(history.site(), planned(history, policy))


def test_a_mark_that_came_too_late_is_not_ours(history: History) -> None:
    runs = three_runs(history)
    plan = planned(history, history.policy(rules=[keep_models(last=1)], grace="1d"))
    history.set_state(runs[0].model, "MARKED_FOR_DELETION")
    assert done(apply(history.site(), plan))[runs[0].model.id] == "skipped"
    outcomes = purge(history.site(now_ms=history.later(days=2)))
    assert done(outcomes) == {runs[1].model.id: "purged"}
