"""Marks that wait in good order when their grace is over: of what a person discarded, and a hold holds."""

from __future__ import annotations

from collections.abc import Mapping

from tfx_janitor.audit.of_lineage import PATIENCE
from tfx_janitor.deletion.marks import ArtifactMark
from tfx_janitor.deletion.seals import as_written
from tfx_janitor.deletion.second_judgement import SecondJudgement
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.retention.timestamps import to_ms


def held_marks(site: Site, snapshot: Snapshot, marks: Mapping[int, ArtifactMark]) -> frozenset[int]:
    """Ids of artifacts that a purge would leave marked, because a hold holds them; they go when it ends."""
    judges = SecondJudgement(site, snapshot, None)
    overdue = site.now_ms - to_ms(PATIENCE)
    found: set[int] = set()
    for artifact_id, mark in marks.items():
        row = snapshot.row(artifact_id)
        if row is None or snapshot.artifacts.state[row] != ArtifactState.MARKED_FOR_DELETION:
            continue
        # Judging looks at payloads, so only what would be a finding is judged.
        if not (mark.discarded and mark.due(overdue) and as_written(mark.act)):
            continue
        decision = judges.of(mark.act, artifact_id)
        reasons = decision.reasons if decision is not None and decision.verdict == "keep" else ()
        if any(reason.code.startswith("hold.") for reason in reasons):
            found.add(artifact_id)
    return frozenset(found)
