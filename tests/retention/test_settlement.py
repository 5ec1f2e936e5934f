"""From opinions to verdicts: what storage says, what depends on what else goes, and the plan of it."""

from __future__ import annotations

import pytest

from tests.retention.pure_histories import (
    FIRST_ARTIFACT,
    HOUR,
    MONDAY,
    RUNNING,
    PureHistory,
    Retrained,
    codes,
    keep,
    on_day,
    prune,
    told,
)
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.schema import CheckpointRule
from tfx_janitor.retention.decide import judge_checkpoints
from tfx_janitor.retention.facts import CheckpointFact, StorageFacts
from tfx_janitor.retention.pruning import Candidate
from tfx_janitor.retention.settle import nominate, settle
from tfx_janitor.retention.settlement import Settlement

ONE_MODEL = [keep("Model", last=1)]
MODELS_AND_RUNS = [keep("Model", last=1), keep("ModelRun", last=1)]


@pytest.fixture
def past() -> PureHistory:
    return PureHistory()


def retrained(past: PureHistory, runs: int = 2) -> list[Retrained]:
    return [past.run(day=day).retrain() for day in range(1, runs + 1)]


def ids(rows: list[int] | tuple[int, ...] | frozenset[int]) -> list[int]:
    return [row + FIRST_ARTIFACT for row in rows]


# Who is nominated.


def test_nominated_is_what_no_rule_keeps_and_no_hold_holds(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.pin(second.model)
    rules = [*MODELS_AND_RUNS, {**keep("Model", ids=[first.model]), "name": "more"}]
    nomination = nominate(past.case(rules=rules))
    assert sorted(ids(nomination.rows)) == [first.model_run, second.model_run]
    assert third.model_run not in ids(nomination.rows)


def test_what_one_rule_prunes_inside_no_rule_deletes(past: PureHistory) -> None:
    first, _ = retrained(past)
    assert first.model_run in past.deleted(rules=[keep("ModelRun", last=1)])
    decisions = past.decisions(rules=[keep("ModelRun", last=1), prune(last=1)])
    assert told(decisions[first.model_run]) == [
        "keep.prunes-inside (inside): this rule prunes checkpoints and never deletes"
    ]


def test_all_rules_must_let_go_and_each_says_its_part(past: PureHistory) -> None:
    first, second, _ = retrained(past, 3)
    by_tag = {**keep("Model", tagged="golden"), "name": "golden"}
    assert past.deleted(rules=[*ONE_MODEL, by_tag]) == [first.model, second.model]
    past.change(first.model, properties={"tags": "golden"})
    decisions = past.decisions(rules=[*ONE_MODEL, by_tag])
    assert codes(decisions[first.model]) == ["keep.tagged"]
    assert told(decisions[second.model]) == [
        "expire.last (model): rank 2 of 3, keeps 1",
        "expire.tagged (golden): has none of the tags golden",
    ]


# What storage was not asked about.


def test_what_storage_was_not_asked_about_is_unknown(past: PureHistory) -> None:
    first, _ = retrained(past)
    nomination = nominate(past.case(rules=ONE_MODEL))
    assert settle(nomination, StorageFacts()).deletions == frozenset()
    past.not_understood = {first.model: "no handler for gs:// yet"}
    decision = past.decisions(rules=ONE_MODEL)[first.model]
    assert (decision.verdict, codes(decision)) == ("unknown", ["unknown.uri"])


def test_a_payload_that_nobody_looked_at_is_unknown_even_without_another_reason(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.unplaced.add(first.model)
    decision = past.decisions(rules=ONE_MODEL)[first.model]
    assert decision.verdict == "unknown"
    assert told(decision) == ["unknown.payload: its payload was not looked at"]


# hold.shared-payload


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("/pipelines/a/b", "/pipelines/a/b"),
        ("/pipelines/a/b", "/"),
        ("/pipelines/a/b", "/pipelines/a/b/c/d"),
        ("/pipelines/a/b", "/pipelines/a"),
        ("/pipelines/a/b", "/pipelines"),
    ],
)
def test_bytes_that_something_else_needs_stay(past: PureHistory, mine: str, others: str) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri=mine)
    other = past.artifact("Examples", uri=others)
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.shared-payload: artifact {other}, which stays, lies in, at or around its payload: {others} "
        f"[artifact {first.model} > artifact {other}]",
    ]


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("/pipelines/a/b", "/pipelines/a/bc"),
        ("/pipelines/a/b", "/pipelines/a/c/b"),
        ("/pipelines/a/b-1", "/pipelines/a/b"),
        ("/pipelines/a/b", "gs://pipelines/a/b"),
    ],
)
def test_names_that_only_look_alike_share_nothing(past: PureHistory, mine: str, others: str) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri=mine)
    past.artifact("Examples", uri=others)
    assert past.deleted(rules=ONE_MODEL) == [first.model]


