"""The effect of a CheckpointJanitor: opens the store, lets Beam do the work, leaves a plan and a report."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import time
from collections.abc import Iterable
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from tfx_janitor.checkpoint_janitor import own_run
from tfx_janitor.checkpoint_janitor.artifacts import (
    PAGE_FILE,
    PLAN_FILE,
    POLICY_FILE,
    REPORT_FILE,
    REPORT_TEXT_FILE,
)
from tfx_janitor.checkpoint_janitor.cleaning import clean
from tfx_janitor.checkpoint_janitor.options import FAIL_PIPELINE, Options
from tfx_janitor.checkpoint_janitor.own_run import OwnRun
from tfx_janitor.checkpoint_janitor.page import page_of
from tfx_janitor.checkpoint_janitor.report import Report
from tfx_janitor.checkpoint_janitor.unrooted import pipeline_root
from tfx_janitor.deletion.account import Account
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage import connection, read_api
from tfx_janitor.payload.places import resolve
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report import file
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.crew import Crew
from tfx_janitor.transforms import BeamCrew

PLAN, REPORT = "plan", "report"
"""Output keys."""

NOT_ASKED = "html=False"
"""Why there is no page, where nobody wants one."""

_REASON_LENGTH = 1000
"""Characters of a reason that go into MLMD; the report's files have all of it."""

_log = logging.getLogger(__name__)

_Artifacts = dict[str, list[types.Artifact]]


class CleaningFailed(JanitorError):
    """The janitor failed or refused, and was asked to fail the pipeline then."""


class Executor(base_beam_executor.BaseBeamExecutor):
    """Cleans up after the pipeline that it is part of. Needs `BeamExecutorSpec`."""

    def Do(self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]) -> None:
        """Judges the pipeline's artifacts, marks what may go, and purges what was marked a grace ago.

        Args:
          input_dict: not looked at. Inputs are there to put the janitor behind the nodes that make them; what
            is judged comes from MLMD.
          output_dict: `plan`, one JanitorPlan, and `report`, one JanitorReport.
          exec_properties: as `Options.to_parameters` makes them.

        Raises:
          CleaningFailed: something went wrong, and `fail_pipeline` is set. Nothing else, whatever happens.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        plan_artifact = artifact_utils.get_single_instance(output_dict[PLAN])
        report_artifact = artifact_utils.get_single_instance(output_dict[REPORT])
        report = Report(self._actor(), time.time_ns() // 1_000_000, "failed")
        account = Account()
        try:
            options = Options.from_parameters(exec_properties)
            policy = self._policy(options, plan_artifact.uri)
            site, own = self._site(options, report, account)
            report = clean(site, policy, own)
            if report.plan is not None:
                _write_plan(plan_artifact, report.plan, policy.digest)
            _write_report(report_artifact, report)
            report_artifact.page_missing = (
                _leave_page(report_artifact, site, policy) if options.html else NOT_ASKED
            )
        except Exception as error:
            # A janitor must not break the pipeline that it cleans up after, whatever happens to it: a
            # broken disk, a busy store, a runner that dies. Every act is safe to be cut off, and the next run
            # goes on from there. The log and the artifact tell what happened, and its files if they can still
            # be written: an error that comes of telling the first one must not take its place.
            _log.exception("%s failed", report.actor)
            outcomes = report.outcomes or tuple(account.outcomes)
            report = dataclasses.replace(report, status="failed", reason=_words(error), outcomes=outcomes)
            report_artifact.page_missing = "the janitor failed"
            with contextlib.suppress(Exception):
                _write_report(report_artifact, report)
        _describe(report_artifact, report)
        for caution in report.cautions:
            _log.warning("%s: %s: %s", report.actor, caution.field, caution.message)
        _log.log(logging.INFO if report.well else logging.ERROR, "%s", report.headline)
        if exec_properties.get(FAIL_PIPELINE) and not report.well:
            raise CleaningFailed(report.headline)

    def _policy(self, options: Options, plan_uri: str) -> RetentionPolicy:
        """The policy; the pipeline root is the root of one that has none."""
        if isinstance(options.policy, RetentionPolicy):
            return options.policy
        root = pipeline_root(plan_uri, node=self._node(), output=PLAN, execution=self._execution())
        return options.policy.rooted_in(root)

    def _site(self, options: Options, begun: Report, account: Account) -> tuple[Site, OwnRun]:
        execution = self._execution()
        store = connection.open_config(options.metadata, readonly=False)
        own = own_run.find(read_api.read(store), execution, pipeline=self._pipeline(), node=self._node())
        site = Site(
            store=store,
            metadata=connection.url_of(options.metadata),
            actor=begun.actor,
            now_ms=begun.now_ms,
            crew=self._crew(),
            own_execution=own.execution,
            only_pipeline=None if options.whole_store else own.pipeline,
            account=account,
        )
        return site, own

    def _crew(self) -> Crew:
        """Who does the work on payloads: the pipeline's own Beam runner."""
        # The answers lie in the execution's temporary directory, which the launcher removes.
        return BeamCrew(self._make_beam_pipeline, self._get_tmp_dir())

    def _execution(self) -> int:
        # The launchers of all TFX versions give the execution's MLMD id as the unique id.
        unique_id = str((self._context and self._context._unique_id) or "")
        if not unique_id.isdecimal():
            raise JanitorError(
                "expected to be run as an MLMD execution, by LocalDagRunner, BeamDagRunner or another runner "
                f"that registers one, got the execution id {unique_id!r}; elsewhere use `tfx-janitor gc`"
            )
        return int(unique_id)

    def _pipeline(self) -> str | None:
        info = self._context.pipeline_info if self._context else None
        return info.id if info is not None and info.id else None

    def _node(self) -> str | None:
        node = self._context.pipeline_node if self._context else None
        return node.node_info.id if node is not None and node.node_info.id else None

    def _actor(self) -> str:
        return f"{self._node() or 'CheckpointJanitor'} in {self._pipeline() or 'no known pipeline'}"


