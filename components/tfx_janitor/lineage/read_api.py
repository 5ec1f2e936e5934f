"""Reads a whole MLMD store through its public calls, in chunks.

Only calls that exist on MLMD 1.16 and 1.21 are used. Contexts are walked downwards (executions of a context,
which is indexed) and never upwards (contexts of an execution or artifact, a table scan at each call). Of many
contexts in an sqlite file `associations` knows the executions without a call for each.

The order of reading is the order of safety, for pipelines write meanwhile: artifacts first, then
executions, then events, then contexts. An artifact that appears later is not judged at all; a use that
appears later is still seen, because executions that only the events know are fetched after them, and then
the runs that they are part of.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfx_janitor.lineage.associations import read_associations
from tfx_janitor.lineage.snapshot import (
    ACT_TYPE_PREFIX,
    Artifacts,
    Events,
    Executions,
    Pin,
    Snapshot,
    SparseColumn,
    Value,
)

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

PIN_CONTEXT_TYPE = "tfx_janitor.pin"
_CHUNK = 1000

_TELLING_OF_ACTS = ("actor", "version")
"""Properties of the janitor's own executions that are no record for its own use."""

_FEW_CONTEXTS = 200
"""Contexts that are asked one by one; of more, all is read at once where it can be."""


def read(store: MetadataStore, progress: Callable[[str, int, int], None] | None = None) -> Snapshot:
    """Reads everything that liveness and retention need.

    Args:
      store: an open MLMD store; reading mode is enough.
      progress: called with what is read, how many ids are done, and how many there are.

    Returns:
      The snapshot. Cost: linear in the size of the store; memory beyond the snapshot: one chunk of 1,000
      rows.
    """
    report = progress or (lambda *_: None)
    artifacts = _read_artifacts(store, report)
    executions = _ExecutionReader(store)
    executions.read_all(report)
    events = _EventReader(artifacts.id)
    for chunk in _chunks(artifacts.id.tolist()):
        found = store.get_events_by_artifact_ids(chunk)
        executions.read_missing({event.execution_id for event in found})
        events.add(found)
        report("events", len(events), len(events))
    executions.read_contexts()
    execution_columns = executions.columns()
    return Snapshot(artifacts, execution_columns, events.columns(execution_columns.id), read_pins(store))


def read_parameters(
    store: MetadataStore, execution_ids: Iterable[int]
) -> Iterator[tuple[int, Mapping[str, Value]]]:
    """The properties of executions: what a component was told to do, such as `train_args`.

    A snapshot leaves them out, for they may be long, and no decision rests on them. Of an act of the janitor
    they are who acted, with which version: the rest is its record, which the history tells, and names nothing
    that it was told.
    """
    for chunk in _chunks(list(execution_ids)):
        for execution in store.get_executions_by_id(chunk):
            values = _values(execution)
            if execution.type.startswith(ACT_TYPE_PREFIX):
                values = {name: values[name] for name in _TELLING_OF_ACTS if name in values}
            yield execution.id, values


def registered(store: MetadataStore, execution_ids: Iterable[int]) -> set[int]:
    """Which of these ids are executions of the store by now."""
    found: set[int] = set()
    for chunk in _chunks(list(execution_ids)):
        found.update(execution.id for execution in store.get_executions_by_id(chunk))
    return found