def test_two_that_lie_in_the_same_place_beside_each_other_do_not_hold_each_other(past: PureHistory) -> None:
    first, second, _ = retrained(past, 3)
    past.change(first.model, uri="/pipelines/all/1")
    past.change(second.model, uri="/pipelines/all/2")
    around = past.artifact("Examples", uri="/pipelines/all")
    past.change(around, state=ArtifactState.DELETED)
    past.unplaced.add(around)
    assert past.deleted(rules=ONE_MODEL) == [first.model, second.model]


def test_siblings_below_a_payload_that_goes_as_well_are_compared_with_it_and_not_with_each_other(
    past: PureHistory,
) -> None:
    first, second, third, _ = retrained(past, 4)
    past.change(first.model, uri="/pipelines/all")
    past.change(second.model, uri="/pipelines/all/2")
    past.change(third.model, uri="/pipelines/all/3")
    assert past.deleted(rules=ONE_MODEL) == [first.model, second.model, third.model]
    past.pin(third.model)
    decisions = past.decisions(rules=ONE_MODEL)
    assert codes(decisions[first.model]) == ["hold.shared-payload"]
    # What lies in the first one is held by it in turn, though it does not touch the one that is pinned.
    assert told(decisions[second.model]) == [
        f"hold.shared-payload: artifact {first.model}, which stays, lies in, at or around its payload: "
        f"/pipelines/all [artifact {second.model} > artifact {first.model}]"
    ]


def test_of_several_that_share_with_one_that_stays_each_names_that_one(past: PureHistory) -> None:
    runs = retrained(past, 3)
    for run in runs:
        past.change(run.model, uri="/pipelines/m")
    decisions = past.decisions(rules=ONE_MODEL)
    for run in runs[:2]:
        assert told(decisions[run.model])[0].endswith(f"[artifact {run.model} > artifact {runs[2].model}]")
    past.change(runs[2].model, uri="/pipelines/elsewhere")
    past.change(runs[2].pushed, properties={"pushed_destination": "/pipelines/m/serving"})
    past.served = {runs[2].pushed}
    decisions = past.decisions(rules=ONE_MODEL)
    for run in runs[:2]:
        assert told(decisions[run.model])[0].endswith(f"[artifact {run.model} > artifact {runs[2].pushed}]")


def test_the_last_payloads_of_a_store_are_compared_as_well(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.change(first.model, uri="/pipelines/zz")
    twin = past.artifact("Examples", uri="/pipelines/zz")
    assert told(past.decisions(rules=ONE_MODEL)[first.model])[0].endswith(f"artifact {twin}]")


@pytest.mark.parametrize("served", ["/pipelines/m", "/pipelines/m/serving/1", "/pipelines"])
def test_a_version_that_is_served_holds_the_payload_that_it_touches(past: PureHistory, served: str) -> None:
    first, second = retrained(past)
    past.change(first.model, uri="/pipelines/m")
    past.change(second.pushed, properties={"pushed_destination": served})
    past.served = {second.pushed}
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.shared-payload: the served version {served} lies in, at or around its payload "
        f"[artifact {first.model} > artifact {second.pushed}]"
    ]


def test_a_version_that_is_served_elsewhere_holds_nothing(past: PureHistory) -> None:
    first, second = retrained(past)
    past.change(first.model, uri="/pipelines/m")
    past.change(past.artifact("Examples"), uri="/pipelines/m/x", state=ArtifactState.LIVE)
    past.change(second.pushed, properties={"pushed_destination": "/pipelines/m2"})
    past.served = {second.pushed}
    reasons = told(past.decisions(rules=ONE_MODEL)[first.model])
    assert len(reasons) == 1
    assert "artifact 109, which stays" in reasons[0]


# hold.no-verified-survivor


