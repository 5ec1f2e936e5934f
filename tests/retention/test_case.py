"""What follows from a case before anybody judges: who is governed and ranked, what was blessed and pushed."""

from __future__ import annotations

from itertools import product

import pytest

from tests.retention.pure_histories import (
    CACHED,
    DAY,
    FIRST_ARTIFACT,
    FIRST_EXECUTION,
    RUNNING,
    PureHistory,
    keep,
    prune,
)
from tfx_janitor.lineage.snapshot import ArtifactState, EventKind, ExecutionState, Value
from tfx_janitor.retention.case import Case

ALL = {"name": "all", "match": {"type": "*"}, "keep": {"last": 1}}


def governed(case: Case) -> dict[int, list[str]]:
    """The rules' names by artifact id."""
    return {row + FIRST_ARTIFACT: [rule.name for rule in rules] for row, rules in case.governed.items()}


def groups(case: Case) -> list[tuple[object, ...]]:
    """Each group as its rule's name, its key, and its members' ids."""
    return [(g.rule.name, *g.key, [row + FIRST_ARTIFACT for row in g.rows]) for g in case.groups]


# Who is governed.


def test_a_rule_governs_what_fits_all_that_it_matches(past: PureHistory) -> None:
    model, model_run, _ = past.run(pipeline="inception").train()
    other, _, _ = past.run(pipeline="other").train()
    stray = past.artifact("Model")
    rules = [
        {"name": "type", "match": {"type": "Model"}, "keep": {"last": 1}},
        {"name": "pipeline", "match": {"pipeline": "incep*"}, "keep": {"last": 1}},
        {"name": "node", "match": {"node": "Trainer", "type": "ModelRun"}, "keep": {"last": 1}},
        {"name": "output", "match": {"output": "model", "pipeline": "other"}, "keep": {"last": 1}},
    ]
    assert governed(past.case(rules=rules)) == {
        model: ["type", "pipeline"],
        model_run: ["pipeline", "node"],
        other: ["type", "output"],
        other + 1: ["node"],
        stray: ["type"],
    }


def test_properties_tell_apart_what_one_node_made(past: PureHistory) -> None:
    digits, letters, _ = (past.artifact("Model", kind=kind) for kind in ("digits", "letters", "faces"))
    rules = [
        {"name": kind, "match": {"properties": {"kind": kind}}, "keep": {"last": 1}}
        for kind in ("digits", "letters")
    ]
    assert governed(past.case(rules=rules)) == {digits: ["digits"], letters: ["letters"]}


def test_what_is_deleted_is_governed_no_more_and_what_is_marked_still_is(past: PureHistory) -> None:
    _, marked = (
        past.artifact("Model", state=state)
        for state in (ArtifactState.DELETED, ArtifactState.MARKED_FOR_DELETION)
    )
    assert governed(past.case(rules=[ALL])) == {marked: ["all"]}


def test_a_janitor_of_one_pipeline_governs_what_that_pipeline_made(past: PureHistory) -> None:
    past.artifact("Examples")
    theirs, _, _ = past.run(pipeline="other").train()
    model, model_run, _ = past.run(pipeline="inception").train()
    past.run(pipeline="inception").execute("BulkInferrer", inputs=[theirs])
    assert list(governed(past.case(rules=[ALL], only_pipeline="inception"))) == [model, model_run]


def test_no_artifact_is_mistaken_for_one_that_differs_in_a_part_of_where_it_comes_from(
    past: PureHistory,
) -> None:
    types = ("Examples", "Schema", "Model", "ModelRun")
    made = {past.artifact(type): type for type in types}
    for pipeline, node, output in product(("one", "two"), ("Trainer", "Tuner"), (None, "a", "b")):
        for type in types:
            made[number := past.artifact(type)] = type
            where = past.run(pipeline=pipeline)
            where.execute(node, outputs=[number] if output is None else {output: number})
    rules = [keep(type, last=1) for type in types]
    assert governed(past.case(rules=rules)) == {number: [type.lower()] for number, type in made.items()}


