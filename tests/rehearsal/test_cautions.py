"""What is allowed and yet worth a second look."""

from __future__ import annotations

from typing import Any

import pytest

from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.cautions import cautions

MODELS = {"name": "models", "match": {"type": "Model"}, "keep": {"last": 3}}


def said(*rules: dict[str, Any], **changes: Any) -> list[str]:
    policy = {"version": 1, "roots": ["/srv/tfx"], "rules": list(rules) or [MODELS], **changes}
    found = cautions(RetentionPolicy.from_dict(policy))
    return [f"{problem.field}: {problem.message}" for problem in found]


def test_an_ordinary_policy_needs_none():
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"serving": ["/srv/other", "/srv/tfx/serving"]},
            'serving[1]: "/srv/tfx/serving" lies inside the root "/srv/tfx": what is served from there is '
            "only "
            "held as long as MLMD knows that it was pushed; better name roots beside it",
        ),
        (
            {"serving": ["/other", "/srv"]},
            'roots[0]: "/srv/tfx" is what a model server watches, "/srv" of serving: a version that MLMD '
            "does not "
            "know to be pushed there may go; better name where pipelines write to",
        ),
        ({"min_age": "0s"}, "min_age: is zero: what was made a moment ago may already go"),
        ({"grace": "0s"}, "grace: is zero: what is marked may be purged at once, and never restored"),
        (
            {"stale_after": "6h"},
            "stale_after: a RUNNING execution counts as dead 6h after its last sign of life, and TFX gives "
            "none while a node runs: a training that takes longer can lose its inputs",
        ),
        (
            {"orphans": {"older_than": "14d"}},
            "orphans.older_than: takes an execution for dead, RUNNING or not, that has written nothing into "
            "its directories for 14d: a training that is silent for longer loses them",
        ),
        (
            {"verify": "structure"},
            "verify: a survivor whose tensors are damaged passes for whole; checksums would notice",
        ),
        (
            {"limits": {"max_fraction": None}},
            "limits: no plan is ever too large to be carried out without approval",
        ),
    ],
)
def test_of_the_policy(changes: dict[str, Any], line: str):
    assert said(**changes) == [line]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"keep": {}, "unsafe_delete_all": True},
            "rules[0].unsafe_delete_all: deletes all that it matches and that nothing holds, pushed or not",
        ),
        (
            {"match": {"type": "*"}},
            "rules[0].match: governs artifacts of every type, Examples and Schema too",
        ),
        (
            {"keep": {"newer_than": "90d"}},
            "rules[0].keep.newer_than: counts from now: of a pipeline that has stopped, only what is held "
            "stays; within counts from the newest of the group",
        ),
        (
            {"group_by": ["node"]},
            "rules[0].group_by: puts several pipelines into one group: a busy one pushes out all that a "
            "quiet "
            "one has",
        ),
    ],
)
def test_of_a_rule(change: dict[str, Any], line: str):
    assert said({**MODELS, **change}) == [line]


@pytest.mark.parametrize(("type_name", "word"), [("PushedModel", "blessed"), ("ModelBlessing", "pushed")])
def test_a_word_for_what_comes_of_another_node(type_name: str, word: str):
    assert said({**MODELS, "match": {"type": type_name}, "keep": {"last": 1, word: 2}}) == [
        f"rules[0].keep.{word}: keeps none that TFX's own nodes make: it is a Model that is {word}, and what "
        "came of the same execution counts with it"
    ]


def test_one_pipeline_alone_may_be_one_group():
    assert said({**MODELS, "group_by": [], "match": {"type": "Model", "pipeline": "inception"}}) == []
    assert said({**MODELS, "group_by": [], "keep": {"tagged": ["golden"]}}) == []


def test_a_rule_that_another_one_disarms():
    runs = {"name": "runs", "match": {"type": "ModelRun"}, "keep": {"last": 3}}
    prunes = {"name": "inside", "match": {"type": "ModelRun"}, "checkpoints": {"last": 1}}
    assert said(runs, prunes) == [
        'rules[0]: deletes nothing, for rules[1], "inside", prunes inside and keeps whatever this rule '
        "matches; put its checkpoints into this rule to have both"
    ]
    assert said(MODELS, prunes) == []
