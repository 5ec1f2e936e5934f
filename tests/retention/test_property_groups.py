"""`groups`, with the semantics of TFX's KeepPropertyValueGroups."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.retention.pure_histories import PureHistory, keep, told


def examples(*values: dict[str, Any]) -> tuple[PureHistory, list[int]]:
    """Examples with these properties, and a newest one in another group."""
    past = PureHistory()
    made = []
    for day, said in enumerate(values):
        made.append(past.artifact("Examples", day=day, **said))
        past.run(day=day).execute("ExampleGen", outputs=[made[-1]])
    past.run(day=99).execute("ExampleGen", outputs=[past.artifact("Examples", day=99, kind="newest")])
    return past, made


def rule(*groupings: dict[str, Any]) -> dict[str, Any]:
    return {**keep("Examples", groups=list(groupings)), "group_by": ["properties.kind"]}


def kept(values: list[dict[str, Any]], *groupings: dict[str, Any]) -> list[int]:
    past, made = examples(*values)
    gone = past.deleted(rules=[rule(*groupings)])
    return [number for number, artifact in enumerate(made) if artifact not in gone]


def spans(*values: Any) -> list[dict[str, Any]]:
    return [{} if value is None else {"span": value} for value in values]


def test_the_largest_values_stay_with_all_that_have_them() -> None:
    assert kept(spans(1, 3, 2, 3), {"property": "span", "keep": 1}) == [1, 3]
    assert kept(spans(1, 3, 2, 3), {"property": "span", "keep": 2}) == [1, 2, 3]
    assert kept(spans(1, 3, 2, 3), {"property": "span", "keep": 1, "order": "smallest"}) == [0]


def test_without_keep_every_value_goes_on() -> None:
    assert kept(spans(1, 2, None), {"property": "span"}) == [0, 1, 2]


def test_the_example_of_tfx() -> None:
    values = [{"kind": "a", "span": s, "version": v} for s, v in ((0, 0), (1, 0), (2, 0), (2, 1), (3, 0))]
    steps = (
        {"property": "kind"},
        {"property": "span", "keep": 2},
        {"property": "version", "keep": 1},
    )
    assert kept(values, *steps) == [3, 4]


def test_what_has_no_value_comes_last() -> None:
    assert kept(spans(None, 1, 2), {"property": "span", "keep": 2}) == [1, 2]
    assert kept(spans(None, 1, 2), {"property": "span", "keep": 3}) == [0, 1, 2]
    assert kept(spans(math.nan, 1.0), {"property": "span", "keep": 1}) == [1]
    assert kept(spans(1.0, math.nan), {"property": "span", "keep": 1}) == [0]


def test_each_entry_splits_every_group_that_is_left() -> None:
    values = [{"span": s, "version": v} for s, v in ((1, 5), (1, 6), (2, 1), (2, 2))]
    assert kept(values, {"property": "span", "keep": 2}, {"property": "version", "keep": 1}) == [1, 3]


@pytest.mark.parametrize("values", [(1, "2"), (1, 2.0), (None, 1, "2")])
def test_mixed_types_are_not_understood(values: tuple[Any, ...]) -> None:
    past, made = examples(*spans(*values))
    decisions = past.decisions(rules=[rule({"property": "span", "keep": 1})])
    assert {decisions[artifact].verdict for artifact in made} == {"unknown"}
    (reason,) = told(decisions[made[0]])
    types = ", ".join(sorted({type(value).__name__ for value in values if value is not None}))
    assert reason == f"unknown.mixed-types (examples): values of span have different types: {types}"


def test_types_may_differ_between_properties_and_among_those_left_behind() -> None:
    values = [{"span": 1, "version": "x"}, {"span": 2, "version": 1}, {"span": 2, "version": 2}]
    assert kept(values, {"property": "span", "keep": 1}, {"property": "version", "keep": 1}) == [2]


def test_each_says_by_which_property() -> None:
    past, made = examples(*spans(1, 3, 2, None))
    decisions = past.decisions(rules=[rule({"property": "span", "keep": 2})])
    assert [told(decisions[artifact])[0] for artifact in made] == [
        "expire.groups (examples): span 1 is not among the largest 2: 3, 2",
        "keep.groups (examples): span 3",
        "keep.groups (examples): span 2",
        "expire.groups (examples): span missing is not among the largest 2: 3, 2",
    ]


def test_several_groupings_are_told_together_and_one_value_without_its_number() -> None:
    past, made = examples({"span": 1, "version": 0}, {"span": 2, "version": 1})
    steps = ({"property": "span"}, {"property": "version", "keep": 1})
    decisions = past.decisions(rules=[rule(*steps)])
    assert [told(decisions[artifact])[0] for artifact in made] == [
        "keep.groups (examples): span 1, version 0",
        "keep.groups (examples): span 2, version 1",
    ]
    decisions = past.decisions(rules=[rule({"property": "version", "keep": 1})])
    assert told(decisions[made[0]])[0] == "expire.groups (examples): version 0 is not the largest, which is 1"