def test_in_an_empty_store_nothing_is_governed(past: PureHistory) -> None:
    assert governed(past.case(rules=[ALL])) == {}


# Which rules fit nothing.


def unmatched(case: Case) -> list[str | None]:
    return [rule.name for rule in case.unmatched]


def test_a_rule_is_unmatched_if_no_artifact_fits_all_that_it_matches(past: PureHistory) -> None:
    past.run(pipeline="inception").train()
    past.run(pipeline="other").execute("Tuner", outputs={"best": past.artifact("HyperParameters")})
    matches = {
        "fits": {"type": "Model", "pipeline": "inc*"},
        "misspelt": {"type": "Modell"},
        "another-pipeline": {"type": "Model", "pipeline": "other"},
        "another-node": {"type": "Model", "node": "Tuner"},
        "another-output": {"type": "Model", "output": "best"},
    }
    rules = [{"name": name, "match": match, "keep": {"last": 1}} for name, match in matches.items()]
    assert unmatched(past.case(rules=rules)) == list(matches)[1:]


def test_an_artifact_with_other_properties_does_not_fit(past: PureHistory) -> None:
    past.artifact("Examples", kind="letters")
    past.artifact("Model", kind="faces")
    past.artifact("Model", kind="digits")
    rules = [
        {"name": kind, "match": {"type": "Model", "properties": {"kind": kind}}, "keep": {"last": 1}}
        for kind in ("digits", "letters")
    ]
    assert unmatched(past.case(rules=rules)) == ["letters"]


def test_a_rule_fits_also_what_is_deleted_and_what_no_pipeline_that_is_asked_made(past: PureHistory) -> None:
    past.artifact("Model", state=ArtifactState.DELETED)
    past.run(pipeline="other").train()
    case = past.case(rules=[keep("Model", last=1), keep("ModelRun", last=1)], only_pipeline="inception")
    assert (governed(case), unmatched(case)) == ({}, [])


def test_the_values_of_the_store_are_those_that_some_artifact_has(past: PureHistory) -> None:
    past.artifact("Examples")
    past.run(pipeline="inception").train()
    past.run(pipeline="other").execute("Pusher")  # it made nothing
    case = past.case(rules=[ALL])
    assert case.values("type") == {"Examples", "Model", "ModelRun"}
    assert case.values("pipeline") == {"inception"}
    assert case.values("output") == {"model", "model_run"}


# What is ranked together.


def test_a_group_is_newest_first_and_of_one_moment_the_higher_id_is_newer(past: PureHistory) -> None:
    oldest, newest, older_twin, twin = (past.artifact("Model", day=day) for day in (1, 3, 2, 2))
    assert groups(past.case(rules=[keep("Model", last=1)])) == [
        ("model", None, None, None, [newest, twin, older_twin, oldest])
    ]


def test_without_more_words_pipeline_node_and_output_make_a_group(past: PureHistory) -> None:
    one, one_run, _ = past.run(pipeline="one").train()
    two, two_run, _ = past.run(pipeline="two").train()
    again = past.artifact("Model")
    past.run(pipeline="one").execute("Trainer", outputs={"model": again})
    tuned = past.artifact("Model")
    past.run(pipeline="one").execute("Tuner", outputs={"model": tuned})
    assert groups(past.case(rules=[ALL])) == [
        ("all", "one", "Trainer", "model", [again, one]),
        ("all", "one", "Trainer", "model_run", [one_run]),
        ("all", "two", "Trainer", "model", [two]),
        ("all", "two", "Trainer", "model_run", [two_run]),
        ("all", "one", "Tuner", "model", [tuned]),
    ]


def test_a_property_can_make_the_groups(past: PureHistory) -> None:
    a, b, c = (past.artifact("Model", span=span) for span in (1, 2, 1))
    rule = {"name": "spans", "match": {"type": "Model"}, "group_by": ["properties.span"], "keep": {"last": 1}}
    assert groups(past.case(rules=[rule])) == [("spans", 1, [c, a]), ("spans", 2, [b])]


