"""What a rule matches, and into which groups it splits that."""

from __future__ import annotations

from tests.policy.small_policies import with_rule
from tfx_janitor.policy.schema import Match, RetentionPolicy


def test_all_that_a_match_says_must_fit():
    match = Match(type=("Model",), pipeline=("inception-*", "resnet"), properties={"span": 3})
    fits = {
        "type": "Model",
        "pipeline": "inception-v3",
        "node": "Trainer",
        "output": "model",
        "properties": {"span": 3},
    }
    assert match.matches(**fits)
    assert match.matches(**{**fits, "pipeline": "resnet"})
    assert not match.matches(**{**fits, "type": "ModelRun"})
    assert not match.matches(**{**fits, "pipeline": "Inception-v3"})
    assert not match.matches(**{**fits, "pipeline": None})
    assert not match.matches(**{**fits, "properties": {"span": "3"}})
    assert not match.matches(**{**fits, "properties": {}})


def test_a_star_also_fits_what_has_no_value():
    assert Match(type=("Model",)).matches("Model", None, None, None, {})
    assert not Match(type=("Model",), node=("?*",)).matches("Model", None, None, None, {})


def test_brackets_are_patterns_and_can_be_escaped():
    assert Match(pipeline=("run[1]",)).matches("Model", "run1", None, None, {})
    assert Match(pipeline=("run[[]1]",)).matches("Model", "run[1]", None, None, {})


def test_groups_are_split_by_what_the_rule_says():
    rule = RetentionPolicy.from_dict(with_rule(group_by=["node", "properties.span"])).rules[0]
    assert rule.group_of("p", "Trainer", "model", {"span": 3}.get) == ("Trainer", 3)
    assert rule.group_of("p", None, "model", {}.get) == (None, None)
    assert RetentionPolicy.from_dict(with_rule(group_by=[])).rules[0].group_of("p", "n", "o", {}.get) == ()
