"""Plan, apply and purge in one, as cron runs it again and again, with limits and beside others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import History, keep_model_runs, keep_models, prune_checkpoints
from tests.deletion.three_runs import done, three_runs
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.gc import collect
from tfx_janitor.errors import Refused


def test_collecting_twice_does_nothing_the_second_time(history: History) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1), keep_model_runs(last=2), prune_checkpoints(last=1)])
    assert collect(history.site(), policy).outcomes
    known = len(acts.read(history.store))
    again = collect(history.site(), policy)
    assert again.outcomes == ()
    assert again.plan.summary.delete == again.plan.summary.checkpoints_delete == 0
    assert len(acts.read(history.store)) == known


@pytest.mark.parametrize("part", ["pipeline", "roots"])
def test_policies_that_share_a_store_take_back_no_marks_of_each_other(history: History, part: str) -> None:
    """Each team has a cron job and a policy of its own, for its pipelines or for its directories."""
    teams = {name: three_runs(history, name) for name in ("cats", "dogs")}
    policies = []
    for name in teams:
        rule = keep_models(last=1)
        said: dict[str, Any] = {"rules": [rule], "grace": "1d"}
        if part == "pipeline":
            rule["match"]["pipeline"] = name
        else:
            said["roots"] = [str(history.pipeline(name).root)]
        policies.append(history.policy(**said))
    collected = [
        done(collect(history.site(now_ms=history.later(days=days)), policy).outcomes)
        for days in (0, 2)
        for policy in policies
    ]
    cats, dogs = ([run.model.id for run in runs[:2]] for runs in teams.values())
    assert collected == [
        dict.fromkeys(cats, "marked"),
        dict.fromkeys(dogs, "marked"),
        dict.fromkeys(cats, "purged"),
        dict.fromkeys(dogs, "purged"),
    ]


def test_marks_that_wait_for_their_grace_do_not_fill_up_the_limits(history: History) -> None:
    pipeline = history.pipeline()
    policy = history.policy(
        rules=[keep_models(last=2), prune_checkpoints(last=1)],
        grace="7d",
        limits={"max_fraction": 0.5, "max_items": 2},
    )
    for _ in range(2):
        pipeline.run().train(steps=(1,))
    for _ in range(8):
        pipeline.run().train(steps=(1, 2))  # one model and one checkpoint more to go in every round
        assert collect(history.site(), policy).refused is None


def test_a_refused_plan_does_not_stop_the_purge_of_what_was_marked_before(history: History) -> None:
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(3)]
    collect(history.site(), history.policy(rules=[keep_models(last=2)], grace="1d"))
    models += [pipeline.run().train().model for _ in range(3)]
    strict = history.policy(rules=[keep_models(last=2)], grace="1d", limits={"max_items": 1})
    collected = collect(history.site(now_ms=history.later(days=2)), strict)
    assert isinstance(collected.refused, Refused)
    assert collected.applied == ()
    assert done(collected.purged) == {models[0].id: "purged"}
    assert history.states(*models) == ["DELETED"] + ["LIVE"] * 5


def test_collecting_within_the_grace_marks_nothing_twice(history: History) -> None:
    three_runs(history)
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="7d")
    assert collect(history.site(), policy).applied
    known = len(acts.read(history.store))
    assert collect(history.site(), policy).outcomes == ()
    assert len(acts.read(history.store)) == known
