"""`apply`, `purge`, `gc`, `restore`: from a mark to an empty place, and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import History, Retraining, damage_saved_model, keep_models, prune_checkpoints
from tests.cli.conftest import Call
from tfx_janitor.retention.timestamps import shown, to_iso, to_ms

WEEK = {"grace": "7d"}


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def plan(on: Call, history: History, retrained: list[Retraining], tmp_path: Path) -> Path:
    """A plan that deletes two of three models, with a week to change one's mind."""
    policy = history.policy_file(rules=[keep_models(last=1)], **WEEK)
    assert on("plan", "--policy", policy, "--out", tmp_path / "plan.json").code == 0
    return tmp_path / "plan.json"


def states(history: History, retrained: list[Retraining]) -> list[str]:
    return history.states(*(made.model for made in retrained))


def test_apply_marks_and_restore_takes_it_back(
    on: Call, plan: Path, history: History, retrained: list[Retraining]
):
    applied = on("apply", plan, "--format", "json")
    assert applied.code == 0
    assert states(history, retrained) == ["MARKED_FOR_DELETION", "MARKED_FOR_DELETION", "LIVE"]
    assert all(made.model.path.is_dir() for made in retrained)

    restored = on("restore", "--plan", applied.json["plan_id"], "--format", "json")
    assert (restored.code, restored.json["summary"]["done"]) == (0, {"restored": 2})
    assert states(history, retrained) == ["LIVE", "LIVE", "LIVE"]


def test_the_document_of_an_act(on: Call, plan: Path, history: History, retrained: list[Retraining]):
    answer = on("apply", plan, "--now", history.now, "--format", "json").json
    assert {key: answer[key] for key in ("schema", "act", "metadata")} == {
        "schema": "tfx-janitor/outcomes/v1",
        "act": "apply",
        "metadata": history.url,
    }
    assert [(outcome["artifact_id"], outcome["done"]) for outcome in answer["outcomes"]] == [
        (made.model.id, "marked") for made in retrained[:2]
    ]
    assert answer["outcomes"][0]["detail"] == "expire.last: rank 3 of 3, keeps 1 (rule models)"
    assert answer["summary"] == {"items": 2, "well": True, "done": {"marked": 2}, "bytes_freed": 0}


def test_apply_tells_people_how_to_undo_it(
    on: Call, plan: Path, history: History, retrained: list[Retraining]
):
    answer = on("apply", plan)
    assert f"marked  Model {retrained[0].model.id}" in answer.out
    assert f"2 marked\nundo: tfx-janitor --metadata {history.url} restore --plan sha256:" in answer.out


def test_what_changed_since_the_plan_is_skipped_and_exits_1(
    on: Call, plan: Path, history: History, retrained: list[Retraining]
):
    on("pin", retrained[0].model.id, "--reason", "shown to a customer")
    answer = on("apply", plan)
    assert answer.code == 1
    assert "needed again: hold.pinned" in answer.out
    assert states(history, retrained) == ["LIVE", "MARKED_FOR_DELETION", "LIVE"]


def test_purge_waits_for_the_grace(on: Call, plan: Path, history: History, retrained: list[Retraining]):
    marked_ms = history.now_ms
    on("apply", plan, "--now", to_iso(marked_ms))
    due = shown(marked_ms + to_ms(timedelta(days=7)))
    waits = on("purge", "--now", to_iso(marked_ms))
    assert waits.out == f"nothing to do\n2 marks left; the next is due {due}\n"
    assert retrained[0].model.path.is_dir()

    purged = on("purge", "--now", "2100-01-01", "--format", "json")
    assert (purged.code, purged.json["summary"]["done"]) == (0, {"purged": 2})
    assert purged.json["summary"]["bytes_freed"] > 0
    assert states(history, retrained) == ["DELETED", "DELETED", "LIVE"]
    assert [made.model.path.exists() for made in retrained] == [False, False, True]


