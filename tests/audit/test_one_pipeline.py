"""An audit of one pipeline tells of what it produced, ran and serves, and of nothing of other pipelines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builders import History, Retraining, damage_saved_model, write_saved_model
from tfx_janitor.audit.audit import audit
from tfx_janitor.audit.finding import Finding
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Crew, Threads
from tfx_janitor.verified_pusher.rollback_act import roll_back


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def ours(history: History) -> Retraining:
    return history.pipeline("ours").retrain(steps=(1, 2))


@pytest.fixture
def theirs(history: History) -> Retraining:
    return history.pipeline("theirs").retrain(steps=(1, 2))


def found(history: History, pipeline: str | None, crew: Crew | None = None, **span: float) -> list[Finding]:
    site = history.site(now_ms=history.later(**span), only_pipeline=pipeline, crew=crew or Threads(2))
    return list(audit(site, history.policy(), Level.STRUCTURE).findings)


def about(findings: list[Finding]) -> set[tuple[str, int | str | None]]:
    return {(one.code, one.artifact_id or one.execution_id or one.path) for one in findings}


def test_artifacts_are_those_that_it_produced(history: History, ours: Retraining, theirs: Retraining) -> None:
    for made in (ours, theirs):
        shutil.rmtree(made.examples.path)
        (made.model.path / "Format-Serving" / "saved_model.pb").unlink()
    assert len(found(history, None)) == 4
    assert about(found(history, "ours")) == {
        ("missing-payload", ours.examples.id),
        ("partial-payload", ours.model.id),
    }


def test_only_what_is_of_the_pipeline_is_counted(
    history: History, ours: Retraining, theirs: Retraining
) -> None:
    history.pipeline("theirs").retrain()
    counted = {}
    for pipeline in (None, "ours", "theirs", "unknown"):
        audited = audit(history.site(only_pipeline=pipeline), history.policy(), Level.STRUCTURE)
        counted[pipeline] = (audited.artifacts, audited.executions)
    artifacts, executions = counted["ours"]
    assert artifacts > 0 and executions > 0
    assert counted["theirs"] == (2 * artifacts, 2 * executions)
    assert counted[None] == (3 * artifacts, 3 * executions)
    assert counted["unknown"] == (0, 0)


def test_executions_are_those_that_it_ran(history: History, ours: Retraining, theirs: Retraining) -> None:
    run, other = (history.pipeline(name).run().start_training(steps=()) for name in ("ours", "theirs"))
    stale = {("stale-execution", run), ("stale-execution", other)}
    assert about(found(history, None, days=8)) == stale
    assert about(found(history, "ours", days=8)) == {("stale-execution", run)}


def test_a_payload_that_it_shares_is_told_whoever_has_it_too(history: History, ours: Retraining) -> None:
    twin = history.pipeline("theirs").run().import_model(ours.model.path)
    history.pipeline("third").retrain()
    for pipeline in ("ours", "theirs"):
        assert about(found(history, pipeline)) == {("shared-payload", twin.id)}
    assert found(history, "third") == []


def test_versions_are_those_that_it_pushed(history: History, ours: Retraining, theirs: Retraining) -> None:
    for made in (ours, theirs):
        damage_saved_model(made.push.destination)
        (made.push.destination / "saved_model.pb").unlink()
    assert len(found(history, None)) == 2
    assert about(found(history, "ours")) == {("partial-payload", ours.push.pushed_model.id)}


def test_the_newest_version_that_is_gone_is_its_own(history: History) -> None:
    pushes = {name: [history.pipeline(name).retrain().push for _ in range(2)] for name in ("ours", "theirs")}
    for _, newest in pushes.values():
        shutil.rmtree(newest.destination)
    assert len(found(history, None)) == 2
    assert about(found(history, "ours")) == {("dangling-reference", pushes["ours"][1].pushed_model.id)}


def test_the_newest_beside_others_is_whose_push_it_was(history: History, ours: Retraining) -> None:
    base = ours.push.destination.parent
    newest = history.pipeline("theirs").retrain(pushed=False).run.push(base=base)
    shutil.rmtree(newest.destination)
    assert found(history, "ours") == []
    assert about(found(history, "theirs")) == {("dangling-reference", newest.pushed_model.id)}


def test_what_was_put_back_is_of_those_that_push_there(
    history: History, ours: Retraining, theirs: Retraining
) -> None:
    newest = history.pipeline("theirs").retrain().push.destination
    (newest / "assets" / "vocabulary.txt").write_text("other")
    base, version = str(theirs.push.destination.parent), int(theirs.push.destination.name)
    put_back = roll_back(history.site(), base, level=Level.STRUCTURE, to=version).push
    shutil.rmtree(put_back.destination)
    assert len(found(history, "theirs")) == 1
    assert found(history, "ours") == []


def test_a_version_of_nobody_is_of_those_that_push_beside_it(
    history: History, ours: Retraining, theirs: Retraining
) -> None:
    beside = [write_saved_model(made.push.destination.parent / "1") for made in (ours, theirs)]
    unaccounted = {("unaccounted-version", str(path)) for path in beside}
    assert about(found(history, None)) == unaccounted
    assert about(found(history, "ours")) == {("unaccounted-version", str(beside[0]))}


def test_where_several_push_each_has_its_own(history: History, ours: Retraining) -> None:
    base = ours.push.destination.parent
    other = history.pipeline("theirs").retrain(pushed=False).run.push(base=base)
    for destination in (ours.push.destination, other.destination):
        (destination / "saved_model.pb").unlink()
    assert about(found(history, "ours")) == {("partial-payload", ours.push.pushed_model.id)}
    assert about(found(history, "theirs")) == {("partial-payload", other.pushed_model.id)}


def test_nothing_of_others_is_verified(history: History, ours: Retraining, theirs: Retraining) -> None:
    class Counting(Threads):
        """Counts what is handed over."""

        def __init__(self) -> None:
            super().__init__(1)
            self.given: dict[str, int] = {}

        def run(self, task, work, items):
            self.given[task] = self.given.get(task, 0) + len(items)
            return super().run(task, work, items)

    crew = Counting()
    assert found(history, "ours", crew) == []
    verified = {task: number for task, number in crew.given.items() if task.startswith("verify")}
    assert verified == {"verify models": 1, "verify checkpoints": 1, "verify versions": 1}
