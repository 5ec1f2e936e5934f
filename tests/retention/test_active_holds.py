"""hold.active-execution and hold.active-run: what runs holds what it uses, and what its run used."""

from __future__ import annotations

import pytest

from tests.retention.held import ACT, judged, said
from tests.retention.pure_histories import DAY, FAILED, RUNNING, PureHistory
from tfx_janitor.lineage.snapshot import EventKind, ExecutionState
from tfx_janitor.retention import holds

# hold.active-execution


@pytest.mark.parametrize("state", [ExecutionState.NEW, RUNNING])
def test_what_runs_holds_what_it_takes_makes_and_found(past: PureHistory, state: ExecutionState) -> None:
    taken, made, found, other = (past.artifact("Model") for _ in range(4))
    past.execution("Trainer", outputs=[taken, other])
    running = past.execution("Tuner", state=state, inputs=[taken], outputs=[made])
    past.link(running, EventKind.INTERNAL_OUTPUT, [found])
    assert said(holds.active_execution(judged(past))) == {
        number: [
            f"hold.active-execution: used by execution 502, which is {state.name} "
            f"[artifact {number} > execution 502]"
        ]
        for number in (taken, made, found)
    }


def test_what_is_taken_twice_is_held_once(past: PureHistory) -> None:
    model = past.artifact("Model")
    past.execution("Evaluator", state=RUNNING, inputs={"model": model, "baseline_model": model})
    assert len(said(holds.active_execution(judged(past)))[model]) == 1


def test_neither_the_janitor_that_asks_nor_its_acts_nor_what_is_over_hold(past: PureHistory) -> None:
    model = past.artifact("Model")
    own = past.execution("CheckpointJanitor", state=RUNNING, inputs=[model])
    past.execution(ACT, state=RUNNING, inputs=[model])
    past.execution("Evaluator", state=FAILED, inputs=[model])
    assert said(holds.active_execution(judged(past, own_execution=own))) == {}
    assert list(said(holds.active_execution(judged(past)))) == [model]


def test_stale_after_ends_what_was_silent_for_longer(past: PureHistory) -> None:
    silent, just_heard = past.artifact("Model"), past.artifact("Model")
    past.execution("Tuner", state=RUNNING, inputs=[silent], day=past.now - 2 - 1 / DAY)
    past.execution("Tuner", state=RUNNING, inputs=[just_heard], day=past.now - 2)
    assert list(said(holds.active_execution(judged(past, policy={"stale_after": "2d"})))) == [just_heard]
    assert list(said(holds.active_execution(judged(past)))) == [silent, just_heard]


# hold.active-run


def test_a_run_that_is_not_over_holds_all_that_it_used(past: PureHistory) -> None:
    run = past.run("r1")
    model, model_run, training = run.train()
    running = run.execute("Evaluator", state=RUNNING, inputs=[model])
    past.run("r2").train()
    because = f"hold.active-run: run r1 is not over: execution {running} is active"
    assert said(holds.active_run(judged(past))) == {
        model: [
            f"{because} [artifact {model} > execution {training} > execution {running}]",
            f"{because} [artifact {model} > execution {running}]",
        ],
        model_run: [f"{because} [artifact {model_run} > execution {training} > execution {running}]"],
    }


def test_of_several_that_run_the_first_is_told(past: PureHistory) -> None:
    run = past.run("r1")
    model, _, _ = run.train()
    first, _ = (run.execute(node, state=RUNNING) for node in ("Evaluator", "Pusher"))
    assert f"execution {first} is active" in said(holds.active_run(judged(past)))[model][0]


def test_between_two_nodes_a_run_holds_for_min_age_after_its_last_sign_of_life(past: PureHistory) -> None:
    run = past.run("r1", day=1)
    model, model_run, training = run.train()
    past.now = 3
    because = (
        f"hold.active-run: run r1 may not be over: execution {training} was active, "
        "and min_age holds what its run used until 2026-01-09 00:00:00 UTC"
    )
    assert said(holds.active_run(judged(past, policy={"min_age": "3d"}))) == {
        made: [f"{because} [artifact {made} > execution {training}]"] for made in (model, model_run)
    }
    assert said(holds.active_run(judged(past, policy={"min_age": "2d"}))) == {}


def test_one_sign_of_life_holds_what_older_executions_of_the_run_used(past: PureHistory) -> None:
    past.run("r0", day=1).train()
    model, _, training = past.run("r1", day=1).train()
    later = past.run("r1", day=99).execute("Evaluator")
    past.execution("Copier", outputs=[past.artifact("Model")], day=99)  # part of no run
    held = said(holds.active_run(judged(past, policy={"min_age": "2d"})))
    assert held.keys() == {model, model + 1}
    assert held[model][0].endswith(f"[artifact {model} > execution {training} > execution {later}]")


def test_an_act_of_the_janitor_is_no_sign_of_life(past: PureHistory) -> None:
    past.run("r1", day=1).train()
    past.run("r1", day=99).execute("purge", type=ACT)
    assert said(holds.active_run(judged(past, policy={"min_age": "2d"}))) == {}


def test_outside_of_a_run_nothing_is_held_but_what_is_used(past: PureHistory) -> None:
    bystander = past.artifact("Model")
    past.execution("Copier", outputs=[bystander])
    past.execution("Copier", state=RUNNING)
    assert said(holds.active_run(judged(past))) == {}


def test_the_run_that_the_janitor_is_part_of_is_held(past: PureHistory) -> None:
    run = past.run("r1")
    model, _, training = run.train()
    past.run("r2").train()
    own = run.execute("CheckpointJanitor", state=RUNNING, inputs=[model])
    detail = "hold.active-run: run r1 is the janitor's own"
    assert said(holds.active_run(judged(past, own_execution=own)))[model] == [
        f"{detail} [artifact {model} > execution {training}]",
        f"{detail} [artifact {model} > execution {own}]",
    ]
    assert len(said(holds.active_run(judged(past, own_execution=own)))) == 2


def test_a_janitor_outside_of_any_run_or_unknown_to_the_store_holds_no_run(past: PureHistory) -> None:
    past.run("r1").train()
    alone = past.execution("CheckpointJanitor", state=RUNNING)
    assert said(holds.active_run(judged(past, own_execution=alone))) == {}
    assert said(holds.active_run(judged(past, own_execution=9999))) == {}
