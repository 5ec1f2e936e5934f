"""Each hold by itself: whom it holds, in which words, and by which path.

`test_holds.py` shows on real stores and payloads that they hold; here is every corner of each, on histories
in memory.
"""

from __future__ import annotations

import pytest

from tests.retention.pure_histories import (
    CACHED,
    DAY,
    FAILED,
    FIRST_ARTIFACT,
    RUNNING,
    PureHistory,
    keep,
    on_day,
    spelled,
)
from tfx_janitor.lineage.snapshot import ArtifactState, EventKind, ExecutionState
from tfx_janitor.retention import holds
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.facts import StorageFacts, Verified
from tfx_janitor.retention.holds import Held

RULES = [keep(["Model", "ModelRun", "ModelBlessing", "PushedModel"], last=9)]
ACT = "tfx_janitor.act.purge"


@pytest.fixture
def past() -> PureHistory:
    return PureHistory()


def said(held: Held) -> dict[int, list[str]]:
    """What a hold says, by artifact id, in its order."""
    reasons: dict[int, list[str]] = {}
    for row, reason in held:
        reasons.setdefault(row + FIRST_ARTIFACT, []).append(spelled(reason))
    return reasons


def judged(past: PureHistory, **fields) -> Case:
    return past.case(rules=RULES, **fields)


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


# hold.newest


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


# hold.latest-blessed


def test_the_highest_blessed_model_of_each_pipeline_is_held_with_its_newest_blessing(
    past: PureHistory,
) -> None:
    first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.run(day=3).retrain(blessed=False)
    again, judging = past.run(day=4).evaluate(second.model)
    past.run(day=5).evaluate(first.model)
    other = past.run(pipeline="other").retrain()
    held = said(holds.latest_blessed(judged(past)))
    assert held[second.model][0] == (
        "hold.latest-blessed: the latest blessed model of inception, the baseline of its next run "
        f"[artifact {second.model} > execution {judging} > artifact {again}]"
    )
    assert held[again][0] == (
        f"hold.latest-blessed: the blessing of model {second.model}, the latest blessed one of inception "
        f"[artifact {again} > execution {judging} > artifact {second.model}]"
    )
    assert held.keys() == {second.model, again, other.model, other.blessing}


@pytest.mark.parametrize("marked", ["model", "blessing"])
def test_beside_the_live_one_the_newest_marked_one_is_held(past: PureHistory, marked: str) -> None:
    first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.change(getattr(second, marked), state=ArtifactState.MARKED_FOR_DELETION)
    held = said(holds.latest_blessed(judged(past)))
    assert held.keys() == {first.model, first.blessing, second.model, second.blessing}
    past.change(getattr(second, marked), state=ArtifactState.DELETED)
    assert said(holds.latest_blessed(judged(past))).keys() == {first.model, first.blessing}


def test_a_model_that_another_pipeline_blessed_says_who_made_it_and_who_blessed_it(past: PureHistory) -> None:
    theirs, _, _ = past.run(pipeline="makers", day=1).train()
    blessing, _ = past.run(pipeline="judges", day=2).evaluate(theirs)
    held = said(holds.latest_blessed(judged(past)))
    assert "the latest model of makers that judges blessed, the baseline of its next run" in held[theirs][0]
    assert (
        f"the blessing of model {theirs}, the latest one of makers that judges blessed" in held[blessing][0]
    )


def test_a_newer_model_that_only_another_pipeline_blessed_is_not_the_baseline_of_its_own(
    past: PureHistory,
) -> None:
    (own, _, _), (lent, _, _) = past.run(day=1).train(), past.run(day=2).train()
    past.run(day=1).evaluate(own)
    past.run(day=2).evaluate(lent, blessed=False)
    past.run(pipeline="judges", day=3).evaluate(lent)
    past.run(day=4).train()
    # The resolver of inception sees no blessing of judges, so it resolves the older model.
    assert {own, lent} < said(holds.latest_blessed(judged(past))).keys()
    assert past.decisions(rules=[keep("Model", last=1)])[own].verdict == "keep"


