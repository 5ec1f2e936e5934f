"""`best`: where a metric comes from, and what ranks worst."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory, keep, prune, told
from tfx_janitor.lineage.snapshot import ArtifactState, EventKind
from tfx_janitor.retention.facts import Evidence
from tfx_janitor.retention.metrics import measured, metrics_of, payloads_with_metrics

NOTHING = object()


def models_with(*values: Any) -> tuple[PureHistory, list[int]]:
    """A Model for each value of its own property `accuracy`, then a newest one in another group."""
    past = PureHistory()
    models = [past.run(day=day).train()[0] for day in range(len(values))]
    for model, value in zip(models, values, strict=True):
        past.change(model, properties={"accuracy": value} if value is not NOTHING else {})
    past.change(past.run(day=99).train()[0], properties={"kind": "newest"})
    return past, models


def rule(type: str = "Model", **best: Any) -> dict[str, Any]:
    wanted = {"metric": "accuracy", "count": 1, "mode": "max", **best}
    return {**keep(type, best=wanted), "group_by": ["properties.kind"]}


def kept(values: list[Any], **best: Any) -> list[int]:
    """Numbers, from 0, of the Models that stay."""
    past, models = models_with(*values)
    gone = past.deleted(rules=[rule(**best)])
    return [number for number, model in enumerate(models) if model not in gone]


def test_best_by_mode_and_count() -> None:
    assert kept([0.7, 0.9, 0.8]) == [1]
    assert kept([0.7, 0.9, 0.8], count=2) == [1, 2]
    assert kept([0.7, 0.9, 0.8], mode="min") == [0]
    assert kept([3, 0.5, -2], mode="max") == [0]


def test_of_equal_values_the_newer_is_better() -> None:
    assert kept([0.9, 0.9, 0.1]) == [1]
    assert kept([0.1, 0.1, 0.9], mode="min") == [1]


@pytest.mark.parametrize("worst", [math.nan, NOTHING, "0.99", True])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_what_cannot_be_ranked_is_never_best(worst: object, mode: str) -> None:
    assert kept([0.5, worst], mode=mode) == [0]
    assert kept([0.5, worst], mode=mode, count=2) == [0]


def test_infinite_is_a_number() -> None:
    assert kept([math.inf, 0.5, -math.inf], count=1) == [0]
    assert kept([math.inf, 0.5, -math.inf], count=1, mode="min") == [2]


def test_each_says_its_value_and_its_rank() -> None:
    past, models = models_with(0.5, 0.9, math.nan, NOTHING, "high")
    decisions = past.decisions(rules=[rule()])
    assert [told(decisions[model]) for model in models] == [
        ["expire.best (model): accuracy 0.5, rank 2 of 2, keeps 1"],
        ["keep.best (model): accuracy 0.9, rank 1 of 2, the best is kept"],
        ["expire.best (model): accuracy nan, which cannot be ranked"],
        ["expire.best (model): has no accuracy"],
        ["expire.best (model): accuracy 'high', which cannot be ranked"],
    ]


def judged_by_evaluation(*values: Any) -> tuple[PureHistory, list[int], list[int]]:
    """Models whose accuracy is a property of the ModelEvaluation that an Evaluator made of them."""
    past, models = models_with(*(NOTHING for _ in values))
    evaluations = []
    for day, (model, value) in enumerate(zip(models, values, strict=True)):
        said = {} if value is NOTHING else {"accuracy": value}
        evaluations.append(past.artifact("ModelEvaluation", day=day, **said))
        past.run(day=day).execute("Evaluator", inputs={"model": model}, outputs=[evaluations[-1]])
    return past, models, evaluations


def test_a_metric_of_what_was_derived_in_one_step() -> None:
    past, models, evaluations = judged_by_evaluation(0.5, 0.9)
    decision = past.decisions(rules=[rule()])[models[1]]
    assert told(decision) == [
        "keep.best (model): accuracy 0.9, rank 1 of 2, the best is kept "
        f"[artifact {models[1]} > execution 505 > artifact {evaluations[1]}]"
    ]
    assert past.deleted(rules=[rule()]) == [models[0]]


def test_the_models_own_property_goes_before_what_was_derived() -> None:
    past, models, _ = judged_by_evaluation(0.5, 0.9)
    past.change(models[0], properties={"accuracy": 0.95})
    assert past.deleted(rules=[rule()]) == [models[1]]


def test_of_several_evaluations_the_newest_that_has_it_speaks() -> None:
    past, models, _ = judged_by_evaluation(0.5, 0.9)
    again, silent = past.artifact("ModelEvaluation", accuracy=0.1), past.artifact("ModelEvaluation")
    for evaluation in (again, silent):
        past.run().execute("Evaluator", inputs={"model": models[1]}, outputs=[evaluation])
    assert past.deleted(rules=[rule()]) == [models[1]]


@pytest.mark.parametrize("role", ["baseline_model", "base_model"])
def test_an_evaluation_says_nothing_of_the_baseline(role: str) -> None:
    past, models, _ = judged_by_evaluation(0.5, 0.9)
    past.link(505, EventKind.INPUT, {role: models[0]})
    assert past.deleted(rules=[rule()]) == [models[0]]


@pytest.mark.parametrize("role", ["baseline_model", "base_model"])
def test_nor_of_one_that_is_compared_with_and_has_no_metric_itself(role: str) -> None:
    past = PureHistory()
    baseline, model = past.artifact("Model"), past.artifact("Model")
    evaluation = past.artifact("ModelEvaluation", accuracy=0.5)
    past.execution("Evaluator", inputs={role: baseline, "model": model}, outputs=[evaluation])
    assert measured(past.case(rules=[rule()]), baseline - FIRST_ARTIFACT, "accuracy") is None


@pytest.mark.parametrize("type", ["Model", "ModelRun", "PushedModel", "InfraBlessing"])
def test_a_model_made_from_it_speaks_for_itself(type: str) -> None:
    past, models = models_with(0.5, NOTHING)
    child = past.artifact(type, accuracy=0.99, kind="newest")
    past.run(day=98).execute("Distiller", inputs={"teacher": models[1]}, outputs=[child])
    assert past.deleted(rules=[rule()]) == [models[1]]


def test_a_model_run_counts_by_its_model_unless_it_has_its_own() -> None:
    past = PureHistory()
    runs = []
    for day, value in enumerate((0.5, 0.9, 0.7)):
        model, run, _ = past.run(day=day).train()
        past.change(model, properties={"accuracy": value})
        runs.append(run)
    past.change(past.run(day=99).train()[1], properties={"kind": "newest"})
    assert past.deleted(rules=[rule("ModelRun")]) == [runs[0], runs[2]]
    past.change(runs[0], properties={"accuracy": 0.99})
    assert past.deleted(rules=[rule("ModelRun")]) == [runs[1], runs[2]]


def test_a_payload_is_only_asked_where_nothing_else_tells() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, NOTHING, 0.7)
    case = past.case(rules=[rule()])
    assert payloads_with_metrics(case) == [e - FIRST_ARTIFACT for e in evaluations[:2]]
    assert payloads_with_metrics(past.case(rules=[keep("Model", last=1)])) == []
    inside = {"all_of": [{"best": {"metric": "auc", "count": 1, "mode": "max"}}, {"last": 2}]}
    assert len(payloads_with_metrics(past.case(rules=[keep("Model", **inside)]))) == 3
    first, second = (evaluation - FIRST_ARTIFACT for evaluation in evaluations[:2])
    evidence = Evidence(metrics={first: {"accuracy": 0.6}, second: {"auc": 1.0}})
    assert past.deleted(rules=[rule(count=2)], evidence=evidence) == [models[1]]


def test_a_payload_that_is_deleted_is_not_asked() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, 0.5)
    past.change(evaluations[0], state=ArtifactState.DELETED)
    assert payloads_with_metrics(past.case(rules=[rule()])) == []
    assert past.deleted(rules=[rule()]) == [models[0]]


def test_what_cannot_be_read_may_be_the_best_of_all() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, 0.5, NOTHING)
    unreadable = {evaluations[0] - FIRST_ARTIFACT: "metrics-0 is cut off"}
    decisions = past.decisions(rules=[rule()], evidence=Evidence(unreadable=unreadable))
    assert told(decisions[models[0]]) == ["unknown.metric (model): metrics-0 is cut off"]
    assert [decisions[model].verdict for model in models] == ["unknown", "keep", "delete"]


def test_an_older_evaluation_does_not_speak_for_one_that_cannot_be_read() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, NOTHING)
    newer = past.artifact("ModelEvaluation")
    past.run().execute("Evaluator", inputs={"model": models[0]}, outputs=[newer])
    evidence = Evidence(
        metrics={evaluations[0] - FIRST_ARTIFACT: {"accuracy": 0.1}},
        unreadable={newer - FIRST_ARTIFACT: "no such file"},
    )
    decisions = past.decisions(rules=[rule()], evidence=evidence)
    assert decisions[models[0]].verdict == "unknown"


def test_a_value_is_told_in_six_digits_with_the_artifact_that_carries_it() -> None:
    past, (model,), (evaluation,) = judged_by_evaluation(1 / 3)
    assert told(past.decisions(rules=[rule()])[model])[0].startswith(
        "keep.best (model): accuracy 0.333333, rank 1 of 1"
    )
    in_payload = Evidence(metrics={evaluation - FIRST_ARTIFACT: {"auc": 0.5}})
    case = past.case(rules=[rule()], evidence=in_payload)
    for metric in ("accuracy", "auc"):
        found = measured(case, model - FIRST_ARTIFACT, metric)
        assert found is not None
        assert found.carrier == evaluation - FIRST_ARTIFACT


def test_only_what_was_made_from_a_model_speaks_for_it() -> None:
    past = PureHistory()
    model, twin, tuned = (past.artifact(type) for type in ("Model", "Model", "HyperParameters"))
    past.change(twin, properties={"accuracy": 0.9})
    past.change(tuned, properties={"accuracy": 0.9})
    past.run().execute("Trainer", outputs=[model, twin, tuned])
    case = past.case(rules=[rule()])
    assert measured(case, model - FIRST_ARTIFACT, "accuracy") is None


def test_the_role_of_an_input_is_its_key_and_without_one_it_has_none() -> None:
    past = PureHistory()
    baseline, model = past.artifact("Model"), past.artifact("Model")
    compared, judged = (past.artifact("ModelEvaluation", accuracy=value) for value in (0.25, 0.75))
    past.execution("Evaluator", inputs={"model": model, "baseline_model": baseline}, outputs=[compared])
    past.execution("Evaluator", inputs=[baseline], outputs=[judged])
    case = past.case(rules=[rule()])
    found = [measured(case, number - FIRST_ARTIFACT, "accuracy") for number in (baseline, model)]
    assert [one and one.value for one in found] == [0.75, 0.25]


def test_the_metrics_of_a_policy_are_those_of_all_its_rules_however_deep() -> None:
    deep = {"any_of": [{"best": {"metric": "auc", "count": 1, "mode": "max"}}, {"last": 1}]}
    rules = [rule(), keep("ModelRun", **deep), prune(last=1)]
    assert metrics_of(PureHistory().case(rules=rules).policy) == {"accuracy", "auc"}


def test_the_payload_that_alone_tells_a_metric_stays_with_what_it_speaks_for() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, NOTHING)
    first, second = (evaluation - FIRST_ARTIFACT for evaluation in evaluations)
    evidence = Evidence(metrics={first: {"accuracy": 0.9}, second: {"accuracy": 0.5}})
    rules = [rule(), keep("ModelEvaluation", ids=[1])]
    past.run(day=98).execute(
        "Evaluator", outputs=[past.artifact("ModelEvaluation")]
    )  # the newest of its node
    decisions = past.decisions(rules=rules, evidence=evidence)
    assert told(decisions[evaluations[0]])[0] == (
        f"hold.evidence: it alone tells the accuracy of Model {models[0]}, which stays and rule model ranks "
        f"[artifact {evaluations[0]} > execution 504 > artifact {models[0]}]"
    )
    assert [d for d in (models[1], evaluations[1]) if decisions[d].verdict != "delete"] == []


def test_an_evaluation_whose_metric_stands_elsewhere_too_may_go() -> None:
    past, models, evaluations = judged_by_evaluation(NOTHING, NOTHING)
    past.change(models[0], properties={"accuracy": 0.9})
    rules = [rule(), keep("ModelEvaluation", ids=[1])]
    past.run(day=98).execute("Evaluator", outputs=[past.artifact("ModelEvaluation")])
    assert evaluations[0] in past.deleted(rules=rules)


def test_an_evaluation_that_cannot_be_read_stays_as_long_as_it_may_speak() -> None:
    past, _, evaluations = judged_by_evaluation(NOTHING, 0.5)
    evidence = Evidence(unreadable={evaluations[0] - FIRST_ARTIFACT: "cut off"})
    past.run(day=98).execute("Evaluator", outputs=[past.artifact("ModelEvaluation")])
    decisions = past.decisions(rules=[rule(), keep("ModelEvaluation", ids=[1])], evidence=evidence)
    assert decisions[evaluations[0]].reasons[0].code == "hold.evidence"
    assert decisions[evaluations[1]].verdict == "delete"


def test_a_payload_that_ranks_a_model_run_is_told_beside_it() -> None:
    past = PureHistory()
    model, model_run, _ = past.run(day=1).train()
    evaluation = past.artifact("ModelEvaluation", day=1)
    past.run(day=1).execute("Evaluator", inputs={"model": model}, outputs=[evaluation])
    past.run(day=2).execute("Evaluator", outputs=[past.artifact("ModelEvaluation", day=2)])
    evidence = Evidence(metrics={evaluation - FIRST_ARTIFACT: {"accuracy": 0.5}})
    rules = [rule("ModelRun"), keep("ModelEvaluation", last=1)]
    assert told(past.decisions(rules=rules, evidence=evidence)[evaluation]) == [
        f"hold.evidence: it alone tells the accuracy of ModelRun {model_run}, which stays and rule modelrun "
        f"ranks [artifact {evaluation} > artifact {model_run}]"
    ]