def test_the_old_stays_while_no_survivor_of_its_group_is_whole(past: PureHistory) -> None:
    first, second, third, fourth, fifth = retrained(past, 5)
    past.damaged = {
        model: f"torn {model}" for model in (second.model, third.model, fourth.model, fifth.model)
    }
    rules = [keep("Model", last=4)]
    assert told(past.decisions(rules=rules)[first.model]) == [
        "hold.no-verified-survivor: no surviving model of its group is whole "
        f"(model {fifth.model}: torn {fifth.model}; model {fourth.model}: torn {fourth.model}; "
        f"model {third.model}: torn {third.model}) [artifact {first.model}]"
    ]
    del past.damaged[second.model]
    assert past.deleted(rules=rules) == [first.model]


def test_what_stays_by_a_pin_alone_does_not_stand_for_the_others(past: PureHistory) -> None:
    pinned, second, third = retrained(past, 3)
    past.pin(pinned.model)
    past.damaged = {third.model: "torn"}
    assert told(past.decisions(rules=ONE_MODEL)[second.model]) == [
        "hold.no-verified-survivor: no surviving model of its group is whole "
        f"(model {third.model}: torn) [artifact {second.model}]"
    ]
    settled = past.settlement(rules=ONE_MODEL, trusting=True)
    assert [ids(group) for group in settled.groups_to_verify()] == [[third.model]]


def test_what_is_pinned_and_stays_for_another_reason_as_well_does(past: PureHistory) -> None:
    pinned, second, third = retrained(past, 3)
    past.pin(pinned.model)
    past.damaged = {third.model: "torn"}
    assert past.deleted(rules=[keep("Model", last=1, ids=[pinned.model])]) == [second.model]
    past.served = {pinned.pushed}
    assert past.deleted(rules=ONE_MODEL) == [second.model]
    past.served = set()
    distilled = past.artifact("Distilled", day=4)
    past.run(day=4).execute("Distiller", inputs=[pinned.model], outputs=[distilled])
    past.run(day=5).execute("Copier", inputs=[distilled], outputs=[past.artifact("Model", day=5)])
    assert past.deleted(rules=[keep("Model", last=1, ancestors_of="model")]) == [second.model]


