"""What ML Metadata knew at one moment, as an immutable value in columns.

A row number stands for an artifact or an execution everywhere in this package; MLMD ids appear only where
people or MLMD itself read them. Low-cardinality columns are integers into a tuple of names, properties are
sparse, and events are two sorted indexes over one table, so that a store of a million artifacts stays well
below a gigabyte.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer]
Value = str | int | float | bool


class ArtifactState(enum.IntEnum):
    """States of MLMD's Artifact message, by its numbers."""

    UNKNOWN = 0
    PENDING = 1
    LIVE = 2
    MARKED_FOR_DELETION = 3
    DELETED = 4
    ABANDONED = 5
    REFERENCE = 6


_STATE_NAMES = {int(state): state.name for state in ArtifactState}


def state_name(state: int) -> str:
    """Name of an artifact's state; of one that MLMD may add some day, its number."""
    return _STATE_NAMES.get(state, str(state))


class ExecutionState(enum.IntEnum):
    """States of MLMD's Execution message, by its numbers."""

    UNKNOWN = 0
    NEW = 1
    RUNNING = 2
    COMPLETE = 3
    FAILED = 4
    CACHED = 5
    CANCELED = 6


class EventKind(enum.IntEnum):
    """Types of MLMD's Event message, by its numbers."""

    UNKNOWN = 0
    DECLARED_OUTPUT = 1
    DECLARED_INPUT = 2
    INPUT = 3
    OUTPUT = 4
    INTERNAL_INPUT = 5
    INTERNAL_OUTPUT = 6
    PENDING_OUTPUT = 7


ACTIVE = (ExecutionState.NEW, ExecutionState.RUNNING)
SUCCESSFUL = (ExecutionState.COMPLETE, ExecutionState.CACHED)
INPUTS = (EventKind.INPUT, EventKind.DECLARED_INPUT)
OUTPUTS = (EventKind.OUTPUT, EventKind.DECLARED_OUTPUT)

ACT_TYPE_PREFIX = "tfx_janitor.act."
"""Execution types of the janitor's own acts begin so. They record; they never use an artifact. One that made
an artifact is a rollback.

The components are no acts: their types are class paths, such as
`tfx_janitor.verified_pusher.component.VerifiedPusher`.
"""


@dataclass(frozen=True, eq=False)
class SparseColumn:
    """One property over all artifacts: the rows that have it, ascending, and their values."""

    rows: Ints
    values: tuple[Value, ...]

    def get(self, row: int) -> Value | None:
        """The value at a row, None where there is none."""
        at = int(self.rows.searchsorted(row))
        return self.values[at] if at < len(self.rows) and self.rows[at] == row else None

    def items(self) -> Iterator[tuple[int, Value]]:
        """Pairs of row and value."""
        return zip(map(int, self.rows), self.values, strict=True)


