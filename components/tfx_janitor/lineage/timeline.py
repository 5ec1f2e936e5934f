"""The store as it was at an earlier moment, as far as a store of the present can tell.

MLMD keeps every row, but of each row only the last state. What was created or recorded later is known
exactly, and left out. What changed later is not, and is taken back by these rules:

- An execution that was last updated later than the moment was RUNNING: pipelines update an execution once,
  when it ends. Its last sign of life is taken to be the moment itself.
- An artifact that was last updated later had the state that the janitor's acts up to the moment gave it: they
  mark (then it was MARKED_FOR_DELETION), or they rescue or restore (then it was LIVE). Where no act tells,
  one that is MARKED_FOR_DELETION or DELETED was LIVE, and every other state stands. An act names what it was
  about to touch, so an artifact that it skipped counts as touched until it is updated again.
- Properties, names and URIs have no history: they are as they are today.
"""

from __future__ import annotations

import dataclasses
from itertools import compress

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.snapshot import (
    Artifacts,
    ArtifactState,
    Events,
    Executions,
    ExecutionState,
    Ints,
    Pin,
    Snapshot,
    SparseColumn,
)

Mask = npt.NDArray[np.bool_]

_STATE_AFTER = {
    "mark": ArtifactState.MARKED_FOR_DELETION,
    "purge": ArtifactState.MARKED_FOR_DELETION,
    "rescue": ArtifactState.LIVE,
    "restore": ArtifactState.LIVE,
}
"""By the key of an act's event: the artifact's state until it is updated again. A purge updates it last."""


def as_of(snapshot: Snapshot, moment_ms: int) -> Snapshot:
    """The store as it was at a moment; what happened in that very millisecond had happened.

    Args:
      moment_ms: milliseconds since the epoch.

    Returns:
      A snapshot of its own, with rows numbered anew and the tuples of names as they were. Cost: linear in the
      snapshot.
    """
    artifacts = snapshot.artifacts.created_ms <= moment_ms
    executions = snapshot.executions.created_ms <= moment_ms
    events = _events(snapshot.events, artifacts, executions, moment_ms)
    then = Snapshot(
        _artifacts(snapshot.artifacts, artifacts, moment_ms),
        _executions(snapshot.executions, executions, moment_ms),
        events,
        tuple(_pin(pin, moment_ms) for pin in snapshot.pins if pin.since_ms <= moment_ms),
    )
    later = snapshot.artifacts.updated_ms[artifacts] > moment_ms
    return dataclasses.replace(
        then, artifacts=dataclasses.replace(then.artifacts, state=_states(then, later))
    )


def _artifacts(artifacts: Artifacts, kept: Mask, moment_ms: int) -> Artifacts:
    number = _numbered(kept)
    return dataclasses.replace(
        artifacts,
        id=artifacts.id[kept],
        type=artifacts.type[kept],
        state=artifacts.state[kept],
        created_ms=artifacts.created_ms[kept],
        updated_ms=np.minimum(artifacts.updated_ms[kept], moment_ms),
        uri=tuple(compress(artifacts.uri, kept)),
        properties={name: _column(column, kept, number) for name, column in artifacts.properties.items()},
    )


def _column(column: SparseColumn, kept: Mask, number: Ints) -> SparseColumn:
    here = kept[column.rows]
    return SparseColumn(number[column.rows[here]], tuple(compress(column.values, here)))


def _executions(executions: Executions, kept: Mask, moment_ms: int) -> Executions:
    updated = executions.updated_ms[kept]
    state = executions.state[kept]
    state[updated > moment_ms] = ExecutionState.RUNNING
    return dataclasses.replace(
        executions,
        id=executions.id[kept],
        type=executions.type[kept],
        state=state,
        created_ms=executions.created_ms[kept],
        updated_ms=np.minimum(updated, moment_ms),
        pipeline=executions.pipeline[kept],
        run=executions.run[kept],
        node=executions.node[kept],
    )


def _events(events: Events, artifacts: Mask, executions: Mask, moment_ms: int) -> Events:
    kept = (events.time_ms <= moment_ms) & artifacts[events.artifact] & executions[events.execution]
    return dataclasses.replace(
        events,
        artifact=_numbered(artifacts)[events.artifact[kept]],
        execution=_numbered(executions)[events.execution[kept]],
        kind=events.kind[kept],
        key=events.key[kept],
        time_ms=events.time_ms[kept],
    )


def _pin(pin: Pin, moment_ms: int) -> Pin:
    released_later = pin.released_ms is not None and pin.released_ms > moment_ms
    return dataclasses.replace(pin, released_ms=None) if released_later else pin


def _states(then: Snapshot, later: Mask) -> Ints:
    """States at the moment.

    Args:
      then: the store at the moment, with states of today.
      later: per artifact, whether it was updated after the moment.
    """
    state = then.artifacts.state.copy()
    state[later & np.isin(state, (ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED))] = (
        ArtifactState.LIVE
    )
    events = then.events
    after = np.array([_STATE_AFTER.get(name, -1) for name in (*events.key_names, "")], state.dtype)[
        events.key
    ]
    told = np.flatnonzero((after >= 0) & then.janitor_executions[events.execution] & later[events.artifact])
    # Acts ascend with their ids, so writing from first to last leaves the last in place.
    told = told[np.argsort(events.execution[told], kind="stable")]
    state[events.artifact[told]] = after[told]
    return state


def _numbered(kept: Mask) -> Ints:
    """Per old row that is kept: its new row."""
    return np.cumsum(kept) - 1
