"""Who used an artifact, how and when, as far as lineage tells.

Beside the events there are references that are none: a ModelBlessing names its models by id, a push may come
by way of an InfraBlessing, and a pin is a person's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, EventKind, ExecutionState
from tfx_janitor.retention.case import MODEL_BLESSING, Case
from tfx_janitor.retention.timestamps import to_iso

How = Literal["input", "cache", "import", "resolve", "bless", "push", "pin"]

FOUND_BY_STATE: tuple[How, ...] = ("cache", "resolve")
"""TFX only finds LIVE artifacts when it looks into its cache or resolves."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an artifact.

    Attributes:
      execution_id: None for a person's pin.
      run: likewise None outside of any run; so are pipeline and node.
    """

    how: How
    at_ms: int
    execution_id: int | None = None
    pipeline: str | None = None
    run: str | None = None
    node: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "how": self.how,
            "at": to_iso(self.at_ms),
            "execution_id": self.execution_id,
            "pipeline": self.pipeline,
            "run": self.run,
            "node": self.node,
        }


class Uses:
    """The uses that a store knows of."""

    def __init__(self, case: Case) -> None:
        """Takes what tells of blessings and pushes beside the snapshot; the policy plays no part."""
        self._case = case
        self._snapshot = case.snapshot

    def of(self, row: int) -> list[Use]:
        """Uses of an artifact, the earliest first; one for each execution, told by the most direct way."""
        found: dict[tuple[object, ...], Use] = {}
        for use in (*self._by_events(row), *self._by_reference(row), *self._by_people(row)):
            found.setdefault(("pin", use.at_ms) if use.execution_id is None else (use.execution_id,), use)
        return sorted(found.values(), key=lambda use: use.at_ms)

    def _by_events(self, row: int) -> Iterator[Use]:
        snapshot, producer = self._snapshot, int(self._snapshot.producer[row])
        for event in snapshot.events_of_artifact(row).tolist():
            execution, kind = int(snapshot.events.execution[event]), int(snapshot.events.kind[event])
            how = self._how(execution, kind)
            if how is not None and execution != producer and not snapshot.janitor_executions[execution]:
                yield self._use(how, int(snapshot.events.time_ms[event]), execution)

    def _how(self, execution: int, kind: int) -> How | None:
        if kind in INPUTS:
            return "input"
        if kind == EventKind.INTERNAL_OUTPUT:
            return "resolve"
        if kind not in OUTPUTS:
            return None
        # What is no cache hit, and not the producer, is an Importer that found the artifact at its URI.
        cached = self._snapshot.executions.state[execution] == ExecutionState.CACHED
        return "cache" if cached else "import"

    def _by_reference(self, row: int) -> Iterator[Use]:
        snapshot = self._snapshot
        references: tuple[tuple[How, dict[int, list[int]]], ...]
        references = (("bless", self._blessings), ("push", self._pushes))
        for how, artifacts in references:
            for artifact in artifacts.get(row, ()):
                if snapshot.producer[artifact] >= 0:
                    at_ms = int(snapshot.artifacts.created_ms[artifact])
                    yield self._use(how, at_ms, int(snapshot.producer[artifact]))

    def _by_people(self, row: int) -> Iterator[Use]:
        artifact_id = int(self._snapshot.artifacts.id[row])
        return (Use("pin", pin.since_ms) for pin in self._snapshot.pins if pin.artifact_id == artifact_id)

    @cached_property
    def _blessings(self) -> dict[int, list[int]]:
        """ModelBlessings, whatever they say, by the models that they name."""
        snapshot = self._snapshot
        found: dict[int, list[int]] = {}
        for blessing in snapshot.rows_of_type(MODEL_BLESSING):
            for name in ("current_model_id", "baseline_model_id"):
                model_id = snapshot.property(blessing, name)
                model = snapshot.row(model_id) if isinstance(model_id, int) else None
                if model is not None:
                    found.setdefault(model, []).append(blessing)
        return found

    @cached_property
    def _pushes(self) -> dict[int, list[int]]:
        return {model: [pushed for _, pushed in pairs] for model, pairs in self._case.pushes.items()}

    def _use(self, how: How, at_ms: int, execution: int) -> Use:
        executions = self._snapshot.executions

        def name(names: tuple[str, ...], at: int) -> str | None:
            return None if at < 0 else names[at]

        return Use(
            how=how,
            at_ms=at_ms,
            execution_id=int(executions.id[execution]),
            pipeline=name(executions.pipeline_names, executions.pipeline[execution]),
            run=name(executions.run_names, executions.run[execution]),
            node=name(executions.node_names, executions.node[execution]),
        )