@dataclass(frozen=True, eq=False)
class Artifacts:
    """The Artifact table: n rows in ascending id.

    Attributes:
      id, type, state, created_ms, updated_ms: integer columns of length n; type indexes `type_names`.
      uri: as stored, n strings.
      properties: properties and custom properties by name; on a clash the property wins, as in TFX.
    """

    id: Ints
    type: Ints
    state: Ints
    created_ms: Ints
    updated_ms: Ints
    uri: tuple[str, ...]
    type_names: tuple[str, ...]
    properties: Mapping[str, SparseColumn]

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class Executions:
    """The Execution table: m rows in ascending id.

    Attributes:
      type, pipeline, run, node: integer columns into the tuples of names; -1 where an execution has no such
        context. A run is identified by its pipeline_run context, whose name alone need not be unique.
    """

    id: Ints
    type: Ints
    state: Ints
    created_ms: Ints
    updated_ms: Ints
    pipeline: Ints
    run: Ints
    node: Ints
    type_names: tuple[str, ...]
    pipeline_names: tuple[str, ...]
    run_names: tuple[str, ...]
    node_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class Events:
    """The Event table: k rows.

    Attributes:
      artifact, execution: rows of the two other tables.
      kind: numbers of `EventKind`.
      key: indexes `key_names`, -1 where an event has none.
      time_ms: when it was recorded; no order of rows follows from it.
    """

    artifact: Ints
    execution: Ints
    kind: Ints
    key: Ints
    time_ms: Ints
    key_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.artifact)


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's word that an artifact must stay.

    Attributes:
      context_id: MLMD id of the Context that holds it.
      until_ms: end of the pin, None for ever.
      released_ms: when it was taken back, None while it stands.
    """

    context_id: int
    artifact_id: int
    reason: str
    actor: str
    since_ms: int
    until_ms: int | None = None
    released_ms: int | None = None

    def stands(self, now_ms: int) -> bool:
        """Whether the pin holds at a moment."""
        if self.released_ms is not None and self.released_ms <= now_ms:
            return False
        return self.until_ms is None or now_ms < self.until_ms


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All of one MLMD store that the janitor needs, read once."""

    artifacts: Artifacts
    executions: Executions
    events: Events
    pins: tuple[Pin, ...] = field(default=())

    def row(self, artifact_id: int) -> int | None:
        """Row of an artifact id."""
        return _find(self.artifacts.id, artifact_id)

    def execution_row(self, execution_id: int) -> int | None:
        """Row of an execution id."""
        return _find(self.executions.id, execution_id)

    def type_of(self, row: int) -> str:
        """Name of the artifact's type."""
        return self.artifacts.type_names[self.artifacts.type[row]]

    def property(self, row: int, name: str) -> Value | None:
        """A property or custom property of an artifact."""
        column = self.artifacts.properties.get(name)
        return None if column is None else column.get(row)

    def properties_of(self, row: int) -> dict[str, Value]:
        """All properties of an artifact."""
        found = ((name, column.get(row)) for name, column in self.artifacts.properties.items())
        return {name: value for name, value in found if value is not None}

    def rows_of_type(self, *names: str) -> list[int]:
        """Rows of all artifacts of the named types, ascending."""
        wanted = [i for i, name in enumerate(self.artifacts.type_names) if name in names]
        return [int(row) for row in np.flatnonzero(np.isin(self.artifacts.type, wanted))]

    def events_of_artifact(self, row: int) -> Ints:
        """Indexes into `events`, ascending."""
        order, starts = self._by_artifact
        return order[starts[row] : starts[row + 1]]

    def events_of_execution(self, row: int) -> Ints:
        """Indexes into `events`, ascending."""
        order, starts = self._by_execution
        return order[starts[row] : starts[row + 1]]

    def artifacts_of(self, execution: int, kinds: tuple[EventKind, ...]) -> list[int]:
        """Artifact rows that an execution has events of these kinds with."""
        events = self.events_of_execution(execution)
        found = zip(self.events.artifact[events].tolist(), self.events.kind[events].tolist(), strict=True)
        return [row for row, kind in found if kind in kinds]

    def executions_of(self, artifact: int, kinds: tuple[EventKind, ...]) -> list[int]:
        """Execution rows that have events of these kinds with an artifact."""
        events = self.events_of_artifact(artifact)
        found = zip(self.events.execution[events].tolist(), self.events.kind[events].tolist(), strict=True)
        return [row for row, kind in found if kind in kinds]

    @cached_property
    def producer(self) -> Ints:
        """Per artifact: the first COMPLETE execution with an OUTPUT event on it, -1 if there is none.

        Later OUTPUT events come from cache hits and from Importers that re-use the artifact.
        """
        return self._producing_event[0]

    @cached_property
    def output_key(self) -> Ints:
        """Per artifact: index into `events.key_names` of the output it was produced under, -1 if none."""
        return self._producing_event[1]

    @cached_property
    def janitor_executions(self) -> npt.NDArray[np.bool_]:
        """Per execution: whether it is an act of the janitor itself, which uses nothing."""
        own = [i for i, name in enumerate(self.executions.type_names) if name.startswith(ACT_TYPE_PREFIX)]
        return np.isin(self.executions.type, own)

    @cached_property
    def pipeline(self) -> Ints:
        """Per artifact: index into `executions.pipeline_names` of its producer's pipeline, -1 if none."""
        return self._of_producer(self.executions.pipeline)

    @cached_property
    def run(self) -> Ints:
        """Per artifact: index into `executions.run_names` of its producer's run, -1 if none."""
        return self._of_producer(self.executions.run)

    @cached_property
    def node(self) -> Ints:
        """Per artifact: index into `executions.node_names` of its producer's node, -1 if none."""
        return self._of_producer(self.executions.node)

    def pipeline_of(self, row: int) -> str | None:
        """Owner of an artifact: the pipeline of its producer."""
        return _name(self.executions.pipeline_names, self.pipeline[row])

    def run_of(self, row: int) -> str | None:
        """Pipeline run in which an artifact was produced."""
        return _name(self.executions.run_names, self.run[row])

    def node_of(self, row: int) -> str | None:
        """Node id of an artifact's producer."""
        return _name(self.executions.node_names, self.node[row])

    def output_of(self, row: int) -> str | None:
        """Output key under which an artifact was produced."""
        return _name(self.events.key_names, self.output_key[row])

    def siblings(self, row: int, type_name: str) -> list[int]:
        """Artifacts of a type that the same execution produced."""
        producer = int(self.producer[row])
        if producer < 0:
            return []
        outputs = self.artifacts_of(producer, OUTPUTS)
        return [
            o for o in outputs if o != row and self.producer[o] == producer and self.type_of(o) == type_name
        ]

    def _of_producer(self, column: Ints) -> Ints:
        """Per artifact: what an executions' column says of its producer, -1 if it has none."""
        made = self.producer >= 0
        found = np.full(len(self.artifacts), -1, column.dtype)
        found[made] = column[self.producer[made]]
        return found

    @cached_property
    def _by_artifact(self) -> tuple[Ints, Ints]:
        return _index(self.events.artifact, len(self.artifacts))

    @cached_property
    def _by_execution(self) -> tuple[Ints, Ints]:
        return _index(self.events.execution, len(self.executions))

    @cached_property
    def _producing_event(self) -> tuple[Ints, Ints]:
        producer = np.full(len(self.artifacts), -1, np.int64)
        key = np.full(len(self.artifacts), -1, np.int64)
        events, complete = self.events, self.executions.state == ExecutionState.COMPLETE
        produced = np.flatnonzero(np.isin(events.kind, OUTPUTS) & complete[events.execution])
        # Executions ascend with their ids, so writing from last to first leaves the first in place.
        produced = produced[np.argsort(-events.execution[produced], kind="stable")]
        producer[events.artifact[produced]] = events.execution[produced]
        key[events.artifact[produced]] = events.key[produced]
        return producer, key


def _index(column: Ints, length: int) -> tuple[Ints, Ints]:
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], np.arange(length + 1))
    return order, starts


def _name(names: tuple[str, ...], number: np.integer) -> str | None:
    return None if number < 0 else names[number]


def _find(ids: Ints, wanted: int) -> int | None:
    at = int(ids.searchsorted(wanted))
    return at if at < len(ids) and ids[at] == wanted else None
