"""The metadata store is lost in the middle of an act: what was done is told, and the next run goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import errors

from tests.builders import History, Retraining, keep_models, prune_checkpoints
from tests.busy_store import held, impatient
from tests.cli.conftest import Call
from tfx_janitor import effects
from tfx_janitor.deletion import history as told
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.effects import Effect, Watcher


@pytest.fixture
def retrained(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(blessed=None, pushed=False) for _ in range(3)]


@pytest.fixture
def policy(history: History, retrained: object) -> Path:
    return history.policy_file(rules=[keep_models(last=1), prune_checkpoints(last=1)])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


def gone_from(instant: str) -> Watcher:
    """A server that does not answer any more from the first effect of a kind, or call of a name, on."""
    gone = False

    def watcher(effect: Effect, change: Callable[[], Any]) -> Any:
        nonlocal gone
        gone = gone or instant in (effect.kind, effect.subject)
        if gone and effect.kind == "mlmd":
            raise errors.UnavailableError("failed to connect to all addresses")
        return change()

    return watcher


def states(history: History, retrained: list[Retraining]) -> list[str]:
    return history.states(*(made.model for made in retrained))


def test_a_store_that_is_lost_before_anything_was_done_is_2(
    on: Call, history: History, retrained: list[Retraining], policy: Path
):
    with effects.watched(gone_from("PutExecutionType")):
        answer = on("gc", "--policy", policy)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "tfx-janitor: the metadata store answered UnavailableError: failed to connect to all addresses; "
        "nothing was done\n"
    )
    assert states(history, retrained) == ["LIVE"] * 3


@pytest.mark.parametrize(
    ("instant", "done"),
    [
        ("PutArtifacts", {}),
        ("PutExecutions", {"marked": 2}),
        ("rename", {"marked": 5, "purged": 2}),
        ("unlink", {"marked": 5, "purged": 2}),
    ],
)
def test_a_store_that_is_lost_in_the_middle_is_1_and_the_next_run_goes_on(
    on: Call, history: History, retrained: list[Retraining], policy: Path, instant: str, done: dict[str, int]
):
    with effects.watched(gone_from(instant)):
        answer = on("gc", "--policy", policy, "--format", "json")
    assert (answer.code, answer.json["summary"]["done"]) == (1, done)
    assert not answer.json["summary"]["well"]
    assert answer.err.startswith("tfx-janitor: the metadata store answered UnavailableError: ")
    assert answer.err.endswith("was cut off, and the next run goes on\n")
    assert answer.json["stopped"] in answer.err

    assert on("gc", "--policy", policy).code == 0
    assert states(history, retrained) == ["DELETED", "DELETED", "LIVE"]
    assert [made.model.path.exists() for made in retrained] == [False, False, True]
    assert not list(history.root.rglob(TRASH))
    assert told.verify(history.store).findings == ()


def test_a_store_that_stays_busy_is_given_up(
    on: Call, history: History, retrained: list[Retraining], policy: Path
):
    with contextlib.ExitStack() as lock:

        def busy(effect: Effect, change: Callable[[], Any]) -> Any:
            if effect.subject == "PutArtifacts":
                lock.enter_context(held(history.database))
            return change()

        lock.enter_context(effects.watched(busy))
        answer = on("gc", "--policy", policy)
    assert answer.code == 1
    locked = f"AbortedError: {history.database} is locked by another process: run it again when that is done"
    assert locked in answer.err and "was cut off" in answer.err

    assert on("gc", "--policy", policy).code == 0
    assert states(history, retrained) == ["DELETED", "DELETED", "LIVE"]


@pytest.mark.parametrize(
    ("sqlite", "words"),
    [
        ("database or disk is full", "no space is left on the disk of {}: make room there, and run it again"),
        (
            "attempt to write a readonly database",
            "{} cannot be written: the file, its directory or its file system is read-only",
        ),
    ],
)
def test_what_sqlite_says_is_said_once_in_words(
    on: Call,
    history: History,
    retrained: list[Retraining],
    policy: Path,
    caplog: pytest.LogCaptureFixture,
    sqlite: str,
    words: str,
):
    def failing(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind != "mlmd":
            return change()
        # As MLMD makes it, and logs it.
        raise errors.make_exception(f"Error when executing query: {sqlite} query: INSERT INTO `Type`", 13)

    with effects.watched(failing):
        answer = on("gc", "--policy", policy)
    told = f"the metadata store answered InternalError: {words.format(history.database)}; nothing was done"
    assert (answer.code, answer.out, answer.err) == (2, "", f"tfx-janitor: {told}\n")
    assert not caplog.records
    assert states(history, retrained) == ["LIVE"] * 3


def test_a_pin_that_was_not_finished_is_no_bad_input(on: Call, retrained: list[Retraining]):
    with effects.watched(gone_from("PutContexts")):
        answer = on("pin", retrained[0].model.id, "--reason", "shown to a customer")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.endswith("was cut off, and the next run goes on\n")


def test_what_nobody_foresaw_tells_what_was_done_too(
    on: Call, history: History, retrained: list[Retraining], policy: Path
):
    def broken(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.subject == "PutExecutions":
            raise ZeroDivisionError("by zero")
        return change()

    with effects.watched(broken):
        answer = on("gc", "--policy", policy)
    assert (answer.code, answer.err.splitlines()[0][:42]) == (
        70,
        "tfx-janitor: unexpected ZeroDivisionError:",
    )
    assert "2 marked" in answer.out
