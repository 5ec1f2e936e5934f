"""`pin`, `unpin`, `pins`, `history`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import History, Training, keep_models
from tests.cli.conftest import Call
from tfx_janitor.deletion import acts


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
    (line,) = on("pins", "--all").out.splitlines()[1:]
    assert f"released {released['released'][:10]}" in line and "2090" not in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pin", "4711", "--reason", "x"], "has no 4711"),
        (["pin", "1", "--reason", " "], "expected a reason"),
        (["pin", "1", "--reason", "x", "--until", "2001-01-01"], "in the future"),
        (["pin", "1", "--reason", "x", "--until", "soon"], "expected a date or time"),
        (["pin", "1"], "--reason"),
        (["pin", "one", "--reason", "x"], "expected an id, a whole number such as 12, got"),
        (["unpin", "1"], "no pin stands on artifact 1"),
        (["history", "4711"], "no artifact 4711"),
        (["history", "--limit", "0"], "--limit"),
        (["history", "--verify", "1"], "expected --verify without ID"),
        (["history", "--head", "sha256:" + "0" * 64], "expected --verify beside --head"),
        (["history", "--plan", "plan.json"], "expected --verify beside --head"),
        (["history", "--verify", "--head", "abc"], "64 hexadecimal digits, got 'abc'"),
        (["history", "--verify", "--plan", "no-such.json"], "no-such.json: No such file"),
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


def test_history_tells_when_an_act_was_written_whose_time_was_given(on: Call, history: History):
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(blessed=None, pushed=False)
    policy = history.policy_file(rules=[keep_models(last=2)], grace="7d")
    on("gc", "--policy", policy)
    assert "written down" not in on("history").out
    on("purge", "--now", "2031-03-01")
    purging, marking = on("history", "--format", "json").json["acts"]
    assert purging["at"] == "2031-03-01T00:00:00.000Z"
    assert marking["written_at"] <= purging["written_at"] < "2031"
    written = purging["written_at"][:19].replace("T", " ")
    shown = on("history").out
    assert shown.startswith("2031-03-01 00:00:00 UTC  purge")
    assert f"\n  written down at {written} UTC\n" in shown and shown.count("written down") == 1
    assert on("history", "--verify").code == 0


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


def _alter(history: History, act_id: int, **texts: str) -> None:
    """Alters texts of an act with MLMD itself."""
    (row,) = history.store.get_executions_by_id([act_id])
    for name, value in texts.items():
        row.custom_properties[name].string_value = value
    history.store.put_executions([row])


@pytest.fixture
def applied(on: Call, history: History) -> Path:
    """A plan that was applied and purged."""
    pipeline = history.pipeline()
    for _ in range(3):
        pipeline.retrain(pushed=False, blessed=None)
    path = history.home / "plan.json"
    on("plan", "--policy", history.policy_file(rules=[keep_models(last=1)]), "--out", path)
    assert on("apply", path).code == 0
    assert on("purge").code == 0
    return path


def test_a_history_as_written_tells_the_head_to_note(on: Call, history: History, applied: Path):
    marking, purging = acts.read(history.store)
    assert purging.seal is not None
    shown = on("history", "--verify", "--plan", applied)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (
        "2 acts: all as written\n"
        f"head {purging.seal.hash}  act {purging.id}\n"
        "note the head elsewhere: --verify --head HASH tells later if the newest acts are gone\n"
    )
    told = on("history", "--verify", "--plan", applied, "--head", purging.seal.hash, "--format", "json")
    assert told.code == 0
    assert told.json == {
        "schema": "tfx-janitor/history-verification/v1",
        "metadata": history.url,
        "plan_id": marking.details["plan_id"],
        "heads": [{"act_id": purging.id, "hash": purging.seal.hash}],
        "findings": [],
        "summary": {"acts": 2, "sealed": 2, "findings": 0, "well": True},
    }
    assert on("history", "--format", "json").json["acts"][0]["hash"] == purging.seal.hash


def test_an_altered_act_is_1_with_what_was_expected_and_found(on: Call, history: History, applied: Path):
    _, purging = acts.read(history.store)
    _alter(history, purging.id, actor="somebody@else")
    assert purging.seal is not None
    shown = on("history", "--verify")
    assert shown.code == 1
    assert f"altered-act  act {purging.id}: its kind, time, actor," in shown.out
    assert f"\n  expected {purging.seal.begun}\n  found    sha256:" in shown.out
    assert "\n2 acts: 1 finding\n" in shown.out

    told = on("history", "--verify", "--format", "json")
    assert told.code == 1
    (finding,) = told.json["findings"]
    assert (finding["kind"], finding["act_id"]) == ("altered-act", purging.id)
    assert finding["expected"] == purging.seal.begun != finding["found"]
    assert told.json["summary"] == {"acts": 2, "sealed": 2, "findings": 1, "well": False}


def test_a_head_that_is_gone_is_1(on: Call, applied: Path):
    shown = on("history", "--verify", "--head", "sha256:" + "0" * 64)
    assert shown.code == 1
    assert shown.out.startswith("missing-head: no act has the hash that was noted")


def test_a_plan_file_that_was_altered_is_1(on: Call, applied: Path):
    applied.write_text(applied.read_text().replace("Trainer", "Painter"))
    shown = on("history", "--verify", "--plan", applied)
    assert shown.code == 1
    assert shown.out.startswith("altered-plan: the plan says its id is sha256:")
    assert on("history", "--verify", "--plan", applied, "--format", "json").json["plan_id"] is None


def test_a_plan_that_was_never_applied_is_1(on: Call, history: History, applied: Path):
    other = history.home / "other.json"
    on("plan", "--policy", history.policy_file(rules=[keep_models(last=2)]), "--out", other)
    shown = on("history", "--verify", "--plan", other)
    assert shown.code == 1
    assert "no act applied it" in shown.out
    assert json.loads(other.read_text())["id"] in shown.out


def test_how_many_acts_carry_a_hash_is_told(on: Call, history: History, applied: Path):
    for act in acts.read(history.store):
        _alter(history, act.id, begun_hash="")
    assert on("history", "--verify").out == "2 acts, 0 with a hash: all as written\n"


def test_an_act_that_cannot_be_read_is_told_without_a_traceback(on: Call, history: History, applied: Path):
    marking, _ = acts.read(history.store)
    _alter(history, marking.id, details="no JSON")
    for command in (["history"], ["purge"], ["apply", applied]):
        answer = on(*command)
        assert (answer.code, answer.out) == (2, "")
        assert f"act {marking.id} cannot be read" in answer.err
    assert on("history", "--verify").code == 1
