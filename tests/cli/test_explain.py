"""`explain` tells the verdict, every reason, and the lineage behind each by its names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.builders import (
    History,
    Retraining,
    damage_saved_model,
    keep_model_runs,
    keep_models,
    prune_checkpoints,
)
from tests.cli.conftest import Answer, Call
from tfx_janitor.deletion.pins import pin
from tfx_janitor.retention.timestamps import to_iso

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
        f"    -> input model of execution {served.push.execution} (Pusher, run inception-run-2, COMPLETE)",
        f"       -> output pushed_model: PushedModel {served.push.pushed_model.id}",
    ]
    assert "\n".join(lines) in answer.out


def test_the_blessed_baseline_by_its_blessing(on: Call, policy: Path, retrained: list[Retraining]):
    blessed = retrained[1]
    answer = on("explain", blessed.model.id, "--policy", policy)
    assert "the latest blessed model of inception, the baseline of its next run  [hold.latest-b" in answer.out
    evaluator = "(Evaluator, run inception-run-2, COMPLETE)"
    assert f"{evaluator}\n       -> output blessing: ModelBlessing {blessed.blessing.id}\n" in answer.out


def test_what_runs_by_the_execution_that_uses_it(
    on: Call, policy: Path, history: History, retrained: list[Retraining]
):
    model = retrained[0].model
    run = history.pipeline("nightly").run("night-7")
    execution = run.consume(model, state="RUNNING")
    answer = on("explain", model.id, "--policy", policy)
    history.end(execution)
    assert f"used by execution {execution}, which is RUNNING  [hold.active-execution]" in answer.out
    assert f"-> input model of execution {execution} (BulkInferrer, run night-7, RUNNING)" in answer.out


def test_a_pin_by_who_set_it_and_why(on: Call, policy: Path, retrained: list[Retraining]):
    model = retrained[0].model
    on("pin", model.id, "--reason", "audit 2026", "--until", "2090-01-01")
    answer = on("explain", model.id, "--policy", policy)
    on("unpin", model.id)
    assert "until 2090-01-01 00:00:00 UTC: audit 2026  [hold.pinned]" in answer.out
    assert "    -> held by pin of " in answer.out


def test_a_deletion_by_how_much_each_rule_missed(on: Call, policy: Path, retrained: list[Retraining]):
    answer = on("explain", retrained[0].model.id, "--policy", policy)
    assert "LIVE  delete" in answer.out
    assert "last: rank 3 of 3, keeps 1 (rule models)  [expire.last]" in answer.out


def test_what_is_held_tells_apart_what_the_rules_say(on: Call, policy: Path, retrained: list[Retraining]):
    missed = "last: rank 2 of 3, keeps 1 (rule models)  [expire.last]"
    answer = on("explain", retrained[1].model.id, "--policy", policy)
    assert f"Without that it would go, for every rule that governs it lets go:\n  {missed}\n" in answer.out
    told = on("explain", retrained[1].model.id, "--policy", policy, "--format", "json").json
    assert (told["verdict"], told["rules_verdict"]) == ("keep", "delete")
    assert [reason["code"] for reason in told["missed"]] == ["expire.last"]
    assert "expire.last" not in [reason["code"] for reason in told["reasons"]]


def test_what_a_rule_keeps_tells_which_words_did_not(on: Call, history: History, retrained: list[Retraining]):
    rules = [keep_models(last=1, ids=[retrained[1].model.id])]
    policy = history.policy_file(rules=rules, name="ids.json")
    answer = on("explain", retrained[1].model.id, "--policy", policy)
    assert "listed by id (rule models)  [keep.ids]" in answer.out
    assert "What did not keep it:\n  last: rank 2 of 3, keeps 1 (rule models)  [expire.last]" in answer.out


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
    told = "last: rank 2 of 2, keeps 1 (rule checkpoints)  [expire.last]"
    assert f"  ckpt-100  626 bytes  delete\n    {told}\n  ckpt-200" in answer.out


def test_marked_checkpoints_tell_until_when_they_can_be_restored(call: Call, tmp_path: Path):
    history = History(tmp_path)
    run_id = history.pipeline().retrain().model_run.id
    policy = history.policy_file(rules=[prune_checkpoints(last=1)], grace="7d")
    plan, on = tmp_path / "plan.json", ("--metadata", history.url)
    call(*on, "plan", "--policy", policy, "--out", plan, "--now", "2031-03-01")
    assert call(*on, "apply", plan, "--now", "2031-03-01").code == 0

    def explained(*more: str) -> Answer:
        return call(*on, "explain", run_id, "--policy", policy, "--now", "2031-03-03", *more)

    until = "    could be restored until 2031-03-08 00:00:00 UTC"
    lines = explained().out.splitlines()
    assert until in lines
    assert "  ckpt-100  626 bytes  delete  already marked" in lines
    assert not any(line.endswith("keep  already marked") for line in lines)
    told = {one["name"]: one["marked"] for one in explained("--format", "json").json["checkpoints"]}
    assert told["ckpt-100"] is True and list(told.values()).count(False) == 1
    assert "deletes ckpt-100 (626 bytes), already marked" in call(*on, "plan", "--policy", policy).out

    history.policy_file(rules=[prune_checkpoints(last=5)], grace="7d")
    assert "  ckpt-100  626 bytes  keep  marked, but will stay" in explained().out.splitlines()
    assert call(*on, "restore", run_id).code == 0
    lines = explained().out.splitlines()
    assert until in lines
    assert "  ckpt-100  626 bytes  keep" in lines


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


def test_json_says_how_the_steps_of_a_path_are_connected(on: Call, policy: Path, retrained: list[Retraining]):
    told = on("explain", retrained[1].model.id, "--policy", policy, "--format", "json").json
    (served,) = (reason for reason in told["reasons"] if reason["code"] == "hold.served")
    assert served["path_links"] == [
        {"by": "event", "words": "input model of"},
        {"by": "event", "words": "output pushed_model:"},
    ]


def test_a_tree_has_a_branch_for_each_reason_and_its_path_below(
    on: Call, policy: Path, retrained: list[Retraining]
):
    served = retrained[1]
    lines = on("explain", served.model.id, "--policy", policy, "--format", "tree").out.splitlines()
    at = lines.index(f"├── served at {served.push.destination}  [hold.served]")
    pusher = f"execution {served.push.execution} (Pusher, run inception-run-2, COMPLETE)"
    assert lines[at + 1 : at + 3] == [
        f"│   └── input model of {pusher}",
        f"│       └── output pushed_model: PushedModel {served.push.pushed_model.id}",
    ]
    assert lines[-1].endswith("[expire.last]")


def test_a_tree_is_ascii_where_nothing_else_can_be_shown(
    history: History, policy: Path, retrained: list[Retraining]
):
    command = ["-m", "tfx_janitor", "--metadata", history.url, "explain", str(retrained[1].model.id)]
    done = subprocess.run(
        [sys.executable, *command, "--policy", str(policy), "--format", "tree"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.isascii()
    assert "+-- served at" in done.stdout


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


@pytest.mark.parametrize("format", ["table", "tree"])
def test_a_narrow_terminal_folds_sentences_and_no_path(
    history: History, policy: Path, retrained: list[Retraining], format: str
):
    served = retrained[1]
    lines = on_terminal(
        50, "--metadata", history.url, "explain", served.model.id, "--policy", policy, "--format", format
    )
    assert any(line.endswith(served.model.uri) for line in lines)
    at = next(at for at, line in enumerate(lines) if "the latest blessed model" in line)
    assert [line.rstrip() for line in lines[at : at + 2]] == {
        "table": [
            "  the latest blessed model of inception, the",
            "  baseline of its next run  [hold.latest-blessed]",
        ],
        "tree": ["├── the latest blessed model of inception, the", "│   baseline of its next run"],
    }[format]


def on_terminal(columns: int, *arguments: object) -> list[str]:
    """What a terminal shows, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "tfx_janitor", *map(str, arguments)]
    # COLUMNS and LINES, which some runners set, would count more than the terminal's own size.
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    terminal = {**kept, "TERM": "xterm"}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=terminal):
        os.close(theirs)
        shown = b""
        # A terminal whose other end is closed answers with an error, not with an end of file.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()


