"""Directories of executions that the store does not know: told by output, where nobody claims them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Retraining, write_checkpoints
from tests.deletion.surroundings import closed, mounted
from tfx_janitor.audit.audit import audit
from tfx_janitor.audit.finding import Finding
from tfx_janitor.payload.filesystem import measure
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Done, Failed, Item, Threads

CODE = "unaccounted-directory"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def trainer(history: History) -> Path:
    """The directory of a Trainer that has run, as execution 2."""
    return retrain(history).model.path.parents[1]


def retrain(history: History, name: str = "inception") -> Retraining:
    """Two executions: an ImportExampleGen and a Trainer."""
    return history.pipeline(name).retrain(blessed=None, pushed=False)


def found(history: History, *, policy: dict[str, Any] | None = None, **site: Any) -> list[Finding]:
    given = history.site(**site)
    return list(audit(given, history.policy(**(policy or {})), Level.STRUCTURE).findings)


def numbers(findings: Sequence[Finding], root: Path) -> dict[str, object]:
    """By output of a node the numbers that are told."""
    assert {finding.code for finding in findings} <= {CODE}
    return {os.path.relpath(str(one.path), root): one.evidence["numbers"] for one in findings}


def test_what_the_store_before_this_one_left(history: History):
    history.pipeline("importing").run().import_model(history.home / "elsewhere")  # executions are 2, 3 and on
    for _ in range(4):
        retrain(history)
    history.database.rename(history.home / "metadata.db.old")
    again = History(history.home)
    home = retrain(again).model.path.parents[2]
    findings = found(again)
    assert numbers(findings, home) == {
        "ImportExampleGen/examples": [2, 4, 6, 8],
        "Trainer/model": [3, 5, 7, 9],
        "Trainer/model_run": [3, 5, 7, 9],
    }
    model = findings[1]
    lying = sum(measure(str(home / "Trainer" / "model" / number)).bytes for number in "3579")
    assert model.bytes == lying > 0
    assert (model.severity.value, model.mend, model.evidence["unread"]) == ("warning", (), {})
    assert model.detail.startswith(
        "directories 3, 5, 7, 9 are of no execution here, and no artifact claims them: "
        f"{lying / 1000:.1f} kB, last written at 20"
    )
    assert "point --metadata at the store that they are of" in model.detail
    assert again.snapshot().executions.id.max() == 2  # all of them are just ahead of the newest execution


def test_each_of_two_stores_that_share_a_root_is_told_of_the_other(history: History, tmp_path: Path):
    other = History(tmp_path / "other")
    other.root = history.root
    other.pipeline("something-else").run().ingest()
    for store in (history, other):
        retrain(store)
    home = history.root / "inception"
    assert numbers(found(history), home) == {
        "ImportExampleGen/examples": [2],
        "Trainer/model": [3],
        "Trainer/model_run": [3],
    }
    theirs = found(other)
    assert numbers(theirs, home) == {
        "ImportExampleGen/examples": [1],
        "Trainer/model": [2],
        "Trainer/model_run": [2],
    }
    assert theirs[0].detail.startswith("directory 1 is of no execution here, and no artifact claims it: ")


def test_of_many_the_first_are_named_and_all_are_evidence(history: History, trainer: Path):
    for number in range(100, 1300):
        (trainer / "model" / str(number)).mkdir()
    (finding,) = found(history)
    assert finding.detail.startswith(
        "directories 100, 101, 102, 103, 104 and 1,195 more, 1,200 in all, are of no execution here"
    )
    assert finding.evidence["numbers"] == list(range(100, 1300))


def test_a_run_that_began_since_the_store_was_read_is_none(history: History, trainer: Path):
    before = history.snapshot()
    began = history.pipeline().run().start_training(steps=(1,))
    stranger = trainer / "model" / str(began + 1)
    stranger.mkdir()
    findings = audit(history.site(), history.policy(), Level.STRUCTURE, snapshot=before).findings
    assert numbers(findings, trainer) == {"model": [began + 1]}
    assert numbers(found(history), trainer) == {"model": [began + 1]}


def test_executions_of_the_node_are_none_whatever_became_of_them(history: History, trainer: Path):
    run = history.pipeline().run()
    for number in (run.fail_training(), run.start_training()):
        write_checkpoints(trainer / "model_run" / str(number), (1,))
    assert found(history) == []


def test_the_number_of_another_node_is_one(history: History, trainer: Path):
    (trainer / "model" / "1").mkdir()  # an ImportExampleGen
    assert numbers(found(history), trainer) == {"model": [1]}


def test_a_pipeline_that_has_made_nothing_yet_may_write_anywhere(history: History, trainer: Path):
    began = history.pipeline("renamed").run().fail_training()
    for number in (began, began + 1):
        (trainer / "model" / str(number)).mkdir()
    assert numbers(found(history), trainer) == {"model": [began + 1]}


def test_pipelines_that_share_a_home_are_no_strangers_to_each_other(history: History, trainer: Path):
    (history.root / "renamed").symlink_to("inception")
    stranger = trainer / "model" / str(retrain(history, "renamed").training.execution + 1)
    assert found(history) == []
    stranger.mkdir()
    for pipeline in (None, "renamed", "inception"):
        assert numbers(found(history, only_pipeline=pipeline), trainer) == {"model": [int(stranger.name)]}


def test_but_to_those_of_other_homes_they_are(history: History, trainer: Path):
    other = retrain(history, "other").training.execution
    (trainer / "model" / str(other)).mkdir()
    assert numbers(found(history), trainer) == {"model": [other]}


def test_only_where_tfx_lays_them_out(history: History, trainer: Path):
    for mine in (
        trainer / "4711",
        trainer / "logs" / "4711",
        trainer / "model" / "04711",
        trainer / "model" / "4711.bak",
        trainer / "model" / "best" / "4711",
        trainer / ".system" / "executor_execution" / "4711",
        trainer.parent / "Tuner" / "model" / "4711",
        history.root / "mine" / "Trainer" / "model" / "4711",
    ):
        write_checkpoints(mine, (1,))
    (trainer / "model" / "4712").touch()
    assert found(history) == []


def test_only_in_the_roots(history: History, trainer: Path):
    (trainer / "model" / "4711").mkdir()
    (history.root / "other").mkdir()
    assert found(history, policy={"roots": [str(history.root / "other")]}) == []
    assert len(found(history, policy={"orphans": {"older_than": "14d"}})) == 1


def test_only_of_the_pipeline_in_question(history: History, trainer: Path):
    theirs = retrain(history, "other").model.path.parent / "4711"
    for path in (trainer / "model" / "4711", theirs):
        path.mkdir()
    assert len(found(history)) == 2
    assert numbers(found(history, only_pipeline="other"), history.root) == {"other/Trainer/model": [4711]}


def test_links_are_none(history: History, trainer: Path):
    elsewhere = write_checkpoints(history.home / "elsewhere" / "4711", (1,))
    (trainer / "model" / "4711").symlink_to(elsewhere)
    assert found(history) == []
    inside = trainer / "model" / "4712"
    inside.mkdir()
    (inside / "all").symlink_to(history.root)
    (finding,) = found(history)
    assert finding.bytes == (inside / "all").lstat().st_size
    shutil.move(trainer / "model", history.home / "moved")
    (trainer / "model").symlink_to(history.home / "moved")
    assert found(history) == []


# Claims.


@pytest.mark.parametrize("state", ["LIVE", "MARKED_FOR_DELETION", "DELETED"])
def test_what_another_pipeline_imported_is_claimed(history: History, trainer: Path, state: str):
    stranger = trainer / "model" / "4711"
    stranger.mkdir()
    history.set_state(history.pipeline("importing").run().import_model(stranger / "Format-Serving"), state)
    assert CODE not in {finding.code for finding in found(history)}


def test_so_is_what_lies_behind_a_link_or_in_a_mounted_bucket(history: History, trainer: Path):
    for number in ("4711", "4712"):
        (trainer / "model" / number).mkdir()
    link = history.home / "link"
    link.symlink_to(trainer)
    importing = history.pipeline("importing").run()
    importing.import_model(link / "model" / "4711")
    importing.import_model("gs://bucket/inception/Trainer/model/4712")
    assert CODE not in {finding.code for finding in found(history)}


def test_so_is_what_was_pushed_there(history: History, trainer: Path):
    run = history.pipeline("serving").run()
    run.train()
    base = trainer / "model" / "4711"
    run.push(base=base)
    assert base.is_dir()
    assert found(history) == []


class Noting(Threads):
    """A crew that notes what it is asked to look into."""

    def __init__(self) -> None:
        super().__init__(2)
        self.entered: list[Any] = []

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        if task == "look into orphans":
            self.entered += items
        return super().run(task, work, items)


def test_nothing_that_is_claimed_is_entered(history: History, trainer: Path):
    for number in ("4711", "4712"):
        (trainer / "model" / number).mkdir()
    history.pipeline("importing").run().import_model(trainer / "model" / "4712")
    crew = Noting()
    assert CODE in {finding.code for finding in found(history, crew=crew)}
    assert crew.entered == [str(trainer / "model" / "4711")]


# What cannot be looked at.


def test_what_cannot_be_measured_is_told_all_the_same(history: History, trainer: Path):
    for number in (4711, 4712, 4713):
        write_checkpoints(trainer / "model" / str(number), (1,))
    with closed(trainer / "model" / "4712", trainer / "model" / "4713"):
        (finding,) = found(history)
    assert finding.evidence["numbers"] == [4711, 4712, 4713]
    assert finding.bytes == measure(str(trainer / "model" / "4711")).bytes
    refused = trainer / "model" / "4712"
    assert f"; not measured: Permission denied: {refused}, and 1 more; " in finding.detail
    unread = finding.evidence["unread"]
    assert isinstance(unread, dict) and set(unread) == {"4712", "4713"}


def test_of_what_nothing_can_be_measured_nothing_is_said(history: History, trainer: Path):
    (trainer / "model" / "4711").mkdir()
    with closed(trainer / "model" / "4711"):
        (finding,) = found(history)
    assert (finding.bytes, finding.evidence["last_written"]) == (0, None)
    assert "claims it: not measured: " in finding.detail


def test_a_mount_in_one(history: History, trainer: Path):
    stranger, kept = trainer / "model" / "4711", history.home / "kept"
    for path in (stranger, kept):
        path.mkdir()
    with mounted("--bind", str(kept), target=stranger, below=history.home):
        (finding,) = found(history)
    assert f"not measured: {stranger} is a mount point" in finding.detail


def test_a_node_that_cannot_be_listed(history: History, trainer: Path):
    with closed(trainer / "model", mode=0o300):
        (finding,) = found(history)
    assert (finding.code, finding.path) == ("unreadable-payload", str(trainer / "model"))
    assert finding.detail.endswith("what no artifact claims may lie there; audit as somebody who may")


def test_what_is_gone_meanwhile_is_none(history: History, trainer: Path, monkeypatch: pytest.MonkeyPatch):
    """The janitor of the other store may be at work."""
    (trainer / "model" / "4711").mkdir()
    (trainer / "model" / "4712").mkdir()
    real = os.lstat

    def goes(path: Any, **how: Any) -> os.stat_result:
        if str(path) == str(trainer / "model" / "4711"):
            shutil.rmtree(path, ignore_errors=True)
        return real(path, **how)

    monkeypatch.setattr("tfx_janitor.survey.orphans.os.lstat", goes)
    assert numbers(found(history), trainer) == {"model": [4712]}
