"""Each word of a policy's `keep`, to the letter: what it keeps, and what it says of every member of a group.

Histories in memory, of Models 101, 102, ... from the oldest on. `test_keeps.py` shows the words on a real
store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.retention.pure_histories import (
    DAY,
    FIRST_ARTIFACT,
    RUNNING,
    PureHistory,
    keep,
    on_day,
    prune,
    spelled,
)
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.retention.facts import Evidence
from tfx_janitor.retention.metrics import payloads_with_metrics
from tfx_janitor.retention.timestamps import from_iso

NOTHING_ASKED = Evidence()


def models(*days: float, **properties: Sequence[Any]) -> PureHistory:
    """A history of Models of these days; each property has a value for each of them, None for no value."""
    past = PureHistory()
    for index, day in enumerate(days):
        said = {name: values[index] for name, values in properties.items() if values[index] is not None}
        past.artifact("Model", day=day, **said)
    return past


def models_of(*times: str) -> PureHistory:
    """A history of Models of these times."""
    return models(*((from_iso(time) - on_day(0)) / DAY for time in times))


def said(
    past: PureHistory, type: str = "Model", *, evidence: Evidence = NOTHING_ASKED, **words: Any
) -> list[str]:
    """What one rule says of each member, the oldest first."""
    settlement = past.settlement(rules=[keep(type, **words)], evidence=evidence)
    nomination = settlement.nomination
    return [
        f"{row + FIRST_ARTIFACT} "
        + " | ".join(spelled(replace(r, rule=None)) for r in nomination.policy_reasons(row, settlement.reach))
        for row in nomination.case.governed
    ]


def kept(past: PureHistory, type: str = "Model", **words: Any) -> list[int]:
    """Ids of what one rule keeps."""
    return [int(line[:3]) for line in said(past, type, **words) if " keep." in line]


# last, first


def test_last_ranks_from_the_newest_on() -> None:
    assert said(models(1, 2, 3), last=2) == [
        "101 expire.last: rank 3 of 3, keeps 2",
        "102 keep.last: rank 2 of 3, the newest 2 are kept",
        "103 keep.last: rank 1 of 3, the newest 2 are kept",
    ]


def test_last_does_not_tear_apart_what_was_made_in_one_millisecond() -> None:
    assert said(models(1, 2, 2, 2, 3), last=2) == [
        "101 expire.last: rank 5 of 5, keeps 2 and what is as old as the last of them",
        "102 keep.last: rank 4 of 5, as old as the last of the newest 2",
        "103 keep.last: rank 3 of 5, as old as the last of the newest 2",
        "104 keep.last: rank 2 of 5, the newest 2 are kept",
        "105 keep.last: rank 1 of 5, the newest 2 are kept",
    ]
    assert kept(models(1, 1 + 1 / DAY, 2), last=2) == [102, 103]


def test_last_of_fewer_than_it_keeps_keeps_all() -> None:
    assert said(models(1, 2), last=5) == [
        "101 keep.last: rank 2 of 2, the newest 5 are kept",
        "102 keep.last: rank 1 of 2, the newest 5 are kept",
    ]


def test_first_ranks_from_the_oldest_on() -> None:
    assert said(models(1, 2, 3), first=1) == [
        "101 keep.first: rank 1 of 3, the oldest 1 are kept",
        "102 expire.first: rank 2 of 3, keeps 1",
        "103 expire.first: rank 3 of 3, keeps 1",
    ]


# within, newer_than


def test_within_measures_from_the_newest_and_its_end_is_within() -> None:
    assert said(models(1, 2 - 1 / DAY, 2, 4), within="2d")[1:] == [
        "102 expire.within: created 2026-01-06 23:59:59 UTC, beyond the span before the group's newest, "
        "2026-01-09 00:00:00 UTC",
        "103 keep.within: created 2026-01-07 00:00:00 UTC, within the span before the group's newest, "
        "2026-01-09 00:00:00 UTC",
        "104 keep.within: created 2026-01-09 00:00:00 UTC, within the span before the group's newest, "
        "2026-01-09 00:00:00 UTC",
    ]


def test_newer_than_measures_from_now_and_its_end_is_new_enough() -> None:
    assert said(models(98 - 1 / DAY, 98), newer_than="2d") == [
        "101 expire.newer_than: older than the limit since 2026-04-14 23:59:59 UTC",
        "102 keep.newer_than: newer than the limit until 2026-04-15 00:00:00 UTC",
    ]


# Calendar periods


def test_daily_keeps_the_newest_of_each_day_that_has_any() -> None:
    past = models_of("2026-01-01T10:00", "2026-01-02T10:00", "2026-01-05T10:00", "2026-01-05T11:00")
    assert said(past, daily=2) == [
        "101 expire.daily: the newest of 2026-01-01, beyond the 2 that are kept",
        "102 keep.daily: the newest of 2026-01-02, number 2 of the 2 that are kept",
        "103 expire.daily: not the newest of 2026-01-05",
        "104 keep.daily: the newest of 2026-01-05, number 1 of the 2 that are kept",
    ]


def test_where_periods_are_too_few_the_oldest_is_the_last_that_is_kept() -> None:
    past = models_of("2026-01-01T09:00", "2026-01-01T10:00", "2026-01-01T11:00", "2026-01-02T10:00")
    assert said(past, daily=4) == [
        "101 keep.daily: the oldest, of 2026-01-01, number 3 of the 4 that are kept",
        "102 expire.daily: not the newest of 2026-01-01",
        "103 keep.daily: the newest of 2026-01-01, number 2 of the 4 that are kept",
        "104 keep.daily: the newest of 2026-01-02, number 1 of the 4 that are kept",
    ]
    assert kept(past, daily=2) == [103, 104]


def test_the_oldest_fills_up_no_count_twice() -> None:
    past = models_of("2026-01-01T10:00", "2026-01-02T10:00")
    assert said(past, daily=3) == [
        "101 keep.daily: the newest of 2026-01-01, number 2 of the 3 that are kept",
        "102 keep.daily: the newest of 2026-01-02, number 1 of the 3 that are kept",
    ]
    assert said(past, daily=3, weekly=1) == [
        "101 keep.daily: the newest of 2026-01-01, number 2 of the 3 that are kept"
        " | expire.weekly: not the newest of 2026-W01; daily keeps it already",
        "102 keep.daily: the newest of 2026-01-02, number 1 of the 3 that are kept"
        " | expire.weekly: the newest of 2026-W01; daily keeps it already",
    ]


def test_what_a_finer_word_keeps_does_not_use_up_a_coarser_count() -> None:
    days = [f"2026-0{month}-{day:02d}T12:00" for month in (1, 2, 3) for day in (1, 2)]
    assert said(models_of(*days), daily=1, monthly=1, yearly=1)[3:] == [
        "104 expire.daily: the newest of 2026-02-02, beyond the 1 that are kept"
        " | keep.monthly: the newest of 2026-02, number 1 of the 1 that are kept"
        " | expire.yearly: not the newest of 2026; monthly keeps it already",
        "105 expire.daily: the newest of 2026-03-01, beyond the 1 that are kept"
        " | expire.monthly: not the newest of 2026-03"
        " | expire.yearly: not the newest of 2026",
        "106 keep.daily: the newest of 2026-03-02, number 1 of the 1 that are kept"
        " | expire.monthly: the newest of 2026-03; daily keeps it already"
        " | expire.yearly: the newest of 2026; daily keeps it already",
    ]
    assert kept(models_of(*days), daily=1, monthly=1, yearly=1) == [101, 104, 106]
    assert kept(models_of(*days), yearly=1) == [106]


@pytest.mark.parametrize(
    ("word", "before", "after", "name"),
    [
        ("hourly", "2026-03-31T12:59:59.999", "2026-03-31T13:00", "2026-03-31 13h"),
        ("daily", "2026-03-31T23:59:59.999", "2026-04-01T00:00", "2026-04-01"),
        ("weekly", "2026-12-27T23:59:59.999", "2026-12-28T00:00", "2026-W53"),
        ("weekly", "2027-01-03T23:59:59.999", "2027-01-04T00:00", "2027-W01"),
        ("monthly", "2026-01-31T23:59:59.999", "2026-02-01T00:00", "2026-02"),
        ("quarterly", "2026-03-31T23:59:59.999", "2026-04-01T00:00", "2026-Q2"),
        ("quarterly", "2026-12-31T23:59:59.999", "2027-01-01T00:00", "2027-Q1"),
        ("yearly", "2026-12-31T23:59:59.999", "2027-01-01T00:00", "2027"),
    ],
)
def test_periods_begin_at_their_first_millisecond_in_utc(
    word: str, before: str, after: str, name: str
) -> None:
    past = models_of(before, after)
    one: dict[str, Any] = {word: 1}
    two: dict[str, Any] = {word: 2}
    assert kept(past, **two) == [101, 102]
    assert said(past, **one)[1] == (f"102 keep.{word}: the newest of {name}, number 1 of the 1 that are kept")


# best


def test_best_ranks_by_the_metric_and_of_equal_ones_the_newer_first() -> None:
    past = models(1, 2, 3, 4, accuracy=[0.9, 0.25, 0.9, 0.5])
    best = {"metric": "accuracy", "count": 2, "mode": "max"}
    assert said(past, best=best) == [
        "101 keep.best: accuracy 0.9, rank 2 of 4, the best 2 are kept",
        "102 expire.best: accuracy 0.25, rank 4 of 4, keeps 2",
        "103 keep.best: accuracy 0.9, rank 1 of 4, the best 2 are kept",
        "104 expire.best: accuracy 0.5, rank 3 of 4, keeps 2",
    ]
    assert kept(past, best={**best, "mode": "min"}) == [102, 104]
    assert kept(past, best={**best, "count": 1}) == [103]


def test_what_cannot_be_ranked_is_never_best() -> None:
    values = [float("nan"), "high", True, None, 3, float("-inf")]
    assert said(
        models(1, 2, 3, 4, 5, 6, score=values), best={"metric": "score", "count": 9, "mode": "max"}
    ) == [
        "101 expire.best: score nan, which cannot be ranked",
        "102 expire.best: score 'high', which cannot be ranked",
        "103 expire.best: score True, which cannot be ranked",
        "104 expire.best: has no score",
        "105 keep.best: score 3, rank 1 of 2, the best 9 are kept",
        "106 keep.best: score -inf, rank 2 of 2, the best 9 are kept",
    ]


BEST = {"metric": "accuracy", "count": 1, "mode": "max"}


def test_a_metric_may_stand_on_what_was_derived_from_the_model() -> None:
    past = PureHistory()
    model, model_run, training = past.run().train()
    older, newer = (past.artifact("ModelEvaluation", accuracy=value) for value in (0.5, 0.75))
    both = past.run().execute("Evaluator", inputs={"model": model}, outputs=[older, newer])
    assert said(past, best=BEST) == [
        f"{model} keep.best: accuracy 0.75, rank 1 of 1, the best 1 are kept "
        f"[artifact {model} > execution {both} > artifact {newer}]"
    ]
    assert said(past, "ModelRun", best=BEST) == [
        f"{model_run} keep.best: accuracy 0.75, rank 1 of 1, the best 1 are kept "
        f"[artifact {model} > execution {both} > artifact {newer}]"
    ]
    assert training < both
    past.change(model_run, properties={"accuracy": 0.25})
    assert said(past, "ModelRun", best=BEST) == [
        f"{model_run} keep.best: accuracy 0.25, rank 1 of 1, the best 1 are kept"
    ]


@pytest.mark.parametrize("role", ["baseline_model", "base_model"])
def test_an_evaluation_says_nothing_of_the_model_that_was_only_compared_with(role: str) -> None:
    past = PureHistory()
    (first, _, _), (second, _, _) = past.run(day=1).train(), past.run(day=2).train()
    evaluation = past.artifact("ModelEvaluation", accuracy=0.5)
    past.run().execute("Evaluator", inputs={"model": second, role: first}, outputs=[evaluation])
    assert said(past, best=BEST)[0] == f"{first} expire.best: has no accuracy"


@pytest.mark.parametrize("type", ["Model", "ModelRun", "PushedModel", "InfraBlessing"])
def test_what_a_model_became_has_metrics_of_its_own(type: str) -> None:
    past = PureHistory()
    model, _, _ = past.run().train()
    past.run().execute("Tuner", inputs=[model], outputs=[past.artifact(type, day=1, accuracy=0.5)])
    assert said(past, best=BEST)[0] == f"{model} expire.best: has no accuracy"


def test_outputs_of_what_runs_no_more_or_still_count_and_inputs_do_not() -> None:
    past = PureHistory()
    model, _, _ = past.run().train()
    given = past.artifact("ModelEvaluation", accuracy=0.25)
    past.run().execute("Comparer", inputs=[given, model])
    assert said(past, best=BEST) == [f"{model} expire.best: has no accuracy"]
    made = past.artifact("ModelEvaluation", accuracy=0.5)
    past.run().execute("Evaluator", state=RUNNING, inputs=[model], outputs=[made])
    assert said(past, best=BEST)[0].startswith(f"{model} keep.best: accuracy 0.5,")


def test_the_payload_of_an_evaluation_is_asked_last_the_newest_first() -> None:
    past = PureHistory()
    model, _, _ = past.run().train()
    first, second = past.artifact("ModelEvaluation"), past.artifact("ModelEvaluation")
    judging = past.run().execute("Evaluator", inputs=[model], outputs=[first, second])

    def told(metrics: Mapping[int, Mapping[str, float]], **unreadable: str) -> str:
        evidence = Evidence(
            metrics={number - FIRST_ARTIFACT: values for number, values in metrics.items()},
            unreadable={int(number[1:]) - FIRST_ARTIFACT: why for number, why in unreadable.items()},
        )
        return said(past, best=BEST, evidence=evidence)[0]

    def found(value: float, evaluation: int) -> str:
        path = f"[artifact {model} > execution {judging} > artifact {evaluation}]"
        return f"{model} keep.best: accuracy {value:g}, rank 1 of 1, the best 1 are kept {path}"

    assert told({first: {"accuracy": 0.5}, second: {"accuracy": 0.75}}) == found(0.75, second)
    assert told({first: {"accuracy": 0.5}, second: {"auc": 0.75}}) == found(0.5, first)
    assert told({}) == f"{model} expire.best: has no accuracy"
    past.change(first, properties={"accuracy": 0.25})
    assert told({second: {"accuracy": 0.75}}) == found(0.25, first)


def test_an_evaluation_that_cannot_be_read_may_tell_the_best_of_all() -> None:
    past = PureHistory()
    (first, _, _), (second, _, _) = past.run(day=1).train(), past.run(day=2).train()
    readable, torn, latest = (past.artifact("ModelEvaluation") for _ in range(3))
    past.run().execute("Evaluator", inputs=[first], outputs=[readable, torn])
    past.run().execute("Evaluator", inputs=[second], outputs=[latest])

    def told(*rows: int) -> list[str]:
        metrics = {number - FIRST_ARTIFACT: {"accuracy": 0.5} for number in rows}
        return said(past, best=BEST, evidence=Evidence(metrics, unreadable={torn - FIRST_ARTIFACT: "torn"}))

    assert told(readable, latest)[0] == f"{first} unknown.metric: torn"
    assert told(readable)[1] == f"{second} expire.best: has no accuracy"
    past.change(torn, properties={"accuracy": 0.25})
    assert told(readable, latest)[0].startswith(f"{first} expire.best: accuracy 0.25, rank 2 of 2, keeps 1")


def payloads_to_ask(past: PureHistory, *rules: Mapping[str, Any]) -> list[int]:
    return [row + FIRST_ARTIFACT for row in payloads_with_metrics(past.case(rules=rules))]


def test_a_payload_is_asked_for_metrics_only_where_nothing_else_tells_them() -> None:
    past = PureHistory()
    model, _, _ = past.run().train()
    evaluation, gone, other = (past.artifact(t) for t in ("ModelEvaluation", "ModelEvaluation", "Other"))
    past.run().execute("Evaluator", inputs=[model], outputs=[gone, evaluation, other])
    past.change(gone, state=ArtifactState.DELETED)
    assert payloads_to_ask(past, keep("Model", last=1)) == []
    assert payloads_to_ask(past, prune(last=1)) == []
    for rule in (keep("Model", best=BEST), keep("ModelRun", any_of=[{"best": BEST}, {"last": 1}])):
        assert payloads_to_ask(past, rule) == [evaluation]
    past.change(model, properties={"auc": 0.5})
    auc = {**BEST, "metric": "auc"}
    assert payloads_to_ask(past, keep("Model", best=auc)) == []
    assert payloads_to_ask(past, keep("Model", any_of=[{"best": auc}, {"best": BEST}])) == [evaluation]


# blessed, pushed


def test_blessed_and_pushed_count_only_what_was() -> None:
    past = PureHistory()
    one, two, three = (past.run(day=day).retrain(blessed=day != 2) for day in (1, 2, 3))
    past.change(one.pushed, properties={"pushed": 0})
    assert said(past, blessed=1, pushed=1) == [
        f"{one.model} expire.blessed: rank 2 of 2, keeps 1 | expire.pushed: not pushed",
        f"{two.model} expire.blessed: not blessed | expire.pushed: rank 2 of 2, keeps 1",
        f"{three.model} keep.blessed: rank 1 of 2, the newest blessed 1 are kept"
        " | keep.pushed: rank 1 of 2, the newest pushed 1 are kept",
    ]


# tagged, ids


def test_tagged_looks_for_whole_words_in_the_tags() -> None:
    tags = ["golden,audit", "not-golden", "audit golden  best", None, "", 7]
    assert said(models(1, 2, 3, 4, 5, 6, tags=tags), tagged=["golden", "audit"]) == [
        "101 keep.tagged: tagged audit, golden",
        "102 expire.tagged: has none of the tags audit, golden",
        "103 keep.tagged: tagged audit, golden",
        "104 expire.tagged: has none of the tags audit, golden",
        "105 expire.tagged: has none of the tags audit, golden",
        "106 expire.tagged: has none of the tags audit, golden",
    ]
    assert kept(models(1, 2, tags=[7, 8]), tagged=["7"]) == [101]


def test_ids_are_those_of_mlmd() -> None:
    assert said(models(1, 2), ids=[102, 1]) == [
        "101 expire.ids: its id is not listed",
        "102 keep.ids: listed by id",
    ]


# groups


def test_groups_keep_those_of_the_largest_values() -> None:
    past = models(1, 2, 3, 4, span=[1, 3, 3, 2])
    assert said(past, groups=[{"property": "span", "keep": 2}]) == [
        "101 expire.groups: span 1 is not among the largest 2, 3, 2",
        "102 keep.groups: span 3",
        "103 keep.groups: span 3",
        "104 keep.groups: span 2",
    ]
    assert said(past, groups=[{"property": "span", "keep": 1, "order": "smallest"}])[:2] == [
        "101 keep.groups: span 1",
        "102 expire.groups: span 3 is not among the smallest, 1",
    ]


def test_each_grouping_splits_what_the_one_before_it_left() -> None:
    past = models(1, 2, 3, 4, 5, span=[0, 1, 2, 2, 3], version=[0, 0, 0, 1, 0])
    groups = [{"property": "span", "keep": 2}, {"property": "version", "keep": 1}]
    assert said(past, groups=groups) == [
        "101 expire.groups: span 0 is not among the largest 2, 3, 2",
        "102 expire.groups: span 1 is not among the largest 2, 3, 2",
        "103 expire.groups: version 0 is not among the largest, 1",
        "104 keep.groups: span 2, version 1",
        "105 keep.groups: span 3, version 0",
    ]
    assert kept(past, groups=[{"property": "span"}, {"property": "version", "keep": 1}]) == [
        101,
        102,
        104,
        105,
    ]


def test_what_has_no_value_stays_only_where_values_are_too_few() -> None:
    past = models(1, 2, 3, span=[None, 1, float("nan")])
    assert said(past, groups=[{"property": "span", "keep": 1}]) == [
        "101 expire.groups: span missing is not among the largest, 1",
        "102 keep.groups: span 1",
        "103 expire.groups: span missing is not among the largest, 1",
    ]
    assert said(past, groups=[{"property": "span", "keep": 2}])[2] == "103 keep.groups: span missing"
    assert kept(models(1, 2), groups=[{"property": "span", "keep": 1}]) == [101, 102]


def test_values_of_different_types_have_no_order_and_nobody_goes() -> None:
    past = models(1, 2, 3, span=[1, "two", None])
    detail = "unknown.mixed-types: values of span have different types: int, str"
    assert said(past, groups=[{"property": "span", "keep": 1}]) == [f"{n} {detail}" for n in (101, 102, 103)]
    assert past.deleted(rules=[keep("Model", groups=[{"property": "span", "keep": 1}])]) == []


# used_by


def test_used_by_keeps_what_a_pipeline_ever_took_and_says_by_which_execution() -> None:
    past = models(1, 2, 3, 4)
    past.run(pipeline="other").execute("BulkInferrer", inputs=[101, 102])
    using, again = (past.run(pipeline="serving-eu").execute("BulkInferrer", inputs=[102]) for _ in range(2))
    past.run(pipeline="serving-us").execute("Copier", type="tfx_janitor.act.mark", inputs=[103])
    past.run(pipeline="serving-us").execute("Trainer", outputs=[104])
    past.execution("Notebook", inputs=[104])
    missed = "expire.used_by: no pipeline serving-* or web ever took it as input"
    assert said(past, used_by=["serving-*", "web"]) == [
        f"101 {missed}",
        f"102 keep.used_by: taken as input by execution {using} of serving-eu "
        f"[artifact 102 > execution {using}]",
        f"103 {missed}",
        f"104 {missed}",
    ]
    assert using < again


# Words side by side


def test_words_are_told_in_the_order_of_the_schema_whatever_the_policy_says_first() -> None:
    past = models(1, 2)
    assert [line.count("|") for line in said(past, ids=[101], daily=1, last=1)] == [2, 2]
    assert said(past, ids=[101], daily=1, last=1)[0] == (
        "101 expire.last: rank 2 of 2, keeps 1"
        " | expire.daily: the newest of 2026-01-06, beyond the 1 that are kept"
        " | keep.ids: listed by id"
    )


def test_only_what_is_there_has_a_rank() -> None:
    past = models(1, 2, 3)
    past.change(103, state=ArtifactState.DELETED)
    past.change(102, state=ArtifactState.MARKED_FOR_DELETION)
    assert said(past, last=1) == [
        "101 expire.last: rank 2 of 2, keeps 1",
        "102 keep.last: rank 1 of 2, the newest 1 are kept",
    ]


def test_a_rule_that_deletes_all_says_so() -> None:
    past = models(1)
    rule = {**keep("Model"), "unsafe_delete_all": True}
    settlement = past.settlement(rules=[rule])
    (reason,) = settlement.nomination.policy_reasons(0, settlement.reach)
    assert spelled(reason) == "expire.all (model): unsafe_delete_all keeps nothing"
