"""Checkpoints that go from a ModelRun that stays, and hold.newest-checkpoint, which keeps them."""

from __future__ import annotations

from tests.retention.pure_histories import HOUR, MONDAY, RUNNING, PureHistory, codes, keep, prune, told
from tests.retention.settling import MODELS_AND_RUNS, ids, retrained
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.schema import CheckpointRule
from tfx_janitor.retention.decide import judge_checkpoints
from tfx_janitor.retention.facts import CheckpointFact
from tfx_janitor.retention.pruning import Candidate

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
