"""What a policy may say, and how it is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import Keep, Match, PolicyError, RetentionPolicy, Rule, json_schema

EXAMPLE = """\
version: 1
roots: [/srv/tfx/pipelines]        # only payloads inside these may ever be deleted
serving: [/srv/serving/inception]
min_age: 1d
grace: 7d
stale_after: null                  # null: a RUNNING execution holds for ever
verify: checksums
limits: {max_fraction: 0.5, max_items: null, max_bytes: null}
rules:
  - name: models
    match: {type: Model, pipeline: "inception-*"}
    group_by: [pipeline, node, output]
    keep: {last: 3, blessed: 2, pushed: 2}
  - name: checkpoints
    match: {type: ModelRun}
    keep: {last: 10}
    checkpoints: {last: 1, every_n_steps: 10000, every_n_hours: 6}
  - name: data
    match: {type: [Examples, TransformGraph]}
    keep: {last: 5, within: 2w, newer_than: 1d12h, tagged: [golden], ids: [7, 9]}
"""

SMALL = {
    "version": 1,
    "roots": ["/srv"],
    "rules": [{"name": "m", "match": {"type": "Model"}, "keep": {"last": 3}}],
}


def small(**changes: object) -> dict[str, object]:
    return {**SMALL, **changes}


def with_rule(**changes: object) -> dict[str, object]:
    rule = {"name": "m", "match": {"type": "Model"}, "keep": {"last": 3}, **changes}
    return small(rules=[{key: value for key, value in rule.items() if value is not ...}])


def refusal(policy: str | dict[str, object], **options: object) -> list[str]:
    """The lines of the error that refuses a policy."""
    with pytest.raises(PolicyError) as refused:
        if isinstance(policy, str):
            RetentionPolicy.from_text(policy, source="janitor.yaml")
        else:
            RetentionPolicy.from_dict(policy)
    return str(refused.value).splitlines()


def written(folder: Path, content: str | bytes, name: str = "janitor.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# What a policy says.


def test_a_policy_reads_as_it_is_written(tmp_path: Path):
    policy = RetentionPolicy.from_yaml(written(tmp_path, EXAMPLE))
    models, checkpoints, data = policy.rules
    assert policy.roots == ("/srv/tfx/pipelines",)
    assert (policy.min_age, policy.grace) == (timedelta(days=1), timedelta(days=7))
    assert policy.stale_after is None
    assert policy.verify is Level.CHECKSUMS
    assert models.match.type == ("Model",)
    assert models.keep == Keep(last=3, blessed=2, pushed=2)
    assert checkpoints.checkpoints is not None
    assert checkpoints.checkpoints.every_n_hours == 6
    assert data.keep is not None
    assert (data.keep.within, data.keep.newer_than) == (timedelta(days=14), timedelta(hours=36))
    assert (data.keep.tagged, data.keep.ids) == (("golden",), (7, 9))


def test_what_is_not_said_has_safe_defaults():
    policy = RetentionPolicy.from_dict(SMALL)
    assert (policy.min_age, policy.grace) == (timedelta(days=1), timedelta(days=7))
    assert policy.stale_after is None
    assert policy.verify is Level.CHECKSUMS
    assert (policy.limits.max_fraction, policy.limits.max_items, policy.limits.max_bytes) == (0.5, None, None)
    assert policy.rules[0].group_by == ("pipeline", "node", "output")
    assert not policy.rules[0].unsafe_delete_all


def test_yaml_json_and_python_say_the_same(tmp_path: Path):
    from_yaml = RetentionPolicy.from_yaml(written(tmp_path, EXAMPLE))
    as_json = json.dumps(from_yaml.to_dict())
    assert RetentionPolicy.from_json(written(tmp_path, as_json, "janitor.json")) == from_yaml
    assert RetentionPolicy.from_text(as_json, format="json") == from_yaml
    assert RetentionPolicy.from_text(from_yaml.to_yaml()) == from_yaml
    assert RetentionPolicy.from_dict(from_yaml.to_dict()) == from_yaml


def test_the_canonical_form_spells_everything_out():
    assert RetentionPolicy.from_dict(SMALL).to_dict() == {
        "version": 1,
        "roots": ["/srv"],
        "serving": [],
        "min_age": "1d",
        "grace": "7d",
        "stale_after": None,
        "verify": "checksums",
        "limits": {"max_fraction": 0.5, "max_items": None, "max_bytes": None},
        "rules": [
            {
                "name": "m",
                "match": {
                    "type": ["Model"],
                    "pipeline": ["*"],
                    "node": ["*"],
                    "output": ["*"],
                    "properties": {},
                },
                "group_by": ["pipeline", "node", "output"],
                "keep": {"last": 3},
                "unsafe_delete_all": False,
            }
        ],
    }


def test_the_digest_tells_policies_apart_not_spellings():
    digest = RetentionPolicy.from_dict(SMALL).digest
    assert digest == "sha256:0678caade3d2681848a5ccdb09343c5412eb51a1f9915909025cfa5262400279"
    assert RetentionPolicy.from_dict(small(grace="1w", roots="file:///srv/./")).digest == digest
    assert RetentionPolicy.from_dict(dict(reversed(small(min_age="24h").items()))).digest == digest
    assert RetentionPolicy.from_dict(small(grace="6d")).digest != digest


def test_roots_may_be_given_by_the_caller(tmp_path: Path):
    without = written(tmp_path, EXAMPLE.replace("roots: [/srv/tfx/pipelines]", ""))
    assert RetentionPolicy.from_yaml(without, roots=["/data"]).roots == ("/data",)
    both = RetentionPolicy.from_yaml(written(tmp_path, EXAMPLE), roots=["/data"], serving=["/live"])
    assert (both.roots, both.serving) == (("/data",), ("/live",))
    with pytest.raises(PolicyError, match=r"janitor\.yaml: roots\[0\]: .* relative path 'build'"):
        RetentionPolicy.from_yaml(written(tmp_path, EXAMPLE), roots=["build"])


def test_yaml_is_yaml_1_2():
    policy = RetentionPolicy.from_text(
        "version: 1\nroots: &here [/srv]\nserving: *here\nrules:\n"
        "- name: no\n  keep: &few {last: 010, first: 1}\n"
        "  match: {pipeline: no, node: on, output: yes, properties: {day: 2026-01-31, n: 1e3, flag: true}}\n"
        "- {name: more, match: {type: Model}, keep: {<<: *few, first: 2, ids: [1]}}\n"
    )
    rule, more = policy.rules
    assert (rule.name, rule.match.pipeline, rule.match.node, rule.match.output) == (
        "no",
        ("no",),
        ("on",),
        ("yes",),
    )
    assert rule.match.properties == {"day": "2026-01-31", "n": 1000.0, "flag": True}
    assert (rule.keep, more.keep) == (Keep(last=10, first=1), Keep(last=10, first=2, ids=(1,)))
    assert policy.serving == ("/srv",)
    assert RetentionPolicy.from_text(policy.to_yaml()) == policy


@given(st.text(min_size=1) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_every_property_value_survives_the_canonical_forms(value):
    policy = RetentionPolicy.from_dict(with_rule(match={"properties": {"p": value}}))
    assert RetentionPolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    if not isinstance(value, str) or value.isprintable():
        assert RetentionPolicy.from_text(policy.to_yaml()) == policy


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        RetentionPolicy.from_dict(SMALL).grace = timedelta()  # pyright: ignore


def test_the_json_schema_completes_for_editors():
    schema = json_schema()
    assert schema["required"] == ["version", "roots", "rules"]
    assert schema["properties"]["grace"]["default"] == "7d"
    assert schema["$defs"]["Keep"]["properties"]["last"]["description"] == "The newest N."


def test_no_policy_asks_models():
    assert refusal(small(verify="smoke")) == [
        'policy: verify: expected structure, checksums or load, got "smoke"; models are asked before they '
        "are served, by VerifiedPusher"
    ]
    levels = json_schema()["properties"]["verify"]
    assert (levels["default"], levels["enum"]) == ("checksums", ["structure", "checksums", "load"])


def test_a_policy_needs_no_tensorflow_beam_or_tfx():
    code = (
        "import sys, tfx_janitor.policy.schema, tfx_janitor.retention.pruning\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'ml_metadata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Matching and grouping.


def test_orphans_are_looked_for_only_where_the_policy_says_so():
    policy = RetentionPolicy.from_dict(small(orphans={"older_than": "14d"}))
    assert policy.orphans is not None and policy.orphans.older_than == timedelta(days=14)
    assert policy.to_dict()["orphans"] == {"older_than": "14d"}
    assert RetentionPolicy.from_text(policy.to_yaml()) == policy


def test_a_policy_without_orphans_is_written_as_before_there_were_any():
    for policy in (RetentionPolicy.from_dict(small()), RetentionPolicy.from_dict(small(orphans=None))):
        assert policy.orphans is None and "orphans" not in policy.to_dict()
    assert policy.digest == RetentionPolicy.from_dict(small()).digest
    assert policy.digest != RetentionPolicy.from_dict(small(orphans={"older_than": "14d"})).digest


def test_limits_take_sizes_as_people_write_them():
    assert RetentionPolicy.from_dict(small(limits={"max_bytes": "10 GB"})).limits.max_bytes == 10**10


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


def test_a_rule_may_prune_without_ever_deleting():
    rule = Rule.model_validate({"name": "r", "match": {"type": "Model*"}, "checkpoints": {"last": 1}})
    assert rule.keep is None


def test_keeping_nothing_must_be_spelled_out():
    policy = RetentionPolicy.from_dict(with_rule(keep={}, unsafe_delete_all=True))
    assert policy.rules[0].keep is not None
    assert policy.rules[0].keep.is_empty


# Refusals: each names file, line and field, what was expected, what came, and what to do.


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


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "janitor.yaml: the policy is empty; expected at least version, roots and rules"),
        ("# later\n", "janitor.yaml: the policy is empty; expected at least version, roots and rules"),
        ("- version: 1\n", "janitor.yaml: expected a mapping with version, roots and rules, got a list"),
        ("janitor\n", 'janitor.yaml: expected a mapping with version, roots and rules, got "janitor"'),
        (
            "version: 1\ngrace: 7d\nmin_age: 1d\ngrace: 1d\n",
            "janitor.yaml:4: grace: given twice, first on line 2; keep one of them",
        ),
        (
            "rules:\n- match: {type: Model,\n          type: Examples}\n",
            "janitor.yaml:3: rules[0].match.type: given twice, first on line 2; keep one of them",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "janitor.yaml:2: not YAML: expected a single document in the stream, "
            "but found another document (column 1)",
        ),
        (
            "roots: [/srv\nrules: 3",
            "janitor.yaml:2: not YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got ':' (column 6)",
        ),
        ("a: &a [*a]\n", "janitor.yaml:1: a[0]: an alias that contains itself; write the value out"),
        (
            "a: !!python/name:os.system x\n",
            "janitor.yaml:1: a: the tag tag:yaml.org,2002:python/name:os.system "
            "means nothing in a policy; remove it",
        ),
        ("1: a\n", "janitor.yaml:1: expected a text as key, got 1; quote it"),
        ("a: {<<: 3}\n", "janitor.yaml:1: a: expected << to take in a mapping or a list of mappings"),
        (
            "\x00\x01\x02",
            "janitor.yaml: expected text, got the control character 0x00; is this a policy file?",
        ),
        ("a: [" * 5000, "janitor.yaml: nested too deeply for a policy"),
    ],
)
def test_text_that_is_no_policy(text: str, line: str):
    assert refusal(text) == [line]


def test_a_pattern_that_yaml_takes_for_an_alias():
    (line,) = refusal("match: {pipeline: *-prod}\n")
    assert line.endswith('; quote a pattern that begins with *, as in "*"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '{"version": 1,\n "version": 2}',
            "p.json:2: version: given twice, first on line 1; keep one of them",
        ),
        (
            '{"version": 1,\n x}',
            "p.json:2: not JSON: Expecting property name enclosed in double quotes (column 2)",
        ),
        ('{"limits": NaN}', "p.json: expected a number, got NaN; JSON has no such number"),
        ("version: 1", "p.json:1: not JSON: Expecting value (column 1)"),
        ("[" * 100000, "p.json: nested too deeply for a policy"),
    ],
)
def test_text_that_is_no_json(text: str, line: str):
    with pytest.raises(PolicyError) as refused:
        RetentionPolicy.from_text(text, source="p.json", format="json")
    assert str(refused.value) == line


def test_problems_in_json_have_lines_too():
    text = '{\n\t"version": 1,\n\t"roots": ["/srv"],\n\t"rules": [\n\t\t{"name": 3}\n\t]\n}'
    with pytest.raises(PolicyError) as refused:
        RetentionPolicy.from_text(text, source="p.json", format="json")
    assert [(problem.line, problem.field) for problem in refused.value.problems] == [
        (5, "rules[0].name"),
        (5, "rules[0].match"),
    ]


def test_files_that_cannot_be_read(tmp_path: Path):
    def said(path: Path) -> str:
        with pytest.raises(PolicyError) as refused:
            RetentionPolicy.from_yaml(path)
        return str(refused.value).removeprefix(str(path))

    assert said(tmp_path / "no.yaml") == ": no such file; give the path of a policy in YAML or JSON"
    assert said(tmp_path) == ": expected a policy file, got a directory; give the path of the file in it"
    assert said(written(tmp_path, b"version: 1\nroots: [/a\xff]\n")) == (
        ":2: expected text in UTF-8, got byte 0xff; save the file as UTF-8"
    )


def test_a_byte_order_mark_is_no_key(tmp_path: Path):
    for content, read in (
        (EXAMPLE, RetentionPolicy.from_yaml),
        (json.dumps(SMALL), RetentionPolicy.from_json),
    ):
        assert read(written(tmp_path, b"\xef\xbb\xbf" + content.encode())).version == 1


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
