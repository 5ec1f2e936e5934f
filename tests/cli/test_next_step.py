"""What `plan` says is to be done next, when some or all of it is marked already."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, keep_models, prune_checkpoints
from tests.cli.conftest import Call

MARKED = "all of it is marked already; next, when the grace is over: "


@pytest.fixture
def applied(on: Call, history: History, tmp_path: Path) -> Path:
    """A policy under which models and checkpoints inside ModelRuns go, and all of them are marked."""
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(blessed=None, pushed=False)
    limits = {"max_fraction": None, "max_items": 1}
    policy = history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)], limits=limits)
    plan = tmp_path / "plan.json"
    planned = on("plan", "--policy", policy, "--out", plan)
    assert "apply will refuse it" in planned.out
    assert MARKED not in planned.out
    approved = on("apply", plan, "--approve", planned.out.split("--approve ")[1].strip())
    assert (approved.code, "5 marked" in approved.out) == (0, True)
    return policy


def test_what_is_marked_already_is_to_be_purged_and_not_applied_again(
    on: Call, history: History, applied: Path
):
    again = on("plan", "--policy", applied)
    assert again.code == 0
    assert again.out.endswith(f"\n{MARKED}tfx-janitor --metadata {history.url} purge\n")


def test_marked_checkpoints_do_not_count_against_a_limit_again(on: Call, applied: Path):
    decisions = on("plan", "--policy", applied, "--format", "json").json["decisions"]
    model = next(d["artifact_id"] for d in decisions if d["verdict"] == "delete")
    assert on("restore", model).code == 0
    left = on("plan", "--policy", applied)
    assert "next: write it down with --out PLAN" in left.out
    assert "apply will refuse it" not in left.out
