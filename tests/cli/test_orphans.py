"""`plan`, `explain`, `gc`, `restore` and `history` on directories that no artifact claims."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shutil import rmtree

import pytest

from tests.builders import History, keep_models
from tests.cli.conftest import Call
from tfx_janitor.retention.timestamps import to_iso


@pytest.fixture
def model_run(history: History) -> Path:
    """What a training left behind whose process died in the second run."""
    inception = history.pipeline()
    inception.retrain()
    died = inception.run().start_training(steps=(100, 200))
    return inception.root / "Trainer" / "model_run" / str(died)


@pytest.fixture
def policy(history: History, model_run: Path) -> Path:
    return history.policy_file(rules=[keep_models(last=9)], orphans={"older_than": "14d"}, grace="7d")


@pytest.fixture
def fifteen_days(history: History, policy: Path) -> str:
    return to_iso(history.later(days=15))


def test_plan_lists_them(on: Call, policy: Path, model_run: Path, fifteen_days: str):
    answer = on("plan", "--policy", policy, "--now", fifteen_days)
    assert answer.code == 0
    died = model_run.name
    line, model, inside = (
        answer.out.split("Directories that no artifact claims:\n")[1].strip().splitlines()[:3]
    )
    assert line.startswith(f"inception / Trainer, execution {died} of run inception-run-2: older_than: ")
    assert line.endswith("; keeps for 14d")
    assert model.split() == ["delete", "0", "bytes", str(model_run.parents[1] / "model" / died)]
    assert inside.split()[0] == "delete" and inside.endswith(str(model_run))
    assert "2 directories that no artifact claims: 2 delete (1.4 kB)\n" in answer.out
    assert "\n1.4 kB would be freed\n" in answer.out
    assert "next: write it down with --out PLAN" in answer.out


def test_a_comparison_tells_of_them(
    on: Call, history: History, policy: Path, model_run: Path, fifteen_days: str, tmp_path: Path
):
    without = tmp_path / "without.json"
    without.write_text(json.dumps({**json.loads(policy.read_text()), "orphans": None}))
    more = on("plan", "--policy", policy, "--compare", without, "--now", fifteen_days).out
    assert "\n  2 directories that no artifact claims would be deleted that stayed (1.4 kB)\n" in f"\n{more}"
    assert more.endswith("1.4 kB more would be freed: 1.4 kB instead of 0 bytes\n")
    less = on("plan", "--policy", without, "--compare", policy, "--now", fifteen_days).out
    assert "  2 directories that no artifact claims would stay that would have gone (1.4 kB)\n" in less

    asked = ["plan", "--now", fifteen_days, "--format", "json", "--policy"]
    document = on(*asked, policy, "--compare", without).json
    totals = {key: value for key, value in document["difference"].items() if key.startswith("orphans")}
    assert totals == {
        "orphans_deletes": 2,
        "orphans_deletes_bytes": sum(orphan["bytes"] for orphan in document["orphans"]),
        "orphans_spares": 0,
        "orphans_spares_bytes": 0,
    }
    first, second = document["orphans"]
    assert second["path"] == str(model_run) > first["path"]
    assert (second["old"]["verdict"], second["new"]["verdict"]) == ("ungoverned", "delete")
    assert [reason["code"] for reason in second["new"]["reasons"]] == ["expire.older-than"]
    assert on(*asked, without, "--compare", policy).json["difference"]["orphans_spares"] == 2
    alike = tmp_path / "alike.json"
    alike.write_text(policy.read_text())
    assert on(*asked, policy, "--compare", alike).json["orphans"] == []


def test_plan_as_json(on: Call, policy: Path, model_run: Path, fifteen_days: str):
    plan = on("plan", "--policy", policy, "--now", fifteen_days, "--format", "json").json
    assert plan["policy"]["orphans"] == {"older_than": "14d"}
    _, orphan = plan["orphans"]
    reason = orphan.pop("reasons")[0]
    assert (reason["code"], reason["path"]) == ("expire.older-than", [["execution", int(model_run.name)]])
    assert orphan.pop("newest").endswith("Z") and orphan.pop("inode") == model_run.stat().st_ino
    assert orphan == {
        "path": str(model_run),
        "execution": int(model_run.name),
        "pipeline": "inception",
        "run": "inception-run-2",
        "node": "Trainer",
        "output": "model_run",
        "bytes": sum(file.stat().st_size for file in model_run.iterdir()),
        "files": 5,
        "verdict": "delete",
    }


def test_a_plan_of_another_policy_has_no_such_list(on: Call, history: History, model_run: Path):
    plain = history.policy_file(rules=[keep_models(last=9)], name="plain.json")
    assert "orphans" not in on("plan", "--policy", plain, "--format", "json").json
    assert "claims" not in on("plan", "--policy", plain).out


def test_explain_tells_of_one_by_any_path_in_it(on: Call, policy: Path, model_run: Path, fifteen_days: str):
    for path in (model_run, model_run / "ckpt-100.index"):
        answer = on("explain", path, "--policy", policy, "--now", fifteen_days)
        assert answer.code == 0
        assert answer.out.startswith(f"{model_run}  no artifact claims it  delete\n")
        assert "It may go: nothing claims it, and nothing shows that its execution is alive" in answer.out
    young = on("explain", model_run, "--policy", policy)
    assert "It stays, because:\n  older_than: execution" in young.out


def test_explain_as_json_has_its_history(on: Call, policy: Path, model_run: Path, fifteen_days: str):
    on("gc", "--policy", policy, "--now", fifteen_days)
    answer = on("explain", model_run, "--policy", policy, "--now", fifteen_days, "--format", "json").json
    assert (answer["schema"], answer["verdict"]) == ("tfx-janitor/orphan-explanation/v1", "delete")
    assert [(past["kind"], past["done"]) for past in answer["history"]] == [("apply", "marked")]


def test_explain_of_what_is_none_says_what_it_says_of_any_path(
    on: Call, history: History, policy: Path, model_run: Path
):
    answer = on("explain", model_run.parents[1] / "mine", "--policy", policy)
    assert answer.code == 2 and "no artifact of the store lies at or around" in answer.err
    plain = history.policy_file(name="plain.json")
    assert on("explain", model_run, "--policy", plain).code == 2


@pytest.fixture
def purged(on: Call, history: History, policy: Path, fifteen_days: str) -> str:
    """The moment at which both directories went."""
    on("gc", "--policy", policy, "--now", fifteen_days)
    late = to_iso(history.later(days=23))
    assert on("purge", "--now", late, "--format", "json").json["summary"]["done"] == {"purged": 2}
    return late


def test_explain_tells_of_one_that_went(
    on: Call, history: History, policy: Path, model_run: Path, purged: str
):
    plain = history.policy_file(name="plain.json")
    for path in (model_run, model_run / "ckpt-100.index"):
        for rules in (policy, plain):
            answer = on("explain", path, "--policy", rules, "--now", purged)
            assert answer.code == 0
            assert answer.out.startswith(f"{model_run}  no artifact claimed it  deleted\n")
    _, whose, _, went, why, _, done, marked, removed = answer.out.splitlines()
    assert whose.startswith(
        f"  inception / Trainer, execution {model_run.name} of run inception-run-2; 1.4 kB"
    )
    when = purged[:19].replace("T", " ")
    assert re.fullmatch(f"It was deleted at {when} UTC by .+@.+, 1.4 kB freed, because:", went)
    assert why.startswith("  older_than: execution") and done == "What was done to it:"
    assert ": marked expire.older-than: " in marked and re.search(r"  purge by .*, act \d+: purged$", removed)


def test_explain_as_json_of_one_that_went(on: Call, policy: Path, model_run: Path, purged: str):
    answer = on("explain", model_run, "--policy", policy, "--now", purged, "--format", "json").json
    assert (answer["schema"], answer["verdict"]) == ("tfx-janitor/orphan-explanation/v1", "deleted")
    assert (answer["path"], answer["execution"]) == (str(model_run), int(model_run.name))
    assert [reason["code"] for reason in answer["reasons"]] == ["expire.older-than"]
    assert [past["done"] for past in answer["history"]] == ["marked", "purged"]


def test_explain_points_to_the_history_where_it_cannot_tell_more(
    on: Call, history: History, policy: Path, model_run: Path, fifteen_days: str, purged: str
):
    def refused(*options: object) -> str:
        answer = on("explain", model_run / "ckpt-100.index", *options)
        assert (answer.code, answer.out) == (2, "")
        return answer.err

    pointer = (
        f"; `tfx-janitor --metadata {history.url} history {model_run}` tells what was done to the directory "
        "that no artifact claimed"
    )
    earlier = refused("--policy", policy, "--at", fifteen_days)
    assert "no artifact of the store lies at or around" in earlier and earlier.endswith(f"{pointer}\n")

    # Something else lies there now, which is not what went.
    model_run.mkdir()
    plain = history.policy_file(name="plain.json")
    assert refused("--policy", plain).endswith(f"{pointer}\n")


def test_explain_does_not_call_deleted_what_was_taken_back(
    on: Call, history: History, policy: Path, model_run: Path, fifteen_days: str
):
    on("gc", "--policy", policy, "--now", fifteen_days)
    assert on("restore", model_run).code == 0
    rmtree(model_run)  # by somebody else
    answer = on("explain", model_run, "--policy", policy)
    assert answer.code == 2 and f" history {model_run}` tells" in answer.err


def test_marked_restored_and_purged_from_the_command_line(
    on: Call, history: History, policy: Path, model_run: Path, fifteen_days: str
):
    marked = on("gc", "--policy", policy, "--now", fifteen_days, "--format", "json")
    assert (marked.code, marked.json["summary"]["done"]) == (0, {"marked": 2})
    assert marked.json["outcomes"][1]["path"] == str(model_run)
    assert marked.json["outcomes"][1]["artifact_id"] is None

    restored = on("restore", model_run)
    assert restored.code == 0 and f"restored  {model_run}" in restored.out

    late = to_iso(history.later(days=23))
    purged = on("purge", "--now", late)
    assert purged.code == 0 and f"purged  {model_run.parents[1] / 'model' / model_run.name}" in purged.out
    assert model_run.exists() and not (model_run.parents[1] / "model" / model_run.name).exists()


def test_restore_takes_back_all_that_a_plan_marked(
    on: Call, policy: Path, model_run: Path, fifteen_days: str, tmp_path: Path
):
    plan = tmp_path / "plan.json"
    on("plan", "--policy", policy, "--now", fifteen_days, "--out", plan)
    assert on("apply", plan, "--now", fifteen_days).code == 0
    again = on("apply", plan, "--now", fifteen_days)
    assert again.code == 2 and "expected a plan that was not applied yet" in again.err
    plan_id = json.loads(plan.read_text())["id"]
    answer = on("restore", "--plan", plan_id, "--format", "json")
    assert (answer.code, answer.json["summary"]["done"]) == (0, {"restored": 2})
    assert on("restore", model_run).code == 1


def test_restore_refuses_what_was_never_marked(on: Call, policy: Path, model_run: Path):
    answer = on("restore", model_run)
    assert answer.code == 2 and "expected ids of artifacts or paths of directories that were" in answer.err


def test_history_of_one_directory(on: Call, policy: Path, model_run: Path, fifteen_days: str):
    on("gc", "--policy", policy, "--now", fifteen_days)
    on("restore", model_run)
    answer = on("history", model_run)
    assert answer.code == 0
    assert f"restored {model_run}" in answer.out and f"marked {model_run}" in answer.out
    assert str(model_run.parents[1] / "model" / model_run.name) not in answer.out
    assert [act["kind"] for act in on("history", model_run, "--format", "json").json["acts"]] == [
        "restore",
        "apply",
    ]
    none = on("history", model_run.parent)
    assert none.code == 2 and "no act names" in none.err
    assert on("history", "--verify").code == 0
