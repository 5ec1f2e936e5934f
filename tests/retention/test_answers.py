"""Words put together: any_of, all_of, unless, and the budget that fills up what they leave."""

from __future__ import annotations

from typing import Any

import pytest

from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory, keep, told
from tfx_janitor.retention.answers import members_with_budget
from tfx_janitor.retention.facts import Evidence


@pytest.fixture
def past() -> PureHistory:
    """Five Models, the first tagged as junk and the third as golden, and a newest one in another group."""
    past = PureHistory()
    for day in range(5):
        past.run(day=day).train()
    past.change(past.run(day=99).train()[0], properties={"kind": "newest"})
    past.change(models(past)[0], properties={"tags": "junk"})
    past.change(models(past)[2], properties={"tags": "golden"})
    return past


def models(past: PureHistory) -> list[int]:
    """The five, oldest first."""
    return [n + FIRST_ARTIFACT for n, row in enumerate(past.artifacts) if row["type"] == "Model"][:5]


def rule(**words: Any) -> dict[str, Any]:
    return {**keep("Model", **words), "group_by": ["properties.kind"]}


def kept(past: PureHistory, sizes: list[int] | None = None, **words: Any) -> list[int]:
    """Numbers, from 0, of the Models that stay."""
    gone = past.deleted(rules=[rule(**words)], evidence=weighed(past, sizes or []))
    return [number for number, model in enumerate(models(past)) if model not in gone]


def weighed(past: PureHistory, sizes: list[int]) -> Evidence:
    return Evidence(bytes=dict(zip((m - FIRST_ARTIFACT for m in models(past)), sizes, strict=False)))


def test_side_by_side_and_any_of_are_the_same(past: PureHistory) -> None:
    assert kept(past, last=1, tagged="golden") == [2, 4]
    assert kept(past, any_of=[{"last": 1}, {"tagged": "golden"}]) == [2, 4]
    assert kept(past, first=1, any_of=[{"last": 1}, {"tagged": "golden"}]) == [0, 2, 4]


def test_all_of_keeps_what_each_keeps_and_each_ranks_the_whole_group(past: PureHistory) -> None:
    assert kept(past, all_of=[{"last": 3}, {"first": 3}]) == [2]
    assert kept(past, all_of=[{"last": 3}, {"tagged": ["golden", "junk"]}]) == [2]
    assert kept(past, all_of=[{"last": 3, "first": 1}, {"tagged": ["golden", "junk"]}]) == [0, 2]


def test_unless_takes_away_from_all_words_beside_it(past: PureHistory) -> None:
    assert kept(past, last=3, first=1, unless={"tagged": "junk"}) == [2, 3, 4]
    assert kept(past, any_of=[{"last": 3, "unless": {"tagged": "golden"}}, {"first": 1}]) == [0, 3, 4]


def test_formulas_hold_formulas(past: PureHistory) -> None:
    both = {"all_of": [{"last": 4}, {"any_of": [{"tagged": "golden"}, {"first": 2}]}]}
    assert kept(past, **both) == [1, 2]


def test_a_budget_is_filled_newest_first_up_to_what_does_not_fit(past: PureHistory) -> None:
    assert kept(past, [10, 10, 10, 10, 10], max_bytes=30) == [2, 3, 4]
    # The second does not fit and ends it, though the first would.
    assert kept(past, [1, 10, 10, 10, 10], max_bytes=35) == [2, 3, 4]
    assert kept(past, [10, 10, 10, 50, 10], max_bytes=30) == [4]


def test_what_the_other_words_keep_counts_first(past: PureHistory) -> None:
    sizes = [10, 10, 10, 10, 10]
    assert kept(past, sizes, max_bytes=30, first=1) == [0, 3, 4]
    assert kept(past, sizes, max_bytes=10, last=2) == [3, 4]
    assert kept(past, sizes, max_bytes=20, last=1, unless={"tagged": "golden"}) == [3, 4]
    assert kept(past, sizes, max_bytes=40, last=1, unless={"tagged": "golden"}) == [0, 1, 3, 4]


def test_what_was_not_measured_counts_nothing(past: PureHistory) -> None:
    assert kept(past, [], max_bytes=1) == [0, 1, 2, 3, 4]


def test_what_a_budget_measures(past: PureHistory) -> None:
    case = past.case(rules=[rule(max_bytes=30)])
    assert set(members_with_budget(case)) >= {model - FIRST_ARTIFACT for model in models(past)}
    assert members_with_budget(past.case(rules=[rule(last=1)])) == []


def test_a_lineage_word_takes_nothing_from_the_budget(past: PureHistory) -> None:
    first = models(past)[0]
    child = past.artifact("Model", day=5, kind="newest")
    past.run(day=5).execute("Distiller", inputs=[first], outputs=[child])
    sizes = [10, 10, 10, 10, 10]
    assert kept(past, sizes, max_bytes=20, ancestors_of="model") == [0, 3, 4]


