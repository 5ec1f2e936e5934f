"""A plan is applied once, and while it is fresh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import History, keep_models, prune_checkpoints
from tests.deletion.three_runs import done, planned
from tfx_janitor import effects
from tfx_janitor.deletion import batches, pins
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.once import NotNow, check_fresh, check_unused
from tfx_janitor.deletion.restore import restore
from tfx_janitor.effects import Effect
from tfx_janitor.lineage.connection import open_url
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan

DAY_MS = 86_400_000


@pytest.fixture
def plan(history: History) -> Plan:
    """A plan that deletes two of three models."""
    return planned(history, trained(history))


def trained(history: History, models: int = 3) -> RetentionPolicy:
    """Lets a pipeline train models, of which a policy keeps one."""
    pipeline = history.pipeline()
    for _ in range(models):
        pipeline.retrain(blessed=None, pushed=False)
    return history.policy(rules=[keep_models(last=1)], grace="7d")


def test_a_plan_that_nobody_applied_passes(history: History, plan: Plan) -> None:
    check_unused(plan, history.store)


def test_a_plan_that_was_applied_says_when_and_by_whom(history: History, plan: Plan) -> None:
    apply(history.site(actor="anna@here"), plan)
    with pytest.raises(NotNow, match=r"was at \d{4}-.* UTC by anna@here, act \d+; make a new one"):
        check_unused(plan, history.store)


def test_a_plan_that_gc_carried_out_meanwhile_is_used(history: History) -> None:
    policy = trained(history)
    plan = planned(history, policy)
    assert collect(history.site(actor="cron@here"), policy).plan.id == plan.id
    with pytest.raises(NotNow, match="by cron@here"):
        check_unused(plan, history.store)


def test_gc_goes_on_with_the_plan_that_it_made_before(history: History) -> None:
    policy = trained(history)
    plans = [collect(history.site(now_ms=history.later(days=day)), policy).plan.id for day in (0, 1, 2)]
    assert plans[1] == plans[2]
    assert done(collect(history.site(now_ms=history.later(days=9)), policy).outcomes) != {}


def test_what_was_cut_off_half_way_may_go_on(
    history: History, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 1)
    acts = iter((1, 2))

    def killed(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.subject == "PutLineageSubgraph" and next(acts) == 2:
            raise KeyboardInterrupt
        return change()

    store, _ = open_url(history.url, readonly=False)
    with effects.watched(killed), pytest.raises(KeyboardInterrupt):
        apply(replace(history.site(), store=store), plan)
    check_unused(plan, history.store)

    assert sorted(done(apply(history.site(), plan)).values()) == ["marked", "skipped"]
    with pytest.raises(NotNow):
        check_unused(plan, history.store)


def test_what_was_taken_back_needs_a_new_plan_even_if_that_is_the_same(history: History) -> None:
    retraining = history.pipeline().retrain(steps=(1, 2, 3), pushed=False)
    policy = history.policy(rules=[prune_checkpoints(last=1)], grace="7d")
    first = planned(history, policy)
    apply(history.site(), first)
    restore(history.site(), [retraining.model_run.id])
    with pytest.raises(NotNow):
        check_unused(first, history.store)

    again = planned(history, policy, history.later(hours=1))
    assert again.id == first.id
    check_unused(again, history.store)


def test_what_was_skipped_was_dealt_with_too(history: History, plan: Plan) -> None:
    (first, second) = plan.deletions
    pins.pin(history.site(), first.artifact_id, "shown to a customer")
    outcomes = apply(history.site(), plan)
    assert done(outcomes) == {first.artifact_id: "skipped", second.artifact_id: "marked"}
    with pytest.raises(NotNow):
        check_unused(plan, history.store)


def test_marks_that_wait_for_their_grace_keep_no_plan_open(history: History) -> None:
    pipeline = history.pipeline()
    rules = [keep_models(last=1), prune_checkpoints(last=1)]
    policy = history.policy(rules=rules, grace="7d")
    pipeline.retrain(steps=(1, 2, 3), blessed=None, pushed=False)
    apply(history.site(), planned(history, policy))
    pipeline.retrain(steps=(1,), blessed=None, pushed=False)
    plan = planned(history, policy)
    assert (plan.summary.delete, plan.summary.checkpoints_delete) == (1, 2)
    apply(history.site(), plan)
    with pytest.raises(NotNow):
        check_unused(plan, history.store)


def test_a_plan_that_deletes_nothing_is_never_used_up(history: History) -> None:
    plan = planned(history, trained(history, models=1))
    apply(history.site(), plan)
    check_unused(plan, history.store)


@pytest.mark.parametrize("age_ms", [0, 1, DAY_MS])
def test_a_plan_is_fresh_for_a_day(plan: Plan, age_ms: int) -> None:
    check_fresh(plan, plan.now_ms + age_ms)


def test_an_older_one_is_refused_until_more_is_allowed(plan: Plan) -> None:
    now_ms = plan.now_ms + 3 * DAY_MS + 7_384_000
    with pytest.raises(NotNow, match=r"at most 1d old, .* UTC, 3d2h3m ago; .* or allow more with --max-age"):
        check_fresh(plan, now_ms)
    check_fresh(plan, now_ms, timedelta(days=7))


def test_one_that_judges_what_is_to_come_is_refused(plan: Plan) -> None:
    with pytest.raises(NotNow, match="expected a plan that judges the past"):
        check_fresh(plan, plan.now_ms - 1, timedelta(days=7))
