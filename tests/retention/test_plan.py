"""A plan as a document: the same inputs give the same bytes, and what was changed is noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.builders import History, keep_models, prune_checkpoints
from tfx_janitor.retention.plan import Plan, PlanError, Reason, verdict_of
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path)
    pipeline = history.pipeline()
    runs = [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]
    shutil.rmtree(runs[0].push.destination)
    return history


def made(history: History, created_ms: int = 0, **case) -> Plan:
    policy = history.policy(rules=[keep_models(last=1), prune_checkpoints(last=1)])
    return make_plan(history.case(policy, **case), Threads(2), metadata=history.url, created_ms=created_ms)


def text(plan: Plan) -> str:
    return "".join(plan.to_json())


def test_the_same_inputs_give_the_same_bytes(history: History) -> None:
    assert text(made(history, now_ms=history.now_ms)) == text(made(history, now_ms=history.now_ms))


def test_the_id_outlives_the_clock_and_changes_with_a_verdict(history: History) -> None:
    now = history.now_ms
    plan = made(history, created_ms=1, now_ms=now)
    assert made(history, created_ms=2, now_ms=now + 60_000).id == plan.id
    history.pipeline().retrain()
    assert made(history).id != plan.id


def test_a_plan_comes_back_as_it_was(history: History) -> None:
    plan = made(history, created_ms=7)
    back = Plan.from_json(text(plan))
    assert list(back.decisions) == list(plan.decisions)
    assert (back.id, back.created_ms, back.now_ms, back.summary) == (plan.id, 7, plan.now_ms, plan.summary)
    assert text(back) == text(plan)


def test_the_document_has_the_promised_shape(history: History) -> None:
    document = json.loads(text(made(history)))
    assert document["schema"] == "tfx-janitor/plan/v1"
    assert document["id"].startswith("sha256:")
    summary = document["summary"]
    assert summary["artifacts"] == len(document["decisions"]) == 6
    assert summary["keep"] + summary["delete"] + summary["unknown"] == 6
    assert summary["ungoverned"] == 12
    first = document["decisions"][0]
    assert first["verdict"] == "delete"
    assert first["bytes"] > 10_000
    assert first["reasons"] == [
        {"code": "expire.last", "rule": "models", "detail": "rank 3 of 3, keeps 1", "path": []}
    ]
    pruned = next(decision for decision in document["decisions"] if decision["checkpoints"])
    assert {checkpoint["name"]: checkpoint["verdict"] for checkpoint in pruned["checkpoints"]} == {
        "ckpt-1": "delete",
        "ckpt-2": "delete",
        "ckpt-3": "keep",
    }
    freed = sum(d["bytes"] for d in document["decisions"] if d["verdict"] == "delete")
    freed += sum(
        c["bytes"] for d in document["decisions"] for c in d["checkpoints"] if c["verdict"] == "delete"
    )
    assert summary["bytes_reclaimable"] == freed


def test_each_decision_has_a_line_of_its_own(history: History) -> None:
    lines = text(made(history)).splitlines()
    assert [json.loads(line.rstrip(","))["artifact_id"] for line in lines[1:-1]] == sorted(
        json.loads(line.rstrip(","))["artifact_id"] for line in lines[1:-1]
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"verdict": "keep"', '"verdict": "delete"', "changed after it was made"),
        ('"max_fraction": null', '"max_fraction": 1.0', "changed after it was made"),
        ("tfx-janitor/plan/v1", "tfx-janitor/plan/v9", "expected a plan of schema tfx-janitor/plan/v1"),
        ('"summary"', '"sumary"', "damaged"),
        ('"id": "', '"ident": "', "changed after it was made"),
        ("{", "", "no JSON"),
    ],
)
def test_what_was_changed_is_refused(history: History, old: str, new: str, message: str) -> None:
    whole = text(made(history))
    assert old in whole
    with pytest.raises(PlanError, match=message):
        Plan.from_json(whole.replace(old, new, 1))


def test_deleted_artifacts_are_left_out(history: History) -> None:
    gone = next(made(history).deletions)
    history.set_state(gone.artifact_id, "DELETED")
    assert made(history).decision(gone.artifact_id) is None


def test_a_verdict_follows_from_its_reasons() -> None:
    expired, kept = Reason("expire.last"), Reason("keep.first")
    held, unknown = Reason("hold.pinned"), Reason("unknown.state")
    assert verdict_of([expired, expired]) == "delete"
    assert verdict_of([expired, kept]) == "keep"
    assert verdict_of([held, expired]) == "keep"
    assert verdict_of([kept, unknown]) == "unknown"
