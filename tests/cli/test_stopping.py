"""SIGINT and SIGTERM end an act between two items, a second one ends the process; the next run goes on."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.cli.conftest import Call
from tests.cli.interrupted import STARTING, TELLING, VERIFYING, interrupted
from tfx_janitor.cli.stopping import stoppable
from tfx_janitor.deletion import acts
from tfx_janitor.deletion import history as told
from tfx_janitor.deletion.act import NOT_BEGUN
from tfx_janitor.deletion.batches import IN_HAND
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.retention.timestamps import to_iso

INT, TERM = signal.SIGINT, signal.SIGTERM
SIGNALS = pytest.mark.parametrize("number", [INT, TERM])

TELLS = "tfx-janitor: stopping after what is under way; once more ends it at once, which is safe too\n"
STOPPED = "tfx-janitor: stopped; the next run goes on with what was not begun\n"


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def policy(history: History, retrained: object) -> Path:
    """Deletes two of three models, and one of two checkpoints in each of three runs."""
    return history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)])


def states(history: History, retrained: list[Retraining]) -> list[str]:
    return history.states(*(made.model for made in retrained))


def is_settled(history: History, retrained: list[Retraining]) -> bool:
    """Whether all that the policy lets go is gone, nothing else is, and the history tells it."""
    checkpoints = [len(list(made.model_run.path.glob("*.index"))) for made in retrained]
    return (
        states(history, retrained) == ["DELETED", "DELETED", "LIVE"]
        and [made.model.path.exists() for made in retrained] == [False, False, True]
        and checkpoints == [1, 1, 1]
        and not list(history.root.rglob(TRASH))
        and told.verify(history.store).findings == ()
    )


def later(history: History) -> str:
    return to_iso(history.later(days=2))


@SIGNALS
def test_apply_ends_the_act_under_way_and_begins_no_other(
    on: Call,
    history: History,
    retrained: list[Retraining],
    policy: Path,
    number: signal.Signals,
    tmp_path: Path,
):
    plan = tmp_path / "plan.json"
    on("plan", "--policy", policy, "--out", plan)
    done = interrupted(history, "apply", plan, "--format", "json", at="PutLineageSubgraph", by=number)
    assert (done.returncode, done.stderr) == (1, TELLS + STOPPED)
    assert json.loads(done.stdout)["summary"]["done"] == {"marked": 2, "skipped": 3}
    assert json.loads(done.stdout)["stopped"].startswith("stopped")
    assert [act.ended for act in acts.read(history.store)] == [True]

    # What was not begun is not used up.
    again = on("apply", plan, "--format", "json").json
    assert {o["artifact_id"] for o in again["outcomes"] if o["done"] == "marked"} == {
        made.model_run.id for made in retrained
    }
    assert on("apply", plan).code == 2


@SIGNALS
def test_purge_brings_to_an_end_what_it_has_in_hand(on: Call, history: History, number: signal.Signals):
    run = history.pipeline().run()
    models = [run.train(steps=()).model for _ in range(IN_HAND + 3)]
    policy = history.policy_file(rules=[keep_models(last=1)], grace="1d")
    on("gc", "--policy", policy)
    done = interrupted(history, "purge", "--now", later(history), at="rename", by=number)
    assert (done.returncode, done.stderr) == (1, TELLS + STOPPED)
    assert f"{IN_HAND} purged, 2 skipped" in done.stdout
    assert f"skipped  Model {models[-2].id}" in done.stdout and NOT_BEGUN in done.stdout
    assert Counter(history.states(*models)) == {"DELETED": IN_HAND, "MARKED_FOR_DELETION": 2, "LIVE": 1}
    assert [model.path.exists() for model in models] == [False] * IN_HAND + [True] * 3
    assert all(act.ended for act in acts.read(history.store))

    rest = on("purge", "--now", later(history), "--format", "json").json
    assert rest["summary"]["done"] == {"purged": 2}


@SIGNALS
def test_gc_tells_what_it_did_before_it_was_stopped(
    on: Call, history: History, retrained: list[Retraining], policy: Path, number: signal.Signals
):
    done = interrupted(history, "gc", "--policy", policy, "--format", "json", at="PutArtifacts", by=number)
    assert done.returncode == 1
    assert done.stderr == f"{TELLS}tfx-janitor: stopped while it was looking; the next run goes on\n"
    assert json.loads(done.stdout)["summary"]["done"] == {"marked": 2}
    assert states(history, retrained) == ["MARKED_FOR_DELETION", "MARKED_FOR_DELETION", "LIVE"]

    assert on("gc", "--policy", policy).code == 0
    assert is_settled(history, retrained)


@SIGNALS
def test_what_was_done_is_told_whoever_is_in_a_hurry(
    history: History, retrained: list[Retraining], policy: Path, number: signal.Signals
):
    done = interrupted(history, "gc", "--policy", policy, at=TELLING, by=number)
    assert (done.returncode, done.stderr) == (0, TELLS)
    assert "5 marked, 2 purged, 3 pruned" in done.stdout
    assert is_settled(history, retrained)


def test_restore_leaves_the_rest_marked(on: Call, history: History, retrained: list[Retraining]):
    policy = history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)], grace="1d")
    plan_id = on("gc", "--policy", policy, "--format", "json").json["plan_id"]
    done = interrupted(history, "restore", "--plan", plan_id, at="PutArtifacts", by=TERM)
    assert (done.returncode, done.stderr) == (1, TELLS + STOPPED)
    assert "2 restored, 3 skipped" in done.stdout
    assert states(history, retrained) == ["LIVE"] * 3


@pytest.mark.parametrize("command", ["gc", "purge"])
def test_a_stop_while_it_is_looking_changes_nothing(
    on: Call, history: History, retrained: list[Retraining], policy: Path, command: str, tmp_path: Path
):
    if command == "purge":
        on("plan", "--policy", policy, "--out", tmp_path / "plan.json")
        on("apply", tmp_path / "plan.json")
    before = (states(history, retrained), len(acts.read(history.store)))
    done = interrupted(history, command, "--policy", policy, at=VERIFYING, by=TERM)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{TELLS}tfx-janitor: stopped while it was looking; the next run goes on\n"
    assert (states(history, retrained), len(acts.read(history.store))) == before

    assert on("gc", "--policy", policy).code == 0
    assert is_settled(history, retrained)


@SIGNALS
@pytest.mark.parametrize("command", ["apply", "purge", "gc", "restore", "discard", "forget", "withdraw"])
def test_a_stop_while_it_is_starting_changes_nothing(
    on: Call,
    history: History,
    retrained: list[Retraining],
    policy: Path,
    command: str,
    number: signal.Signals,
    tmp_path: Path,
):
    marked, kept = retrained[0].model.id, retrained[-1].model.id
    on("plan", "--policy", policy, "--out", tmp_path / "plan.json")
    if command != "apply":
        on("apply", tmp_path / "plan.json")
    reason = ("--reason", "mine")
    arguments = {
        "apply": [tmp_path / "plan.json"],
        "restore": [marked],
        "discard": [kept, *reason, "--policy", policy],
        "forget": [kept, *reason],
        "withdraw": [tmp_path, 1, *reason],
    }.get(command, ["--policy", policy])
    before = (states(history, retrained), len(acts.read(history.store)))
    done = interrupted(history, command, *arguments, at=STARTING, by=number)
    told = f"{TELLS}tfx-janitor: stopped before it had begun; nothing was done\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    assert (states(history, retrained), len(acts.read(history.store))) == before


def test_a_second_signal_ends_it_while_it_is_starting(history: History, policy: Path):
    done = interrupted(history, "gc", "--policy", policy, at=STARTING, by=TERM, times=2)
    assert (done.returncode, done.stdout, done.stderr) == (-TERM, "", TELLS)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("PutLineageSubgraph", TERM),
        ("PutArtifacts", INT),
        ("rename", TERM),
        ("rename", INT),
        ("unlink", TERM),
        ("PutExecutions", TERM),
    ],
)
def test_a_second_signal_ends_it_at_once(
    on: Call, history: History, retrained: list[Retraining], policy: Path, number: signal.Signals, at: str
):
    done = interrupted(history, "gc", "--policy", policy, at=at, by=number, times=2)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", TELLS)
    assert on("gc", "--policy", policy).code == 0
    assert is_settled(history, retrained)


def test_what_is_ignored_stays_so_and_what_was_there_comes_back():
    # Shells let the jobs that they put into the background ignore SIGINT.
    before = signal.signal(INT, signal.SIG_IGN), signal.getsignal(TERM)
    try:
        with stoppable() as stopping:
            os.kill(os.getpid(), INT)
            assert not stopping()
            assert signal.getsignal(INT) is signal.SIG_IGN and signal.getsignal(TERM) is not before[1]
        assert (signal.getsignal(INT), signal.getsignal(TERM)) == (signal.SIG_IGN, before[1])
    finally:
        signal.signal(INT, before[0])
