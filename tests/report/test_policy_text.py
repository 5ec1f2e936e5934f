"""Every word of the vocabulary in a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.rules import Rule
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.policy_text import policy_sentence, rule_sentence, spelled


def told(**rule: Any) -> str:
    return rule_sentence(Rule.model_validate({"name": "r", "match": {"type": "Model"}, **rule}))


BEGINS = "Of the artifacts of type Model it keeps for each pipeline, node and output: "
ENDS = "; all else may go."

PHRASES: dict[str, tuple[dict[str, Any], str]] = {
    "last": ({"last": 3}, "the newest 3"),
    "last one": ({"last": 1}, "the newest"),
    "first": ({"first": 2}, "the oldest 2"),
    "first one": ({"first": 1}, "the oldest"),
    "within": ({"within": "36h"}, "what is at most 1 day and 12 hours older than the newest"),
    "newer_than": ({"newer_than": "90s"}, "what is at most 1 minute and 30 seconds old"),
    "hourly": (
        {"hourly": 24},
        "the newest of each of the newest 24 hours that have any, and the oldest of all while there are "
        "fewer",
    ),
    "daily, weekly, monthly": (
        {"daily": 7, "weekly": 4, "monthly": 1},
        "the newest of each of the newest 7 days that have any, then of 4 weeks beyond those, then of 1 "
        "month "
        "beyond those, and the oldest of all while there are fewer",
    ),
    "quarterly": ({"quarterly": 1}, "the newest of the newest quarter"),
    "yearly": ({"yearly": 1}, "the newest of the newest year"),
    "best": (
        {"best": {"metric": "accuracy", "count": 2, "mode": "max"}},
        "the 2 with the highest accuracy",
    ),
    "best one": ({"best": {"metric": "loss", "count": 1, "mode": "min"}}, "the one with the lowest loss"),
    "blessed": ({"blessed": 2}, "the newest 2 that are blessed"),
    "pushed": ({"pushed": 1}, "the newest that was pushed"),
    "tagged": ({"tagged": ["a", "b"]}, "what is tagged a or b"),
    "groups": (
        {"groups": [{"property": "kind"}, {"property": "span", "keep": 2}, {"property": "v", "keep": 1}]},
        "those of every kind, of these those with the 2 largest values of span, of these those with the "
        "largest v",
    ),
    "used_by": ({"used_by": "serving-*"}, "what a run of pipeline serving-* ever took as input"),
    "ancestors_of": ({"ancestors_of": "served"}, "what was used to make the Models that are served"),
    "descendants_of": (
        {"descendants_of": ["model", "blessed", "pushed", "pinned"]},
        "what was made from the Models that stay, the blessed Models that stay, the Models that were pushed, "
        "while they or a PushedModel of theirs stay or what is pinned",
    ),
    "ids": ({"ids": [12, 40]}, "what has the id 12 or 40"),
    "any_of": (
        {"any_of": [{"last": 1, "first": 1}, {"tagged": "a"}]},
        "the newest; the oldest; what is tagged a",
    ),
    "all_of": (
        {"last": 1, "all_of": [{"last": 9, "first": 9}, {"pushed": 2}]},
        "the newest; what is in each of these: (the newest 9; the oldest 9) and (the newest 2 that were "
        "pushed)",
    ),
    "unless": (
        {"last": 3, "unless": {"tagged": "scratch"}},
        "the newest 3; of all these but not what is tagged scratch",
    ),
    "max_bytes": ({"max_bytes": "50GB"}, "the next newest while all of it comes to at most 50.0 GB"),
    "max_bytes beside": (
        {"last": 3, "max_bytes": "1kB"},
        "the newest 3; and the next newest while all of it comes to at most 1.0 kB",
    ),
}


@pytest.mark.parametrize(("keep", "phrase"), PHRASES.values(), ids=PHRASES)
def test_a_word(keep: dict[str, Any], phrase: str):
    assert told(keep=keep) == BEGINS + phrase + ENDS


def test_every_word_has_its_phrase():
    said = {word for keep, _ in PHRASES.values() for word in keep}
    assert said == set(Keep.model_fields)


def test_a_match_and_its_groups():
    match = {
        "type": ["Examples", "Schema"],
        "pipeline": "a-*",
        "node": ["x", "y"],
        "output": "z",
        "properties": {"span": 3},
    }
    assert told(match=match, group_by=["properties.span", "node"], keep={"last": 1}) == (
        "Of the artifacts of type Examples or Schema of pipeline a-* from node x or y under output z with "
        "span 3 "
        "it keeps for each span and node: the newest; all else may go."
    )
    assert told(match={"type": "*"}, group_by=[], keep={"last": 1}) == (
        "Of all artifacts it keeps of all together: the newest; all else may go."
    )


def test_checkpoints():
    runs = {"match": {"type": "ModelRun"}}
    assert told(**runs, checkpoints={"last": 2, "every_n_steps": 10000, "every_n_hours": 1.5}) == (
        "Of the artifacts of type ModelRun it deletes none, and inside each ModelRun that stays it keeps the "
        "newest 2 checkpoints that can be restored, the first and then one every 10,000 steps and the first "
        "and "
        "then one every 1.5 hours."
    )
    assert told(**runs, keep={"last": 1}, checkpoints={"last": 1}).endswith(
        "the newest; all else may go; inside each ModelRun that stays it keeps the newest checkpoint that "
        "can be "
        "restored."
    )


def test_keeping_nothing():
    assert told(keep={}, unsafe_delete_all=True) == (
        "Of the artifacts of type Model it keeps none: all may go that nothing holds."
    )


def test_the_policy():
    rule = {"name": "m", "match": {"type": "Model"}, "keep": {"last": 1}}
    plain = {"version": 1, "roots": ["/a", "/b"], "rules": [rule]}
    assert policy_sentence(RetentionPolicy.from_dict(plain)) == (
        "Only what lies inside /a or /b, is at least 1 day old and is held by nothing is ever deleted; "
        "between "
        "mark and purge it can be restored for 7 days."
    )
    assert policy_sentence(RetentionPolicy.from_dict({**plain, "min_age": "0s", "grace": "0s"})) == (
        "Only what lies inside /a or /b and is held by nothing is ever deleted; what is marked may be purged "
        "at once."
    )
    assert policy_sentence(RetentionPolicy.from_dict({**plain, "orphans": {"older_than": "14d"}})).endswith(
        "7 days. What an execution left that recorded nothing may go when neither it nor its run gave a sign "
        "of life for 14 days."
    )


def test_lengths_of_time():
    assert spelled(timedelta(days=1)) == "1 day"
    assert spelled(timedelta(days=2, hours=1, minutes=5)) == "2 days, 1 hour and 5 minutes"
    assert spelled(timedelta(milliseconds=1500)) == "1.5 seconds"
    assert spelled(timedelta(seconds=1)) == "1 second"
