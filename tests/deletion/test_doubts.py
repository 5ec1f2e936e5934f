"""What a purge took back for damage that a plan does not see is not marked again while nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.builders import (
    History,
    Retraining,
    damage_checkpoint,
    damage_saved_model,
    keep_model_runs,
    keep_models,
    prune_checkpoints,
)
from tfx_janitor.deletion import acts, doubts
from tfx_janitor.deletion.act import Act, Kind, Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.purge import purge
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Decision, Plan
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2, 3), blessed=None, pushed=False) for _ in range(3)]


@dataclass
class Watched:
    """Threads that remember how deep each Model and checkpoint was looked at."""

    levels: dict[str, Level] = field(default_factory=dict)

    def run(self, task: str, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        for item in items:
            if isinstance(item, look.ModelOrder):
                self.levels[item.uri] = item.level
            elif isinstance(item, look.CheckpointOrder):
                self.levels[f"{item.directory}/{item.name}"] = item.level
        return Threads(2).run(task, work, items)


def planned(history: History, policy: RetentionPolicy, crew: Any = None) -> Plan:
    return make_plan(
        history.case(policy),
        crew or Threads(2),
        metadata=history.url,
        created_ms=0,
        doubted=doubts.read(history.store),
    )


def of(plan: Plan, artifact_id: int) -> Decision:
    return next(decision for decision in plan.decisions if decision.artifact_id == artifact_id)


def told(outcomes: Sequence[Outcome]) -> list[tuple[int, str]]:
    return [(outcome.artifact_id, outcome.done) for outcome in outcomes]


def only_older_runs_go(history: History, **policy: Any) -> RetentionPolicy:
    return history.policy(rules=[keep_models(last=3), keep_model_runs(last=1)], **policy)


def nothing_is_begun(history: History, policy: RetentionPolicy) -> bool:
    """Whether a collection, and one more, do nothing at all."""
    known = len(acts.read(history.store))
    outcomes = [*collect(history.site(), policy).outcomes, *collect(history.site(), policy).outcomes]
    return not outcomes and len(acts.read(history.store)) == known


def test_a_model_run_is_taken_back_once_while_its_model_is_damaged(
    history: History, runs: list[Retraining]
) -> None:
    damaged = damage_saved_model(runs[0].model.path)
    policy, spared = only_older_runs_go(history), runs[0].model_run
    assert told(collect(history.site(), policy).outcomes) == [
        (spared.id, "marked"),
        (runs[1].model_run.id, "marked"),
        (spared.id, "rescued"),
        (runs[1].model_run.id, "purged"),
    ]

    decision = of(planned(history, policy), spared.id)
    assert (decision.verdict, decision.reasons[0].code) == ("keep", "hold.newest-checkpoint")
    assert "do not match their checksum" in decision.reasons[0].detail
    assert nothing_is_begun(history, policy)

    damage_saved_model(runs[0].model.path)  # the bit is flipped back
    assert damaged.exists()
    assert told(collect(history.site(), policy).outcomes) == [(spared.id, "marked"), (spared.id, "purged")]


def test_models_are_taken_back_once_while_no_survivor_is_whole(
    history: History, runs: list[Retraining]
) -> None:
    damage_saved_model(runs[2].model.path)
    policy = history.policy(rules=[keep_models(last=1)])
    older = [run.model.id for run in runs[:2]]
    outcomes = collect(history.site(), policy).outcomes
    assert told(outcomes) == [(i, done) for done in ("marked", "rescued") for i in older]
    assert nothing_is_begun(history, policy)
    assert of(planned(history, policy), older[0]).reasons[0].code == "hold.no-verified-survivor"

    history.pipeline().retrain(blessed=None, pushed=False)
    gone = [model_id for model_id, done in told(collect(history.site(), policy).outcomes) if done == "purged"]
    assert gone == [*older, runs[2].model.id]


def test_checkpoints_are_spared_once_while_a_newer_one_is_damaged(
    history: History, runs: list[Retraining]
) -> None:
    damage_checkpoint(runs[0].model_run.path, "ckpt-3")
    policy = history.policy(rules=[prune_checkpoints(last=1)])
    collect(history.site(), policy)
    assert sorted(path.stem for path in runs[0].model_run.path.glob("*.index")) == ["ckpt-2", "ckpt-3"]
    assert nothing_is_begun(history, policy)
    assert not of(planned(history, policy), runs[0].model_run.id).prunes


def test_nothing_else_is_looked_at_deeper(history: History, runs: list[Retraining]) -> None:
    damage_saved_model(runs[0].model.path)
    crew = Watched()
    planned(history, only_older_runs_go(history), crew)
    assert set(crew.levels.values()) == {Level.STRUCTURE}

    collect(history.site(), only_older_runs_go(history))
    patient = history.policy(rules=[keep_models(last=4), keep_model_runs(last=1)])
    history.pipeline().retrain(blessed=None, pushed=False)
    planned(history, patient, crew := Watched())
    assert crew.levels == {runs[0].model.uri: Level.CHECKSUMS, runs[2].model.uri: Level.STRUCTURE}


def test_a_policy_that_trusts_structure_is_taken_at_its_word(
    history: History, runs: list[Retraining]
) -> None:
    damage_saved_model(runs[0].model.path)
    collect(history.site(), only_older_runs_go(history))
    trusting = only_older_runs_go(history, verify="structure")
    planned(history, trusting, crew := Watched())
    assert crew.levels == {runs[0].model.uri: Level.STRUCTURE}
    assert told(collect(history.site(), trusting).outcomes)[-1] == (runs[0].model_run.id, "purged")


def test_a_plan_of_before_does_not_mark_it_again(history: History, runs: list[Retraining]) -> None:
    damage_checkpoint(runs[0].model_run.path, "ckpt-3")
    plan = planned(history, history.policy(rules=[prune_checkpoints(last=1)]))
    apply(history.site(), plan)
    purge(history.site())
    assert apply(history.site(), plan) == []


# What the acts say.


def act(kind: Kind, *outcomes: Outcome, at: int = 1, ended: bool = True, **details: Any) -> Act:
    return Act(at, kind, at, "tester@here", "1", ended, details, (), outcomes)


DAMAGED = Outcome(7, "rescued", "hold.newest-checkpoint: its newest checkpoint may be all that is left")
NAMES = {"7": [["", "ckpt-1"], ["", "ckpt-2"]]}


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ([act("rescue", DAMAGED)], {7}),
        ([act("rescue", Outcome(7, "rescued", "hold.no-verified-survivor: no surviving model"))], {7}),
        ([act("rescue", Outcome(7, "rescued", "hold.pinned: pinned by anna: mine"))], set()),
        ([act("rescue", Outcome(7, "skipped", DAMAGED.detail))], set()),
        ([act("rescue", DAMAGED), act("apply", Outcome(7, "marked"))], set()),
        ([act("rescue", DAMAGED), act("apply", Outcome(7, "skipped", "needed again"))], {7}),
        ([act("apply", checkpoints=NAMES), act("purge", closes=[[1, 7]], checkpoints={})], {7}),
        ([act("apply", checkpoints=NAMES), act("purge", closes=[[1, 7]], checkpoints=NAMES)], set()),
        ([act("apply", checkpoints=NAMES), act("purge", closes=[[1, 7]], ended=False)], set()),
        ([act("apply", checkpoints=NAMES), act("restore", closes=[[1, 7]])], set()),
        (
            [
                act("apply", checkpoints=NAMES),
                act("purge", Outcome(7, "skipped", "a restore was faster"), closes=[[1, 7]]),
            ],
            set(),
        ),
    ],
)
def test_what_is_in_doubt(known: list[Act], found: set[int]) -> None:
    assert doubts.doubted(known) == found


def test_what_was_in_doubt_at_an_earlier_moment(history: History, runs: list[Retraining]) -> None:
    damage_saved_model(runs[0].model.path)
    collect(history.site(), only_older_runs_go(history))
    (rescue,) = acts.read(history.store, kinds=("rescue",))
    assert doubts.read(history.store, until_ms=rescue.at_ms) == {runs[0].model_run.id}
    assert doubts.read(history.store, until_ms=rescue.at_ms - 1) == frozenset()
