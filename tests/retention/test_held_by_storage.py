"""What storage says holds: payloads that it does not understand, versions that are served, places outside."""

from __future__ import annotations

import pytest

from tests.retention.held import judged, said
from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.retention import holds
from tfx_janitor.retention.facts import StorageFacts, Verified


def test_what_storage_does_not_understand_is_unknown_in_its_words(past: PureHistory) -> None:
    strange, gone = past.artifact("Model"), past.artifact("Model")
    facts = StorageFacts(not_understood={0: "no handler for gs:// yet"}, unreadable={1: "nothing is there"})
    assert said(holds.not_understood(judged(past), facts)) == {
        strange: [f"unknown.uri: no handler for gs:// yet [artifact {strange}]"],
        gone: [f"unknown.payload: nothing is there [artifact {gone}]"],
    }


# hold.served


def test_served_is_the_push_that_stands_and_the_model_that_went_there(past: PureHistory) -> None:
    _first, second = past.run(day=1).retrain(), past.run(day=2).retrain()
    past.served = {second.pushed}
    case = judged(past)
    assert said(holds.served(case, past.facts(case))) == {
        second.model: [
            f"hold.served: served at /serving/{second.pushed} "
            f"[artifact {second.model} > execution {second.push} > artifact {second.pushed}]"
        ],
        second.pushed: [f"hold.served: served at /serving/{second.pushed} [artifact {second.pushed}]"],
    }


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


def test_what_a_rollback_put_back_is_told_by_the_rollback(past: PureHistory) -> None:
    past.artifact("Examples")
    model = past.artifact("Model")
    past.execution("Trainer", outputs=[model])
    pushed = past.artifact("PushedModel", pushed=1, pushed_destination="/serving/7")
    act = past.execution("tfx_janitor.act.rollback", inputs=[model], outputs=[pushed])
    past.served = {pushed}
    case = judged(past)
    assert said(holds.served(case, past.facts(case)))[model] == [
        f"hold.served: served at /serving/7 [artifact {model} > execution {act} > artifact {pushed}]"
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