def test_only_what_is_there_is_ranked_and_only_by_rules_that_keep(past: PureHistory) -> None:
    present = (ArtifactState.LIVE, ArtifactState.MARKED_FOR_DELETION)
    by_state = {state: past.artifact("ModelRun", state=state) for state in ArtifactState}
    ((_, *_, members),) = groups(past.case(rules=[prune(last=1), keep("ModelRun", last=1)]))
    assert members == [by_state[state] for state in reversed(present)]


# What runs.


def active(case: Case) -> list[int]:
    """Ids of the executions that count as running."""
    return [row + FIRST_EXECUTION for row, runs in enumerate(case.active.tolist()) if runs]


def test_active_is_what_is_new_or_running_and_somebody_elses(past: PureHistory) -> None:
    by_state = {state: past.execution("Trainer", state=state) for state in ExecutionState}
    past.execution("tfx_janitor.act.mark", state=RUNNING)
    own = past.execution("CheckpointJanitor", state=RUNNING)
    expected = [by_state[ExecutionState.NEW], by_state[RUNNING]]
    assert active(past.case(rules=[ALL], own_execution=own)) == expected
    assert active(past.case(rules=[ALL])) == [*expected, own]


def test_what_gave_no_sign_of_life_for_stale_after_is_dead(past: PureHistory) -> None:
    at_the_limit, beyond = (
        past.execution("Trainer", state=RUNNING, day=past.now - 2 - ms / DAY) for ms in (0, 1)
    )
    own, over = (past.execution("Trainer", state=state, day=past.now) for state in (RUNNING, CACHED))
    patient, strict = (
        active(past.case(rules=[ALL], policy={"stale_after": limit}, own_execution=own))
        for limit in (None, "2d")
    )
    assert patient == [at_the_limit, beyond]
    assert strict == [at_the_limit]
    assert over not in patient


# What was blessed.


def blessings(past: PureHistory) -> dict[int, list[int]]:
    found = past.case(rules=[ALL]).blessings
    return {
        model + FIRST_ARTIFACT: [blessing + FIRST_ARTIFACT for blessing in rows]
        for model, rows in found.items()
    }


def test_a_model_is_blessed_by_the_blessings_that_name_its_id(past: PureHistory) -> None:
    model, _, _ = past.run().train()
    refused, _ = past.run().evaluate(model, blessed=False)
    first, _ = past.run().evaluate(model)
    second, _ = past.run().evaluate(model)
    assert blessings(past) == {model: [first, second]}
    case = past.case(rules=[ALL])
    answers = {number: case.is_blessed(number - FIRST_ARTIFACT) for number in (model, refused, first)}
    assert answers == {model: True, refused: False, first: True}


@pytest.mark.parametrize("model_id", [None, 0, 9999, "101", 101.0])
def test_where_the_id_leads_nowhere_the_uri_does(past: PureHistory, model_id: Value | None) -> None:
    past.artifact("Examples", uri="/pipelines/m")
    model = past.artifact("Model", uri="/pipelines/m")
    blessing = past.artifact("ModelBlessing", blessed=1, current_model="/pipelines/m")
    if model_id is not None:
        past.change(blessing, properties={"current_model_id": model_id})
    assert blessings(past) == {model: [blessing]}


def test_a_blessing_of_a_model_that_the_store_does_not_know_blesses_nothing(past: PureHistory) -> None:
    past.artifact("ModelBlessing", blessed=1, current_model_id=9999, current_model="/nowhere")
    past.artifact("ModelBlessing", blessed=1)
    assert blessings(past) == {}


def test_a_blessing_that_names_no_model_blesses_what_its_execution_judged(past: PureHistory) -> None:
    model, baseline = past.artifact("Model"), past.artifact("Model")
    examples, blessing, nobodys = (past.artifact(t) for t in ("Examples", "ModelBlessing", "ModelBlessing"))
    past.change(blessing, properties={"blessed": 1})
    past.change(nobodys, properties={"blessed": 1})
    past.run().execute(
        "MyEvaluator",
        inputs={"examples": examples, "model": model, "baseline_model": baseline},
        outputs=[blessing],
    )
    assert blessings(past) == {model: [blessing]}
    past.change(blessing, properties={"current_model_id": 9999})
    assert blessings(past) == {}


