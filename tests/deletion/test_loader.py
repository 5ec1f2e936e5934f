"""What a policy wants loaded is not judged where there is no TensorFlow: nothing is marked or taken back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.cli.conftest import Call, call
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.waiting import waiting
from tfx_janitor.payload.loading import NotInstalled, is_installed
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

__all__ = ["call"]


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2), blessed=None, pushed=False) for _ in range(2)]


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)


def keeping(history: History, last: int, **policy: Any) -> RetentionPolicy:
    return history.policy(rules=[keep_models(last=last), prune_checkpoints(last=1)], **policy)


def loading(history: History) -> RetentionPolicy:
    return keeping(history, 1, verify="load", grace="7d")


def planned(history: History, policy: RetentionPolicy) -> Plan:
    return make_plan(history.case(policy), Threads(2), metadata=history.url, created_ms=0)


def test_it_is_known_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_installed()
    monkeypatch.setitem(sys.modules, "tensorflow", pytest)
    assert is_installed()


@pytest.mark.parametrize("command", ["plan", "compare", "apply", "purge", "purge by the marks", "gc"])
def test_a_command_that_would_have_to_load_is_refused(
    call: Call, history: History, runs: list[Retraining], tmp_path: Path, command: str
) -> None:
    policy = history.policy_file(name="load.yaml", rules=[keep_models(last=1)], verify="load")
    other = history.policy_file(name="other.yaml", rules=[keep_models(last=1)])
    plan = planned(history, RetentionPolicy.from_yaml(policy))
    (tmp_path / "plan.json").write_text("".join(plan.to_json()))
    if command == "purge by the marks":
        mark_by(history, plan)
    known = len(acts.read(history.store))
    arguments = {
        "plan": ["plan", "--policy", policy],
        "compare": ["plan", "--policy", other, "--compare", policy],
        "apply": ["apply", tmp_path / "plan.json", "--now", history.now, "--max-age", "7d"],
        "purge": ["purge", "--policy", policy],
        "purge by the marks": ["purge"],
        "gc": ["gc", "--policy", policy],
    }[command]
    answer = call("--metadata", history.url, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "the policy says `verify: load`, and loading a payload takes tensorflow" in answer.err
    assert len(acts.read(history.store)) == known


def mark_by(history: History, plan: Plan) -> None:
    """Marks what a plan lets go, as a machine does that has TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfx_janitor.payload.loading.is_installed", lambda: True)
        apply(history.site(), plan)


def test_what_another_policy_wants_loaded_is_left_to_it(history: History, runs: list[Retraining]) -> None:
    mark_by(history, planned(history, loading(history)))
    generous = keeping(history, 2)
    assert purge(history.site(), policy=generous) == []

    later = history.later(days=8)
    outcomes = purge(history.site(now_ms=later), policy=generous)
    assert {(o.artifact_id, o.done) for o in outcomes} == {
        (runs[0].model.id, "skipped"),
        *((run.model_run.id, "skipped") for run in runs),
    }
    assert all("takes tensorflow, and it is not installed here" in outcome.detail for outcome in outcomes)
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"
    assert waiting(history.store).marks == 3


def test_what_the_policy_in_force_marked_goes_beside_it(history: History, runs: list[Retraining]) -> None:
    mark_by(history, planned(history, loading(history)))
    with pytest.raises(NotInstalled):
        purge(history.site())
    other = history.pipeline("other")
    older, _ = other.run().train(), other.run().train()
    policy = history.policy(rules=[{**keep_models(last=1), "match": {"type": "Model", "pipeline": "other"}}])
    outcomes = collect(history.site(), policy).outcomes
    assert [outcome.done for outcome in outcomes if outcome.artifact_id == older.model.id] == [
        "marked",
        "purged",
    ]
    assert history.state(runs[0].model) == "MARKED_FOR_DELETION"
