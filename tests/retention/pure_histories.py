"""Histories in memory: what a store and its storage would say, without either, in microseconds.

    past = PureHistory()
    first, second = (past.run(day=day).retrain() for day in (1, 2))     # train, evaluate, push
    past.execution("BulkInferrer", state=RUNNING, inputs=[first.model])

    decisions = past.decisions(rules=[keep("Model", last=1)])
    told(decisions[first.model])      # ["hold.active-execution: used by ... [artifact 101 > execution 507]"]

`tests.builders` builds the real thing. Here an artifact is its MLMD id: 101, 102, ... in the order of making;
executions are 501, 502, ...; so no id passes for a row. Days are counted from `MONDAY`. Everything lies where
TFX would put it, is whole, and is served no more, unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from tfx_janitor.lineage.snapshot import (
    Artifacts,
    ArtifactState,
    EventKind,
    Events,
    Executions,
    ExecutionState,
    Ints,
    Pin,
    Snapshot,
    SparseColumn,
    Value,
)
from tfx_janitor.payload.places import parse
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.decide import decide
from tfx_janitor.retention.facts import CheckpointFact, StorageFacts, Verified
from tfx_janitor.retention.plan import Decision, Plan, Reason
from tfx_janitor.retention.pruning import Candidate
from tfx_janitor.retention.settle import nominate, settle
from tfx_janitor.retention.settlement import Settlement
from tfx_janitor.retention.timestamps import from_iso

MONDAY = from_iso("2026-01-05T00:00:00Z")
DAY = 86_400_000
HOUR = DAY // 24

FIRST_ARTIFACT, FIRST_EXECUTION, FIRST_CONTEXT = 101, 501, 901

COMPLETE, RUNNING, CACHED, FAILED = (
    ExecutionState.COMPLETE,
    ExecutionState.RUNNING,
    ExecutionState.CACHED,
    ExecutionState.FAILED,
)

Linked = Mapping[str, int] | Sequence[int]
"""Artifact ids that an execution has events with, by key or without any."""

T = TypeVar("T")


def keep(type: str | Sequence[str], **words: Any) -> dict[str, Any]:
    """A rule for artifacts of a type, such as `keep("Model", last=1)`, named after it."""
    name = (type if isinstance(type, str) else "-".join(type)).lower()
    return {"name": name, "match": {"type": type}, "keep": words}


def prune(**words: Any) -> dict[str, Any]:
    """A rule that prunes inside ModelRuns and deletes none."""
    return {"name": "inside", "match": {"type": "ModelRun"}, "checkpoints": words}


def told(decision: Decision) -> list[str]:
    """Golden form of a decision's reasons: code, detail, and the path if there is one."""
    return [spelled(reason) for reason in decision.reasons]


def spelled(reason: Reason) -> str:
    """Golden form of one reason."""
    path = " > ".join(f"{kind} {number}" for kind, number in reason.path)
    rule = f" ({reason.rule})" if reason.rule is not None else ""
    return f"{reason.code}{rule}: {reason.detail}" + (f" [{path}]" if path else "")


def codes(decision: Decision) -> list[str]:
    """The codes of a decision's reasons."""
    return [reason.code for reason in decision.reasons]


@dataclass(frozen=True)
class Retrained:
    """What one run made, artifacts and executions by their ids."""

    model: int
    model_run: int
    training: int
    blessing: int
    evaluation: int
    pushed: int
    push: int


