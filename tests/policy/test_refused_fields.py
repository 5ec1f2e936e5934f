"""Fields that are refused: each names file, line and field, what was expected, what came, and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.small_policies import SMALL, refusal, small, with_rule
from tfx_janitor.errors import JanitorError
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy


def test_all_problems_are_told_at_once_with_their_lines():
    text = """\
version: 2
rots: [/srv]
roots: [/srv/tfx, data, /, "gs://bucket/", /srv/tfx/../tfx/]
min_age: 3
grace: -1d
limits: {max_fraction: 0, max_items: 1.5, max_bytes: 10G}
verify: deep
orphans: {older_than: 1h}
rules:
  - name: Models
    match: {type: Model, pipline: x}
    keep: {lst: 3, last: 0, first: true, every: 3}
  - match: {type: Model, pipeline: }
    keep:
      pushed: two
      ids: [1, 0]
      within: 0s
    checkpoints: []
"""
    assert refusal(text) == [
        "janitor.yaml:1: version: expected 1, the version that this tfx-janitor understands, got 2",
        'janitor.yaml:2: rots: unknown key; did you mean "roots"?',
        "janitor.yaml:3: roots[1]: expected an absolute path or a URI, got the relative path 'data'; "
        "write it in full",
        'janitor.yaml:3: roots[2]: expected a directory, got "/", which is the whole file system; '
        "name a directory in it",
        'janitor.yaml:3: roots[3]: expected a directory, got "gs://bucket/", which is a whole bucket; '
        "name a directory in it",
        "janitor.yaml:4: min_age: expected a duration such as 30m, 36h, 7d, 2w or 1d12h, got the bare "
        "number 3; "
        "write 3d for days",
        'janitor.yaml:5: grace: expected a duration such as 30m, 36h, 7d, 2w or 1d12h, got "-1d"; '
        "durations count from zero up",
        "janitor.yaml:6: limits.max_fraction: expected more than 0, got 0",
        "janitor.yaml:6: limits.max_items: expected a whole number, got 1.5",
        "janitor.yaml:6: limits.max_bytes: expected a number of bytes, or a size such as 10GB or 512MiB "
        '(powers of 1024), got "10G"',
        'janitor.yaml:7: verify: expected structure, checksums or load, got "deep"',
        "janitor.yaml:8: orphans.older_than: expected at least 1d, got 1h; a training that writes a "
        "checkpoint every few hours looks dead in between",
        "janitor.yaml:10: rules[0].name: expected a name of the letters a-z, digits and - _ . only, got "
        '"Models"',
        'janitor.yaml:11: rules[0].match.pipline: unknown key; did you mean "pipeline"?',
        "janitor.yaml:12: rules[0].keep.last: expected at least 1, got 0",
        "janitor.yaml:12: rules[0].keep.first: expected a whole number, got true",
        'janitor.yaml:12: rules[0].keep.lst: unknown key; did you mean "last"?',
        "janitor.yaml:12: rules[0].keep.every: unknown key; known are all_of, ancestors_of, any_of, best, "
        "blessed, daily, descendants_of, first, groups, hourly, ids, last, max_bytes, monthly, newer_than, "
        "pushed, quarterly, tagged, unless, used_by, weekly, within, yearly",
        "janitor.yaml:13: rules[1].name: is missing; give the rule a name; plans and reasons refer to it",
        "janitor.yaml:13: rules[1].match.pipeline: expected a value, got nothing (null); give one or "
        "remove the key",
        'janitor.yaml:15: rules[1].keep.pushed: expected a whole number, got "two"',
        "janitor.yaml:16: rules[1].keep.ids[1]: expected at least 1, got 0",
        "janitor.yaml:17: rules[1].keep.within: expected a duration longer than zero, got 0s",
        "janitor.yaml:18: rules[1].checkpoints: expected a mapping, got an empty list",
    ]


def test_a_policy_that_says_nothing():
    assert refusal({}) == [
        "policy: version: is missing; add version: 1",
        "policy: roots: is missing; name at least one directory; "
        "only payloads inside the roots may ever be deleted",
        "policy: rules: is missing; add at least one rule; what no rule matches is never touched",
    ]


REFUSED = {
    "version is a flag": (
        small(version=True),
        "version: expected 1, the version that this tfx-janitor understands, got true",
    ),
    "no roots": (
        small(roots=[]),
        "roots: expected at least one directory, got none; nothing outside the roots is ever deleted",
    ),
    "a root twice": (small(roots=["/a", "/b", "file:///a/"]), 'roots[2]: "/a" is given twice; remove one'),
    "a root in a root": (
        small(roots=["/a/b", "/a"]),
        'roots[0]: "/a/b" is useless, for it lies inside "/a"; remove one of them',
    ),
    "relative serving directory": (
        small(serving=["/live", "models"]),
        "serving[1]: expected an absolute path or a URI, got the relative path 'models'; write it in full",
    ),
    "no rules": (
        small(rules=[]),
        "rules: expected at least one rule, got none; what no rule matches is never touched",
    ),
    "a rule that is none": (small(rules=[3]), "rules[0]: expected a mapping, got 3"),
    "a name twice": (
        small(rules=SMALL["rules"] * 2),
        'rules[1].name: the name "m" is taken by rules[0]; names are unique',
    ),
    "NaN": (
        small(limits={"max_fraction": float("nan")}),
        "limits.max_fraction: expected a finite number, got nan",
    ),
    "more than everything": (
        small(limits={"max_fraction": 1.5}),
        "limits.max_fraction: expected at most 1, got 1.5",
    ),
    "orphans without a time": (
        small(orphans={}),
        "orphans.older_than: is missing; say for how long nothing must have been written, such as 14d",
    ),
    "orphans as a time": (
        small(orphans="14d"),
        'orphans: expected a mapping such as {older_than: 14d}, got "14d"',
    ),
    "orphans misspelled": (
        small(orphans={"older-than": "14d", "older_than": "14d"}),
        'orphans.older-than: unknown key; did you mean "older_than"?',
    ),
    "orphans younger than a day": (
        small(orphans={"older_than": "23h"}),
        "orphans.older_than: expected at least 1d, got 23h; a training that writes a checkpoint every few "
        "hours looks dead in between",
    ),
    "orphans younger than min_age": (
        small(min_age="30d", orphans={"older_than": "14d"}),
        "orphans.older_than: useless: min_age holds all that is younger than 30d already; "
        "expected that or a longer time",
    ),
    "negative limit": (small(limits={"max_items": -1}), "limits.max_items: expected at least 0, got -1"),
    "everything is stale": (
        small(stale_after="0s"),
        "stale_after: expected a duration longer than zero, got 0s",
    ),
    "a rule without a word": (
        with_rule(keep=...),
        "rules[0]: the rule asks for nothing; give it keep, checkpoints or both",
    ),
    "keep nothing": (
        with_rule(keep={}),
        "rules[0].keep: expected something to keep, got nothing: the rule would delete all that it "
        "matches; say what to keep, such as last: 3, or add unsafe_delete_all: true to the rule",
    ),
    "keep without a value": (
        with_rule(keep=None, checkpoints={"last": 1}),
        "rules[0].keep: expected a value, got nothing (null); give one or remove the key",
    ),
    "delete all and keep some": (
        with_rule(unsafe_delete_all=True),
        "rules[0].keep: contradicts unsafe_delete_all: true, but keeps last; remove one of them",
    ),
    "delete all, half said": (
        with_rule(unsafe_delete_all=True, keep=...),
        "rules[0]: unsafe_delete_all needs keep: {} beside it, to say that nothing is kept",
    ),
    "delete all and prune": (
        with_rule(unsafe_delete_all=True, keep={}, match={"type": "ModelRun"}, checkpoints={"last": 1}),
        "rules[0].checkpoints: contradicts unsafe_delete_all: true, which deletes the whole ModelRun; "
        "remove one of them",
    ),
    "a flag as text": (
        with_rule(unsafe_delete_all="yes"),
        'rules[0].unsafe_delete_all: expected true or false, got "yes"',
    ),
    "checkpoints of a Model": (
        with_rule(checkpoints={"last": 1}),
        "rules[0].checkpoints: useless on artifacts of type Model: checkpoints lie in a ModelRun; match "
        "type: ModelRun",
    ),
    "checkpoints: nothing": (
        with_rule(match={"type": "ModelRun"}, checkpoints={}),
        "rules[0].checkpoints: expected at least one of last, every_n_steps, every_n_hours, got none",
    ),
    "every 0 hours": (
        with_rule(match={"type": "ModelRun"}, checkpoints={"every_n_hours": 0}),
        "rules[0].checkpoints.every_n_hours: expected more than 0, got 0",
    ),
    "dashes": (
        with_rule(match={"type": "ModelRun"}, checkpoints={"every-n-step": 5}),
        'rules[0].checkpoints.every-n-step: unknown key; did you mean "every_n_steps"?',
    ),
    "groups of nothing": (
        with_rule(match={"type": "ModelRun"}, keep=..., checkpoints={"last": 1}, group_by=["node"]),
        "rules[0].group_by: useless without keep; checkpoints are judged directory by directory",
    ),
    "blessed data": (
        with_rule(match={"type": ["Examples", "Schema"]}, keep={"last": 1, "blessed": 2}),
        "rules[0].keep.blessed: can never keep anything: nothing of type Examples or Schema is ever blessed",
    ),
    "match nothing": (
        with_rule(match={}),
        'rules[0].match: expected something to match, got nothing; write type: "*" to govern every artifact',
    ),
    "no types": (
        with_rule(match={"type": []}),
        "rules[0].match.type: expected at least one, got an empty list",
    ),
    "a type that is none": (with_rule(match={"type": 3}), "rules[0].match.type: expected a list, got 3"),
    "a list as property": (
        with_rule(match={"properties": {"p": [1]}}),
        "rules[0].match.properties.p: expected a text, a finite number, true or false, got a list",
    ),
    "a property that is no number": (
        with_rule(match={"properties": {"p": float("nan")}}),
        "rules[0].match.properties.p: expected a text, a finite number, true or false, got nan",
    ),
    "unknown group": (
        with_rule(group_by=["run"]),
        'rules[0].group_by[0]: expected pipeline, node, output or properties.NAME, got "run"',
    ),
    "a group twice": (
        with_rule(group_by=["node", "node"]),
        'rules[0].group_by[1]: "node" is given twice; remove one',
    ),
    "a tag of two words": (
        with_rule(keep={"tagged": ["golden", "to keep"]}),
        'rules[0].keep.tagged[1]: expected a tag without blanks and commas, got "to keep"; no artifact '
        "can carry it",
    ),
    "no ids": (with_rule(keep={"ids": []}), "rules[0].keep.ids: expected at least one, got an empty list"),
    "a number as name": (with_rule(name=7), "rules[0].name: expected a text, got 7; put it in quotes"),
}


@pytest.mark.parametrize(("policy", "line"), REFUSED.values(), ids=REFUSED)
def test_refused(policy: dict[str, object], line: str):
    assert refusal(policy) == [f"policy: {line}"]


def test_values_from_far_away_stay_on_one_line():
    (line,) = refusal(with_rule(name="a\nb" + "x" * 10_000))
    assert len(line) < 200


def test_the_command_line_may_print_it():
    assert issubclass(PolicyError, JanitorError)
    assert PolicyError.exit_code == 2


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=2),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "roots", "rules", "limits", "name", "match", "keep", "type", "last", "ids", 7]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_comes_is_a_policy_or_a_clear_refusal(data):
    with pytest.raises(PolicyError):
        RetentionPolicy.from_dict(data)
    rules = data if isinstance(data, list) else [data]
    with pytest.raises(PolicyError):
        RetentionPolicy.from_dict(small(rules=rules, limits=data))