def test_each_of_two_trainers_in_a_pipeline_has_its_own_latest_blessed(past: PureHistory) -> None:
    made: dict[tuple[str, float], tuple[int, int]] = {}
    # The newest Wide is not blessed, and the newest Deep is: the latest blessed model of the pipeline.
    for day, node, good in ((1, "Wide", 1), (1, "Deep", 1), (2, "Wide", 1), (3, "Wide", 0), (3, "Deep", 1)):
        model, run = past.artifact("Model", day=day), past.run(day=day)
        run.execute(node, outputs={"model": model})
        blessing = past.artifact("ModelBlessing", day=day, blessed=good, current_model_id=model)
        run.execute(f"Evaluate{node}", inputs={"model": model}, outputs={"blessing": blessing})
        made[node, day] = model, blessing
    (wide, its_blessing), deep = made["Wide", 2], made["Deep", 3]
    held = said(holds.latest_blessed(judged(past)))
    assert held.keys() == {wide, its_blessing, *deep}
    maker, judge = "Wide (model) in inception", "EvaluateWide (blessing) in inception"
    assert f"the latest model of {maker} that {judge} blessed, the baseline of its next run" in held[wide][0]
    assert (
        f"the blessing of model {wide}, the latest one of {maker} that {judge} blessed"
        in held[its_blessing][0]
    )
    assert "the latest blessed model of inception, the baseline" in held[deep[0]][0]
    assert past.decisions(rules=[keep("Model", last=1)])[wide].verdict == "keep"


def test_what_an_importer_put_out_again_is_resolved_as_its_output(past: PureHistory) -> None:
    imported, newest = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.run(day=3).execute("Importer", outputs={"result": imported.model})
    held = said(holds.latest_blessed(judged(past)))
    assert held.keys() == {imported.model, imported.blessing, newest.model, newest.blessing}
    assert "the latest model of Importer (result) in inception that Evaluator" in held[imported.model][0]


def test_what_a_partial_run_calls_the_output_of_a_resolver_is_none(past: PureHistory) -> None:
    older, newest = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.run(day=2.5).execute(
        "latest_blessed",
        type="tfx.dsl.components.common.resolver.Resolver",
        state=ExecutionState.CACHED,
        outputs={"model": older.model, "model_blessing": older.blessing},
    )
    assert said(holds.latest_blessed(judged(past))).keys() == {newest.model, newest.blessing}


def test_outputs_of_what_is_in_no_pipeline_are_told_apart_all_the_same(past: PureHistory) -> None:
    made = [past.artifact("Model") for _ in range(2)]
    judging: list[int] = []
    for model, type in zip(made, ("Trainer", "Rewriter"), strict=True):
        past.execution(type, outputs=[model] if type == "Trainer" else {"model": model})
        judging.append(past.artifact("ModelBlessing", blessed=1, current_model_id=model))
        past.execution("Evaluator", inputs=[model], outputs={"blessing": judging[-1]})
    held = said(holds.latest_blessed(judged(past)))
    assert held.keys() == {*made, *judging}
    maker = "no known node (no known output) in no known pipeline"
    assert f"the latest model of {maker} that no known node (blessing) in" in held[made[0]][0]


def test_a_newer_model_whose_blessing_only_names_its_uri_is_not_what_tfx_resolves(past: PureHistory) -> None:
    by_id = past.run(day=1).retrain()
    (newer, _, _) = past.run(day=2).train()
    blessing = past.artifact("ModelBlessing", blessed=1, current_model=f"/pipelines/Model/{newer}")
    past.run(day=2).execute("ModelValidator", inputs=[newer], outputs=[blessing])
    assert said(holds.latest_blessed(judged(past))).keys() == {by_id.model, by_id.blessing}


