"""The lineage of one artifact with all that is told of it, whether as a tree, as JSON or as a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tfx_janitor.lineage.origin import Origin
from tfx_janitor.lineage.paths import Step
from tfx_janitor.lineage.snapshot import ExecutionState, Snapshot, Value
from tfx_janitor.lineage.walk import Direction, Edge, Graph, deletion_of
from tfx_janitor.report.artifact_facts import artifact_facts, origin_facts
from tfx_janitor.report.finding import Found
from tfx_janitor.report.lineage_names import LineageNames
from tfx_janitor.retention.timestamps import to_iso

SCHEMA = "tfx-janitor/lineage/v1"


@dataclass(frozen=True)
class LineageAccount:
    """What `lineage` answers.

    Attributes:
      found: which artifact, and how it was named.
      parameters: properties of the executions in the graph, by MLMD id.
      origin: what led to it, if it is a model or a pushed one.
    """

    snapshot: Snapshot
    found: Found
    graph: Graph
    parameters: Mapping[int, Mapping[str, Value]]
    origin: Origin | None

    @cached_property
    def names(self) -> LineageNames:
        """Names of its artifacts and executions."""
        return LineageNames(self.snapshot)

    def facts(self, step: Step) -> dict[str, Any]:
        """What the store says of an artifact or execution, JSON-ready."""
        what, number = step
        return self._artifact(number) if what == "artifact" else self._execution(number)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: the nodes, the root first, and the edges, each from the earlier to the later."""
        up, down = self.graph.upstream, self.graph.downstream
        return {
            "schema": SCHEMA,
            "root": list(self.graph.root),
            "served": self.found.served,
            "others": [self.names.artifact_id(row) for row in self.found.others],
            "origin": None if self.origin is None else origin_facts(self.snapshot, self.origin),
            "nodes": [
                {
                    "step": list(step),
                    "up": _distance(up, step),
                    "down": _distance(down, step),
                    "unfollowed": sum(half.unfollowed.get(step, 0) for half in self.graph.directions),
                    **self.facts(step),
                }
                for step in self.graph.steps
            ],
            "edges": [_edge_dict(edge) for edge in self.graph.edges],
        }

    def _artifact(self, artifact_id: int) -> dict[str, Any]:
        row = self.snapshot.row(artifact_id)
        if row is None:
            return {"artifact_id": artifact_id}
        deleted = deletion_of(self.snapshot, row)
        return {
            **artifact_facts(self.snapshot, row),
            "deleted": None if deleted is None else {"act": deleted[0], "at": to_iso(deleted[1])},
            "properties": _sorted(self.snapshot.properties_of(row)),
        }

    def _execution(self, execution_id: int) -> dict[str, Any]:
        row = self.snapshot.execution_row(execution_id)
        if row is None:
            return {"execution_id": execution_id}
        executions = self.snapshot.executions
        state = int(executions.state[row])
        return {
            "execution_id": execution_id,
            "type": executions.type_names[executions.type[row]],
            "state": ExecutionState(state).name if state in list(ExecutionState) else str(state),
            "pipeline": _name(executions.pipeline_names, int(executions.pipeline[row])),
            "run": _name(executions.run_names, int(executions.run[row])),
            "node": _name(executions.node_names, int(executions.node[row])),
            "created_at": to_iso(int(executions.created_ms[row])),
            "updated_at": to_iso(int(executions.updated_ms[row])),
            "parameters": _sorted(self.parameters.get(execution_id, {})),
        }


def _sorted(values: Mapping[str, Value]) -> dict[str, Value]:
    """By name: a store gives them in any order."""
    return dict(sorted(values.items()))


def _name(names: tuple[str, ...], number: int) -> str | None:
    return names[number] if number >= 0 else None


def _distance(direction: Direction | None, step: Step) -> int | None:
    return None if direction is None else direction.distance.get(step)


def _edge_dict(edge: Edge) -> dict[str, Any]:
    return {
        "from": list(edge.origin),
        "to": list(edge.target),
        "by": "property" if edge.kind is None else "event",
        "role": edge.role,
        "name": edge.name or None,
        "holder": None if edge.holder is None else list(edge.holder),
    }
