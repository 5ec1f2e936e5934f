"""What TFX's own GarbageCollectionPolicy becomes, and what of it is refused."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from tfx.proto.orchestration import garbage_collection_policy_pb2

from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

# The message is made when its module is imported; no type checker sees it.
_Message: Any = garbage_collection_policy_pb2
GarbageCollectionPolicy = _Message.GarbageCollectionPolicy

MODEL = ("Trainer", "model")


def newest(count: int, used_in: list[dict[str, str]] | None = None) -> Any:
    return GarbageCollectionPolicy(
        keep_most_recently_published={"num_artifacts": count}, keep_if_used_in_pipeline_groups=used_in
    )


def grouped(*groupings: dict[str, Any]) -> Any:
    return GarbageCollectionPolicy(keep_property_value_groups={"groupings": groupings})


def used(*pipelines: dict[str, str]) -> Any:
    return GarbageCollectionPolicy(keep_if_used_in_pipeline_groups=pipelines)


def keep(policy: Any, **others: Any) -> dict[str, Any]:
    """The `keep` that a message becomes, as a policy file has it."""
    (rule,) = RetentionPolicy.from_tfx({MODEL: policy}, roots=["/srv"], **others).to_dict()["rules"]
    return rule["keep"]


def refusal(policies: Any, **others: Any) -> list[str]:
    with pytest.raises(PolicyError) as refused:
        RetentionPolicy.from_tfx(policies, roots=["/srv"], **others)
    return str(refused.value).splitlines()


def test_the_most_recently_published_are_the_last():
    assert keep(newest(3)) == {"last": 3}


def test_property_value_groups_are_groups():
    policy = grouped(
        {"property_name": "kind"},
        {"property_name": "span", "keep_num": 2},
        {"property_name": "version", "keep_num": 1, "keep_order": "KEEP_ORDER_LARGEST"},
        {"property_name": "loss", "keep_num": 3, "keep_order": "KEEP_ORDER_SMALLEST"},
        {"property_name": "split", "keep_num": -1},
    )
    assert keep(policy) == {
        "groups": [
            {"property": "kind", "order": "largest"},
            {"property": "span", "keep": 2, "order": "largest"},
            {"property": "version", "keep": 1, "order": "largest"},
            {"property": "loss", "keep": 3, "order": "smallest"},
            {"property": "split", "order": "largest"},
        ]
    }


def test_what_pipelines_use_stays_beside_what_else_is_kept():
    groups = [{"owner": "ads", "name": "serving"}, {"owner": "maps", "name": "serving"}]
    assert keep(newest(3, groups)) == {"last": 3, "used_by": ["serving"]}


def test_a_name_is_no_pattern():
    (pattern,) = keep(newest(1, [{"name": "run[a-z]*?"}]))["used_by"]
    assert fnmatchcase("run[a-z]*?", pattern) and not fnmatchcase("runs-1", pattern)


def test_each_output_gets_a_rule_that_fits_it_alone():
    policies = {
        ("Trainer", "model"): newest(3),
        ("Trainer[1]", "model"): newest(4),
        ("trainer", "model"): newest(5),
    }
    policy = RetentionPolicy.from_tfx(policies, roots=["/srv"])
    assert [rule.name for rule in policy.rules] == ["trainer.model", "trainer-1-.model", "trainer.model-2"]
    assert {rule.group_by for rule in policy.rules} == {("pipeline", "node", "output")}

    def governing(node: str, output: str = "model") -> list[int | None]:
        place = ("Model", "inception", node, output)
        return [rule.keep.last for rule in policy.rules if rule.keep and rule.match.matches(*place, {})]

    assert governing("Trainer") == [3]
    assert governing("Trainer[1]") == [4]
    assert governing("trainer") == [5]
    assert governing("Trainer1") == governing("Trainer", "model_run") == []


def test_a_match_says_what_one_message_governs_or_narrows_several():
    one = RetentionPolicy.from_tfx(newest(3), match={"type": "Model"}, roots=["/srv"])
    assert [(rule.name, rule.match.type) for rule in one.rules] == [("garbage-collection", ("Model",))]
    several = RetentionPolicy.from_tfx({MODEL: newest(3)}, match={"pipeline": "inception"}, roots=["/srv"])
    (rule,) = several.rules
    assert (rule.match.pipeline, rule.match.node) == (("inception",), ("Trainer",))


def test_all_else_has_the_safe_defaults_of_a_policy_unless_it_is_given():
    careful = RetentionPolicy.from_tfx({MODEL: newest(3)}, roots=["/srv"]).to_dict()
    assert (careful["min_age"], careful["grace"], careful["limits"]["max_fraction"]) == ("1d", "7d", 0.5)
    given = RetentionPolicy.from_tfx({MODEL: newest(3)}, roots=["/srv"], grace="3d", limits={"max_items": 9})
    assert (given.to_dict()["grace"], given.limits.max_items) == ("3d", 9)
    assert refusal({MODEL: newest(3)}, grcae="3d") == ['from_tfx: grcae: unknown key; did you mean "grace"?']


@pytest.mark.parametrize("count", [0, -1])
def test_keeping_nothing_must_be_spelled_out(count: int):
    assert refusal({MODEL: newest(count)}) == [
        "GarbageCollectionPolicy: Trainer.model.keep_most_recently_published.num_artifacts: expected at "
        f"least 1, got {count}, with which TFX keeps nothing; say how many to keep, or pass "
        "unsafe_delete_all=True"
    ]
    policy = RetentionPolicy.from_tfx({MODEL: newest(count)}, roots=["/srv"], unsafe_delete_all=True)
    assert policy.rules[0].unsafe_delete_all
    # What is used elsewhere is something to keep.
    assert refusal({MODEL: newest(count, [{"name": "serving"}])})
    assert keep(newest(count, [{"name": "serving"}]), unsafe_delete_all=True) == {"used_by": ["serving"]}


def test_unsafe_delete_all_changes_nothing_for_a_message_that_keeps_something():
    policy = RetentionPolicy.from_tfx({MODEL: newest(3)}, roots=["/srv"], unsafe_delete_all=True)
    assert policy == RetentionPolicy.from_tfx({MODEL: newest(3)}, roots=["/srv"])


@pytest.mark.parametrize(
    ("policy", "field", "message"),
    [
        (GarbageCollectionPolicy(), "", "says nothing, with which TFX deletes nothing"),
        (used({"name": "serving"}), "", "says only keep_if_used_in_pipeline_groups, with which TFX deletes"),
        (grouped(), ".keep_property_value_groups.groupings", "expected at least one, got none"),
        (
            grouped({"property_name": "span"}, {"keep_num": 2}),
            ".keep_property_value_groups.groupings[1].property_name",
            "expected the name of a property",
        ),
        (
            grouped({"property_name": "span", "keep_order": 7}),
            ".keep_property_value_groups.groupings[0].keep_order",
            "expected KEEP_ORDER_LARGEST or _SMALLEST, got 7",
        ),
        (
            newest(1, [{"owner": "ads"}]),
            ".keep_if_used_in_pipeline_groups[0].name",
            "MLMD does not know which pipelines an owner has",
        ),
        ({"last": 3}, "", "expected the message tfx.orchestration.GarbageCollectionPolicy, got a mapping"),
    ],
)
def test_what_cannot_be_converted_is_named_by_its_own_fields(policy: Any, field: str, message: str):
    (line,) = refusal({MODEL: policy})
    assert line.startswith(f"GarbageCollectionPolicy: Trainer.model{field}: ") and message in line


def test_all_that_is_wrong_is_said_at_once():
    lines = refusal({("ExampleGen", "examples"): GarbageCollectionPolicy(), MODEL: newest(0)})
    assert [line.split(": ")[1].split(".")[0] for line in lines] == ["ExampleGen", "Trainer"]


@pytest.mark.parametrize(
    ("policies", "match", "message"),
    [
        (newest(3), None, "expected match beside it"),
        (
            {"Trainer": newest(3)},
            None,
            'expected pairs (node id, output key) to say whose it is, got "Trainer"',
        ),
        ({MODEL: newest(3)}, {"node": "Trainer"}, "match.node: the node of each is known already"),
        ({MODEL: newest(3)}, {"pipelin": "p"}, 'unknown key; did you mean "pipeline"?'),
        ({}, None, "expected at least one rule"),
    ],
)
def test_what_it_governs_must_be_clear(policies: Any, match: Any, message: str):
    (line,) = refusal(policies, match=match)
    assert message in line
