"""One janitor's run over a pipeline's past: what it deletes, and when it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import damage_saved_model, keep_model_runs, keep_models, prune_checkpoints
from tests.checkpoint_janitor.conftest import Past
from tfx_janitor.checkpoint_janitor import own_run
from tfx_janitor.checkpoint_janitor.cleaning import clean
from tfx_janitor.checkpoint_janitor.report import Report


def clean_up(
    past: Past, *, only_pipeline: str | None = "inception", now_ms: int | None = None, **policy: Any
) -> Report:
    site = past.history.site(
        now_ms=now_ms,
        own_execution=past.execution,
        only_pipeline=only_pipeline,
        actor="CheckpointJanitor in inception",
    )
    own = own_run.find(past.history.snapshot(), past.execution, pipeline=None, node=None)
    rules = policy.pop("rules", [keep_models(last=2), prune_checkpoints(last=1)])
    return clean(site, past.history.policy(rules=rules, **policy), own)


def test_old_models_go_and_checkpoints_are_pruned(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    report = clean_up(made)
    assert made.models == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert [retraining.model.path.exists() for retraining in made.retrainings] == [False, False, True, True]
    runs = [sorted(p.stem for p in made_.model_run.path.glob("*.index")) for made_ in made.retrainings]
    # The last run is the janitor's own: nothing of it is touched.
    assert runs == [["ckpt-200"]] * 3 + [["ckpt-100", "ckpt-200"]]
    assert report.status == "done" and report.well
    happened = {done: number for done, number in report.counts.items() if number}
    assert happened == {"marked": 5, "purged": 2, "pruned": 3}
    assert report.bytes_freed > 0


def test_the_grace_lies_between_mark_and_purge(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    report = clean_up(made, grace="7d", rules=[keep_models(last=2)])
    assert made.models == ["MARKED_FOR_DELETION"] * 2 + ["LIVE"] * 2
    assert report.counts["marked"] == 2 and report.bytes_freed == 0
    assert report.headline == "CheckpointJanitor in inception: 2 marked"


def test_a_plan_alone_knows_what_a_purge_took_back_for_damage(past: Callable[[int], Past]):
    made = past(3)
    rules = [keep_models(last=3), keep_model_runs(last=2)]
    damage_saved_model(made.retrainings[0].model.path)
    made.start_janitor()
    assert clean_up(made, rules=rules).counts["rescued"] == 1
    made.retrainings[-1].run.fail_training()
    report = clean_up(made, rules=rules)
    assert report.status == "refused" and report.plan is not None
    assert report.plan.summary.delete == 0


def test_a_run_with_failures_only_plans(past: Callable[[int], Past]):
    made = past(4)
    made.retrainings[-1].run.fail_training()
    made.start_janitor()
    before = made.history.store.get_executions()
    report = clean_up(made)
    assert made.models == ["LIVE"] * 4
    assert made.history.store.get_executions() == before
    assert report.status == "refused" and not report.well
    assert report.reason.startswith("its own run had failures, so nothing was deleted: Trainer is FAILED")
    assert report.plan is not None and report.plan.summary.delete == 2


def test_beyond_a_limit_it_refuses_and_the_plan_can_be_approved(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    report = clean_up(made, limits={"max_items": 4})
    assert made.models == ["LIVE"] * 4
    assert report.status == "refused" and "are more than max_items 4" in report.reason
    assert report.plan is not None and report.plan.id in report.reason


def test_beyond_a_limit_it_still_purges_what_it_marked_earlier(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    clean_up(made, rules=[keep_models(last=3)], grace="1s", now_ms=made.history.now_ms)
    assert made.models == ["MARKED_FOR_DELETION", "LIVE", "LIVE", "LIVE"]
    limits = {"max_fraction": None, "max_items": 1}
    later = made.history.later(days=1)
    report = clean_up(made, rules=[keep_models(last=1)], grace="1s", limits=limits, now_ms=later)
    assert made.models == ["DELETED", "LIVE", "LIVE", "LIVE"]
    assert report.status == "refused" and report.counts["purged"] == 1


def test_other_pipelines_are_none_of_its_business_unless_it_is_told(past: Callable[[int], Past]):
    made = past(2)
    others = [made.history.pipeline("other").retrain(pushed=False).model for _ in range(4)]
    made.start_janitor()
    clean_up(made, rules=[keep_models(last=1)])
    assert made.history.states(*others) == ["LIVE"] * 4
    clean_up(made, rules=[keep_models(last=1)], only_pipeline=None)
    assert made.history.states(*others) == ["DELETED"] * 3 + ["LIVE"]


def test_a_second_time_there_is_nothing_to_do(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    clean_up(made)
    report = clean_up(made)
    assert report.outcomes == () and report.well
    assert report.headline == "CheckpointJanitor in inception: nothing"


def test_the_report_tells_it_in_words_and_in_json(past: Callable[[int], Past]):
    made = past(4)
    made.start_janitor()
    report = clean_up(made)
    oldest = made.retrainings[0].model
    text = report.to_text()
    assert text.startswith("CheckpointJanitor in inception: 5 marked, 2 purged, 3 pruned; ")
    lines = [line.split() for line in text.splitlines()]
    assert any(line[:3] == ["purged", "Model", str(oldest.id)] for line in lines)
    assert "rule models: last: rank 4 of 4, keeps 2" in text and "newest of its node" in text
    assert any(line[:1] == ["ckpt-100"] and "delete" in line for line in lines)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["status"] == "done" and data["summary"]["done"] == {"marked": 5, "purged": 2, "pruned": 3}
    assert report.plan is not None and data["plan_id"] == report.plan.id
    outcomes = [(outcome["artifact_id"], outcome["done"]) for outcome in data["outcomes"]]
    assert (oldest.id, "marked") in outcomes and (oldest.id, "purged") in outcomes


@pytest.mark.parametrize("status", ["refused", "failed"])
def test_a_report_without_a_plan_still_says_why(status: Any):
    report = Report("CheckpointJanitor in inception", 0, status, "the disk is full")
    assert report.to_text().startswith(f"CheckpointJanitor in inception {status}: the disk is full\n")
    assert report.to_dict()["plan_id"] is None and not report.well
