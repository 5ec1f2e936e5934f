"""The pipeline run that the janitor is part of: which one it is, and whether anything in it went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ACTIVE, SUCCESSFUL, ExecutionState, Snapshot


@dataclass(frozen=True, slots=True)
class OwnRun:
    """The janitor's own pipeline and run.

    Attributes:
      execution: MLMD id of the execution that the janitor runs as.
      troubles: what went wrong in this run, one sentence a node; the janitor then deletes nothing.
    """

    execution: int
    pipeline: str
    run: str
    troubles: tuple[str, ...]


def find(snapshot: Snapshot, execution: int, *, pipeline: str | None, node: str | None) -> OwnRun:
    """Finds the run that an execution is part of.

    Args:
      execution: MLMD id of the janitor's own execution.
      pipeline: the pipeline that the orchestrator says it is part of, if it says.
      node: the node that the orchestrator says it is, if it says.

    Raises:
      JanitorError: the store does not know this execution as that. Then it is not the pipeline's own store:
        its ids mean something else, and everything that the pipeline uses would look unused.
    """
    executions = snapshot.executions
    row = snapshot.execution_row(execution)
    expected = f"execution {execution} of node {node or '(any)'} in pipeline {pipeline or '(any)'}, under way"
    if row is None:
        raise _foreign(expected, "none of that id")
    found_pipeline = _name(executions.pipeline_names, executions.pipeline[row])
    found_node = _name(executions.node_names, executions.node[row])
    state = ExecutionState(int(executions.state[row]))
    run = int(executions.run[row])
    if run < 0 and found_pipeline is not None and pipeline in (None, found_pipeline):
        raise JanitorError(
            f"expected execution {execution} to be part of a run of pipeline {found_pipeline}, found it in "
            "none: InteractiveContext runs every node by itself, so nobody knows what else is under way; run "
            "the pipeline by LocalDagRunner or another runner, or use `tfx-janitor gc`"
        )
    if (
        state not in ACTIVE
        or run < 0
        or found_pipeline is None
        or pipeline not in (None, found_pipeline)
        or node not in (None, found_node)
    ):
        raise _foreign(
            expected, f"one of node {found_node} in pipeline {found_pipeline}, which is {state.name}"
        )
    return OwnRun(execution, found_pipeline, executions.run_names[run], _troubles(snapshot, run))


def _troubles(snapshot: Snapshot, run: int) -> tuple[str, ...]:
    executions = snapshot.executions
    # An orchestrator that tries a node again makes a new execution: the last one counts, and rows ascend with
    # ids.
    latest = {int(executions.node[row]): int(row) for row in np.flatnonzero(executions.run == run)}
    troubles = []
    for node, row in latest.items():
        state = int(executions.state[row])
        # What is active is the janitor itself, or another branch: `hold.active-run` holds what that uses.
        if state in (*ACTIVE, *SUCCESSFUL):
            continue
        name = _name(executions.node_names, node) or "a node without a name"
        troubles.append(f"{name} is {ExecutionState(state).name} (execution {executions.id[row]})")
    return tuple(troubles)


def _foreign(expected: str, found: str) -> JanitorError:
    return JanitorError(
        f"expected the metadata store to have {expected}, found {found}; give CheckpointJanitor the same "
        "metadata_connection_config as the pipeline"
    )


def _name(names: tuple[str, ...], number: int) -> str | None:
    return names[number] if number >= 0 else None
