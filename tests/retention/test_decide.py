"""What a plan tells of each decision, and how it counts bytes."""

from __future__ import annotations

from tests.retention.pure_histories import PureHistory, keep, on_day
from tests.retention.settling import ONE_MODEL, retrained
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.file import Problem
from tfx_janitor.retention.decide import decide
from tfx_janitor.retention.plan import Orphan


def test_a_decision_tells_whose_it_is_and_how_large(past: PureHistory) -> None:
    model, _, _ = past.run("run-7", pipeline="digits", day=1).train()
    past.run(pipeline="digits", day=2).train()
    past.sizes = {model: 42}
    decision = past.decisions(rules=ONE_MODEL)[model]
    assert (decision.artifact_id, decision.type, decision.uri) == (
        model,
        "Model",
        f"/pipelines/Model/{model}",
    )
    assert (decision.pipeline, decision.run, decision.node, decision.output) == (
        "digits",
        "run-7",
        "Trainer",
        "model",
    )
    assert (decision.created_ms, decision.updated_ms) == (on_day(1), on_day(1) + 1)
    assert (decision.state, decision.verdict, decision.bytes) == ("LIVE", "delete", 42)


def test_a_plan_names_its_store_its_moment_and_its_policy(past: PureHistory) -> None:
    retrained(past)
    plan = past.plan(rules=ONE_MODEL)
    assert (plan.metadata, plan.created_ms, plan.now_ms) == ("sqlite:///m.db", 0, on_day(past.now))
    assert plan.policy["rules"][0]["name"] == "model"


def test_a_plan_tells_beside_its_verdicts_of_orphans_and_of_what_to_look_out_for(past: PureHistory) -> None:
    settlement = past.settlement(rules=ONE_MODEL)
    orphan = Orphan(
        path="/pipelines/Trainer/model/9",
        execution=9,
        pipeline="inception",
        run=None,
        node="Trainer",
        output="model",
        bytes=None,
        files=None,
        newest_ms=None,
        inode=None,
        verdict="keep",
        reasons=(),
    )
    caution = Problem("no artifact fits", ("rules", 0))
    plan = decide(settlement, metadata="sqlite:///m.db", created_ms=0, orphans=(orphan,), cautions=(caution,))
    assert (plan.orphans, plan.cautions) == ((orphan,), (caution,))
    plain = decide(settlement, metadata="sqlite:///m.db", created_ms=0)
    assert (plain.orphans, plain.cautions) == (None, ())


def test_a_summary_counts_verdicts_and_bytes(past: PureHistory) -> None:
    first, second = retrained(past)
    odd = past.artifact("Model", state=ArtifactState.PENDING)
    past.artifact("Model", state=ArtifactState.DELETED)
    past.sizes = {first.model: 100, first.model_run: 20, second.model: 3}
    past.write_checkpoints(second.model_run, 1, 2, 3)
    rules = [keep("Model", last=1), {**keep("ModelRun", last=1), "checkpoints": {"last": 1}}]
    summary = past.plan(rules=rules).summary
    assert (summary.artifacts, summary.keep, summary.delete, summary.unknown) == (5, 2, 2, 1)
    assert summary.ungoverned == 4  # two blessings and two pushes
    assert (summary.checkpoints, summary.checkpoints_delete) == (3, 2)
    assert (summary.bytes_total, summary.bytes_reclaimable) == (None, 140)
    past.sizes |= {second.model_run: 30, odd: 4}
    assert past.plan(rules=rules).summary.bytes_total == 157


def test_what_was_not_measured_counts_nothing(past: PureHistory) -> None:
    retrained(past)
    assert past.plan(rules=ONE_MODEL).summary.bytes_reclaimable == 0


def test_bytes_are_counted_once_however_many_records_there_are(past: PureHistory) -> None:
    first, second, third, _ = retrained(past, 4)
    past.change(first.model, uri="/pipelines/m")
    past.change(second.model, uri="/pipelines/m")
    past.change(third.model, uri="/pipelines/m/inside")
    past.sizes = {first.model: 100, second.model: 100, third.model: 40}
    plan = past.plan(rules=ONE_MODEL)
    assert plan.summary.delete == 3
    assert plan.summary.bytes_reclaimable == 100


def test_bytes_of_payloads_side_by_side_are_all_counted(past: PureHistory) -> None:
    first, second, _ = retrained(past, 3)
    past.change(first.model, uri="/pipelines/all/1")
    past.change(second.model, uri="/pipelines/all/2")
    past.sizes = {first.model: 100, second.model: 40}
    assert past.plan(rules=ONE_MODEL).summary.bytes_reclaimable == 140
