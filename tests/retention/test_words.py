"""Each word of a policy's `keep`, to the letter: what it keeps, and what it says of every member of a group.

Histories in memory, of Models 101, 102, ... from the oldest on. `test_keeps.py` shows the words on a real
store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.retention.pure_histories import (
    DAY,
    FIRST_ARTIFACT,
    PureHistory,
    keep,
    spelled,
)
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.retention.facts import Evidence

NOTHING_ASKED = Evidence()


def models(*days: float, **properties: Sequence[Any]) -> PureHistory:
    """A history of Models of these days; each property has a value for each of them, None for no value."""
    past = PureHistory()
    for index, day in enumerate(days):
        said = {name: values[index] for name, values in properties.items() if values[index] is not None}
        past.artifact("Model", day=day, **said)
    return past


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
        "101 keep.first: rank 1 of 3, the oldest is kept",
        "102 expire.first: rank 2 of 3, keeps 1",
        "103 expire.first: rank 3 of 3, keeps 1",
    ]


# within, newer_than


def test_within_measures_from_the_newest_and_its_end_is_within() -> None:
    newest = "before the group's newest, 2026-01-09 00:00:00 UTC; keeps 2d"
    assert said(models(1, 2 - 1 / DAY, 2, 4), within="2d")[1:] == [
        f"102 expire.within: created 2026-01-06 23:59:59 UTC, 2d1ms {newest}",
        f"103 keep.within: created 2026-01-07 00:00:00 UTC, 2d {newest}",
        f"104 keep.within: created 2026-01-09 00:00:00 UTC, 0s {newest}",
    ]


def test_newer_than_measures_from_now_and_its_end_is_new_enough() -> None:
    assert said(models(98 - 1 / DAY, 98), newer_than="2d") == [
        "101 expire.newer_than: older than the limit since 2026-04-14 23:59:59 UTC",
        "102 keep.newer_than: newer than the limit until 2026-04-15 00:00:00 UTC",
    ]


# blessed, pushed


def test_blessed_and_pushed_count_only_what_was() -> None:
    past = PureHistory()
    one, two, three = (past.run(day=day).retrain(blessed=day != 2) for day in (1, 2, 3))
    past.change(one.pushed, properties={"pushed": 0})
    assert said(past, blessed=1, pushed=1) == [
        f"{one.model} expire.blessed: rank 2 of 2, keeps 1 | expire.pushed: not pushed",
        f"{two.model} expire.blessed: not blessed | expire.pushed: rank 2 of 2, keeps 1",
        f"{three.model} keep.blessed: rank 1 of 2, the newest blessed is kept"
        " | keep.pushed: rank 1 of 2, the newest pushed is kept",
    ]


# tagged, ids


def test_tagged_looks_for_whole_words_in_the_tags() -> None:
    tags = ["golden,audit", "not-golden", "audit golden  best", None, "", 7]
    assert said(models(1, 2, 3, 4, 5, 6, tags=tags), tagged=["golden", "audit"]) == [
        "101 keep.tagged: audit, golden",
        "102 expire.tagged: has none of the tags audit, golden",
        "103 keep.tagged: audit, golden",
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
        " | expire.daily: the newest of 2026-01-06, beyond the one that is kept"
        " | keep.ids: listed by id"
    )


def test_only_what_is_there_has_a_rank() -> None:
    past = models(1, 2, 3)
    past.change(103, state=ArtifactState.DELETED)
    past.change(102, state=ArtifactState.MARKED_FOR_DELETION)
    assert said(past, last=1) == [
        "101 expire.last: rank 2 of 2, keeps 1",
        "102 keep.last: rank 1 of 2, the newest is kept",
    ]


def test_a_rule_that_deletes_all_says_so() -> None:
    past = models(1)
    rule = {**keep("Model"), "unsafe_delete_all": True}
    settlement = past.settlement(rules=[rule])
    (reason,) = settlement.nomination.policy_reasons(0, settlement.reach)
    assert spelled(reason) == "expire.all (model): unsafe_delete_all keeps nothing"