def test_a_model_run_is_blessed_and_pushed_by_the_model_beside_it(past: PureHistory) -> None:
    first = past.run().retrain()
    second = past.run().retrain(blessed=False)
    past.change(second.pushed, properties={"pushed": 0})
    case = past.case(rules=[ALL])
    for retrained, expected in ((first, True), (second, False)):
        for number in (retrained.model, retrained.model_run):
            assert case.is_blessed(number - FIRST_ARTIFACT) is expected
            assert case.is_pushed(number - FIRST_ARTIFACT) is expected
        assert case.is_pushed(retrained.pushed - FIRST_ARTIFACT) is expected


# What was pushed.


def pushes(past: PureHistory) -> dict[int, list[tuple[int, int]]]:
    found = past.case(rules=[ALL]).pushes
    return {
        model + FIRST_ARTIFACT: [(e + FIRST_EXECUTION, pushed + FIRST_ARTIFACT) for e, pushed in pairs]
        for model, pairs in found.items()
    }


def test_a_model_may_be_pushed_more_than_once_and_only_what_says_so_was(past: PureHistory) -> None:
    model, _, _ = past.run().train()
    pushed, push = past.run().push(model)
    refused, _ = past.run().push(model)
    past.change(refused, properties={"pushed": 0})
    again, second_push = past.run().push(model)
    past.artifact("PushedModel", pushed=1)  # nothing produced it, so nobody knows what it came from
    assert pushes(past) == {model: [(push, pushed), (second_push, again)]}


def test_the_baseline_of_the_blessing_that_let_a_model_pass_was_not_pushed_with_it(past: PureHistory) -> None:
    (baseline, _, _), (model, _, _) = past.run(day=1).train(), past.run(day=2).train()
    blessing = past.artifact("ModelBlessing", blessed=1)
    past.run().execute("Evaluator", inputs=[model, baseline], outputs=[blessing])
    pushed, push = past.run().push(model, blessing)
    assert pushes(past) == {model: [(push, pushed)]}


def test_what_was_pushed_from_an_infra_blessing_is_the_model_that_was_validated(past: PureHistory) -> None:
    model, model_run, _ = past.run().train()
    infra = past.artifact("InfraBlessing", blessed=1)
    past.run().execute("InfraValidator", inputs=[model_run, model], outputs=[infra])
    pushed, push = past.run().push(infra, past.artifact("InfraBlessing"), model)
    assert pushes(past) == {model: [(push, pushed)]}


def test_the_first_execution_of_a_store_can_have_pushed_and_validated(past: PureHistory) -> None:
    model = past.artifact("Model")
    pushed, push = past.run().push(model)
    assert pushes(past) == {model: [(push, pushed)]}

    past = PureHistory()
    model, infra = past.artifact("Model"), past.artifact("InfraBlessing")
    past.run().execute("InfraValidator", inputs=[model], outputs=[infra])
    pushed, push = past.run().push(infra)
    assert pushes(past) == {model: [(push, pushed)]}


# What an execution used.


def test_uses_are_all_events_each_artifact_once(past: PureHistory) -> None:
    taken, made, found = (past.artifact("Model") for _ in range(3))
    execution = past.execution("Tuner", inputs={"a": taken, "b": taken}, outputs=[made])
    past.link(execution, EventKind.INTERNAL_OUTPUT, [found, made])
    case = past.case(rules=[ALL])
    assert [row + FIRST_ARTIFACT for row in case.uses(0)] == [taken, made, found]
    assert case.artifact_step(1) == ("artifact", made)
    assert case.execution_step(0) == ("execution", execution)


def test_the_run_of_the_janitor_itself(past: PureHistory) -> None:
    past.run("first").train()
    own = past.run("second").execute("CheckpointJanitor", state=RUNNING)
    stray = past.execution("CheckpointJanitor", state=CACHED)
    assert past.case(rules=[ALL], own_execution=own).own_run == 1
    for nowhere in (None, stray, 9999):
        assert past.case(rules=[ALL], own_execution=nowhere).own_run == -1
