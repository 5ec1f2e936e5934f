"""Findings that the lineage alone shows: pure, from the case and from what the janitor's acts tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tfx_janitor.audit.finding import Finding
from tfx_janitor.deletion.marks import ArtifactMark
from tfx_janitor.lineage.snapshot import ArtifactState, ExecutionState
from tfx_janitor.retention.case import MODEL_BLESSING, PRESENT, PUSHED_MODEL, Case
from tfx_janitor.retention.plan import Step
from tfx_janitor.retention.timestamps import shown, to_ms

PATIENCE = timedelta(days=7)
"""How long something may take that should be over, before it is a finding."""

_REFERENCES = {
    MODEL_BLESSING: ("current_model_id", "baseline_model_id"),
    PUSHED_MODEL: ("source_model_id", "source_infra_blessing_id"),
}
"""By type, the properties that hold ids of other artifacts."""


def stale_executions(case: Case) -> Iterator[Finding]:
    """Executions that still hold what they used, and were last heard of long ago."""
    executions, since = case.snapshot.executions, case.now_ms - to_ms(PATIENCE)
    for row in np.flatnonzero(case.active & (executions.updated_ms < since)).tolist():
        execution_id = int(executions.id[row])
        used = sorted({int(case.snapshot.artifacts.id[artifact]) for artifact in case.uses(row)})
        node = executions.node_names[executions.node[row]] if executions.node[row] >= 0 else None
        state = ExecutionState(int(executions.state[row])).name
        detail = f"{node or 'an execution'} is {state} since {shown(int(executions.updated_ms[row]))}"
        yield Finding(
            "stale-execution",
            f"{detail}, and holds {_artifacts(len(used))}" if used else detail,
            execution_id=execution_id,
            evidence={"state": state, "node": node, "holds": used},
            mend=("close", str(execution_id), "--reason", "it died"),
        )


def dangling_references(case: Case) -> Iterator[Finding]:
    """Ids in properties that the store does not know. What is DELETED is known."""
    snapshot = case.snapshot
    for type_name, names in _REFERENCES.items():
        for row in snapshot.rows_of_type(type_name):
            if snapshot.artifacts.state[row] != ArtifactState.LIVE:
                continue
            for name in names:
                named = snapshot.property(row, name)
                if isinstance(named, int) and named > 0 and snapshot.row(named) is None:
                    artifact_id = int(snapshot.artifacts.id[row])
                    yield Finding(
                        "dangling-reference",
                        f"{type_name} names artifact {named} as its {name}, which is not in the store",
                        artifact_id=artifact_id,
                        evidence={"property": name, "value": named},
                        mend=("discard", str(artifact_id), "--reason", f"its {name} is unknown"),
                    )


@dataclass(frozen=True, slots=True)
class Unblessed:
    """A push of a Model that its evaluation had not blessed: rows of all four, and of the execution."""

    pushed: int
    execution: int
    model: int
    blessing: int

    def path(self, case: Case) -> tuple[Step, ...]:
        """From the PushedModel to the verdict."""
        return (
            case.artifact_step(self.pushed),
            case.execution_step(self.execution),
            case.artifact_step(self.model),
            case.artifact_step(self.blessing),
        )


def unblessed_pushes(case: Case) -> dict[int, Unblessed]:
    """By PushedModel, pushes of Models that an evaluation looked at and none blessed."""
    snapshot = case.snapshot
    refused: dict[int, int] = {}
    for blessing in snapshot.rows_of_type(MODEL_BLESSING):
        named = snapshot.property(blessing, "current_model_id")
        model = snapshot.row(named) if isinstance(named, int) else None
        if model is not None and snapshot.property(blessing, "blessed") != 1:
            refused.setdefault(model, blessing)
    return {
        pushed: Unblessed(pushed, execution, model, refused[model])
        for model, pushes in case.pushes.items()
        if model in refused and model not in case.blessings
        for execution, pushed in pushes
        if snapshot.artifacts.state[pushed] in PRESENT
    }


def stuck_marks(
    case: Case, marks: Mapping[int, ArtifactMark], held: Collection[int] = ()
) -> Iterator[Finding]:
    """Marks that nobody made here, and marks whose grace was over long ago.

    Args:
      held: ids of artifacts that wait for the end of a hold, and not for a purge.
    """
    artifacts = case.snapshot.artifacts
    for row in np.flatnonzero(artifacts.state == ArtifactState.MARKED_FOR_DELETION).tolist():
        artifact_id = int(artifacts.id[row])
        mark = marks.get(artifact_id)
        if mark is None:
            since = int(artifacts.updated_ms[row])
            detail = f"it is MARKED_FOR_DELETION, and no act here marked it; last changed {shown(since)}"
        else:
            since = mark.act.at_ms + int(mark.act.details["grace_ms"])
            if case.now_ms < since + to_ms(PATIENCE) or artifact_id in held:
                continue
            came = "a purge failed at it: its history tells why" if mark.unfinished else "no purge came"
            detail = f"act {mark.act.id} marked it, its grace was over {shown(since)}, and {came}"
        yield Finding(
            "stuck-mark",
            detail,
            artifact_id=artifact_id,
            evidence={"marked_by_act": None if mark is None else mark.act.id, "since_ms": since},
            mend=("restore", str(artifact_id)) if mark is None else ("purge",),
        )


def _artifacts(number: int) -> str:
    return "1 artifact" if number == 1 else f"{number} artifacts"
