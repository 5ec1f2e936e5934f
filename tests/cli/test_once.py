"""`apply` takes a plan once, and while it is fresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import History, keep_models
from tests.cli.conftest import Call
from tfx_janitor.retention.timestamps import to_iso


@pytest.fixture
def plan(on: Call, history: History, tmp_path: Path) -> Path:
    """A plan that deletes two of three models."""
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(blessed=None, pushed=False)
    policy = history.policy_file(rules=[keep_models(last=1)], grace="7d")
    assert on("plan", "--policy", policy, "--out", tmp_path / "plan.json").code == 0
    return tmp_path / "plan.json"


def test_the_second_time_it_says_when_and_by_whom(on: Call, plan: Path):
    assert on("apply", plan).code == 0
    answer = on("apply", plan)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(
        "tfx-janitor: expected a plan that was not applied yet, and this one was at "
    )
    assert "@" in answer.err and ", act " in answer.err and "make a new one with" in answer.err


def test_what_a_person_took_back_is_not_marked_by_the_same_plan(on: Call, plan: Path, history: History):
    applied = on("apply", plan, "--format", "json").json
    on("restore", "--plan", applied["plan_id"])
    assert on("apply", plan).code == 2
    assert {row.state for row in history.store.get_artifacts_by_type("Model")} == {2}


def test_after_a_day_it_is_too_old_unless_more_is_allowed(on: Call, plan: Path, history: History):
    later = to_iso(history.later(days=3))
    answer = on("apply", plan, "--now", later)
    assert (answer.code, answer.out) == (2, "")
    assert "expected a plan that is at most 1d old" in answer.err and "3d ago" in answer.err
    assert on("apply", plan, "--now", later, "--max-age", "7d").code == 0


def test_a_plan_for_a_moment_to_come_is_refused(on: Call, plan: Path):
    answer = on("apply", plan, "--now", "2026-01-01")
    assert (answer.code, answer.out) == (2, "")
    assert "expected a plan that judges the past" in answer.err


def test_an_age_is_a_duration(on: Call, plan: Path):
    answer = on("apply", plan, "--max-age", "7")
    assert answer.code == 2
    assert 'expected a duration such as 30m, 36h, 7d, 2w or 1d12h, got "7" without a unit' in answer.err
