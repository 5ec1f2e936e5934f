"""`plan --explain-policy` needs a policy and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

POLICY = """\
version: 1
roots: [/srv/tfx]
rules:
  - name: models
    match: {type: Model}
    keep: {last: 3, pushed: 2}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "janitor.yaml"
    path.write_text(POLICY)
    return path


def test_people_get_sentences_and_a_table(call: Call, policy: Path):
    answer = call("plan", "--policy", policy, "--explain-policy")
    assert (answer.code, answer.err) == (0, "")
    assert (
        "it keeps for each pipeline, node and output: the newest 3; the newest 2 that were pushed;"
        in answer.out
    )
    assert "\nrun-1  2026-08-16 12:59  yes     yes      no      delete   " in answer.out
    assert answer.out.endswith(
        "After 4 runs something that was pushed may be gone: the Model of run-1, under rule models.\n"
    )


def test_json_is_one_document(call: Call, policy: Path):
    answer = call("plan", "--policy", policy, "--explain-policy", "--format", "json")
    assert answer.json["rules"][0]["name"] == "models"
    assert len(answer.json["rules"][0]["smallest_history"]["runs"]) == 4


def test_a_policy_that_is_refused_is_not_explained(call: Call, policy: Path):
    policy.write_text(POLICY.replace("last: 3", "last: 0"))
    answer = call("plan", "--policy", policy, "--explain-policy")
    assert (answer.code, answer.out) == (2, "")
    assert "rules[0].keep.last: expected at least 1, got 0" in answer.err


@pytest.mark.parametrize("other", [("--out", "plan.json"), ("--replay",), ("--compare", "old.yaml")])
def test_nothing_else_is_asked_with_it(call: Call, policy: Path, other: tuple[str, ...]):
    answer = call("plan", "--policy", policy, "--explain-policy", *other)
    assert answer.code == 2
    assert "--explain-policy looks at one policy and nothing else; leave the rest out" in answer.err
