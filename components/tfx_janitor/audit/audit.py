"""Puts metadata, storage and serving against each other; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tfx_janitor.audit import of_lineage, of_payloads, of_serving, of_strangers, refusals
from tfx_janitor.audit.finding import Finding
from tfx_janitor.audit.held import held_marks
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.marks import artifact_marks
from tfx_janitor.deletion.orphan_marks import orphan_marks
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload import loading
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.survey.strangers import find_strangers


@dataclass(frozen=True)
class Audit:
    """What was looked at, and what was found.

    Attributes:
      findings: the worst first.
      artifacts, executions: how many the store has, or the pipeline in question.
      level: how thoroughly payloads were verified.
    """

    findings: tuple[Finding, ...]
    artifacts: int
    executions: int
    level: Level


def audit(site: Site, policy: RetentionPolicy, level: Level, *, snapshot: Snapshot | None = None) -> Audit:
    """Looks at everything once; of a site that is restricted to one pipeline, only at what is of that.

    Args:
      policy: says which directories are served, and what counts as dead; it decides nothing here.
      level: how thoroughly to verify payloads; STRUCTURE reads no tensors.
      snapshot: the store, if it was read already.

    Raises:
      NotInstalled: payloads are to be loaded, and there is no TensorFlow.
    """
    if level is Level.LOAD:
        loading.require()
    snapshot = site.read() if snapshot is None else snapshot
    known = acts.read(site.store)
    marks = artifact_marks(known)
    case = site.case(snapshot, policy)
    seen = of_payloads.look(case, site.crew, level)
    searched = of_payloads.search(case, site.crew)
    found = [
        *of_lineage.stale_executions(case),
        *of_lineage.dangling_references(case),
        *of_lineage.stuck_marks(case, marks, held_marks(site, snapshot, marks)),
        *of_payloads.absences(case, seen, marks),
        *of_payloads.remains(case, seen, site.crew, marks),
        *of_payloads.orphans(case, searched, site.crew, orphan_marks(known)),
        *of_payloads.incomplete(case, seen),
        *of_payloads.damaged_models(case, seen),
        *of_payloads.broken_checkpoints(case, seen),
        *of_payloads.shared(case, seen),
    ]
    found = [finding for finding in found if _concerns(case, finding)]
    strangers = find_strangers(case, site.crew, partial(read_api.registered, site.store))
    found += of_strangers.findings(strangers)
    served = of_serving.look(case, site.crew, level)
    found += of_serving.findings(case, served)
    refused = [*of_payloads.refusals(case, seen, site.crew), *of_serving.refusals(case, served, site.crew)]
    found += refusals.findings(refused)
    found += of_payloads.unsearched((*searched.unread, *strangers.unread), refused)
    found.sort(key=lambda finding: finding.order)
    artifacts, executions = _looked_at(case)
    return Audit(tuple(found), artifacts, executions, level)


def _looked_at(case: Case) -> tuple[int, int]:
    """How many artifacts and executions are in question."""
    snapshot, names = case.snapshot, case.snapshot.executions.pipeline_names
    if case.only_pipeline is None:
        return len(snapshot.artifacts), len(snapshot.executions)
    if case.only_pipeline not in names:
        return 0, 0
    own = names.index(case.only_pipeline)
    return int((snapshot.pipeline == own).sum()), int((snapshot.executions.pipeline == own).sum())


def _concerns(case: Case, finding: Finding) -> bool:
    """Whether a finding is about what the pipeline in question produced or ran, if only one is.

    What is wrong between two artifacts is of the owners of both.
    """
    if case.only_pipeline is None:
        return True
    snapshot, owners = case.snapshot, set[str | None]()
    for artifact_id in (finding.artifact_id, finding.evidence.get("other")):
        row = snapshot.row(artifact_id) if isinstance(artifact_id, int) else None
        if row is not None:
            owners.add(snapshot.pipeline_of(row))
    if finding.execution_id is not None:
        execution = snapshot.execution_row(finding.execution_id)
        pipeline = -1 if execution is None else int(snapshot.executions.pipeline[execution])
        owners.add(snapshot.executions.pipeline_names[pipeline] if pipeline >= 0 else None)
    return case.only_pipeline in owners
