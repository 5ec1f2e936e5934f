"""The smallest history in which a policy deletes something that was ever pushed, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rehearsal.random_histories import LATER_MS, deletions, histories
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.adverse import NEWEST_MS
from tfx_janitor.rehearsal.imagined import Run, fitting
from tfx_janitor.rehearsal.worst_case import Loss, WorstCase, worst_cases
from tfx_janitor.retention.timestamps import to_ms


def policy_of(*rules: dict[str, Any], **changes: Any) -> RetentionPolicy:
    return RetentionPolicy.from_dict({"version": 1, "roots": ["/srv"], "rules": list(rules), **changes})


def models(name: str = "models", type: Any = "Model", **keep: Any) -> dict[str, Any]:
    return {"name": name, "match": {"type": type}, "keep": keep}


def worst(*rules: dict[str, Any], **changes: Any) -> WorstCase:
    """The worst case of the first rule."""
    return worst_cases(policy_of(*rules, **changes))[0]


def loss(*rules: dict[str, Any], **changes: Any) -> Loss:
    found = worst(*rules, **changes).loss
    assert found is not None
    return found


def story(found: Loss) -> list[str]:
    """Per run, the oldest first: P if it was pushed, B if it was blessed, and the verdict."""
    return [
        f"{'P' if run.pushed else '-'}{'B' if run.blessed else '-'} {decision.verdict}"
        for run, decision in zip(found.runs, found.decisions, strict=True)
    ]


# Words that count.


def test_last_loses_what_was_pushed_one_run_too_early():
    assert story(loss(models(last=3))) == ["PB delete", "-B keep", "-B keep", "-B keep"]


def test_last_is_never_less_than_the_run_that_the_next_one_needs():
    assert story(loss(models(last=1))) == ["PB delete", "-B keep"]


def test_pushed_loses_the_third_newest_of_two():
    assert story(loss(models(pushed=2))) == ["PB delete", "PB keep", "PB keep"]
    assert story(loss(models(pushed=1, last=3))) == ["PB delete", "-- keep", "-- keep", "PB keep"]


def test_blessed_loses_what_was_pushed_without_a_blessing():
    assert story(loss(models(blessed=5))) == ["P- delete", "-- keep"]


def test_first_keeps_what_is_older_than_the_one_that_is_lost():
    assert story(loss(models(first=2))) == ["-B keep", "-B keep", "PB delete", "-B keep"]


# Words of time.


@pytest.mark.parametrize("word", ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"])
def test_a_calendar_period_keeps_only_its_newest_and_the_oldest_of_all(word: str):
    found = loss({**models(), "keep": {word: 7}})
    assert story(found) == ["-B keep", "PB delete", "-B keep"]
    assert found.family.spacing == {"hourly": "a minute", "daily": "an hour"}.get(word, "a day")


def test_calendar_words_of_many_counts_take_no_more_runs():
    assert len(loss(models(hourly=24, daily=7, weekly=4, monthly=12, yearly=10)).runs) == 3


def test_within_is_beaten_by_a_pause():
    found = loss(models(within="30d"))
    assert story(found) == ["PB delete", "-B keep"]
    assert found.runs[-1].created_ms - found.runs[0].created_ms > to_ms(timedelta(days=30))


def test_within_and_the_calendar_are_beaten_together():
    found = loss(models(within="30d", daily=7))
    assert story(found) == ["-B keep", "PB delete", "-B keep", "-B keep"]
    assert found.family.pause > timedelta(days=30)


def test_newer_than_and_min_age_are_waited_for():
    assert loss(models(newer_than="90d")).now_ms - NEWEST_MS > to_ms(timedelta(days=90))
    assert loss(models(last=1), min_age="120d").now_ms - NEWEST_MS > to_ms(timedelta(days=120))


# Values.


def test_best_loses_what_has_no_metric_first():
    found = loss(models(best={"metric": "accuracy", "count": 3, "mode": "max"}))
    assert story(found) == ["PB delete", "-B keep"]
    assert not found.family.measured


def test_best_among_others_takes_metrics_where_that_costs_no_more_runs():
    found = loss(models(last=3, best={"metric": "loss", "count": 3, "mode": "min"}))
    assert len(found.runs) == 4
    assert found.family.measured
    assert [run.metrics["loss"] for run in found.runs] == [0.5, 0.499, 0.498, 0.497]


def test_groups_lose_the_values_that_rank_lowest():
    found = loss(models(groups=[{"property": "span", "keep": 3}, {"property": "version", "keep": 1}]))
    assert [dict(run.properties) for run in found.runs] == [
        {"span": 1, "version": 1},
        {"span": 1, "version": 2},
    ]
    found = loss(models(groups=[{"property": "span", "keep": 2, "order": "smallest"}]))
    assert [run.properties["span"] for run in found.runs] == [3, 2, 1]


def test_a_budget_is_filled_by_one_payload():
    found = loss(models(max_bytes="50GB", last=2))
    assert story(found) == ["PB delete", "-B keep", "-B keep"]
    assert found.payload_bytes == 50 * 10**9


def test_no_run_has_a_tag_or_an_id_that_is_kept():
    assert len(loss(models(tagged=["golden"], ids=[1, 2, 3, 1000])).runs) == 2


def test_used_by_never_loses_what_the_own_pipeline_took():
    assert worst(models(used_by="*")).loss is None
    assert len(loss(models(used_by="serving-*")).runs) == 2


# Words put together.


def test_all_of_is_only_as_good_as_the_weakest():
    assert len(loss(models(all_of=[{"last": 9}, {"pushed": 1}])).runs) == 2


def test_any_of_keeps_what_any_keeps():
    assert len(loss(models(any_of=[{"last": 2}, {"last": 5, "unless": {"blessed": 9}}])).runs) == 3


def test_unless_can_lose_the_newest_that_was_pushed():
    assert story(loss(models(last=5, unless={"pushed": 1}))) == ["PB delete", "-B keep"]


def test_unless_tagged_loses_what_carries_the_tag():
    found = loss(models(last=5, unless={"tagged": "scratch"}))
    assert story(found) == ["PB delete", "-B keep"]
    assert found.family.tags == ("scratch",)


# Rules.


def test_a_rule_is_tried_with_names_that_it_matches():
    rule = {
        "name": "m",
        "match": {
            "type": ["Model", "PushedModel"],
            "pipeline": "inception-[0-9]?",
            "node": ["My*", "P*r"],
            "properties": {"tier": "gold"},
        },
        "keep": {"last": 1},
    }
    found = worst(rule)
    assert found.types == ("Model", "PushedModel")
    assert found.loss is not None
    (model,) = [decision for decision in found.loss.lost if decision.type == "Model"]
    assert (model.pipeline, model.node, model.output) == ("inception-0x", "Myx", "model")


def test_what_one_rule_loses_all_others_let_go_as_well():
    few, many = models("few", last=2), models("many", last=6)
    assert len(loss(few).runs) == 3
    assert len(loss(few, many).runs) == 7
    other_type = models("many", type="ModelRun", last=6)
    assert len(loss(few, other_type).runs) == 3


def test_a_rule_that_prunes_inside_saves_the_model_run():
    prunes = {"name": "p", "match": {"type": "ModelRun"}, "checkpoints": {"last": 1}}
    runs, pruned = worst_cases(policy_of(models("runs", type="ModelRun", last=2), prunes))
    assert (runs.types, runs.loss) == (("ModelRun",), None)
    assert (pruned.types, pruned.loss) == ((), None)


def test_data_is_never_pushed():
    assert worst(models(type="Examples", last=1)) == WorstCase(
        policy_of(models(type="Examples", last=1)).rules[0], (), None
    )


def test_the_model_stands_for_a_loss_of_several_types():
    found = loss(models(type="*", last=1))
    assert found.type == "Model"
    assert [decision.type for decision in found.lost] == ["Model", "ModelRun", "PushedModel"]


def test_the_bound_is_as_it_is_told():
    assert len(loss(models(last=199)).runs) == 200
    assert worst(models(last=200)).loss is None
    assert worst(models(within="3650d")).loss is None
    assert worst(models(newer_than="3650d")).loss is None


def test_a_bucket_is_as_good_a_root_as_any():
    assert len(loss(models(last=1), roots=["gs://bucket/pipelines"]).runs) == 2


@pytest.mark.parametrize("pattern", ["*", "a?c", "in[!a-z]x", "[[]1]", "[]]", "*-*", "é[é]"])
def test_a_pattern_has_a_name(pattern: str):
    assert fitting([pattern], "usual") is not None


def test_usual_names_are_preferred():
    assert fitting(["z*", "T*"], "Trainer") == "Trainer"
    assert fitting(["z*", "y"], "Trainer") == "zx"


# No smaller history loses anything, however its runs are spaced and whichever were pushed and blessed.

WORDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("last", "first", "blessed", "pushed"), st.integers(1, 3)),
        **dict.fromkeys(("hourly", "daily", "weekly", "monthly"), st.integers(1, 3)),
        "within": st.sampled_from(["90m", "3d", "60d"]),
        "newer_than": st.sampled_from(["2d", "60d"]),
    },
).filter(bool)


def losses(policy: RetentionPolicy, runs: Sequence[Run], now_ms: int) -> list[int]:
    """Runs that were pushed and lose something."""
    lost = {number for numbers in deletions(policy, runs, now_ms).values() for number in numbers}
    return [number for number, run in enumerate(runs) if run.pushed and number in lost]


@settings(deadline=None, max_examples=60)
@given(st.data(), WORDS)
def test_nothing_smaller_loses(data: st.DataObject, keep: dict[str, Any]):
    policy = policy_of(models(**keep))
    found = worst_cases(policy)[0].loss
    assert found is not None
    assert losses(policy, found.runs, found.now_ms)
    if len(found.runs) > 2:
        smaller = data.draw(histories(2, len(found.runs) - 1))
        assert not losses(policy, smaller, LATER_MS)
