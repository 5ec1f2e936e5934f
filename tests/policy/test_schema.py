"""What a policy says, its defaults, and the forms that it is written in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.small_policies import EXAMPLE, SMALL, refusal, small, with_rule, written
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import Keep, PolicyError, RetentionPolicy, Rule, json_schema


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


def test_a_rule_may_prune_without_ever_deleting():
    rule = Rule.model_validate({"name": "r", "match": {"type": "Model*"}, "checkpoints": {"last": 1}})
    assert rule.keep is None


def test_keeping_nothing_must_be_spelled_out():
    policy = RetentionPolicy.from_dict(with_rule(keep={}, unsafe_delete_all=True))
    assert policy.rules[0].keep is not None
    assert policy.rules[0].keep.is_empty
