"""`used_by`, `ancestors_of`, `descendants_of`: what stays for the sake of something else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.retention.pure_histories import PureHistory, keep, told
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, ArtifactState


class Trained:
    """Two runs that each ingest, train, evaluate and push, and a third that takes the holds upon itself."""

    def __init__(self) -> None:
        self.past = PureHistory()
        self.data: list[int] = []
        self.models: list[int] = []
        self.pushed: list[int] = []
        for day in range(3):
            run = self.past.run(day=day)
            self.data.append(self.past.artifact("Examples", day=day))
            run.execute("ExampleGen", outputs=[self.data[-1]])
            self.models.append(run.train(examples=self.data[-1])[0])
            run.evaluate(self.models[-1], blessed=day != 1)
            self.pushed.append(run.push(self.models[-1])[0])


def data_of(*selectors: str) -> dict[str, Any]:
    return keep("Examples", ancestors_of=list(selectors))


@pytest.fixture
def trained() -> Trained:
    return Trained()


def test_data_stays_while_a_model_trained_on_it_is_served(trained: Trained) -> None:
    trained.past.served.add(trained.pushed[0])
    rules = [data_of("served"), keep("Model", last=1)]
    decisions = trained.past.decisions(rules=rules)
    assert told(decisions[trained.data[0]]) == [
        f"keep.ancestors_of (examples): Model {trained.models[0]}, which is served, was made from it "
        f"[artifact {trained.data[0]} > execution 502 > artifact {trained.models[0]}]"
    ]
    assert told(decisions[trained.data[1]]) == [
        "expire.ancestors_of (examples): nothing that is served was made from it"
    ]


def test_data_stays_while_nobody_can_tell_whether_a_model_trained_on_it_is_served(trained: Trained) -> None:
    trained.past.change(trained.pushed[0], properties={"pushed_destination": "serving/1"})
    rules = [data_of("served"), keep("Model", last=1)]
    assert trained.past.deleted(rules=rules) == [trained.data[1], trained.models[1]]


@pytest.mark.parametrize(
    ("selector", "gone"),
    [("model", [1]), ("blessed", [1]), ("pushed", []), ("served", [0, 1]), ("pinned", [1])],
)
def test_what_each_word_walks_from(trained: Trained, selector: str, gone: list[int]) -> None:
    # Of the Models the second goes; all PushedModels stay, for no rule governs them; nothing is served.
    trained.past.pin(trained.models[0])
    rules = [data_of(selector), keep("Model", ids=[trained.models[0]])]
    expected = sorted([trained.data[n] for n in gone] + [trained.models[1]])
    assert trained.past.deleted(rules=rules) == expected


def test_data_goes_together_with_the_last_model_trained_on_it(trained: Trained) -> None:
    rules = [data_of("model"), keep("Model", last=1)]
    assert trained.past.deleted(rules=rules) == sorted((*trained.data[:2], *trained.models[:2]))
    trained.past.run(day=3).train(examples=trained.data[0])
    assert trained.data[0] not in trained.past.deleted(rules=rules)


def test_what_stays_may_be_what_another_word_of_lineage_keeps(trained: Trained) -> None:
    evaluation = trained.past.artifact("ModelEvaluation")
    trained.past.run().execute("Evaluator", inputs={"model": trained.models[0]}, outputs=[evaluation])
    rules = [
        keep("ModelEvaluation", ids=[evaluation]),
        {**keep("Model", descendants_of=["pinned"]), "group_by": []},
        data_of("model"),
    ]
    trained.past.pin(trained.data[0])
    gone = trained.past.deleted(rules=rules)
    assert gone == sorted((trained.data[1], trained.models[1]))


def test_a_model_that_is_gone_no_longer_keeps_its_data(trained: Trained) -> None:
    trained.past.change(trained.models[0], state=ArtifactState.DELETED)
    assert trained.data[0] in trained.past.deleted(rules=[data_of("model")])


def test_evaluations_stay_while_their_model_does(trained: Trained) -> None:
    evaluations = []
    for model in trained.models:
        evaluations.append(trained.past.artifact("ModelEvaluation"))
        trained.past.run().execute("Judge", inputs={"model": model}, outputs=[evaluations[-1]])
    rules = [keep("ModelEvaluation", descendants_of=["model"]), keep("Model", ids=[trained.models[0]])]
    decisions = trained.past.decisions(rules=rules)
    assert [decisions[e].verdict for e in evaluations] == ["keep", "delete", "keep"]
    made = f"keep.descendants_of (modelevaluation): made from Model {trained.models[0]}, "
    assert told(decisions[evaluations[0]])[0].startswith(f"{made}which is a model that stays [")
    assert told(decisions[evaluations[1]]) == [
        "expire.descendants_of (modelevaluation): made from nothing that is a model that stays"
    ]


def test_a_warm_start_makes_a_model_an_ancestor(trained: Trained) -> None:
    trained.past.run(day=4).train(base_model=trained.models[1])
    assert trained.models[1] not in trained.past.deleted(rules=[keep("Model", ancestors_of=["model"])])


def test_an_ancestor_that_is_also_walked_from_is_reached(trained: Trained) -> None:
    # The PushedModel of the second Model stays, so the walk begins at that Model too, though it would go.
    trained.past.run(day=4).train(base_model=trained.models[1])
    rules = [keep("Model", ancestors_of=["pushed", "model"])]
    assert trained.models[1] not in trained.past.deleted(rules=rules)


def test_the_janitors_acts_make_and_use_nothing(trained: Trained) -> None:
    trained.past.execution(ACT_TYPE_PREFIX + "purge", pipeline="inception", inputs=[trained.models[1]])
    rules = [keep("Model", used_by=["nobody"])]
    assert trained.models[1] in trained.past.deleted(rules=rules)


def test_used_by_keeps_what_a_pipeline_ever_took(trained: Trained) -> None:
    past = trained.past
    user = past.run(pipeline="serving-eu").execute("BulkInferrer", inputs=[trained.models[1]])
    decision = past.decisions(rules=[keep("Model", used_by=["serving-*"])])[trained.models[1]]
    assert told(decision) == [
        f"keep.used_by (model): taken as input by execution {user} of serving-eu "
        f"[artifact {trained.models[1]} > execution {user}]"
    ]
    alone = past.execution("Notebook", inputs=[trained.models[0]])
    decision = past.decisions(rules=[keep("Model", used_by=["*"])])[trained.models[0]]
    assert decision.verdict == "keep"
    nobody = past.artifact("Schema")
    past.run(day=3).execute("SchemaGen", outputs=[nobody])
    past.run(day=4).execute("SchemaGen", outputs=[past.artifact("Schema")])
    past.execution("Notebook", inputs=[nobody])
    decisions = past.decisions(rules=[keep("Schema", used_by=["*"])])
    assert told(decisions[nobody]) == [
        f"keep.used_by (schema): taken as input by execution {alone + 3} of no known pipeline "
        f"[artifact {nobody} > execution {alone + 3}]"
    ]
    assert past.decisions(rules=[keep("Schema", used_by=["s*"])])[nobody].verdict == "delete"
    decision = past.decisions(rules=[keep("Model", used_by=["serving-us", "batch-*"])])[trained.models[1]]
    assert told(decision) == [
        "expire.used_by (model): no pipeline serving-us or batch-* ever took it as input"
    ]


def test_several_selectors_are_told_together(trained: Trained) -> None:
    past, (first, second, _) = trained.past, trained.models
    past.pin(first)
    decisions = past.decisions(rules=[data_of("pinned", "blessed", "served"), keep("Model", last=1)])
    assert told(decisions[trained.data[0]])[0].startswith(
        f"keep.ancestors_of (examples): Model {first}, which is pinned and is blessed and stays, "
        "was made from it ["
    )
    assert told(decisions[trained.data[1]]) == [
        "expire.ancestors_of (examples): nothing that is pinned or is blessed and stays or is served "
        "was made from it"
    ]
    assert second in past.deleted(rules=[keep("Model", last=1)])


def test_data_goes_with_a_model_that_was_blessed_and_goes(trained: Trained) -> None:
    rules = [data_of("blessed"), keep("Model", last=1)]
    assert trained.past.deleted(rules=rules) == sorted((*trained.data[:2], *trained.models[:2]))


def test_only_a_pin_that_stands_on_something_is_walked_from(trained: Trained) -> None:
    trained.past.pin(trained.models[0], until_ms=0)
    trained.past.pin(9999)
    assert trained.data[0] in trained.past.deleted(rules=[data_of("pinned")])
