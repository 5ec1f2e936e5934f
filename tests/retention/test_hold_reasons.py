"""Each hold by itself: whom it holds, in which words, and by which path.

`test_holds.py` shows on real stores and payloads that they hold. Here is every corner of those that look at
one artifact alone, on histories in memory, and the order of all; the others have files of their own.
"""

from __future__ import annotations

from tests.retention.held import judged, said
from tests.retention.pure_histories import CACHED, DAY, FAILED, FIRST_ARTIFACT, RUNNING, PureHistory, on_day
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.retention import holds

# hold.pinned


def test_a_pin_says_who_and_why_and_until_when(past: PureHistory) -> None:
    model, other = past.artifact("Model"), past.artifact("Model")
    past.pin(model, until_ms=on_day(past.now) + 1)
    past.pin(other)
    assert said(holds.pinned(judged(past))) == {
        model: [
            "hold.pinned: pinned by ann@home until 2026-04-15 00:00:00 UTC: audit "
            f"[artifact {model} > context 901]"
        ],
        other: [f"hold.pinned: pinned by ann@home: audit [artifact {other} > context 902]"],
    }


def test_a_pin_that_ended_was_taken_back_or_is_on_nothing_holds_nothing(past: PureHistory) -> None:
    ended, released, pinned = (past.artifact("Model") for _ in range(3))
    past.pin(ended, until_ms=on_day(past.now))
    past.pin(released, released_ms=on_day(past.now))
    past.pin(7)
    past.pin(pinned)
    assert list(said(holds.pinned(judged(past)))) == [pinned]


# hold.external


def test_external_is_what_says_so_and_what_an_importer_made_or_used_again(past: PureHistory) -> None:
    external, imported, reused, own = (past.artifact("Model") for _ in range(4))
    past.change(external, properties={"is_external": 1})
    past.change(own, properties={"is_external": 0})
    past.execution("tfx.dsl.components.common.importer.Importer", outputs=[imported])
    past.execution(
        "tfx.components.common_nodes.importer_node.ImporterNode", outputs={"a": reused, "b": reused}
    )
    past.execution("my.NoImporter", outputs=[own])
    assert said(holds.external(judged(past))) == {
        external: [f"hold.external: is_external is set [artifact {external}]"],
        imported: [f"hold.external: imported by execution 501 [artifact {imported} > execution 501]"],
        reused: [f"hold.external: imported by execution 502 [artifact {reused} > execution 502]"],
    }


def test_in_a_store_without_the_property_nothing_is_external(past: PureHistory) -> None:
    past.run().train()
    assert said(holds.external(judged(past))) == {}


# hold.too-young


def test_young_is_what_has_not_reached_min_age(past: PureHistory) -> None:
    _reached, not_yet, new = (past.artifact("Model", day=past.now - age) for age in (2, 2 - 1 / DAY, 0))
    assert said(holds.too_young(judged(past, policy={"min_age": "2d"}))) == {
        not_yet: [f"hold.too-young: min_age protects it until 2026-04-15 00:00:00 UTC [artifact {not_yet}]"],
        new: [f"hold.too-young: min_age protects it until 2026-04-17 00:00:00 UTC [artifact {new}]"],
    }


def test_what_a_clock_ahead_of_ours_made_is_too_young_by_any_min_age(past: PureHistory) -> None:
    now, ahead = past.artifact("Model", day=past.now), past.artifact("Model", day=past.now + 1)
    assert list(said(holds.too_young(judged(past, policy={"min_age": "1s"})))) == [now, ahead]
    assert said(holds.too_young(judged(past))) == {
        ahead: [
            "hold.too-young: created 2026-04-16 00:00:00 UTC, later than the moment that is judged "
            f"[artifact {ahead}]"
        ]
    }


# unknown.*


def test_states_that_say_neither_there_nor_gone_are_unknown(past: PureHistory) -> None:
    for state in ArtifactState:
        past.artifact("Model", state=state)
    new_one = past.artifact("Model", state=17)
    held = said(holds.unknown_state(judged(past)))
    detail = "says neither that the payload is there nor that it is gone"
    assert held[new_one] == [f"unknown.state: state 17 {detail} [artifact {new_one}]"]
    names = {reasons[0].split()[2] for reasons in held.values()}
    assert names == {"UNKNOWN", "PENDING", "ABANDONED", "REFERENCE", "17"}


def test_what_no_complete_execution_made_is_unknown(past: PureHistory) -> None:
    made, failed = past.artifact("Model"), past.artifact("Model")
    past.execution("Trainer", outputs=[made])
    past.execution("Trainer", state=FAILED, outputs=[failed])
    assert said(holds.no_producer(judged(past))) == {
        failed: [f"unknown.no-producer: no COMPLETE execution has it as output [artifact {failed}]"]
    }


# All together


def test_every_hold_is_asked_in_the_order_of_its_row_in_the_documentation(past: PureHistory) -> None:
    """One artifact that each hold has a reason for, twice where it can."""
    run = past.run("r1", day=past.now)
    model, _, _ = run.train()
    past.change(model, properties={"is_external": 1})
    past.execution("x.Importer", outputs=[model], state=CACHED)
    run.evaluate(model)
    run.execute("Tuner", state=RUNNING, inputs=[model])
    run.execute("Tuner", state=RUNNING, inputs=[model])
    pushed, _ = run.push(model)
    for _ in range(2):
        past.pin(model)
    odd = past.artifact("Model", state=ArtifactState.PENDING)
    case = judged(past, policy={"min_age": "1h", "roots": ["/other"]})
    lineage = holds.held_by_lineage(case)
    assert [reason.code for reason in lineage[model - FIRST_ARTIFACT]] == [
        "hold.active-execution",
        "hold.active-run",
        "hold.newest",
        "hold.latest-blessed",
        "hold.pinned",
        "hold.external",
        "hold.too-young",
    ]
    assert [reason.code for reason in lineage[odd - FIRST_ARTIFACT]] == [
        "unknown.state",
        "unknown.no-producer",
    ]
    past.served = {pushed}
    past.unreadable = {model: "not there"}
    storage = holds.held_by_storage(case, past.facts(case))
    assert [reason.code for reason in storage[model - FIRST_ARTIFACT]] == [
        "hold.served",
        "hold.outside-roots",
        "unknown.payload",
    ]