def _write_plan(artifact: types.Artifact, plan: Plan, policy_digest: str) -> None:
    summary = plan.summary
    artifact.plan_id = plan.id
    artifact.policy_digest = policy_digest
    for name in ("artifacts", "keep", "delete", "unknown", "ungoverned"):
        setattr(artifact, name, getattr(summary, name))
    artifact.checkpoints_delete = summary.checkpoints_delete
    artifact.bytes_reclaimable = summary.bytes_reclaimable
    _leave(artifact, PLAN_FILE, plan.to_json())


def _write_report(artifact: types.Artifact, report: Report) -> None:
    _leave(artifact, REPORT_FILE, [json.dumps(report.to_dict(), indent=2), "\n"])
    _leave(artifact, REPORT_TEXT_FILE, [report.to_text()])


def _leave_page(artifact: types.Artifact, site: Site, policy: RetentionPolicy) -> str:
    """Gives why there is no page, empty if there is one: the work is done, and no page may spoil it."""
    try:
        policy_file = os.path.join(artifact.uri, POLICY_FILE)
        page = page_of(site, policy, policy_file, time.time_ns() // 1_000_000)
        _leave(artifact, POLICY_FILE, [json.dumps(policy.to_dict(), indent=2), "\n"])
        _leave(artifact, PAGE_FILE, [page])
    except Exception as error:
        _log.exception("%s left no page", site.actor)
        return _words(error)[:_REASON_LENGTH]
    return ""


def _describe(artifact: types.Artifact, report: Report) -> None:
    artifact.status = report.status
    artifact.reason = report.complaint[:_REASON_LENGTH]
    if report.plan is not None:
        artifact.plan_id = report.plan.id
    for done, number in report.counts.items():
        setattr(artifact, done, number)
    artifact.bytes_freed = report.bytes_freed


def _leave(artifact: types.Artifact, name: str, pieces: Iterable[str]) -> None:
    """Writes one file of an output: whole, or not at all."""
    fileio.makedirs(artifact.uri)
    place = resolve(artifact.uri)
    if place.local:
        file.put(os.path.join(place.path, name), pieces)
        return
    # On an object store nothing is to be seen of an object before it is closed.
    with fileio.open(os.path.join(artifact.uri, name), "w") as remote:
        for piece in pieces:
            remote.write(piece)


def _words(error: Exception) -> str:
    # Errors that are meant for people speak for themselves.
    return str(error) if isinstance(error, JanitorError) else f"{type(error).__name__}: {error}"