@dataclass
class PureHistory:
    """The rows of a store, and what storage says of them.

    Attributes:
      now: the day on which everything is judged.
      served: PushedModels whose destination still stands.
      damaged: Models that are not whole, and why.
      unverified: whether nobody has looked at any Model.
      sizes: what was measured.
      checkpoints: what lies in ModelRuns.
      unreadable, not_understood: payloads and URIs that storage cannot tell of, and why.
      unplaced: artifacts that storage was not asked about.
    """

    now: float = 100
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    executions: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[int, int, EventKind, str | None]] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)
    served: set[int] = field(default_factory=set)
    damaged: dict[int, str] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, list[CheckpointFact]] = field(default_factory=dict)
    unreadable: dict[int, str] = field(default_factory=dict)
    not_understood: dict[int, str] = field(default_factory=dict)
    unplaced: set[int] = field(default_factory=set)
    unverified: bool = False

    # What happened.

    def run(self, name: str | None = None, *, pipeline: str = "inception", day: float = 0) -> PureRun:
        """Starts a run on a day."""
        return PureRun(self, pipeline, name or f"run of day {day:g}", day)

    def artifact(
        self,
        type: str,
        *,
        day: float = 0,
        uri: str | None = None,
        state: int = ArtifactState.LIVE,
        **properties: Value,
    ) -> int:
        """An artifact that nothing has produced yet. Returns its id."""
        number = FIRST_ARTIFACT + len(self.artifacts)
        place = uri or f"/pipelines/{type}/{number}"
        self.artifacts.append(
            {"type": type, "day": day, "uri": place, "state": state, "properties": properties}
        )
        return number

    def execution(
        self,
        type: str,
        *,
        pipeline: str | None = None,
        run: str | None = None,
        node: str | None = None,
        state: ExecutionState = COMPLETE,
        day: float = 0,
        inputs: Linked = (),
        outputs: Linked = (),
    ) -> int:
        """An execution with its events, outside of any pipeline unless one is named. Returns its id."""
        number = FIRST_EXECUTION + len(self.executions)
        names = {"type": type, "pipeline": pipeline, "run": run, "node": node}
        self.executions.append({**names, "state": state, "day": day})
        self.link(number, EventKind.INPUT, inputs)
        self.link(number, EventKind.OUTPUT, outputs)
        return number

    def link(self, execution: int, kind: EventKind, artifacts: Linked) -> None:
        """Events between an execution and artifacts."""
        keyed = artifacts.items() if isinstance(artifacts, Mapping) else ((None, one) for one in artifacts)
        for key, artifact in keyed:
            self.events.append((artifact, execution, kind, key))

    def pin(self, artifact: int, **fields: Any) -> Pin:
        """Somebody pins an artifact for an audit."""
        number = FIRST_CONTEXT + len(self.pins)
        self.pins.append(Pin(number, artifact, "audit", "ann@home", MONDAY, **fields))
        return self.pins[-1]

    def change(self, artifact: int, **fields: Any) -> None:
        """Gives an artifact another state, URI or day; `properties` are added to those it has."""
        row = self.artifacts[artifact - FIRST_ARTIFACT]
        row["properties"] |= fields.pop("properties", {})
        row.update(fields)

    def write_checkpoints(self, artifact: int, *steps: int, directory: str = "", **said: Any) -> None:
        """Checkpoints of 10 bytes in a ModelRun, an hour apart."""
        written = self.checkpoints.setdefault(artifact, [])
        for step in steps:
            candidate = Candidate(f"ckpt-{step}", "ckpt", step, MONDAY + len(written) * HOUR)
            written.append(CheckpointFact(directory, replace(candidate, **said), 10))

    # What is asked.

    def case(
        self, *, rules: Sequence[Mapping[str, Any]], policy: Mapping[str, Any] | None = None, **fields: Any
    ) -> Case:
        """What is to be judged: a policy over /pipelines, without min_age unless `policy` has one."""
        said = {
            "version": 1,
            "roots": ["/pipelines"],
            "min_age": "0s",
            "rules": list(rules),
            **(policy or {}),
        }
        return Case(self.snapshot(), RetentionPolicy.from_dict(said), on_day(self.now), **fields)

    def settlement(self, *, trusting: bool = False, **case: Any) -> Settlement:
        """Who is deleted, given what storage says."""
        judged = self.case(**case)
        nomination, facts = nominate(judged), self.facts(judged)
        return settle(nomination, facts, trusting=True) if trusting else settle(nomination, facts)

    def plan(self, **case: Any) -> Plan:
        """The plan, which tells of exactly those deletions that were settled."""
        settlement = self.settlement(**case)
        plan = decide(settlement, metadata="sqlite:///m.db", created_ms=0)
        settled = sorted(row + FIRST_ARTIFACT for row in settlement.deletions)
        assert [decision.artifact_id for decision in plan.deletions] == settled
        return plan

    def decisions(self, **case: Any) -> dict[int, Decision]:
        """The plan's verdicts by artifact id."""
        return {decision.artifact_id: decision for decision in self.plan(**case).decisions}

    def deleted(self, **case: Any) -> list[int]:
        """Ids of what the plan deletes."""
        return [decision.artifact_id for decision in self.plan(**case).deletions]

    def facts(self, case: Case) -> StorageFacts:
        """What storage says of a case."""
        artifacts = case.snapshot.artifacts
        verified = () if self.unverified else case.snapshot.rows_of_type("Model")
        whole = dict.fromkeys(verified, Verified(True, "whole"))
        damaged = {row: Verified(False, why) for row, why in _by_row(self.damaged).items()}
        destinations = artifacts.properties["pushed_destination"].items() if self.served else ()
        not_understood = _by_row(self.not_understood)
        nowhere = {*not_understood, *(number - FIRST_ARTIFACT for number in self.unplaced)}
        return StorageFacts(
            roots=tuple(map(parse, case.policy.roots)),
            places={row: parse(uri) for row, uri in enumerate(artifacts.uri) if row not in nowhere},
            not_understood=not_understood,
            destinations={
                row: parse(str(place)) for row, place in destinations if row + FIRST_ARTIFACT in self.served
            },
            verified={**whole, **damaged},
            checkpoints={row: tuple(found) for row, found in _by_row(self.checkpoints).items()},
            unreadable=_by_row(self.unreadable),
            bytes=_by_row(self.sizes),
        )

    def snapshot(self) -> Snapshot:
        """The store in columns."""
        types, type_names = _coded(row["type"] for row in self.artifacts)
        created = _ints(on_day(row["day"]) for row in self.artifacts)
        artifacts = Artifacts(
            id=np.arange(len(self.artifacts)) + FIRST_ARTIFACT,
            type=types,
            state=_ints(row["state"] for row in self.artifacts),
            created_ms=created,
            updated_ms=created + 1,
            uri=tuple(row["uri"] for row in self.artifacts),
            type_names=type_names,
            properties={name: self._property(name) for row in self.artifacts for name in row["properties"]},
        )
        began = _ints(on_day(row["day"]) for row in self.executions)
        columns: dict[str, Any] = {}
        for name in ("type", "pipeline", "run", "node"):
            columns[name], columns[f"{name}_names"] = _coded(row[name] for row in self.executions)
        executions = Executions(
            id=np.arange(len(self.executions)) + FIRST_EXECUTION,
            state=_ints(row["state"] for row in self.executions),
            created_ms=began,
            updated_ms=began,
            **columns,
        )
        execution = _ints(execution for _, execution, _, _ in self.events) - FIRST_EXECUTION
        keys, key_names = _coded(key for _, _, _, key in self.events)
        events = Events(
            artifact=_ints(artifact for artifact, _, _, _ in self.events) - FIRST_ARTIFACT,
            execution=execution,
            kind=_ints(kind for _, _, kind, _ in self.events),
            key=keys,
            time_ms=began[execution],
            key_names=key_names,
        )
        return Snapshot(artifacts, executions, events, tuple(self.pins))

    def _property(self, name: str) -> SparseColumn:
        values = {
            row: artifact["properties"][name]
            for row, artifact in enumerate(self.artifacts)
            if name in artifact["properties"]
        }
        return SparseColumn(_ints(values), tuple(values.values()))