def test_the_latest_is_by_model_and_not_by_when_it_was_blessed(past: PureHistory) -> None:
    (first, _, _), (second, _, _) = past.run(day=1).train(), past.run(day=2).train()
    for model in (second, first):
        past.run(day=3).evaluate(model)
    assert second in said(holds.latest_blessed(judged(past)))
    assert first not in said(holds.latest_blessed(judged(past)))


def test_the_first_execution_of_a_store_may_have_blessed(past: PureHistory) -> None:
    model = past.artifact("Model")
    blessing, judging = past.run().evaluate(model)
    (held,) = said(holds.latest_blessed(judged(past)))[blessing][:1]
    assert held.endswith(f"[artifact {blessing} > execution {judging} > artifact {model}]")


def test_a_blessing_of_what_a_model_became_names_the_model_directly(past: PureHistory) -> None:
    model, rewritten = past.artifact("Model"), past.artifact("Rewritten")
    past.execution("Rewriter", inputs=[model], outputs=[rewritten])
    blessing = past.artifact("ModelBlessing", blessed=1, current_model_id=model)
    past.execution("Evaluator", inputs=[rewritten], outputs=[blessing])
    assert said(holds.latest_blessed(judged(past)))[model][0].endswith(
        f"[artifact {model} > artifact {blessing}]"
    )


def test_a_blessing_that_nobody_produced_blesses_for_no_known_pipeline(past: PureHistory) -> None:
    model = past.artifact("Model")
    blessing = past.artifact("ModelBlessing", blessed=1, current_model_id=model)
    held = said(holds.latest_blessed(judged(past)))
    assert held[model][0] == (
        "hold.latest-blessed: the latest blessed model of no known pipeline, the baseline of its next run "
        f"[artifact {model} > artifact {blessing}]"
    )


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
    reached, not_yet, new = (past.artifact("Model", day=past.now - age) for age in (2, 2 - 1 / DAY, 0))
    assert said(holds.too_young(judged(past, policy={"min_age": "2d"}))) == {
        not_yet: [f"hold.too-young: min_age protects it until 2026-04-15 00:00:00 UTC [artifact {not_yet}]"],
        new: [f"hold.too-young: min_age protects it until 2026-04-17 00:00:00 UTC [artifact {new}]"],
    }
    assert reached < not_yet


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


def test_what_storage_does_not_understand_is_unknown_in_its_words(past: PureHistory) -> None:
    strange, gone = past.artifact("Model"), past.artifact("Model")
    facts = StorageFacts(not_understood={0: "no handler for gs:// yet"}, unreadable={1: "nothing is there"})
    assert said(holds.not_understood(judged(past), facts)) == {
        strange: [f"unknown.uri: no handler for gs:// yet [artifact {strange}]"],
        gone: [f"unknown.payload: nothing is there [artifact {gone}]"],
    }


# hold.served


def test_served_is_the_push_that_stands_and_the_model_that_went_there(past: PureHistory) -> None:
    first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.served = {second.pushed}
    case = judged(past)
    assert said(holds.served(case, past.facts(case))) == {
        second.model: [
            f"hold.served: served at /serving/{second.pushed} "
            f"[artifact {second.model} > execution {second.push} > artifact {second.pushed}]"
        ],
        second.pushed: [f"hold.served: served at /serving/{second.pushed} [artifact {second.pushed}]"],
    }
    assert first.model < second.model


def test_what_was_pushed_by_way_of_an_infra_blessing_is_told_by_that_way(past: PureHistory) -> None:
    model, blessing, infra = (past.artifact(type) for type in ("Model", "ModelBlessing", "InfraBlessing"))
    past.execution("Evaluator", inputs=[model], outputs=[blessing])
    validating = past.execution("InfraValidator", inputs=[model], outputs=[infra])
    pushed, push = past.run().push(blessing, infra)
    past.served = {pushed}
    case = judged(past)
    assert said(holds.served(case, past.facts(case)))[model] == [
        f"hold.served: served at /serving/{pushed} [artifact {model} > execution {validating} > "
        f"artifact {infra} > execution {push} > artifact {pushed}]"
    ]


