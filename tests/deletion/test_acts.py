"""What the janitor does is lineage in the store."""

from __future__ import annotations

from tests.builders import History, keep_models
from tests.deletion.three_runs import three_runs
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Touch
from tfx_janitor.deletion.gc import collect
from tfx_janitor.policy.schema import RetentionPolicy


def test_acts_are_lineage(history: History) -> None:
    runs = three_runs(history)
    policy = history.policy(rules=[keep_models(last=1)])
    collected = collect(history.site(actor="anna@lab"), policy)
    story = acts.read(history.store, runs[0].model.id)
    assert [(act.kind, act.actor, act.ended) for act in story] == [
        ("apply", "anna@lab", True),
        ("purge", "anna@lab", True),
    ]
    assert story[0].details["plan_id"] == collected.plan.id
    assert RetentionPolicy.from_dict(story[0].details["policy"]) == policy
    assert [outcome.done for outcome in story[1].outcomes] == ["purged", "purged"]


def test_an_act_that_never_ended_shows(history: History) -> None:
    runs = three_runs(history)
    acts.begin(history.site(), "purge", [Touch(runs[0].model.id, "purge")], {})
    (act,) = acts.read(history.store)
    assert not act.ended