class _Names:
    """Dictionary encoding of one column: names get numbers in order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def names(self) -> tuple[str, ...]:
        return tuple(self.numbers)


def _read_artifacts(store: MetadataStore, report: Callable[[str, int, int], None]) -> Artifacts:
    ids, types, states = array("q"), array("i"), array("b")
    created, updated = array("q"), array("q")
    uris: list[str] = []
    names = _Names()
    property_rows: dict[str, array[int]] = {}
    property_values: dict[str, list[Value]] = {}
    seen: dict[tuple[type, Value], Value] = {}
    last = _last_id(store.get_artifacts)
    for chunk in _id_ranges(last):
        for artifact in store.get_artifacts_by_id(chunk):
            row = len(ids)
            ids.append(artifact.id)
            types.append(names.number(artifact.type))
            states.append(artifact.state)
            created.append(artifact.create_time_since_epoch)
            updated.append(artifact.last_update_time_since_epoch)
            uris.append(artifact.uri)
            for name, value in _values(artifact).items():
                property_rows.setdefault(name, array("q")).append(row)
                # Values repeat over thousands of rows; one object serves them all. The type is part of the
                # key, for 1, 1.0 and True are equal.
                known = seen.setdefault((type(value), value), value)
                property_values.setdefault(name, []).append(known)
        report("artifacts", chunk[-1], last)
    return Artifacts(
        id=np.array(ids, np.int64),
        type=np.array(types, np.int32),
        state=np.array(states, np.int8),
        created_ms=np.array(created, np.int64),
        updated_ms=np.array(updated, np.int64),
        uri=tuple(uris),
        type_names=names.names(),
        properties={
            name: SparseColumn(np.array(rows, np.int64), tuple(property_values[name]))
            for name, rows in property_rows.items()
        },
    )


class _ExecutionReader:
    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._rows: dict[int, tuple[int, int, int, int]] = {}
        self._of: dict[str, dict[int, int]] = {"pipeline": {}, "run": {}, "node": {}}
        self._types = _Names()
        self._pipelines, self._nodes = _Names(), _Names()
        self._runs: list[str] = []

    def read_all(self, report: Callable[[str, int, int], None]) -> None:
        last = _last_id(self._store.get_executions)
        for chunk in _id_ranges(last):
            self._add(self._store.get_executions_by_id(chunk))
            report("executions", chunk[-1], last)

    def read_missing(self, wanted: set[int]) -> None:
        missing = sorted(wanted - self._rows.keys())
        if missing:
            self._add(self._store.get_executions_by_id(missing))

    def read_contexts(self) -> None:
        pipeline_of_run: dict[int, str] = {}
        pipelines, runs, nodes = map(self._store.get_contexts_by_type, ("pipeline", "pipeline_run", "node"))
        executions_of = self._ids_by_context(len(pipelines) + len(runs) + len(nodes))
        for pipeline in pipelines:
            children = [
                child
                for child in self._store.get_children_contexts_by_context(pipeline.id)
                if child.type == "pipeline_run"
            ]
            pipeline_of_run.update((run.id, pipeline.name) for run in children)
            # Stores written by TFX before 1.0 have no parent contexts, and a node may run outside of any run.
            for execution in executions_of(pipeline.id):
                self._of["pipeline"][execution] = self._pipelines.number(pipeline.name)
        for run in runs:
            number = len(self._runs)
            self._runs.append(run.name)
            for execution in executions_of(run.id):
                self._of["run"][execution] = number
                if run.id in pipeline_of_run:
                    owner = self._pipelines.number(pipeline_of_run[run.id])
                    self._of["pipeline"].setdefault(execution, owner)
        names = self._pipelines.names()
        for node in nodes:
            for execution in executions_of(node.id):
                owner = self._of["pipeline"].get(execution)
                # The context's name is `<pipeline>.<node>`, and both may hold dots.
                prefix = "" if owner is None else f"{names[owner]}."
                name = node.name.removeprefix(prefix)
                self._of["node"][execution] = self._nodes.number(name)

    def _ids_by_context(self, contexts: int) -> Callable[[int], Sequence[int]]:
        """What tells the ids of a context's executions."""
        from tfx_janitor.lineage.patience import PatientStore

        database = self._store.database if isinstance(self._store, PatientStore) else None
        if database is not None and contexts > _FEW_CONTEXTS:
            associations = read_associations(database)
            if associations is not None:
                return associations.of
        return lambda context: [execution.id for execution in self._store.get_executions_by_context(context)]

    def columns(self) -> Executions:
        ids = sorted(self._rows)
        table = np.array([self._rows[i] for i in ids], np.int64).reshape(len(ids), 4)

        def column(name: str) -> np.ndarray:
            return np.array([self._of[name].get(i, -1) for i in ids], np.int32)

        return Executions(
            id=np.array(ids, np.int64),
            type=table[:, 0].astype(np.int32),
            state=table[:, 1].astype(np.int8),
            created_ms=table[:, 2].copy(),
            updated_ms=table[:, 3].copy(),
            pipeline=column("pipeline"),
            run=column("run"),
            node=column("node"),
            type_names=self._types.names(),
            pipeline_names=self._pipelines.names(),
            run_names=tuple(self._runs),
            node_names=self._nodes.names(),
        )

    def _add(self, executions: Sequence[Any]) -> None:
        for execution in executions:
            self._rows[execution.id] = (
                self._types.number(execution.type),
                execution.last_known_state,
                execution.create_time_since_epoch,
                execution.last_update_time_since_epoch,
            )