def test_gc_tells_what_waits_as_purge_does(
    on: Call, history: History, retrained: list[Retraining], tmp_path: Path
):
    policy = history.policy_file(rules=[keep_models(last=1)], **WEEK)
    marked_ms = history.now_ms
    due = f"2 marks left; the next is due {shown(marked_ms + to_ms(timedelta(days=7)))}\n"
    assert on("gc", "--policy", policy, "--now", to_iso(marked_ms)).out.endswith(f"2 marked\n{due}")
    assert on("gc", "--policy", policy, "--now", to_iso(marked_ms)).out == f"nothing to do\n{due}"

    # Under a policy that has no say on them, marks whose grace is over wait for ever.
    (tmp_path / "elsewhere").mkdir()
    other = history.policy_file(
        name="other.json", rules=[keep_models(last=1)], roots=[str(tmp_path / "elsewhere")]
    )
    left = on("gc", "--policy", other, "--now", "2100-01-01")
    assert left.out == "nothing to do\n2 marks left; the grace of all is over\n"
    told = on("gc", "--policy", other, "--now", "2100-01-01", "--format", "json")
    assert (told.code, told.json["outcomes"]) == (0, [])


def test_restore_of_what_is_gone_exits_1(on: Call, plan: Path, retrained: list[Retraining]):
    on("apply", plan)
    on("purge", "--now", "2100-01-01")
    answer = on("restore", retrained[0].model.id)
    assert answer.code == 1
    assert "it is DELETED, not marked; its payload was purged" in answer.out


def test_restore_does_not_call_purged_what_was_forgotten(
    on: Call, history: History, retrained: list[Retraining]
):
    twin = history.pipeline("elsewhere").run().import_model(retrained[0].model.path)
    assert on("forget", twin.id, "--reason", "another one has it").code == 0
    answer = on("restore", twin.id)
    assert answer.code == 1
    assert "it is DELETED, not marked\n" in answer.out


def test_restore_refuses_a_damaged_model(on: Call, plan: Path, history: History, retrained: list[Retraining]):
    on("apply", plan)
    damage_saved_model(retrained[0].model.path)
    answer = on("restore", retrained[0].model.id, retrained[1].model.id)
    assert answer.code == 1
    assert "not whole" in answer.out
    assert states(history, retrained) == ["MARKED_FOR_DELETION", "LIVE", "LIVE"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["restore"], "expected ids of artifacts, paths of directories, or --plan PLAN_ID"),
        (["restore", "4711"], "has no 4711"),
        (["restore", "--plan", "sha256:0"], "was ever applied"),
        (["apply", "/nowhere/plan.json"], "/nowhere/plan.json: No such file or directory"),
    ],
)
def test_bad_input_is_2_and_does_nothing(on: Call, arguments: list[str], told: str):
    answer = on(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err


def test_a_plan_that_was_edited_is_refused(on: Call, plan: Path, history: History, retrained: object):
    plan.write_text(plan.read_text().replace('"verdict": "keep"', '"verdict": "delete"'))
    answer = on("apply", plan)
    assert answer.code == 2
    assert "it was changed after it was made" in answer.err


def test_gc_does_all_of_it_and_the_second_time_nothing(
    on: Call, history: History, retrained: list[Retraining]
):
    policy = history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)])
    first = on("gc", "--policy", policy, "--format", "json")
    assert first.code == 0
    assert first.json["summary"]["done"] == {"marked": 5, "purged": 2, "pruned": 3}
    assert states(history, retrained) == ["DELETED", "DELETED", "LIVE"]
    for made in retrained:
        index = sorted(path.name for path in made.model_run.path.glob("*.index"))
        assert index == ["ckpt-200.index"]

    second = on("gc", "--policy", policy, "--format", "json")
    assert (second.code, second.json["outcomes"]) == (0, [])


def test_gc_beyond_a_limit_is_3_until_it_is_approved(on: Call, history: History, retrained: list[Retraining]):
    policy = history.policy_file(rules=[keep_models(last=1)], limits={"max_fraction": 0.5})
    refused = on("gc", "--policy", policy)
    assert (refused.code, refused.out) == (3, "")
    assert "2 of 3 artifacts is more than max_fraction 0.5" in refused.err
    assert states(history, retrained) == ["LIVE", "LIVE", "LIVE"]

    plan_id = refused.err.split("--approve ")[1].strip()
    assert on("gc", "--policy", policy, "--approve", "sha256:other").code == 2
    assert on("gc", "--policy", policy, "--approve", plan_id).code == 0
    assert states(history, retrained) == ["DELETED", "DELETED", "LIVE"]
