"""`pin`, `unpin`, `pins`, `history`."""

from __future__ import annotations

import pytest

from tests.builders import History, Training, keep_models
from tests.cli.conftest import Call


@pytest.fixture
def trained(history: History) -> Training:
    return history.pipeline().run().train()


def test_a_pin_is_set_listed_and_released(on: Call, trained: Training):
    model = trained.model.id
    pinned = on("pin", model, "--reason", "demo for [bold]Anna", "--until", "2090-01-31", "--format", "json")
    assert pinned.code == 0
    (pin,) = on("pins", "--format", "json").json["pins"]
    assert pin == pinned.json["pins"][0]
    assert (pin["artifact_id"], pin["reason"], pin["until"]) == (
        model,
        "demo for [bold]Anna",
        "2090-01-31T00:00:00.000Z",
    )
    assert "2090-01-31 00:00:00 UTC  demo for [bold]Anna" in on("pins").out

    assert on("unpin", model).code == 0
    assert on("pins").out == "no pins\n"
    assert on("pins", "--format", "json").json["pins"] == []
    (released,) = on("pins", "--all", "--format", "json").json["pins"]
    assert released["released"] is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pin", "4711", "--reason", "x"], "has no 4711"),
        (["pin", "1", "--reason", " "], "expected a reason"),
        (["pin", "1", "--reason", "x", "--until", "2001-01-01"], "in the future"),
        (["pin", "1", "--reason", "x", "--until", "soon"], "expected a date or time"),
        (["pin", "1"], "--reason"),
        (["pin", "one", "--reason", "x"], "integer"),
        (["unpin", "1"], "no pin stands on artifact 1"),
        (["history", "4711"], "no artifact 4711"),
        (["history", "--limit", "0"], "--limit"),
    ],
)
def test_bad_input_is_2(on: Call, trained: Training, arguments: list[str], told: str):
    answer = on(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_history_tells_the_newest_act_first(on: Call, history: History, trained: Training):
    assert on("history").out == "no acts\n"
    on("pin", trained.model.id, "--reason", "first")
    on("unpin", trained.model.id)
    acts = on("history", "--format", "json").json["acts"]
    assert [act["kind"] for act in acts] == ["unpin", "pin"]
    assert acts[1]["outcomes"][0]["done"] == "pinned"

    shown = on("history", "--limit", "1").out
    assert "unpin" in shown
    assert shown.endswith("1 older act; --limit shows more\n")


def test_history_of_one_artifact_tells_of_it_alone(on: Call, history: History):
    pipeline = history.pipeline()
    models = [pipeline.retrain(pushed=False, blessed=None).model.id for _ in range(3)]
    on("gc", "--policy", history.policy_file(rules=[keep_models(last=1)]))
    shown = on("history", models[0]).out
    assert f"purged artifact {models[0]}," in shown
    assert f"marked artifact {models[0]}," in shown
    assert f"artifact {models[1]}" not in shown
    assert "  plan sha256:" in shown
    assert "  policy sha256:" in shown
    assert on("history", models[2]).out == "no acts\n"
