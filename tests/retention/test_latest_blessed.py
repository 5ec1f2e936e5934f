"""hold.latest-blessed: the model that the resolver of the next run finds, with its blessing."""

from __future__ import annotations

import pytest

from tests.retention.held import judged, said
from tests.retention.pure_histories import PureHistory, keep
from tfx_janitor.lineage.snapshot import ArtifactState, ExecutionState
from tfx_janitor.retention import holds


def test_the_highest_blessed_model_of_each_pipeline_is_held_with_its_newest_blessing(
    past: PureHistory,
) -> None:
    first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.run(day=3).retrain(blessed=False)
    again, judging = past.run(day=4).evaluate(second.model)
    past.run(day=5).evaluate(first.model)
    other = past.run(pipeline="other").retrain()
    held = said(holds.latest_blessed(judged(past)))
    assert held[second.model] == [
        "hold.latest-blessed: the latest blessed model of inception, the baseline of its next run "
        f"[artifact {second.model} > execution {judging} > artifact {again}]"
    ]
    assert held[again] == [
        f"hold.latest-blessed: the blessing of model {second.model}, the latest blessed one of inception "
        f"[artifact {again} > execution {judging} > artifact {second.model}]"
    ]
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