def test_where_nobody_verified_a_survivor_nothing_is_said_of_any(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.unverified = True
    assert told(past.decisions(rules=ONE_MODEL)[first.model]) == [
        f"hold.no-verified-survivor: no surviving model of its group is whole [artifact {first.model}]"
    ]


def test_each_group_needs_a_survivor_of_its_own_and_only_of_models(past: PureHistory) -> None:
    first, second = retrained(past)
    other_first, other_second = (past.run(pipeline="other", day=day).train()[0] for day in (1, 2))
    past.damaged = {other_second: "torn"}
    assert past.deleted(rules=ONE_MODEL) == [first.model]
    settled = past.settlement(rules=ONE_MODEL, trusting=True)
    assert sorted(ids(settled.deletions)) == [first.model, other_first]
    assert [ids(group) for group in settled.groups_to_verify()] == [[second.model], [other_second]]
    pushes = past.settlement(rules=[keep("PushedModel", last=1)])
    assert (ids(pushes.deletions), pushes.groups_to_verify()) == ([first.pushed], [])


def test_a_group_of_which_none_would_survive_stays(past: PureHistory) -> None:
    first, second = retrained(past)
    past.change(second.model, properties={"kind": "newest"})
    rule = {**keep("Model", ids=[9999]), "group_by": ["properties.kind"]}
    assert codes(past.decisions(rules=[rule])[first.model]) == ["hold.no-verified-survivor"]
    assert past.settlement(rules=[rule], trusting=True).groups_to_verify() == [()]


def test_a_group_that_loses_nothing_is_not_verified(past: PureHistory) -> None:
    retrained(past)
    assert past.settlement(rules=[keep("Model", last=2)], trusting=True).groups_to_verify() == []


def test_a_group_of_many_types_is_verified_by_its_models(past: PureHistory) -> None:
    first, second = retrained(past)
    rule = {**keep(["Model", "ModelRun"], ids=[second.model, second.model_run]), "group_by": []}
    settled = past.settlement(rules=[rule], trusting=True)
    assert [ids(group) for group in settled.groups_to_verify()] == [[second.model]]
    past.damaged = {second.model: "torn"}
    decisions = past.decisions(rules=[rule])
    assert codes(decisions[first.model]) == ["hold.no-verified-survivor"]
    assert codes(decisions[first.model_run]) == ["expire.ids"]  # the Model beside it stays, and is whole


# hold.newest-checkpoint


def test_the_checkpoints_of_a_damaged_model_stay(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.damaged = {first.model: "torn"}
    rules = [keep("Model", last=2), keep("ModelRun", last=1)]
    assert told(past.decisions(rules=rules)[first.model_run]) == [
        "hold.newest-checkpoint: its newest checkpoint may be all that is left; "
        f"model {first.model} of the same execution: torn [artifact {first.model_run}]"
    ]
    settled = past.settlement(rules=rules, trusting=True)
    assert ids(settled.deletions) == [first.model_run]
    assert ids(settled.siblings_to_verify()) == [first.model]


def test_no_sibling_is_asked_for_that_goes_or_is_gone(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.change(second.model, state=ArtifactState.DELETED)
    past.change(third.model, state=ArtifactState.PENDING)
    settled = past.settlement(rules=MODELS_AND_RUNS, trusting=True)
    assert sorted(ids(settled.deletions)) == [first.model_run, second.model_run]
    assert ids(settled.siblings_to_verify()) == [first.model]
    past.change(third.model, state=ArtifactState.LIVE)
    settled = past.settlement(rules=MODELS_AND_RUNS, trusting=True)
    assert sorted(ids(settled.deletions)) == [first.model, first.model_run, second.model_run]
    assert settled.siblings_to_verify() == []


# What is pruned inside.


def prunable(past: PureHistory, **words: int) -> list[int]:
    settled = past.settlement(rules=[prune(**(words or {"last": 1}))])
    return ids(settled.rows_to_prune())


def test_checkpoints_go_from_live_model_runs_only(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.change(second.model_run, state=ArtifactState.MARKED_FOR_DELETION)
    everything = {"name": "all", "match": {"type": "*"}, "checkpoints": {"last": 1}}
    assert ids(past.settlement(rules=[everything]).rows_to_prune()) == [first.model_run, third.model_run]
    assert ids(past.settlement(rules=[keep("ModelRun", last=9)]).rows_to_prune()) == []
    both = {**keep("ModelRun", last=1), "checkpoints": {"last": 1}}
    assert ids(past.settlement(rules=[both]).rows_to_prune()) == [third.model_run]


def test_a_hold_that_needs_only_the_directory_lets_its_checkpoints_go(past: PureHistory) -> None:
    first, second = retrained(past)
    past.damaged = {first.model: "torn"}
    rule = {**keep("ModelRun", last=1), "checkpoints": {"last": 1}}
    decisions = past.decisions(rules=[rule])
    assert codes(decisions[first.model_run]) == ["hold.newest-checkpoint"]
    assert codes(decisions[second.model_run])[0] == "hold.newest"
    settled = past.settlement(rules=[rule])
    assert ids(settled.rows_to_prune()) == [first.model_run, second.model_run]
    assert ids(settled.siblings_to_verify()) == [first.model, second.model]


def test_any_other_hold_keeps_them_all(past: PureHistory) -> None:
    pinned, used, outside, free = retrained(past, 4)
    past.pin(pinned.model_run)
    past.execution("Resumer", state=RUNNING, inputs=[used.model_run])
    past.change(outside.model_run, uri="/elsewhere")
    assert prunable(past) == [free.model_run]


def test_checkpoints_are_judged_directory_by_directory(past: PureHistory) -> None:
    run, _ = retrained(past)
    past.write_checkpoints(run.model_run, 10, 20, directory="eval")
    past.write_checkpoints(run.model_run, 1, 2, 3)
    decision = past.decisions(rules=[prune(last=1)])[run.model_run]
    assert [(c.directory, c.name, c.step, c.bytes, c.verdict) for c in decision.checkpoints] == [
        ("", "ckpt-1", 1, 10, "delete"),
        ("", "ckpt-2", 2, 10, "delete"),
        ("", "ckpt-3", 3, 10, "keep"),
        ("eval", "ckpt-10", 10, 10, "delete"),
        ("eval", "ckpt-20", 20, 10, "keep"),
    ]


def test_the_newest_checkpoint_is_needed_while_the_model_is_not_whole(past: PureHistory) -> None:
    run, _ = retrained(past)
    past.write_checkpoints(run.model_run, 100, 200)
    rules = [prune(every_n_steps=1000)]
    whole = past.decisions(rules=rules)[run.model_run]
    assert [c.name for c in whole.prunes] == ["ckpt-200"]
    past.damaged = {run.model: "torn"}
    torn = past.decisions(rules=rules)[run.model_run]
    assert [[f"{r.code}: {r.detail}" for r in c.reasons] for c in torn.checkpoints] == [
        ["keep.every_n_steps: the oldest"],
        [f"hold.newest-checkpoint: newest of 2 restorable; model {run.model} of the same execution: torn"],
    ]


def test_what_goes_has_no_checkpoints_to_tell_of_and_what_only_keeps_has_no_rule_for_them(
    past: PureHistory,
) -> None:
    first, second = retrained(past)
    for run in (first, second):
        past.write_checkpoints(run.model_run, 1, 2)
    rule = {**keep("ModelRun", last=1), "checkpoints": {"last": 1}}
    decisions = past.decisions(rules=[rule, keep("Model", last=2)])
    assert decisions[first.model_run].checkpoints == ()
    assert [c.verdict for c in decisions[second.model_run].checkpoints] == ["delete", "keep"]
    assert decisions[second.model].checkpoints == ()


# judge_checkpoints


def written(step: int, **facts: object) -> CheckpointFact:
    return CheckpointFact("d", Candidate(f"ckpt-{step}", "ckpt", step, MONDAY + step * HOUR), step)


def test_a_checkpoint_goes_only_if_every_rule_lets_go() -> None:
    rules = [("newest", CheckpointRule(last=1)), ("spaced", CheckpointRule(every_n_steps=2))]
    judged = judge_checkpoints([written(step) for step in (1, 2, 3, 4)], rules, newest_needed=None)
    assert [(c.name, c.verdict, [(r.code, r.rule) for r in c.reasons]) for c in judged] == [
        ("ckpt-1", "keep", [("keep.every_n_steps", "spaced")]),
        ("ckpt-2", "delete", [("expire.last", "newest"), ("expire.every_n_steps", "spaced")]),
        ("ckpt-3", "keep", [("keep.every_n_steps", "spaced")]),
        ("ckpt-4", "keep", [("keep.last", "newest")]),
    ]


def test_what_several_rules_say_alike_is_said_once() -> None:
    damaged = CheckpointFact("", Candidate("ckpt-9", "ckpt", 9, MONDAY, False, "torn"), 7)
    rules = [("one", CheckpointRule(last=1)), ("two", CheckpointRule(last=1))]
    judged = judge_checkpoints([written(1), damaged], rules, newest_needed="because")
    assert [
        (c.name, c.verdict, c.bytes, [(r.code, r.detail, r.rule) for r in c.reasons]) for c in judged
    ] == [
        (
            "ckpt-1",
            "keep",
            1,
            [
                ("hold.newest-checkpoint", "newest of 1 restorable; because", None),
                ("keep.last", "rank 1 of 1, keeps 1", "one"),
                ("keep.last", "rank 1 of 1, keeps 1", "two"),
            ],
        ),
        ("ckpt-9", "unknown", 7, [("unknown.damaged-checkpoint", "torn", None)]),
    ]


# The plan.


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


def test_bytes_below_something_that_stays_unknown_are_still_counted(past: PureHistory) -> None:
    first, second, third = retrained(past, 3)
    past.change(first.model, uri="/pipelines/all/1")
    past.change(second.model, uri="/pipelines/all/2")
    past.sizes = {first.model: 100, second.model: 40}
    assert past.plan(rules=ONE_MODEL).summary.bytes_reclaimable == 140
    assert third.model


def test_a_settlement_says_all_holds_of_a_row_in_their_order(past: PureHistory) -> None:
    first, _ = retrained(past)
    past.pin(first.model)
    past.unreadable = {first.model: "torn"}
    settled: Settlement = past.settlement(rules=ONE_MODEL)
    assert [reason.code for reason in settled.holds_on(first.model - FIRST_ARTIFACT)] == [
        "hold.pinned",
        "unknown.payload",
    ]
    assert [reason.code for reason in settled.reasons_of(first.model - FIRST_ARTIFACT)][2:] == ["expire.last"]
