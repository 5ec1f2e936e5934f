"""Readable names for the nodes of a lineage path, instead of bare ids."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, ArtifactState, ExecutionState, Snapshot, state_name
from tfx_janitor.report.text import printable
from tfx_janitor.retention.plan import Step


class LineageNames:
    """Names the artifacts, executions and pins of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Takes the snapshot that the paths were found in."""
        self._snapshot = snapshot
        self._pins = {pin.context_id: pin for pin in snapshot.pins}

    def path(self, steps: Sequence[Step]) -> list[str]:
        """One name for each step."""
        return [printable(self.name(step)) for step in steps]

    def name(self, step: Step) -> str:
        """`Model 12`, `execution 7 (Trainer, run X, COMPLETE)`, `pin of anna@host`."""
        kind, number = step
        if kind == "artifact":
            return self._artifact(number)
        if kind == "execution":
            return self._execution(number)
        pin = self._pins.get(number)
        return f"{kind} {number}" if pin is None else f"pin of {pin.actor}"

    def artifact_id(self, row: int) -> int:
        """MLMD id of a row of the snapshot."""
        return int(self._snapshot.artifacts.id[row])

    def _artifact(self, artifact_id: int) -> str:
        row = self._snapshot.row(artifact_id)
        if row is None:
            return f"artifact {artifact_id}"
        state = int(self._snapshot.artifacts.state[row])
        beside = "" if state == ArtifactState.LIVE else f" ({state_name(state)})"
        return f"{self._snapshot.type_of(row)} {artifact_id}{beside}"

    def _execution(self, execution_id: int) -> str:
        row = self._snapshot.execution_row(execution_id)
        if row is None:
            return f"execution {execution_id}"
        executions = self._snapshot.executions
        node, run, state = int(executions.node[row]), int(executions.run[row]), int(executions.state[row])
        type_name = executions.type_names[executions.type[row]]
        known = [executions.node_names[node]] if node >= 0 else []
        if type_name.startswith(ACT_TYPE_PREFIX):
            known = [type_name.removeprefix(ACT_TYPE_PREFIX)]
        known += [f"run {executions.run_names[run]}"] if run >= 0 else []
        known.append(ExecutionState(state).name if state in list(ExecutionState) else str(state))
        return f"execution {execution_id} ({', '.join(known)})"