def test_each_word_says_its_part(past: PureHistory) -> None:
    def reasons(number: int, **words: Any) -> list[str]:
        evidence = weighed(past, [10] * 5)
        row = models(past)[number] - FIRST_ARTIFACT
        settled = past.settlement(rules=[rule(**words)], evidence=evidence)
        return [f"{reason.code}: {reason.detail}" for reason in settled.reasons_of(row)]

    assert reasons(2, all_of=[{"last": 3}, {"tagged": "golden"}]) == [
        "keep.all_of: last (rank 3 of 5, the newest 3 are kept); tagged (golden)"
    ]
    assert reasons(1, all_of=[{"last": 4}, {"tagged": "golden", "first": 1}]) == [
        "expire.all_of: first (rank 2 of 5, keeps 1) and tagged (has none of the tags golden)"
    ]
    assert reasons(4, any_of=[{"last": 1}, {"first": 1}]) == [
        "keep.any_of: last (rank 1 of 5, the newest is kept)"
    ]
    assert reasons(1, any_of=[{"last": 1}, {"first": 1}]) == [
        "expire.any_of: last (rank 4 of 5, keeps 1); first (rank 2 of 5, keeps 1)"
    ]
    assert reasons(0, last=1, first=1, unless={"tagged": "junk"}) == [
        "expire.last: rank 5 of 5, keeps 1",
        "expire.unless: first would keep it, unless tagged (junk)",
    ]
    assert reasons(1, last=1, unless={"tagged": "junk"}) == ["expire.last: rank 4 of 5, keeps 1"]
    assert reasons(3, last=1, max_bytes=20) == [
        "expire.last: rank 2 of 5, keeps 1",
        "keep.max_bytes: with it the group comes to 20 bytes, within 20",
    ]
    assert reasons(2, last=1, max_bytes=20)[1] == (
        "expire.max_bytes: with it the group comes to 30 bytes, beyond 20"
    )
    assert reasons(4, last=1, max_bytes=20)[1] == (
        "expire.max_bytes: another word keeps it; those take 10 of 20 bytes"
    )
    assert reasons(0, first=1, max_bytes=20, unless={"tagged": "junk"})[0] == (
        "expire.max_bytes: unless takes it away, so it is not filled in again"
    )


def test_what_one_word_does_not_understand_the_whole_formula_does_not(past: PureHistory) -> None:
    for number, model in enumerate(models(past)):
        past.change(model, properties={"span": number if number else "zero"})
    rules = [rule(all_of=[{"last": 1}, {"groups": [{"property": "span", "keep": 1}]}])]
    decisions = past.decisions(rules=rules)
    assert {decisions[model].verdict for model in models(past)} == {"unknown"}


def test_a_tie_with_the_last_that_is_kept_is_kept(past: PureHistory) -> None:
    third, fourth = models(past)[2:4]
    past.change(third, day=3)
    assert kept(past, last=2) == [2, 3, 4]
    decisions = past.decisions(rules=[rule(last=2)])
    assert told(decisions[third]) == ["keep.last (model): rank 3 of 5, as old as the last of the newest 2"]
    assert told(decisions[fourth]) == ["keep.last (model): rank 2 of 5, the newest 2 are kept"]
    assert told(decisions[models(past)[0]]) == [
        "expire.last (model): rank 5 of 5, keeps 2 and what is as old as the last of them"
    ]


def test_what_unless_takes_away_names_all_words_and_all_that_is_against_them(past: PureHistory) -> None:
    oldest = models(past)[0]
    said = rule(last=1, first=2, ids=[oldest], unless={"tagged": "junk", "first": 1})
    assert told(past.decisions(rules=[said])[oldest]) == [
        "expire.last (model): rank 5 of 5, keeps 1",
        "expire.unless (model): first, ids would keep it, unless first (rank 1 of 5, the oldest is kept), "
        "tagged (junk)",
    ]
    unwanted = past.decisions(rules=[rule(last=1, unless={"tagged": "junk"})])[oldest]
    assert told(unwanted) == ["expire.last (model): rank 5 of 5, keeps 1"]


def test_what_unless_does_not_understand_is_not_understood(past: PureHistory) -> None:
    for number, model in enumerate(models(past)):
        past.change(model, properties={"span": number if number else "zero"})
    beside = {"last": 1, "unless": {"groups": [{"property": "span", "keep": 1}]}, "max_bytes": 1}
    decisions = past.decisions(rules=[rule(**beside)])
    assert {decisions[model].verdict for model in models(past)} == {"unknown"}


def test_words_of_lineage_may_stand_in_any_of_and_all_of(past: PureHistory) -> None:
    first, second = models(past)[:2]
    child = past.artifact("Model", day=99, kind="newest")
    past.run(day=99).execute("Distiller", inputs=[first, second], outputs=[child])
    parents: dict[str, Any] = {"ancestors_of": "model"}
    assert kept(past, any_of=[parents, {"last": 1}]) == [0, 1, 4]
    assert kept(past, all_of=[parents, {"first": 1}]) == [0]
    assert kept(past, any_of=[{"all_of": [parents, {"first": 1}]}, {"last": 1}]) == [0, 4]
    because = f"ancestors_of (Model {child}, which is a model that stays, was made from it)"
    assert told(past.decisions(rules=[rule(any_of=[parents, {"last": 1}])])[first]) == [
        f"keep.any_of (model): {because}"
    ]
    assert told(past.decisions(rules=[rule(all_of=[parents, {"last": 1}], ids=[second])])[first]) == [
        "expire.ids (model): its id is not listed",
        "expire.all_of (model): last (rank 5 of 5, keeps 1)",
    ]
