"""What several fields say together: refused where it surely has no effect, and only there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.rehearsal.random_histories import deletions, histories
from tfx_janitor.policy.file import FieldPath, PolicyError
from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.lint import covers, refusals
from tfx_janitor.policy.rules import Match, Rule
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.imagined import Run


def said(
    *rules: dict[str, Any],
    min_age: timedelta = timedelta(days=1),
) -> list[str]:
    parsed = [
        Rule.model_validate({"name": f"r{number}", "match": {"type": "Model"}, **rule})
        for number, rule in enumerate(rules)
    ]
    found = refusals(parsed, min_age=min_age)
    return [f"{problem.field}: {problem.message}" for problem in found]


def keep(**words: Any) -> list[str]:
    return said({"keep": words})


def beside(field: str, other: str) -> str:
    return f"rules[0].keep.{field}: useless beside {other}, which keeps all that it keeps; remove one of them"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"last": 3, "any_of": [{"last": 5}, {"first": 1}]}, beside("last", "any_of[0].last")),
        ({"last": 5, "any_of": [{"last": 5}, {"first": 1}]}, beside("any_of[0].last", "last")),
        (
            {"any_of": [{"pushed": 5}, {"pushed": 3, "first": 1}]},
            beside("any_of[1].pushed", "any_of[0].pushed"),
        ),
        (
            {"any_of": [{"last": 1, "any_of": [{"last": 2}, {"first": 1}]}, {"pushed": 1}]},
            beside("any_of[0].last", "any_of[0].any_of[0].last"),
        ),
        (
            {"within": "30d", "any_of": [{"within": "1w", "unless": {"first": 1}}, {"first": 1}]},
            beside("any_of[0].within", "within"),
        ),
        ({"ids": [1, 2], "any_of": [{"ids": [2]}, {"ids": [3]}]}, beside("any_of[0].ids", "ids")),
        (
            {
                "best": {"metric": "auc", "count": 2, "mode": "max"},
                "any_of": [{"best": {"metric": "auc", "count": 1, "mode": "max"}}, {"last": 1}],
            },
            beside("any_of[0].best", "best"),
        ),
    ],
)
def test_a_word_whose_neighbour_keeps_more(words: dict[str, Any], line: str):
    assert keep(**words) == [line]


@pytest.mark.parametrize(
    "words",
    [
        {"daily": 7, "weekly": 4, "hourly": 200},
        {"last": 3, "all_of": [{"last": 5}, {"pushed": 2}]},
        {"any_of": [{"last": 5, "unless": {"pushed": 1}}, {"last": 3}]},
        {"any_of": [{"daily": 7}, {"daily": 7, "hourly": 3}]},
        {
            "any_of": [
                {"best": {"metric": "a", "count": 2, "mode": m}}
                for m in ("max", "min")
            ]
        },
        {"any_of": [{"ids": [1]}, {"ids": [2]}]},
        {"all_of": [{"tagged": ["a"]}, {"tagged": ["b"]}]},
        {"last": 3, "unless": {"last": 1}},
        {"last": 3, "unless": {"all_of": [{"last": 5}, {"pushed": 2}]}},
        {"newer_than": "1d"},
        {"newer_than": "3h", "max_bytes": 10},
    ],
)  # fmt: skip
def test_words_that_may_matter_stand(words: dict[str, Any]):
    assert keep(**words) == []


def test_an_all_of_inside_a_word_beside_it():
    assert keep(last=5, all_of=[{"last": 3}, {"pushed": 1}]) == [
        "rules[0].keep.all_of: useless beside last, which keeps all that it could keep; remove one of them"
    ]


def test_a_part_of_all_of_that_takes_nothing_away():
    line = "rules[0].keep.all_of[1]: useless beside all_of[0].last, which keeps no more; remove one of them"
    assert keep(all_of=[{"last": 3}, {"last": 5}]) == [line]
    assert keep(all_of=[{"last": 3}, {"last": 3}]) == [line]
    assert keep(all_of=[{"last": 3}, {"last": 5, "first": 1}]) == [line]


def test_unless_that_takes_away_all_that_a_word_keeps():
    line = "rules[0].keep.{}: can never keep anything, for unless.{} takes it all away; remove one of them"
    assert keep(last=3, unless={"last": 3}) == [line.format("last", "last")]
    assert keep(last=3, pushed=2, unless={"pushed": 9}) == [line.format("pushed", "pushed")]
    taken = keep(tagged="a", last=1, unless={"any_of": [{"tagged": ["a", "b"]}, {"first": 2}]})
    assert taken == [line.format("tagged", "any_of[0].tagged")]


def test_what_min_age_holds_already():
    assert keep(last=1, newer_than="3h") == [
        "rules[0].keep.newer_than: useless: min_age holds all that is younger than 1d already; "
        "expected a longer time"
    ]
    assert said({"keep": {"newer_than": "3h"}}, min_age=timedelta(hours=3)) == []


# Rules.


def test_a_rule_that_says_what_another_one_says():
    first, second = {"keep": {"last": 3}}, {"keep": {"last": 3}}
    line = 'rules[{}]: useless: rules[{}], "r{}", says the same of the same artifacts; remove one of them'
    assert said(first, second) == [line.format(1, 0, 0)]
    assert said(first, {"keep": {"last": 2}}) == []
    assert said(first, {"keep": {"last": 3}, "group_by": []}) == []
    runs = {"match": {"type": "ModelRun"}}
    prunes = {**runs, "keep": {"last": 3}, "checkpoints": {"last": 1}}
    assert said({**runs, "keep": {"last": 3}}, prunes) == [line.format(0, 1, 1)]
    assert said({**runs, "checkpoints": {"last": 1}}, {**runs, "checkpoints": {"last": 2}}) == []
    assert said({**runs, "checkpoints": {"last": 1}}, {**runs, "checkpoints": {"last": 1}}) == [
        line.format(1, 0, 0)
    ]


def test_deleting_all_of_what_another_rule_keeps_some():
    everything = {"keep": {}, "unsafe_delete_all": True}
    line = (
        'rules[{}].unsafe_delete_all: useless: rules[{}], "r{}", governs all that it matches, too, and what '
        "several rules match is deleted only if all of them let it go; narrow the match of one of them"
    )
    assert said(everything, {"keep": {"last": 3}}) == [line.format(0, 1, 1)]
    narrow = {"match": {"type": "Model", "pipeline": "old"}}
    assert said({"keep": {"last": 3}}, {**narrow, **everything}) == [line.format(1, 0, 0)]
    assert said({**narrow, "keep": {"last": 3}}, everything) == []
    assert said(everything, everything) == [line.format(1, 0, 0)]


def test_a_match_covers_another_only_where_that_is_sure():
    wide = Match(type=("Model", "ModelRun"), properties={"a": 1})
    assert covers(wide, Match(type=("ModelRun",), pipeline=("x",), properties={"a": 1, "b": 2}))
    assert not covers(wide, Match(type=("ModelRun",)))
    assert not covers(Match(pipeline=("a*",)), Match(pipeline=("ab",)))
    assert covers(Match(pipeline=("*",)), Match(pipeline=("ab",)))


# Each refusal is certain: without what it refuses, every history is judged the same.

COUNTS = st.integers(1, 3)
PLAIN: dict[Any, Any] = {
    **dict.fromkeys(("last", "first", "blessed", "pushed", "daily"), COUNTS),
    "within": st.sampled_from(["90m", "3d"]),
    "newer_than": st.sampled_from(["3h", "990d", "1010d"]),
    "tagged": st.lists(st.sampled_from(["golden", "silver"]), min_size=1, unique=True),
}
WORDS = st.dictionaries(st.sampled_from(list(PLAIN)), st.none(), min_size=1, max_size=2).flatmap(
    lambda chosen: st.fixed_dictionaries({word: PLAIN[word] for word in chosen})
)
PARTS = st.lists(
    st.builds(lambda w, u: {**w, **({"unless": u} if u else {})}, WORDS, st.none() | WORDS),
    min_size=2,
    max_size=3,
)
KEEPS = st.builds(
    lambda words, extra: {**words, **extra},
    WORDS,
    st.fixed_dictionaries({}, optional={"any_of": PARTS, "all_of": PARTS, "unless": WORDS}),
)


def without(keep: Keep, at: FieldPath) -> Keep:
    """The keep with what stands at a field taken out."""
    head, *rest = at
    if not rest:
        return keep.model_copy(update={str(head): None})
    held = getattr(keep, str(head))
    if head == "unless":
        return keep.model_copy(update={str(head): without(held, tuple(rest))})
    number, *below = rest
    parts = [
        part if at_number != number else without(part, tuple(below))
        for at_number, part in enumerate(held)
        if below or at_number != number
    ]
    return keep.model_copy(update={str(head): tuple(parts)})


def policy_of(keep: Keep, min_age: timedelta) -> RetentionPolicy:
    """A policy that nobody has looked at."""
    rule = {"name": "m", "match": {"type": ["Model", "ModelRun"]}, "keep": {"last": 1}}
    plain = RetentionPolicy.from_dict({"version": 1, "roots": ["/srv"], "rules": [rule]})
    changed = plain.rules[0].model_copy(update={"keep": keep})
    return plain.model_copy(update={"rules": (changed,), "min_age": min_age})


@settings(deadline=None, max_examples=150)
@given(KEEPS, st.sampled_from([timedelta(hours=1), timedelta(days=1000)]), st.data())
def test_a_refusal_is_certain(words: dict[str, Any], min_age: timedelta, data: st.DataObject):
    rule = Rule.model_validate({"name": "m", "match": {"type": ["Model", "ModelRun"]}, "keep": words})
    assert rule.keep is not None
    found = list(refusals([rule], min_age=min_age))
    assume(found)
    runs: list[Run] = data.draw(histories(3, 8))
    as_written = deletions(policy_of(rule.keep, min_age), runs)
    for problem in found:
        changed = without(rule.keep, problem.at[3:])
        assert deletions(policy_of(changed, min_age), runs) == as_written, problem


def test_what_was_written_down_is_read_back_though_it_would_be_refused_by_now() -> None:
    twice = [{"name": name, "match": {"type": "Model"}, "keep": {"last": 3}} for name in ("one", "two")]
    record = {"version": 1, "roots": ["/srv"], "rules": twice}
    with pytest.raises(PolicyError, match="useless"):
        RetentionPolicy.from_dict(record)
    policy = RetentionPolicy.from_record(record, source="act 7")
    assert RetentionPolicy.from_record(policy.to_dict(), source="act 7") == policy
    with pytest.raises(PolicyError, match="act 7: rules: is missing"):
        RetentionPolicy.from_record({"version": 1, "roots": ["/srv"]}, source="act 7")
