"""Which checkpoints of a directory stay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_janitor.policy.schema import CheckpointRule
from tfx_janitor.retention.pruning import Candidate, Pruning, prune

HOUR_MS = 3_600_000


def ckpt(step: int | None, *, hours: float = 0.0, prefix: str = "ckpt", **facts: object) -> Candidate:
    name = prefix if step is None else f"{prefix}-{step}"
    return replace(Candidate(name, prefix, step, int(hours * HOUR_MS)), **facts)


def ckpts(*steps: int) -> list[Candidate]:
    return [ckpt(step, hours=index) for index, step in enumerate(steps)]


def names(prunings: tuple[Pruning, ...], verdict: str) -> list[str]:
    return [pruning.name for pruning in prunings if pruning.verdict == verdict]


def said(prunings: tuple[Pruning, ...]) -> list[str]:
    """Golden form: name, verdict, and every reason."""
    return [
        f"{p.name}: {p.verdict}: " + "; ".join(f"{r.code} {r.detail}" for r in p.reasons) for p in prunings
    ]


def test_last_counts_by_number_not_by_spelling():
    prunings = prune(ckpts(1, 2, 3, 10, 11, 12, 100), CheckpointRule(last=6))
    assert names(prunings, "delete") == ["ckpt-1"]


def test_every_verdict_says_why_and_by_how_much():
    assert said(prune(ckpts(10, 20, 30), CheckpointRule(last=2))) == [
        "ckpt-10: delete: expire.last rank 3 of 3, keeps 2",
        "ckpt-20: keep: keep.last rank 2 of 3, keeps 2",
        "ckpt-30: keep: hold.newest-checkpoint newest of 3 restorable; keep.last rank 1 of 3, keeps 2",
    ]


def test_a_deletion_carries_every_word_that_missed():
    rule = CheckpointRule(last=1, every_n_steps=100, every_n_hours=1.5)
    assert said(prune(ckpts(7, 57, 107, 157, 207), rule)) == [
        "ckpt-7: keep: keep.every_n_steps the oldest; keep.every_n_hours the oldest",
        "ckpt-57: delete: expire.last rank 4 of 5, keeps 1; "
        "expire.every_n_steps 50 steps after ckpt-7, keeps one every 100 steps; "
        "expire.every_n_hours 1 h after ckpt-7, keeps one every 1.5 h",
        "ckpt-107: keep: keep.every_n_steps 100 steps after ckpt-7, keeps one every 100 steps; "
        "keep.every_n_hours 2 h after ckpt-7, keeps one every 1.5 h",
        "ckpt-157: delete: expire.last rank 2 of 5, keeps 1; "
        "expire.every_n_steps 50 steps after ckpt-107, keeps one every 100 steps; "
        "expire.every_n_hours 1 h after ckpt-107, keeps one every 1.5 h",
        "ckpt-207: keep: hold.newest-checkpoint newest of 5 restorable; keep.last rank 1 of 5, keeps 1; "
        "keep.every_n_steps 100 steps after ckpt-107, keeps one every 100 steps; "
        "keep.every_n_hours 2 h after ckpt-107, keeps one every 1.5 h",
    ]


def test_every_n_hours_goes_by_the_time_of_writing_not_by_step():
    resumed = [ckpt(1, hours=0), ckpt(2, hours=9), ckpt(3, hours=4), ckpt(4, hours=8), ckpt(5, hours=10)]
    prunings = prune(resumed, CheckpointRule(every_n_hours=4), hold_newest=False)
    assert names(prunings, "keep") == ["ckpt-1", "ckpt-3", "ckpt-4"]


def test_the_interval_itself_is_far_enough():
    assert names(prune(ckpts(0, 10, 19), CheckpointRule(every_n_steps=10)), "keep")[:2] == [
        "ckpt-0",
        "ckpt-10",
    ]
    tenths = [ckpt(1), ckpt(2, hours=0.1), ckpt(3, hours=0.15)]
    assert names(prune(tenths, CheckpointRule(every_n_hours=0.1)), "keep")[:2] == ["ckpt-1", "ckpt-2"]


def test_a_damaged_newest_counts_for_nothing_and_is_not_deleted():
    damaged = ckpt(100, restorable=False, problem="variables.data-00000-of-00001: bad checksum")
    assert said(prune([*ckpts(10, 20), damaged], CheckpointRule(last=1))) == [
        "ckpt-10: delete: expire.last rank 2 of 2, keeps 1",
        "ckpt-20: keep: hold.newest-checkpoint newest of 2 restorable; keep.last rank 1 of 2, keeps 1",
        "ckpt-100: unknown: unknown.damaged-checkpoint variables.data-00000-of-00001: bad checksum",
    ]


def test_when_everything_is_damaged_nothing_is_deleted():
    wrecks = [replace(c, restorable=False) for c in ckpts(1, 2, 3)]
    assert names(prune(wrecks, CheckpointRule(last=1)), "unknown") == ["ckpt-1", "ckpt-2", "ckpt-3"]


def test_what_nobody_verified_counts_as_whole():
    prunings = prune([ckpt(1, restorable=True), ckpt(2, restorable=None)], CheckpointRule(last=1))
    assert names(prunings, "delete") == ["ckpt-1"]


def test_each_prefix_is_a_series_of_its_own():
    best = [ckpt(step, prefix="best") for step in (3, 5)]
    prunings = prune([*ckpts(10, 20), *best], CheckpointRule(last=1))
    assert names(prunings, "keep") == ["best-5", "ckpt-20"]


def test_unnumbered_checkpoints_rank_by_time_among_themselves():
    weights = [
        Candidate("0.91.weights.h5", "weights", None, 2 * HOUR_MS),
        Candidate("0.95.weights.h5", "weights", None, HOUR_MS),
        Candidate("weights-7", "weights", 7, 0),
    ]
    prunings = prune(weights, CheckpointRule(last=1))
    assert names(prunings, "keep") == ["weights-7", "0.91.weights.h5"]
    assert names(prunings, "delete") == ["0.95.weights.h5"]


def test_a_rule_about_steps_cannot_judge_what_has_none():
    unnumbered = [Candidate(name, "w", None, age * HOUR_MS) for age, name in enumerate(["a", "b"])]
    by_steps = prune(unnumbered, CheckpointRule(every_n_steps=10), hold_newest=False)
    assert said(by_steps) == [
        "a: unknown: unknown.no-step its name tells no step to count by",
        "b: unknown: unknown.no-step its name tells no step to count by",
    ]
    assert said(prune(unnumbered, CheckpointRule(every_n_steps=10, last=1), hold_newest=False)) == [
        "a: unknown: expire.last rank 2 of 2, keeps 1; unknown.no-step its name tells no step to count by",
        "b: keep: keep.last rank 1 of 2, keeps 1",
    ]


def test_without_the_hold_the_newest_may_go_but_something_restorable_stays():
    prunings = prune(ckpts(1, 2, 3), CheckpointRule(every_n_steps=100), hold_newest=False)
    assert names(prunings, "keep") == ["ckpt-1"]


def test_two_checkpoints_of_one_name_are_not_understood():
    twins = [ckpt(1), replace(ckpt(1), modified_ms=5), ckpt(2), ckpt(3)]
    prunings = prune(twins, CheckpointRule(last=1))
    assert names(prunings, "unknown") == ["ckpt-1"]
    assert names(prunings, "delete") == ["ckpt-2"]


def test_step_zero_is_a_step_and_the_oldest():
    untrained = ckpt(0, hours=2)
    assert names(prune([untrained, ckpt(1, hours=1)], CheckpointRule(last=1)), "delete") == ["ckpt-0"]


def test_what_cannot_be_judged_says_why():
    twins = [ckpt(1), replace(ckpt(1), modified_ms=5)]
    assert said(prune([*twins, ckpt(2, restorable=False)], CheckpointRule(last=1))) == [
        "ckpt-1: unknown: unknown.ambiguous-checkpoint several checkpoints here have this name",
        "ckpt-2: unknown: unknown.damaged-checkpoint cannot be restored",
    ]


def test_an_empty_directory_has_no_verdicts():
    assert prune([], CheckpointRule(last=1)) == ()


# Laws, on random directories.

candidates = st.lists(
    st.builds(
        Candidate,
        name=st.text("abcdefgh", min_size=1, max_size=3),
        prefix=st.sampled_from(["ckpt", "best"]),
        step=st.none() | st.integers(0, 40),
        modified_ms=st.integers(0, 12).map(lambda quarter: quarter * HOUR_MS // 4),
        restorable=st.sampled_from([True, None, True, None, False]),
        problem=st.none(),
    ),
    max_size=14,
    unique_by=lambda candidate: candidate.name,
)
rules = (
    st.tuples(
        st.none() | st.integers(1, 5),
        st.none() | st.integers(1, 30),
        st.none() | st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.75]),
    )
    .filter(any)
    .map(lambda said: CheckpointRule(last=said[0], every_n_steps=said[1], every_n_hours=said[2]))
)


def left(directory: list[Candidate], rule: CheckpointRule, hold: bool) -> list[Candidate]:
    gone = set(names(prune(directory, rule, hold_newest=hold), "delete"))
    return [candidate for candidate in directory if candidate.name not in gone]


@given(candidates, rules, st.booleans(), st.randoms(use_true_random=False))
def test_law_the_order_given_changes_nothing(directory, rule, hold, random):
    shuffled = random.sample(directory, len(directory))
    assert prune(shuffled, rule, hold_newest=hold) == prune(directory, rule, hold_newest=hold)


@given(candidates, rules, st.booleans())
def test_law_pruning_again_deletes_nothing_new(directory, rule, hold):
    once = left(directory, rule, hold)
    assert left(once, rule, hold) == once


@given(candidates, rules, rules, st.booleans())
def test_law_pruning_again_by_several_rules_deletes_nothing_new(directory, one, two, hold):
    def both(directory: list[Candidate]) -> list[Candidate]:
        stays = {c.name for rule in (one, two) for c in left(directory, rule, hold)}
        return [candidate for candidate in directory if candidate.name in stays]

    assert both(both(directory)) == both(directory)


@given(candidates, st.integers(1, 8), st.integers(0, 8), st.booleans())
def test_law_a_larger_last_never_deletes_more(directory, last, more, hold):
    few = left(directory, CheckpointRule(last=last), hold)
    assert set(few) <= set(left(directory, CheckpointRule(last=last + more), hold))


@given(candidates, rules, rules, st.booleans())
def test_law_another_word_never_deletes_more(directory, rule, other, hold):
    said = {**other.model_dump(), **rule.model_dump()}  # a word that both say is the rule's
    assert set(left(directory, rule, hold)) <= set(left(directory, CheckpointRule.model_validate(said), hold))


@given(candidates, st.integers(1, 30))
def test_law_every_n_steps_leaves_no_hole_as_wide_as_n(directory, interval):
    """A smaller N need not keep the same ones; but what goes has a kept one less than N steps before it."""
    prunings = prune(directory, CheckpointRule(every_n_steps=interval), hold_newest=False)
    kept = [c for c in directory if c.name in names(prunings, "keep")]
    for gone in (c for c in directory if c.name in names(prunings, "delete")):
        assert any(c.prefix == gone.prefix and 0 <= gone.step - c.step < interval for c in kept)


@given(candidates, st.integers(1, 30), st.integers(1, 30))
def test_law_a_smaller_interval_never_keeps_fewer(directory, one, two):
    narrow, wide = sorted((one, two))
    assert len(left(directory, CheckpointRule(every_n_steps=narrow), False)) >= len(
        left(directory, CheckpointRule(every_n_steps=wide), False)
    )


@given(candidates, st.integers(1, 30))
def test_law_a_later_checkpoint_changes_no_earlier_walk(directory, interval):
    rule = CheckpointRule(every_n_steps=interval, every_n_hours=interval / 4)
    later = Candidate("later", "ckpt", 1000, 1000 * HOUR_MS)
    before, after = left(directory, rule, False), left([*directory, later], rule, False)
    assert [c for c in after if c is not later] == before


@given(candidates, rules, st.booleans())
def test_law_each_series_keeps_something_restorable_and_no_damaged_one_goes(directory, rule, hold):
    staying = left(directory, rule, hold)
    assert {(c.prefix, c.step is None) for c in directory if c.restorable is not False} <= {
        (c.prefix, c.step is None) for c in staying if c.restorable is not False
    }
    assert [c for c in directory if c.restorable is False] == [c for c in staying if c.restorable is False]


@given(candidates, rules)
def test_law_the_hold_keeps_the_newest_restorable_one_of_each_series(directory, rule):
    staying = {c.name for c in left(directory, rule, True)}
    for prefix in ("ckpt", "best"):
        numbered = [
            c for c in directory if c.prefix == prefix and c.step is not None and c.restorable is not False
        ]
        if numbered:
            assert max(numbered, key=lambda c: (c.step, c.modified_ms, c.name)).name in staying


@pytest.mark.parametrize("word", ["last", "every_n_steps", "every_n_hours"])
def test_a_rule_of_one_word_is_enough(word):
    assert names(prune(ckpts(1, 2, 3), CheckpointRule.model_validate({word: 1})), "keep")