def test_an_earlier_moment_is_told_from_what_the_store_knew_then(call: Call, tmp_path: Path):
    history = History(tmp_path)
    pipeline = history.pipeline()
    old, new = pipeline.run().train(), pipeline.run().train()
    history.backdate(old.model, days=10)
    history.backdate(new.model, days=5)
    policy = history.policy_file(rules=[keep_models(last=1)])

    def verdict(at: str) -> str:
        name = ("explain", old.model.id, "--policy", policy, "--at", at, "--format", "json")
        return call("--metadata", history.url, *name).json["verdict"]

    assert (
        verdict(to_iso(history.later(days=-7))) == "unknown"
    )  # its Trainer had not ended, so nobody owned it
    assert verdict(to_iso(history.now_ms)) == "delete"


def test_an_earlier_moment_leaves_later_acts_apart(call: Call, tmp_path: Path):
    history = History(tmp_path)
    model = history.pipeline().run().train().model
    policy = history.policy_file(rules=[keep_models(last=1)])

    def on(*arguments: object) -> Answer:
        return call("--metadata", history.url, *arguments)

    before = history.now
    later = ("--now", to_iso(history.later(days=2)))
    pin(history.site(now_ms=history.later(days=1)), model.id, "demo")
    then = on("explain", model.id, "--policy", policy, "--at", before, *later, "--format", "json").json
    today = on("explain", model.id, "--policy", policy, *later, "--format", "json").json
    assert ([act["kind"] for act in then["history"]], [act["kind"] for act in then["since"]]) == ([], ["pin"])
    assert ([act["kind"] for act in today["history"]], today["since"]) == (["pin"], [])
    assert "hold.pinned" not in [reason["code"] for reason in then["reasons"]]
    assert (then["tense"], then["at"], today["tense"], today["notes"]) == ("past", before, "present", [])


