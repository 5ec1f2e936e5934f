"""A history in a real MLMD store, in memory, written in bulk."""

from __future__ import annotations

from typing import Any, cast

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.proof.rows import History, Value
from tfx_janitor.lineage.read_api import PIN_CONTEXT_TYPE


def store_of(history: History) -> ml_metadata.MetadataStore:
    """A store that holds a history, but for the times of its rows, which MLMD writes itself."""
    config = mlmd.ConnectionConfig()
    config.fake_database.SetInParent()
    store = ml_metadata.MetadataStore(config)
    _put_artifacts(store, history)
    _put_executions(store, history)
    events = []
    for artifact, execution, kind, key, time in history["events"]:
        event = mlmd.Event(artifact_id=artifact, execution_id=execution, milliseconds_since_epoch=time)
        event.type = mlmd.Event.Type.Value(kind)
        if key is not None:
            event.path.steps.add().key = key
        events.append(event)
    store.put_events(events)
    _put_pins(store, history)
    return store


def _put_artifacts(store: ml_metadata.MetadataStore, history: History) -> None:
    types: dict[str, int] = {}
    rows = []
    for row in history["artifacts"].values():
        if row["type"] not in types:
            types[row["type"]] = store.put_artifact_type(mlmd.ArtifactType(name=row["type"]))
        state = mlmd.Artifact.State.Value(row["state"])
        artifact = mlmd.Artifact(type_id=types[row["type"]], uri=row["uri"], state=state)
        _set(artifact.custom_properties, row["properties"])
        rows.append(artifact)
    assert store.put_artifacts(rows) == list(history["artifacts"])


def _put_executions(store: ml_metadata.MetadataStore, history: History) -> None:
    types: dict[str, int] = {}
    contexts: dict[tuple[str, str], int] = {}
    rows, associations = [], []

    def context(kind: str, name: str) -> int:
        if (kind, name) not in contexts:
            type_id = store.put_context_type(mlmd.ContextType(name=kind))
            contexts[kind, name] = store.put_contexts([mlmd.Context(type_id=type_id, name=name)])[0]
        return contexts[kind, name]

    for number, row in history["executions"].items():
        if row["type"] not in types:
            types[row["type"]] = store.put_execution_type(mlmd.ExecutionType(name=row["type"]))
        state = mlmd.Execution.State.Value(row["state"])
        rows.append(mlmd.Execution(type_id=types[row["type"]], last_known_state=state))
        names = {
            "pipeline": row["pipeline"],
            "pipeline_run": row["run"],
            "node": f"{row['pipeline']}.{row['node']}" if row["node"] else None,
        }
        for kind, name in names.items():
            if name is not None:
                associations.append(mlmd.Association(context_id=context(kind, name), execution_id=number))
    assert store.put_executions(rows) == list(history["executions"])
    store.put_attributions_and_associations([], associations)


def _put_pins(store: ml_metadata.MetadataStore, history: History) -> None:
    if not history["pins"]:
        return
    type_id = store.put_context_type(mlmd.ContextType(name=PIN_CONTEXT_TYPE))
    contexts = []
    for number, pin in enumerate(history["pins"], 1):
        context = mlmd.Context(type_id=type_id, name=f"pin-{number}")
        said = {
            "artifact_id": pin["artifact"],
            "reason": "kept",
            "actor": "tester",
            "since_ms": pin["since"],
            "until_ms": pin["until"],
            "released_ms": pin["released"],
        }
        _set(context.custom_properties, {name: value for name, value in said.items() if value is not None})
        contexts.append(context)
    store.put_contexts(contexts)


def _set(properties: Any, values: dict[str, Value] | dict[str, int | str]) -> None:
    for name, value in values.items():
        kind = {str: "string_value", int: "int_value", float: "double_value"}[cast(type, type(value))]
        setattr(properties[name], kind, value)
