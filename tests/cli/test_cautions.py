"""What comes to nothing is told by `gc` as by `plan`, where somebody sees it, and changes nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.builders import History, keep_models
from tests.cli.conftest import Call
from tests.deletion.surroundings import closed
from tfx_janitor.retention.timestamps import to_iso


def slipped(history: History, tmp_path: Path) -> Path:
    """A policy with a root that is not there and a rule that matches nothing."""
    pipeline = history.pipeline()
    for _ in range(2):
        pipeline.retrain(blessed=None, pushed=False)
    rules = [keep_models(last=1), {"name": "slip", "match": {"type": "Modell"}, "keep": {"last": 1}}]
    roots = [str(history.root), str(tmp_path / "nowhere")]
    return history.policy_file(rules=rules, roots=roots)


def test_gc_says_what_comes_to_nothing_where_cron_mails_it(on: Call, history: History, tmp_path: Path):
    policy = slipped(history, tmp_path)
    told = on("gc", "--policy", policy)
    assert told.code == 0
    assert told.err.splitlines() == [
        f"tfx-janitor: {policy}: roots[1]: no such directory: {tmp_path}/nowhere; "
        "is it misspelled, or a disk not mounted?",
        f"tfx-janitor: {policy}: rules[1].match.type: rule slip matches nothing in this store: "
        'no artifact has the type "Modell"; did you mean "Model"?',
    ]
    assert "marked" in told.out and "Modell" not in told.out


def test_gc_says_it_as_json_too(on: Call, history: History, tmp_path: Path):
    policy = slipped(history, tmp_path)
    plan = on("plan", "--policy", policy, "--format", "json").json
    told = on("--log-format", "json", "gc", "--policy", policy, "--format", "json")
    assert (told.code, told.json["cautions"]) == (0, plan["cautions"])
    lines = [json.loads(line) for line in told.err.splitlines()]
    fields = [one["field"] for one in plan["cautions"]]
    assert [(line["level"], line["field"]) for line in lines] == [("warning", field) for field in fields]


def test_apply_and_purge_have_no_policy_of_their_own_to_speak_of(on: Call, history: History, tmp_path: Path):
    policy, out = slipped(history, tmp_path), tmp_path / "plan.json"
    on("plan", "--policy", policy, "--out", out)
    for told in (on("apply", out, "--format", "json"), on("purge", "--format", "json")):
        assert (told.code, told.err, told.json["cautions"]) == (0, "", [])


def test_a_directory_in_which_nobody_can_look_for_orphans_is_told(on: Call, history: History):
    inception = history.pipeline()
    inception.retrain()
    inception.run().start_training(steps=(100,))
    policy = history.policy_file(rules=[keep_models(last=9)], orphans={"older_than": "14d"})
    now = ("--now", to_iso(history.later(days=15)))
    model = inception.root / "Trainer" / "model"
    words = (
        f"orphans: {model} cannot be read: permission denied; "
        "what no artifact claims in it or beside it is passed over"
    )
    with closed(model, mode=0o300):
        planned = on("plan", "--policy", policy, *now)
        collected = on("gc", "--policy", policy, *now)
    assert (planned.code, collected.code) == (0, 0)
    assert f"\nWorth a second look:\n  {words}\n" in planned.out
    assert collected.err == f"tfx-janitor: {policy}: {words}\n"
    assert on("gc", "--policy", policy, *now).err == ""