def test_a_moment_to_come_is_told_of_the_store_as_it_is(
    on: Call, history: History, retrained: list[Retraining]
):
    rules = [keep_models(newer_than="30d")]
    policy = history.policy_file(rules=rules, name="newer.json")
    name = ("explain", retrained[0].model.id, "--policy", policy)
    assert "LIVE  keep" in on(*name).out
    answer = on(*name, "--at", to_iso(history.later(days=31)))
    assert "LIVE  delete" in answer.out
    assert "as it would be at " in answer.out
    assert "judged as if nothing happened until then" in answer.out


def test_what_was_not_there_yet_is_2(on: Call, policy: Path, retrained: list[Retraining]):
    model = retrained[0].model
    for name in (model.id, model.path):
        answer = on("explain", name, "--policy", policy, "--at", "2020-01-01")
        assert (answer.code, answer.out) == (2, "")
        assert f"Model {model.id} did not exist yet at 2020-01-01 00:00:00 UTC" in answer.err


def test_what_is_no_moment_is_2(on: Call, policy: Path):
    answer = on("explain", 1, "--policy", policy, "--at", "yesterday")
    assert (answer.code, answer.out) == (2, "")
    assert "expected a date or time" in answer.err


@pytest.mark.parametrize("name", ["4711", "/nowhere/at/all", "gs://bucket/else", "file://"])
def test_what_is_not_there_is_2(on: Call, policy: Path, name: str):
    answer = on("explain", name, "--policy", policy)
    assert (answer.code, answer.out) == (2, "")
    assert "expected" in answer.err or "no artifact of the store lies at or around" in answer.err


def test_asking_leaves_the_database_as_it_is(on: Call, policy: Path, history: History, retrained: object):
    before = (history.database.read_bytes(), os.stat(history.database).st_mtime_ns)
    assert on("explain", 1, "--policy", policy).code == 0
    assert (history.database.read_bytes(), os.stat(history.database).st_mtime_ns) == before


def test_what_a_purge_took_back_for_damage_by_that_damage(call: Call, tmp_path: Path):
    history = History(tmp_path)
    pipeline = history.pipeline()
    older, _ = [pipeline.retrain(blessed=None, pushed=False) for _ in range(2)]
    damage_saved_model(older.model.path)
    policy = history.policy_file(rules=[keep_models(last=2), keep_model_runs(last=1)])

    def asked(*arguments: object) -> Answer:
        return call("--metadata", history.url, *arguments, "--policy", policy)

    before, then = history.now, to_iso(history.later(days=1))
    assert "It may go" in asked("explain", older.model_run.id).out
    assert asked("gc", "--now", then).code == 0
    explained = asked("explain", older.model_run.id, "--now", then).out
    assert f"model {older.model.id} of the same execution: variables/variables.data-00000" in explained
    assert "do not match their checksum" in explained
    assert "It may go" not in explained
    assert "It may go" in asked("explain", older.model_run.id, "--at", before, "--now", then).out
    assert asked("plan", "--now", then, "--format", "json").json["summary"]["delete"] == 0
    assert asked("gc", "--now", then).out == "nothing to do\n"