class _EventReader:
    def __init__(self, artifact_ids: np.ndarray) -> None:
        self._artifact_ids = artifact_ids
        self._artifact, self._execution = array("q"), array("q")
        self._kind, self._key, self._time = array("b"), array("i"), array("q")
        self._keys = _Names()

    def __len__(self) -> int:
        return len(self._artifact)

    def add(self, events: Sequence[Any]) -> None:
        for event in events:
            self._artifact.append(event.artifact_id)
            self._execution.append(event.execution_id)
            self._kind.append(event.type)
            self._time.append(event.milliseconds_since_epoch)
            key = next((step.key for step in event.path.steps if step.HasField("key")), None)
            self._key.append(-1 if key is None else self._keys.number(key))

    def columns(self, execution_ids: np.ndarray) -> Events:
        artifact, execution = np.array(self._artifact, np.int64), np.array(self._execution, np.int64)
        # MLMD does not refuse an event on an execution that it does not have; such a row says nothing.
        known = np.isin(execution, execution_ids)
        return Events(
            artifact=np.searchsorted(self._artifact_ids, artifact[known]),
            execution=np.searchsorted(execution_ids, execution[known]),
            kind=np.array(self._kind, np.int8)[known],
            key=np.array(self._key, np.int32)[known],
            time_ms=np.array(self._time, np.int64)[known],
            key_names=self._keys.names(),
        )


def read_pins(store: MetadataStore) -> tuple[Pin, ...]:
    """All pins ever set, released ones too, in the order in which they were set."""
    pins = []
    for context in store.get_contexts_by_type(PIN_CONTEXT_TYPE):
        values = _values(context)
        named = [values["artifact_id"]] if "artifact_id" in values else []
        # A pin that somebody stripped of its properties still holds what it is attributed to.
        rows = () if named else store.get_artifacts_by_context(context.id)
        pins += [
            Pin(
                context_id=context.id,
                artifact_id=int(pinned),
                reason=str(values.get("reason", "")),
                actor=str(values.get("actor", "")),
                since_ms=_optional_int(values.get("since_ms")) or context.create_time_since_epoch,
                until_ms=_optional_int(values.get("until_ms")),
                released_ms=_optional_int(values.get("released_ms")),
            )
            for pinned in (*named, *(row.id for row in rows))
        ]
    return tuple(sorted(pins, key=lambda pin: pin.context_id))


def _optional_int(value: Value | None) -> int | None:
    return None if value is None else int(value)


def _values(node: Any) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for properties in (node.custom_properties, node.properties):
        for name, value in properties.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value", "bool_value"):
                found[name] = getattr(value, kind)
            elif kind == "struct_value":
                found[name] = _json_value(value.struct_value)
            elif kind is not None:
                found[name] = str(getattr(value, kind))
    return found


def _json_value(struct: Any) -> Value:
    """A JSON value of TFX's: one that is no mapping is wrapped into a struct of one field, `__value__`."""
    if "__value__" in struct.fields:
        wrapped = struct.fields["__value__"]
        kind = wrapped.WhichOneof("kind")
        if kind in ("number_value", "string_value", "bool_value"):
            return getattr(wrapped, kind)
    return str(struct)


def _last_id(listing: Callable[..., Sequence[Any]]) -> int:
    from ml_metadata.metadata_store import ListOptions, OrderByField

    newest = listing(ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False))
    return newest[0].id if newest else 0


def _id_ranges(last: int) -> Iterator[range]:
    for start in range(1, last + 1, _CHUNK):
        yield range(start, min(start + _CHUNK, last + 1))


def _chunks(items: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
