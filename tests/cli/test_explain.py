"""`explain` tells the verdict, every reason, and the lineage behind each by its names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.cli.conftest import Answer, Call

RULES = [keep_models(last=1), prune_checkpoints(last=1)]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """One for all, which no test leaves otherwise than it was; those that delete build their own."""
    return History(tmp_path_factory.mktemp("explain"))


@pytest.fixture(scope="module")
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(pushed=False), pipeline.retrain(), pipeline.retrain(blessed=False)]


@pytest.fixture
def policy(history: History, retrained: object) -> Path:
    return history.policy_file(rules=RULES)


def test_what_is_served_by_the_push_that_serves_it(on: Call, policy: Path, retrained: list[Retraining]):
    served = retrained[1]
    answer = on("explain", served.model.id, "--policy", policy)
    assert answer.code == 0
    lines = [
        f"  served at {served.push.destination}  [hold.served]",
        f"    Model {served.model.id}",
        f"    -> execution {served.push.execution} (Pusher, run inception-run-2, COMPLETE)",
        f"       -> PushedModel {served.push.pushed_model.id}",
    ]
    assert "\n".join(lines) in answer.out


def test_the_blessed_baseline_by_its_blessing(on: Call, policy: Path, retrained: list[Retraining]):
    blessed = retrained[1]
    answer = on("explain", blessed.model.id, "--policy", policy)
    assert "the latest blessed model of inception, the baseline of its next run  [hold.latest-b" in answer.out
    assert (
        f"(Evaluator, run inception-run-2, COMPLETE)\n       -> ModelBlessing {blessed.blessing.id}"
        in answer.out
    )


def test_what_runs_by_the_execution_that_uses_it(
    on: Call, policy: Path, history: History, retrained: list[Retraining]
):
    model = retrained[0].model
    run = history.pipeline("nightly").run("night-7")
    execution = run.consume(model, state="RUNNING")
    answer = on("explain", model.id, "--policy", policy)
    history.end(execution)
    assert f"used by execution {execution}, which is RUNNING  [hold.active-execution]" in answer.out
    assert f"-> execution {execution} (BulkInferrer, run night-7, RUNNING)" in answer.out


def test_a_pin_by_who_set_it_and_why(on: Call, policy: Path, retrained: list[Retraining]):
    model = retrained[0].model
    on("pin", model.id, "--reason", "audit 2026", "--until", "2090-01-01")
    answer = on("explain", model.id, "--policy", policy)
    on("unpin", model.id)
    assert "until 2090-01-01 00:00:00 UTC: audit 2026  [hold.pinned]" in answer.out
    assert "    -> pin of " in answer.out


def test_a_deletion_by_how_much_each_rule_missed(on: Call, policy: Path, retrained: list[Retraining]):
    answer = on("explain", retrained[0].model.id, "--policy", policy)
    assert "LIVE  delete" in answer.out
    assert "last: rank 3 of 3, keeps 1 (rule models)  [expire.last]" in answer.out


def test_what_is_deleted_by_who_when_and_why(call: Call, tmp_path: Path):
    history = History(tmp_path)
    pipeline = history.pipeline()
    models = [pipeline.run().train().model for _ in range(3)]
    policy = history.policy_file(rules=RULES)
    history.set_state(models[0], "DELETED")

    def on(*arguments: object) -> Answer:
        return call("--metadata", history.url, *arguments, "--policy", policy)

    collected = on("gc", "--now", history.now, "--format", "json").json
    answer = on("explain", models[1].id)
    assert answer.code == 0
    assert "DELETED  deleted" in answer.out
    assert f"under plan {collected['plan_id']}" in answer.out
    assert "under policy sha256:" in answer.out
    assert "because expire.last: rank 2 of 2, keeps 1 (rule models)" in answer.out
    past = on("explain", models[1].id, "--format", "json").json["history"]
    assert [(act["kind"], act["done"], act["at"]) for act in past] == [
        ("apply", "marked", collected["now"]),
        ("purge", "purged", collected["now"]),
    ]
    assert "not by tfx-janitor" in on("explain", models[0].id).out


def test_what_is_ungoverned_by_the_rules_that_came_closest(
    on: Call, history: History, retrained: list[Retraining]
):
    rule = {"name": "others", "match": {"type": "Model", "pipeline": "other-*"}, "keep": {"last": 1}}
    far = {"name": "far", "match": {"type": "Examples", "node": "X"}, "keep": {"last": 1}}
    policy = history.policy_file(rules=[rule, far])
    answer = on("explain", retrained[1].model.id, "--policy", policy)
    assert "LIVE  ungoverned" in answer.out
    assert "  others: its pipeline is inception, the rule wants other-*\n" in answer.out
    assert "far" not in answer.out
    assert "If a rule governed it, it would stay" in answer.out
    assert "[hold.served]" in answer.out


def test_a_model_run_with_its_checkpoints(on: Call, policy: Path, retrained: list[Retraining]):
    answer = on("explain", retrained[2].model_run.id, "--policy", policy)
    assert "Checkpoints inside:" in answer.out
    assert "ckpt-100  626 bytes  delete   rule checkpoints: last: rank 2 of 2, keeps 1" in answer.out


def test_json_says_the_same_by_codes_and_ids(on: Call, policy: Path, retrained: list[Retraining]):
    served = retrained[1]
    answer = on("explain", served.model.id, "--policy", policy, "--format", "json").json
    assert answer["schema"] == "tfx-janitor/explanation/v1"
    assert (answer["artifact_id"], answer["verdict"], answer["uri"]) == (
        served.model.id,
        "keep",
        served.model.uri,
    )
    reasons = {reason["code"]: reason for reason in answer["reasons"]}
    assert reasons["hold.served"]["path"] == [
        ["artifact", served.model.id],
        ["execution", served.push.execution],
        ["artifact", served.push.pushed_model.id],
    ]
    assert reasons["hold.served"]["path_names"][0] == f"Model {served.model.id}"


def test_any_path_inside_a_payload_or_a_served_version(
    on: Call, policy: Path, history: History, retrained: list[Retraining], monkeypatch: pytest.MonkeyPatch
):
    served = retrained[1]

    def explained(path: object) -> int:
        return on("explain", path, "--policy", policy, "--format", "json").json["artifact_id"]

    variables = "variables/variables.index"
    assert explained(served.model.path / "Format-Serving" / variables) == served.model.id
    assert explained(f"file://{served.model.uri}/") == served.model.id
    assert explained(served.push.destination / variables) == served.push.pushed_model.id
    monkeypatch.chdir(served.model_run.path)
    assert explained("ckpt-100.index") == served.model_run.id
    link = history.home / "link"
    link.symlink_to(served.model.path)
    assert explained(link) == served.model.id


def test_a_served_version_tells_the_model_behind_it(on: Call, policy: Path, retrained: list[Retraining]):
    served = retrained[1]
    answer = on("explain", served.push.destination, "--policy", policy)
    assert "what was named is where it is served" in answer.out
    assert f"(Pusher, run inception-run-2, COMPLETE) from Model {served.model.id}" in answer.out


@pytest.mark.parametrize("name", ["4711", "/nowhere/at/all", "gs://bucket/else", "file://"])
def test_what_is_not_there_is_2(on: Call, policy: Path, name: str):
    answer = on("explain", name, "--policy", policy)
    assert (answer.code, answer.out) == (2, "")
    assert "expected" in answer.err or "no artifact of the store lies at or around" in answer.err


def test_asking_leaves_the_database_as_it_is(on: Call, policy: Path, history: History, retrained: object):
    before = (history.database.read_bytes(), os.stat(history.database).st_mtime_ns)
    assert on("explain", 1, "--policy", policy).code == 0
    assert (history.database.read_bytes(), os.stat(history.database).st_mtime_ns) == before
