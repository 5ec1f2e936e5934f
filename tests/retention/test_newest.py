"""hold.newest: the newest success of each node holds all that it made."""

from __future__ import annotations

from tests.retention.held import ACT, judged, said
from tests.retention.pure_histories import CACHED, FAILED, PureHistory
from tfx_janitor.lineage.snapshot import EventKind, ExecutionState
from tfx_janitor.retention import holds


def test_the_newest_success_of_each_node_of_each_pipeline_holds_all_its_outputs(past: PureHistory) -> None:
    past.run(day=1).train()
    model, model_run, training = past.run(day=2).train()
    past.run(day=3).execute("Trainer", state=FAILED, outputs=[past.artifact("Model")])
    elsewhere, elsewhere_run, elsewhere_training = past.run(pipeline="other").train()
    pushed, push = past.run(day=4).push(model)
    assert said(holds.newest(judged(past))) == {
        made: [
            f"hold.newest: output of execution {execution}, the newest successful one of {node} "
            f"[artifact {made} > execution {execution}]"
        ]
        for made, execution, node in (
            (model, training, "Trainer"),
            (model_run, training, "Trainer"),
            (elsewhere, elsewhere_training, "Trainer"),
            (elsewhere_run, elsewhere_training, "Trainer"),
            (pushed, push, "Pusher"),
        )
    }


def test_a_cache_hit_is_a_success_and_a_resolver_or_an_act_are_none(past: PureHistory) -> None:
    first, _, _ = past.run(day=1).train()
    second, _, _ = past.run(day=2).train()
    past.run(day=3).execute("Trainer", state=CACHED, outputs={"model": first, "again": first})
    resolved = past.run(day=4).execute("Trainer")
    past.link(resolved, EventKind.INTERNAL_OUTPUT, [second])
    past.run(day=5).execute("Trainer", type=ACT, outputs=[second])
    held = said(holds.newest(judged(past)))
    assert second not in held
    assert len(held[first]) == 1


def test_what_was_written_without_contexts_has_its_type_for_a_node(past: PureHistory) -> None:
    old, new, other = (past.artifact("Model") for _ in range(3))
    past.execution("Script", outputs=[old])
    past.execution("Script", outputs=[new])
    past.execution("Notebook", outputs=[other])
    assert said(holds.newest(judged(past))) == {
        new: [
            "hold.newest: output of execution 502, the newest successful one of type Script "
            f"[artifact {new} > execution 502]"
        ],
        other: [
            "hold.newest: output of execution 503, the newest successful one of type Notebook "
            f"[artifact {other} > execution 503]"
        ],
    }


def test_what_a_partial_run_noted_for_a_resolver_is_held_until_the_resolver_runs_again(
    past: PureHistory,
) -> None:
    resolver = "tfx.dsl.components.common.resolver.Resolver"
    older = past.run(day=1).retrain()
    past.run(day=2).retrain()
    standing_in = past.run(day=3).execute(
        "latest_blessed", type=resolver, state=ExecutionState.CACHED, outputs={"model": older.model}
    )
    assert said(holds.newest(judged(past)))[older.model] == [
        f"hold.newest: output of execution {standing_in}, the newest successful one of latest_blessed "
        f"[artifact {older.model} > execution {standing_in}]"
    ]
    past.run(day=4).execute("latest_blessed", type=resolver)
    assert older.model not in said(holds.newest(judged(past)))
