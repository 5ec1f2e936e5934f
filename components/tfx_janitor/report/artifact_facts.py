"""What the store says of one artifact, and of what led to it, as documents and pages show it."""

from __future__ import annotations

from typing import Any

from tfx_janitor.lineage.origin import Origin
from tfx_janitor.lineage.snapshot import Snapshot, state_name
from tfx_janitor.retention.timestamps import to_iso


def artifact_facts(snapshot: Snapshot, row: int) -> dict[str, Any]:
    """Id, type, place and state, and which pipeline, run, node and output made it: None if nobody knows."""
    return {
        "artifact_id": int(snapshot.artifacts.id[row]),
        "type": snapshot.type_of(row),
        "uri": snapshot.artifacts.uri[row],
        "state": state_name(int(snapshot.artifacts.state[row])),
        "pipeline": snapshot.pipeline_of(row),
        "run": snapshot.run_of(row),
        "node": snapshot.node_of(row),
        "output": snapshot.output_of(row),
        "created_at": to_iso(int(snapshot.artifacts.created_ms[row])),
    }


def origin_facts(snapshot: Snapshot, origin: Origin) -> dict[str, Any]:
    """The models, the run that trained them, the spans of their data, and how they were judged."""
    ids, models = snapshot.artifacts.id, origin.models
    return {
        "models": [int(ids[model]) for model in models],
        "pipeline": next((snapshot.pipeline_of(model) for model in models), None),
        "run": next((snapshot.run_of(model) for model in models), None),
        "examples": [
            {
                "artifact_id": int(ids[row]),
                "span": snapshot.property(row, "span"),
                "version": snapshot.property(row, "version"),
            }
            for row in origin.examples
        ],
        "blessings": [
            {"artifact_id": int(ids[row]), "blessed": snapshot.property(row, "blessed") == 1}
            for row in origin.blessings
        ],
    }
