"""The executor by itself: plain dictionaries, a temporary directory, a real store, a real Beam runner."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import keep_models, prune_checkpoints
from tests.busy_store import held, impatient
from tests.checkpoint_janitor.conftest import BEAM_ARGS, Past
from tests.checkpoint_janitor.test_unrooted import UNROOTED
from tfx_janitor import effects
from tfx_janitor.checkpoint_janitor.unrooted import UnrootedPolicy
from tfx_janitor.deletion.remove import TRASH
from tfx_janitor.effects import Effect
from tfx_janitor.survey.crew import Crew, Failed, Threads

pytestmark = pytest.mark.tfx


class Ran:
    """What an executor left behind; threads do the work where the test is not about Beam."""

    def __init__(self, past: Past, *, crew: Crew | None = None, unique_id: str | None = None) -> None:
        from tfx_janitor.checkpoint_janitor.artifacts import JanitorPlan, JanitorReport

        self.past = past
        self.plan, self.report = JanitorPlan(), JanitorReport()
        for name, artifact in (("plan", self.plan), ("report", self.report)):
            artifact.uri = str(past.pipeline.root / "CheckpointJanitor" / name / str(past.execution))
        self._crew, self._unique_id = crew, str(past.execution) if unique_id is None else unique_id

    def do(
        self,
        *,
        database: Path | None = None,
        fail_pipeline: bool = False,
        unrooted: UnrootedPolicy | None = None,
        parameters: Mapping[str, Any] | None = None,
        **policy: Any,
    ) -> Ran:
        from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
        from tfx.proto.orchestration import pipeline_pb2

        from tfx_janitor.checkpoint_janitor.executor import Executor
        from tfx_janitor.checkpoint_janitor.options import Options

        history = self.past.history
        rules = [keep_models(last=2), prune_checkpoints(last=1)]
        metadata = mlmd.ConnectionConfig()
        metadata.sqlite.filename_uri = str(database or history.database)
        in_force = unrooted or history.policy(rules=rules, **policy)
        options = Options(in_force, metadata, fail_pipeline=fail_pipeline)
        # Its messages are made when it is imported; no type checker sees them.
        messages: Any = pipeline_pb2
        node = messages.PipelineNode()
        node.node_info.id = "CheckpointJanitor"
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=BEAM_ARGS,
            tmp_dir=str(history.home / "tmp"),
            unique_id=self._unique_id,
            pipeline_node=node,
            pipeline_info=messages.PipelineInfo(id="inception"),
        )
        executor = Executor(context)
        if self._crew is not None:
            executor._crew = lambda: self._crew  # type: ignore[method-assign,assignment,return-value]
        outputs = {"plan": [self.plan], "report": [self.report]}
        executor.Do({}, outputs, {**options.to_parameters(), **(parameters or {})})
        return self

    def file(self, artifact: Any, name: str) -> str:
        return Path(artifact.uri, name).read_text()


@pytest.fixture
def started(past: Callable[[int], Past]) -> Past:
    made = past(4)
    made.start_janitor()
    return made


def test_it_cleans_up_and_leaves_a_plan_and_a_report(started: Past):
    ran = Ran(started).do()
    assert started.models == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert not started.retrainings[0].model.path.exists()

    from tfx_janitor import Plan

    plan = Plan.from_json(ran.file(ran.plan, "plan.json"))
    assert (ran.plan.plan_id, ran.plan.delete, ran.plan.checkpoints_delete) == (plan.id, 2, 3)
    assert ran.plan.bytes_reclaimable == ran.report.bytes_freed == plan.summary.bytes_reclaimable
    assert ran.plan.policy_digest.startswith("sha256:")
    newest = plan.decision(started.retrainings[-1].model.id)
    assert newest is not None
    held = {reason.code: reason.detail for reason in newest.reasons}
    assert held["hold.active-run"] == "run inception-run-4 is the janitor's own"
    assert (ran.report.status, ran.report.reason, ran.report.plan_id) == ("done", "", plan.id)
    assert (ran.report.marked, ran.report.purged, ran.report.pruned, ran.report.failed) == (5, 2, 3, 0)
    assert json.loads(ran.file(ran.report, "report.json"))["summary"]["done"]["purged"] == 2
    page = ran.file(ran.report, "report.txt")
    assert "CheckpointJanitor in inception: 5 marked, 2 purged, 3 pruned" in page
    assert not any(line.endswith(" ") for line in page.splitlines())


def test_a_policy_without_roots_is_for_the_own_pipeline_root(started: Past):
    for age, retraining in enumerate(reversed(started.retrainings)):
        started.history.backdate(retraining.model, days=2 + age)
    started.history.backdate_runs(days=2)
    ran = Ran(started, crew=Threads(2)).do(unrooted=UNROOTED)
    # It keeps three, and has the default grace.
    assert started.models == ["MARKED_FOR_DELETION", "LIVE", "LIVE", "LIVE"]

    from tfx_janitor import Plan

    plan = Plan.from_json(ran.file(ran.plan, "plan.json"))
    assert plan.policy["roots"] == [str(started.pipeline.root)]
    assert ran.plan.policy_digest == UNROOTED.rooted_in(str(started.pipeline.root)).digest


def test_where_the_root_cannot_be_told_nothing_is_deleted(started: Past):
    ran = Ran(started, crew=Threads(2))
    ran.plan.uri = str(started.history.home / "elsewhere")
    ran.do(unrooted=UNROOTED)
    assert started.models == ["LIVE"] * 4
    assert ran.report.status == "failed" and "with roots=[...]" in ran.report.reason


def test_the_history_shows_who_it_was(started: Past):
    from tfx_janitor.deletion import acts

    Ran(started, crew=Threads(2)).do()
    assert {act.actor for act in acts.read(started.history.store)} == {"CheckpointJanitor in inception"}


def test_after_a_failure_in_its_own_run_it_refuses(started: Past, caplog: pytest.LogCaptureFixture):
    started.run.fail_training()
    ran = Ran(started, crew=Threads(2)).do()
    assert started.models == ["LIVE"] * 4
    assert ran.report.status == "refused" and "Trainer is FAILED" in ran.report.reason
    assert ran.plan.delete == 2 and "Trainer is FAILED" in ran.file(ran.report, "report.txt")
    assert [record.levelname for record in caplog.records if "refused" in record.message] == ["ERROR"]


def test_a_store_that_is_not_there_fails_the_janitor_and_not_the_pipeline(
    started: Past, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    ran = Ran(started, crew=Threads(2)).do(database=tmp_path / "gone.db")
    assert ran.report.status == "failed" and "there is no file" in ran.report.reason
    assert "there is no file" in json.loads(ran.file(ran.report, "report.json"))["reason"]
    assert not ran.plan.plan_id
    assert any(record.levelname == "ERROR" and record.exc_info for record in caplog.records)


def test_another_pipelines_store_is_noticed(started: Past, tmp_path: Path):
    from tests.builders import History

    (tmp_path / "other").mkdir()
    other = History(tmp_path / "other")
    ran = Ran(started, crew=Threads(2)).do(database=other.database)
    assert ran.report.status == "failed"
    assert "same metadata_connection_config as the pipeline" in ran.report.reason


@pytest.mark.parametrize("unique_id", ["", "pod-7f3a"])
def test_a_runner_that_registers_no_execution_is_refused(started: Past, unique_id: str):
    ran = Ran(started, crew=Threads(2), unique_id=unique_id).do()
    assert started.models == ["LIVE"] * 4
    assert ran.report.status == "failed" and f"execution id {unique_id!r}" in ran.report.reason


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyError("No space left on device")]
)
def test_whatever_breaks_is_told_even_without_a_disk(
    started: Past, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
):
    from tfx_janitor.checkpoint_janitor import executor

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(executor, "_leave", broken)
    with caplog.at_level(logging.ERROR):
        ran = Ran(started, crew=Threads(2)).do()
    assert ran.report.status == "failed" and "No space left on device" in ran.report.reason
    assert "No space left on device" in caplog.text


def test_it_fails_the_pipeline_only_when_asked_to(started: Past, tmp_path: Path):
    from tfx_janitor.checkpoint_janitor.executor import CleaningFailed

    with pytest.raises(CleaningFailed, match="there is no file"):
        Ran(started, crew=Threads(2)).do(database=tmp_path / "gone.db", fail_pipeline=True)
    with pytest.raises(CleaningFailed, match="max_items 1"):
        Ran(started, crew=Threads(2)).do(limits={"max_items": 1}, fail_pipeline=True)
    assert started.models == ["LIVE"] * 4


def test_an_item_that_fails_is_no_failure_of_the_janitor(started: Past):
    ran = Ran(started, crew=Denied(2)).do()
    assert started.models == ["DELETED"] * 2 + ["LIVE"] * 2
    assert all(made.model.path.is_dir() for made in started.retrainings)
    assert (ran.report.status, ran.report.failed, ran.report.purged) == ("done", 2, 0)
    assert "failed  Model" in ran.file(ran.report, "report.txt")
    assert "Permission denied" in ran.file(ran.report, "report.txt")


def test_what_was_done_before_the_disk_was_full_is_still_told(started: Past, monkeypatch: pytest.MonkeyPatch):
    from tfx_janitor.checkpoint_janitor import executor

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(executor, "_write_plan", full)
    ran = Ran(started, crew=Threads(2)).do()
    assert started.models == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert (ran.report.status, ran.report.purged) == ("failed", 2)
    assert "purged  Model" in ran.file(ran.report, "report.txt")


def test_a_store_that_stays_busy_costs_only_this_run(started: Past, monkeypatch: pytest.MonkeyPatch):
    impatient(monkeypatch)
    store = started.history.database
    with contextlib.ExitStack() as until_the_end:

        def busy_from_now_on(effect: Effect, change: Callable[[], Any]) -> Any:
            if effect.kind == "rename":
                watching.close()
                until_the_end.enter_context(held(store))
            return change()

        watching = until_the_end.enter_context(contextlib.ExitStack())
        watching.enter_context(effects.watched(busy_from_now_on))
        ran = Ran(started, crew=Threads(1)).do()
    assert ran.report.status == "failed" and "AbortedError" in ran.report.reason
    # What it did before it lost the store is told all the same.
    assert (ran.report.marked, ran.report.purged) == (5, 2)
    assert "purged  " in ran.file(ran.report, "report.txt")

    assert Ran(started, crew=Threads(1)).do().report.status == "done"
    assert started.models == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert not list(started.history.root.rglob(TRASH))


def test_a_trash_that_cannot_be_made_stops_no_pipeline(started: Past):
    from tfx_janitor.checkpoint_janitor.executor import CleaningFailed
    from tfx_janitor.deletion import acts

    obstacle = started.retrainings[0].model.path.parent / TRASH
    obstacle.write_text("a file where the trash would be")
    ran = Ran(started, crew=Threads(2)).do()
    assert (ran.report.status, ran.report.failed, ran.report.pruned) == ("done", 2, 3)
    assert TRASH in ran.report.reason
    told = [o for act in acts.read(started.history.store) for o in act.outcomes if o.done == "failed"]
    assert [outcome.artifact_id for outcome in told] == [made.model.id for made in started.retrainings[:2]]
    assert all(made.model.path.is_dir() for made in started.retrainings)

    with pytest.raises(CleaningFailed, match="2 failed; artifact .*" + re.escape(TRASH)):
        Ran(started, crew=Threads(2)).do(fail_pipeline=True)
    obstacle.unlink()
    assert Ran(started, crew=Threads(2)).do().report.failed == 0
    assert started.models == ["DELETED", "DELETED", "LIVE", "LIVE"]


def test_a_full_disk_stops_no_pipeline(started: Past):
    from tfx_janitor.checkpoint_janitor.executor import CleaningFailed

    def full(effect: Effect, change: Callable[[], Any]) -> Any:
        own = effect.subject.startswith((".plan.json", ".report.", ".policy.json"))
        if effect.kind in ("create", "write", "mkdir") and not own:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), effect.subject)
        return change()

    with effects.watched(full):
        ran = Ran(started, crew=Threads(2)).do()
        assert ran.report.status == "done" and ran.report.failed > 0
        assert "No space left on device" in ran.report.reason
        with pytest.raises(CleaningFailed, match="No space left on device"):
            Ran(started, crew=Threads(2)).do(fail_pipeline=True)
    assert all(made.model.path.is_dir() for made in started.retrainings)

    assert Ran(started, crew=Threads(2)).do().report.failed == 0
    assert started.models == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert not any(made.model.path.exists() for made in started.retrainings[:2])


@pytest.mark.parametrize("policy", ["", "{", '{"version": 1, "roots": ["/"], "rules": []}'])
def test_a_policy_that_is_none_stops_no_pipeline(started: Past, policy: str):
    from tfx_janitor.checkpoint_janitor.executor import CleaningFailed

    ran = Ran(started, crew=Threads(2)).do(parameters={"policy": policy})
    assert ran.report.status == "failed" and "the policy of CheckpointJanitor" in ran.report.reason
    assert started.models == ["LIVE"] * 4
    with pytest.raises(CleaningFailed, match="the policy of CheckpointJanitor"):
        Ran(started, crew=Threads(2)).do(parameters={"policy": policy}, fail_pipeline=True)


def test_a_runner_that_cannot_be_trusted_deletes_nothing(started: Past, monkeypatch: pytest.MonkeyPatch):
    from tfx_janitor.checkpoint_janitor import executor

    class DaskRunner:
        pass

    class Pipeline:
        runner = DaskRunner()

    monkeypatch.setattr(executor.Executor, "_make_beam_pipeline", lambda self: Pipeline())
    ran = Ran(started).do()
    assert started.models == ["LIVE"] * 4
    assert ran.report.status == "failed" and "DaskRunner" in ran.report.reason


class Denied(Threads):
    """A crew that may look at everything and purge nothing."""

    def run(self, task: str, work: Callable, items: Sequence) -> list:
        if task == "purge":
            return [Failed("Permission denied: /pipelines/inception") for _ in items]
        return super().run(task, work, items)