@pytest.mark.parametrize(
    "destination", ["serving/inception/1700000000", "projects/p/models/m/versions/v1", "file://other/1"]
)
def test_what_was_pushed_to_where_nobody_can_look_is_served(past: PureHistory, destination: str) -> None:
    first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.change(first.pushed, properties={"pushed_destination": destination})
    past.change(second.pushed, properties={"pushed_destination": ""})
    past.artifact("ModelBlessing", pushed=1, pushed_destination=destination)
    case = judged(past)
    held = said(holds.served(case, past.facts(case)))
    told = f"pushed to {destination}, of which nobody here can tell whether it still stands"
    assert held[first.pushed] == [f"hold.served: {told} [artifact {first.pushed}]"]
    assert held[first.model][0].startswith(f"hold.served: {told}")
    assert held.keys() == {first.model, first.pushed}
    past.change(first.pushed, properties={"pushed": 0})
    case = judged(past)
    assert said(holds.served(case, past.facts(case))) == {}


# hold.outside-roots


def test_only_what_lies_strictly_inside_some_root_may_go(past: PureHistory) -> None:
    past.artifact("Model", uri="/a/pipelines/model")
    past.artifact("Model", uri="/b/model")
    root, beside = past.artifact("Model", uri="/b"), past.artifact("Model", uri="/bb/model")
    past.artifact("Examples", uri="/elsewhere")  # no rule governs it
    past.artifact("Model", uri="/unknown")
    past.not_understood = {106: "malformed"}
    case = judged(past, policy={"roots": ["/a/pipelines", "/b"]})
    assert said(holds.outside_roots(case, past.facts(case))) == {
        root: [f"hold.outside-roots: /b is not inside any root of the policy [artifact {root}]"],
        beside: [f"hold.outside-roots: /bb/model is not inside any root of the policy [artifact {beside}]"],
    }


# hold.newest-checkpoint


def why_needed(past: PureHistory, *going: int, verified: dict[int, Verified] | None = None) -> str | None:
    """Why the newest checkpoint of the ModelRun 102 is needed, whose Model is 101."""
    facts = StorageFacts(verified={number - FIRST_ARTIFACT: one for number, one in (verified or {}).items()})
    return holds.unverified_sibling(judged(past), facts, 1, {number - FIRST_ARTIFACT for number in going})


def test_a_checkpoint_is_needed_until_the_model_is_verified(past: PureHistory) -> None:
    model, _, _ = past.run().train()
    about = f"model {model} of the same execution: "
    assert why_needed(past) == about + "not verified"
    assert why_needed(past, verified={model: Verified(False, "torn")}) == about + "torn"
    assert why_needed(past, verified={model: Verified(True, "whole")}) is None


def test_a_model_that_goes_or_went_in_good_order_needs_no_checkpoint(past: PureHistory) -> None:
    model, _, _ = past.run().train()
    assert why_needed(past, model) is None
    past.change(model, state=ArtifactState.DELETED)
    assert why_needed(past) is None


def test_one_model_in_good_order_does_not_speak_for_another(past: PureHistory) -> None:
    outputs = [past.artifact(type) for type in ("Model", "ModelRun", "Model")]
    past.run().execute("Trainer", outputs=outputs)
    first, _, second = outputs
    assert why_needed(past, first) == f"model {second} of the same execution: not verified"


def test_a_checkpoint_is_needed_where_no_model_came_of_the_training(past: PureHistory) -> None:
    past.artifact("Examples")
    model_run = past.artifact("ModelRun")
    past.run().execute("Trainer", outputs=[model_run])
    assert why_needed(past) == "no Model came of the same execution"


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
