"""`audit` as its users meet it: what it prints, its exit codes, and that each command it prints mends."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import JUnitXml

from tests.builders import (
    History,
    Retraining,
    damage_checkpoint,
    damage_saved_model,
    keep_models,
)
from tests.cli.conftest import Call
from tests.deletion.surroundings import closed, unreadable
from tfx_janitor.verified_pusher import versions

RULES = [
    keep_models(last=9),
    {"name": "rest", "match": {"type": ["Examples", "ModelRun", "ModelBlessing"]}, "keep": {"last": 9}},
]
OLD = 3 * 3600


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]


@pytest.fixture
def policy(history: History) -> Path:
    return history.policy_file(rules=RULES, orphans={"older_than": "14d"}, stale_after=None)


def aged(directory: Path) -> None:
    """As if nobody had written there for hours."""
    for path in directory.rglob("*"):
        seconds = path.stat().st_mtime - OLD
        os.utime(path, (seconds, seconds))


def missing(history: History, run: Retraining) -> None:
    shutil.rmtree(run.model.path)


def split_gone(history: History, run: Retraining) -> None:
    shutil.rmtree(run.examples.path / "Split-eval")


def bit_flipped(history: History, run: Retraining) -> None:
    damage_saved_model(run.model.path)


def emptied(history: History, run: Retraining) -> None:
    for path in (run.model.path / "Format-Serving" / "variables").iterdir():
        path.unlink()


def checkpoint_broken(history: History, run: Retraining) -> None:
    damage_checkpoint(run.model_run.path, "ckpt-1")
    aged(run.model_run.path)


def checkpoint_gone(history: History, run: Retraining) -> None:
    for path in run.model_run.path.glob("ckpt-3.*"):
        path.unlink()


def state_unreadable(history: History, run: Retraining) -> None:
    (run.model_run.path / "checkpoint").write_bytes(b"\xff{")


def deleted_by_somebody(history: History, run: Retraining) -> None:
    history.set_state(run.model, "DELETED")


def twice_recorded(history: History, run: Retraining) -> None:
    history.pipeline("elsewhere").run().import_model(run.model.path)


def named_by_nobody(history: History, run: Retraining) -> None:
    history.set_property(run.blessing, "current_model_id", 4711)


def copied_there(history: History, run: Retraining) -> None:
    shutil.copytree(run.push.destination, run.push.destination.parent / "1800000000")


def old_version_tampered_with(history: History, run: Retraining) -> None:
    (run.push.destination / "note").write_text("tampered with")


def marked_by_somebody(history: History, run: Retraining) -> None:
    history.set_state(run.model, "MARKED_FOR_DELETION")


def died(history: History, run: Retraining) -> None:
    run.run.consume(run.model, state="RUNNING")


@pytest.mark.parametrize(
    ("code", "make", "days"),
    [
        ("missing-payload", missing, 0),
        ("partial-payload", split_gone, 0),
        ("damaged-model", bit_flipped, 0),
        ("emptied-variables", emptied, 0),
        ("broken-checkpoint", checkpoint_broken, 0),
        ("stale-checkpoint-state", checkpoint_gone, 0),
        ("stale-checkpoint-state", state_unreadable, 0),
        ("undeleted-payload", deleted_by_somebody, 0),
        ("shared-payload", twice_recorded, 0),
        ("stale-execution", died, 8),
        ("dangling-reference", named_by_nobody, 0),
        ("unaccounted-version", copied_there, 0),
        ("diverged-version", old_version_tampered_with, 0),
        ("stuck-mark", marked_by_somebody, 0),
    ],
)
def test_the_command_that_is_printed_mends(
    on: Call,
    history: History,
    runs: list[Retraining],
    policy: Path,
    code: str,
    make: Callable[[History, Retraining], None],
    days: int,
) -> None:
    make(history, runs[0])
    moment = ["--now", _iso(history, days)]
    found = on("audit", "--policy", policy, "--verify", "checksums", *moment)
    assert found.code == 1
    commands = _commands(found.out)
    assert f" {code} " in found.out and commands
    for command in commands:
        assert on(*command).code == 0, command
    again = on("audit", "--policy", policy, "--verify", "checksums", *moment)
    assert f" {code} " not in again.out, again.out


@pytest.mark.parametrize("format", ["table", "json", "junit", "report"])
def test_what_may_not_be_read_is_told_until_it_may(
    on: Call, history: History, runs: list[Retraining], policy: Path, tmp_path: Path, format: str
) -> None:
    """No command mends it: a person does, or audits as somebody else."""
    page = tmp_path / "page.html"
    command = ("report", "--out", page) if format == "report" else ("audit", "--format", format)
    with closed(history.root):
        found = on(*command, "--policy", policy, "--verify", "checksums")
    told = page.read_text() if format == "report" else found.out
    assert found.code == (0 if format == "report" else 1)
    assert "unreadable-payload" in told and f"{history.root} cannot be read: permission denied" in told
    if format == "json":
        assert found.json["summary"]["by_code"] == {"unreadable-payload": 1}
    elif format == "junit":
        assert JUnitXml.fromstring(found.out.encode()).failures == 1
        assert "mend: no command does, a person must" in found.out
    else:
        assert "mend: " not in told
    assert on("audit", "--policy", policy, "--verify", "checksums").code == 0


def test_a_served_version_that_is_damaged_is_replaced(
    on: Call, history: History, runs: list[Retraining], policy: Path
) -> None:
    damage_saved_model(runs[2].push.destination)
    # What is older holds the same, and would not be taken.
    (runs[1].push.destination / "assets.extra").mkdir()
    (runs[1].push.destination / "assets.extra" / "note").write_text("another one")
    shutil.copytree(
        runs[1].push.destination / "assets.extra", runs[1].model.path / "Format-Serving" / "assets.extra"
    )
    found = on("audit", "--policy", policy, "--verify", "checksums")
    (command,) = _commands(found.out)
    assert command[0] == "rollback"
    assert on(*command).code == 0
    assert not runs[2].push.destination.exists()
    assert on("audit", "--policy", policy, "--verify", "checksums").code == 0


def test_what_was_pushed_unblessed_is_replaced(on: Call, history: History, policy: Path) -> None:
    pipeline = history.pipeline()
    good = pipeline.retrain()
    (good.push.destination / "assets.extra").mkdir()
    (good.push.destination / "assets.extra" / "note").write_text("another one")
    shutil.copytree(
        good.push.destination / "assets.extra", good.model.path / "Format-Serving" / "assets.extra"
    )
    bad = pipeline.retrain(blessed=False, pushed=False).run.push()
    found = on("audit", "--policy", policy)
    assert " unblessed-push " in found.out
    (command,) = _commands(found.out)
    assert on(*command).code == 0
    assert not bad.destination.exists()
    assert on("audit", "--policy", policy).code == 0


def test_an_orphan_goes_with_gc(on: Call, history: History, runs: list[Retraining]) -> None:
    history.pipeline().run().start_training(steps=(1, 2))
    policy = history.policy_file(rules=RULES, orphans={"older_than": "14d"}, stale_after="1d")
    later = ["--now", _iso(history, 30)]
    found = on("audit", "--policy", policy, *later)
    assert " orphan-directory " in found.out
    (command,) = _commands(found.out)
    assert on(*command, *later).code == 0
    assert on("audit", "--policy", policy, *later).code == 0


def test_a_state_that_came_to_life_again_is_put_right(
    on: Call, history: History, runs: list[Retraining]
) -> None:
    policy = history.policy_file(rules=[keep_models(last=1)])
    for run in runs[:2]:
        shutil.rmtree(run.push.destination)
    assert on("gc", "--policy", policy).code == 0
    assert history.state(runs[0].model) == "DELETED"
    history.set_state(runs[0].model, "LIVE")
    found = on("audit", "--policy", policy)
    assert " resurrected-state " in found.out
    (command,) = _commands(found.out)
    assert on(*command).code == 0
    assert on("audit", "--policy", policy).code == 0


def test_a_store_in_good_order_is_0(on: Call, runs: list[Retraining], policy: Path) -> None:
    answer = on("audit", "--policy", policy)
    assert answer.code == 0
    assert answer.out == "18 artifacts, 12 executions looked at (structure): nothing found\n"


@pytest.mark.parametrize("command", ["audit", "report"])
def test_what_cannot_be_loaded_here_is_not_called_sound(
    on: Call,
    runs: list[Retraining],
    policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    page = ("--out", tmp_path / "page.html") if command == "report" else ()
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    answer = on(command, "--policy", policy, "--verify", "load", *page)
    assert (answer.code, answer.out) == (2, "")
    assert "loading a payload takes tensorflow, which is not installed here" in answer.err


@pytest.mark.parametrize("command", ["audit", "report"])
def test_a_serving_directory_that_cannot_be_listed_is_no_bug_and_not_passed_over(
    on: Call,
    history: History,
    runs: list[Retraining],
    policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    base = str(runs[0].push.destination.parent)
    real = os.path.isdir
    page = ("--out", tmp_path / "page.html") if command == "report" else ()

    def refused(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(versions, "served", refused)
    for is_searchable in (True, False):
        if not is_searchable:
            unreadable(monkeypatch, Path(base), errno.EACCES)
            monkeypatch.setattr(os.path, "isdir", lambda path: path != base and real(path))
            monkeypatch.setattr(os.path, "exists", lambda path: path != base and os.access(path, os.F_OK))
        answer = on(command, "--policy", policy, *page)
        assert (answer.code, answer.out) == (2, "")
        assert f"expected to list {base}, which model servers watch, but it cannot be read" in answer.err


def test_it_fails_only_on_what_is_bad_enough(
    on: Call, history: History, runs: list[Retraining], policy: Path
):
    twice_recorded(history, runs[0])
    assert on("audit", "--policy", policy).code == 1
    assert on("audit", "--policy", policy, "--fail-on", "warning").code == 0
    assert on("audit", "--policy", policy, "--fail-on", "never").code == 0


def test_a_command_that_mends_two_kinds_is_to_be_run_once(
    on: Call, history: History, runs: list[Retraining], policy: Path
) -> None:
    (runs[0].push.destination.parent / "1").mkdir()
    found = on("audit", "--policy", policy)
    (command,) = _commands(found.out)
    assert f"\n  as above: tfx-janitor --metadata {history.url} {shlex.join(command)}\n" in found.out
    assert on(*command).code == 0
    assert on("audit", "--policy", policy).code == 0


@pytest.mark.parametrize("format", ["table", "junit"])
def test_no_command_acts_on_the_store_of_the_environment_instead(
    call: Call,
    history: History,
    runs: list[Retraining],
    policy: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,
) -> None:
    missing(history, runs[0])
    command = f"forget {runs[0].model.id} --reason"
    audit = ("audit", "--policy", policy, "--format", format)
    monkeypatch.setenv("TFX_JANITOR_METADATA", "sqlite:///another.db")
    named = call("--metadata", history.url, *audit)
    assert f"mend: tfx-janitor --metadata {history.url} {command}" in named.out
    monkeypatch.setenv("TFX_JANITOR_METADATA", history.url)
    assert f"mend: tfx-janitor {command}" in call(*audit).out


def test_what_undoes_a_discard_names_the_store(
    on: Call, history: History, runs: list[Retraining], policy: Path
) -> None:
    answer = on("discard", runs[0].model.id, "--reason", "x", "--policy", policy)
    undo = f"undo: tfx-janitor --metadata {history.url} restore {runs[0].model.id}"
    assert undo in answer.out.splitlines()


@pytest.mark.parametrize(
    "command", ["discard 1 --policy POLICY", "forget 1", "close 1", "withdraw BASE 1", "adopt BASE 1"]
)
def test_an_act_without_a_reason_is_refused(
    on: Call, history: History, runs: list[Retraining], policy: Path, command: str
) -> None:
    base = runs[0].push.destination.parent
    words = command.replace("POLICY", str(policy)).replace("BASE", str(base)).split()
    answer = on(*words, "--reason", " ")
    assert answer.code == 2
    assert "'--reason': expected a reason, got an empty one" in answer.err
    assert on("history").out == "no acts\n"


def test_json_has_stable_codes(on: Call, history: History, runs: list[Retraining], policy: Path) -> None:
    missing(history, runs[0])
    document = on("audit", "--policy", policy, "--format", "json").json
    assert document["schema"] == "tfx-janitor/audit/v1"
    assert document["summary"]["by_code"] == {"missing-payload": 1}
    (finding,) = document["findings"]
    assert finding["severity"] == "error"
    assert finding["artifact_id"] == runs[0].model.id
    assert finding["mend"][:2] == ["forget", str(runs[0].model.id)]


def test_junit_is_one_xml_document_that_fails_as_the_command_does(
    on: Call, history: History, runs: list[Retraining], policy: Path
) -> None:
    missing(history, runs[0])
    twice_recorded(history, runs[1])
    answer = on("audit", "--policy", policy, "--format", "junit", "--fail-on", "error")
    (suite,) = JUnitXml.fromstring(answer.out.encode())
    assert answer.code == 1
    assert [(case.classname, case.name) for case in suite if case.is_failure] == [
        ("missing-payload", f"artifact {runs[0].model.id}: {runs[0].model.path}")
    ]
    shutil.copytree(runs[1].model.path, runs[0].model.path)
    mended = on("audit", "--policy", policy, "--format", "junit", "--fail-on", "error")
    assert mended.code == 0 and JUnitXml.fromstring(mended.out.encode()).failures == 0
    assert "shared-payload" in mended.out


def test_it_changes_nothing(on: Call, history: History, runs: list[Retraining], policy: Path) -> None:
    missing(history, runs[0])
    before = history.database.read_bytes()
    on("audit", "--policy", policy, "--verify", "checksums")
    assert history.database.read_bytes() == before


def _commands(printed: str) -> list[list[str]]:
    """The commands that mend, as a shell would take them apart, without the store that each of them names."""
    lines = [line.strip().removeprefix("mend: ") for line in printed.splitlines() if "mend: " in line]
    commands = [shlex.split(line) for line in lines]
    assert all(command[:2] == ["tfx-janitor", "--metadata"] for command in commands)
    return [command[3:] for command in commands]


def _iso(history: History, days: int) -> str:
    from tfx_janitor.retention.timestamps import to_iso

    return to_iso(history.later(days=days))