@dataclass(frozen=True)
class PureRun:
    """One run of a pipeline, on one day."""

    past: PureHistory
    pipeline: str
    name: str
    day: float

    def execute(self, node: str, *, type: str | None = None, **fields: Any) -> int:
        """A node's execution, which is of a type of the node's name unless one is given."""
        where = {"pipeline": self.pipeline, "run": self.name, "node": node, "day": self.day}
        return self.past.execution(type or node, **{**where, **fields})

    def train(self, **inputs: int) -> tuple[int, int, int]:
        """Trainer. Returns its Model, its ModelRun and the execution."""
        model, model_run = (self.past.artifact(type, day=self.day) for type in ("Model", "ModelRun"))
        execution = self.execute("Trainer", inputs=inputs, outputs={"model": model, "model_run": model_run})
        return model, model_run, execution

    def evaluate(self, model: int, *, blessed: bool = True) -> tuple[int, int]:
        """Evaluator. Returns its ModelBlessing and the execution."""
        blessing = self.past.artifact(
            "ModelBlessing", day=self.day, blessed=int(blessed), current_model_id=model
        )
        execution = self.execute("Evaluator", inputs={"model": model}, outputs={"blessing": blessing})
        return blessing, execution

    def push(self, *inputs: int) -> tuple[int, int]:
        """Pusher. Returns its PushedModel and the execution."""
        pushed = self.past.artifact("PushedModel", day=self.day, pushed=1)
        self.past.change(pushed, properties={"pushed_destination": f"/serving/{pushed}"})
        return pushed, self.execute("Pusher", inputs=inputs, outputs={"pushed_model": pushed})

    def retrain(self, *, blessed: bool = True) -> Retrained:
        """Train, evaluate, push."""
        model, model_run, training = self.train()
        blessing, evaluation = self.evaluate(model, blessed=blessed)
        pushed, push = self.push(model)
        return Retrained(model, model_run, training, blessing, evaluation, pushed, push)


def on_day(day: float) -> int:
    """A moment in milliseconds, in days after `MONDAY`."""
    return MONDAY + round(day * DAY)


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _coded(names: Iterable[str | None]) -> tuple[Ints, tuple[str, ...]]:
    """Names as indexes into the tuple of the different ones; None is -1."""
    listed = list(names)
    different = tuple(dict.fromkeys(name for name in listed if name is not None))
    return _ints(-1 if name is None else different.index(name) for name in listed), different


def _by_row(facts: Mapping[int, T]) -> dict[int, T]:
    return {number - FIRST_ARTIFACT: fact for number, fact in facts.items()}
