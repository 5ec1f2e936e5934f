"""The real engine on a history: its Snapshot in columns, and a crew that answers for the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast
from unittest import mock

import numpy as np

from tests.proof.rows import History
from tfx_janitor.lineage.snapshot import (
    Artifacts,
    ArtifactState,
    EventKind,
    Events,
    Executions,
    ExecutionState,
    Pin,
    Snapshot,
    SparseColumn,
    Value,
)
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.decide import decide
from tfx_janitor.retention.facts import Verified
from tfx_janitor.retention.plan import Decision, Plan, verdict_of
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Failed
from tfx_janitor.survey.survey import judge

Item = TypeVar("Item")
Done = TypeVar("Done")


def verdicts(history: History, policy: dict[str, Any]) -> dict[int, str]:
    """The engine's verdict on every governed artifact, by id."""
    return {d.artifact_id: verdict(d) for d in plan(history, policy).decisions}


def verdict(decision: Decision) -> str:
    """The verdict, if a ModelRun that stays for other reasons, but cannot be pruned, counts as kept."""
    others = [reason for reason in decision.reasons if reason.holds and reason.code != "unknown.payload"]
    return verdict_of(others or decision.reasons)


def plan(history: History, policy: dict[str, Any], snapshot: Snapshot | None = None) -> Plan:
    """The engine's plan; `snapshot` stands in for the one that the history itself makes."""
    case = Case(
        snapshot_of(history) if snapshot is None else snapshot,
        RetentionPolicy.from_dict(policy),
        history["now"],
        own_execution=history["own"],
    )
    disk = Disk(history)
    with mock.patch("tfx_janitor.survey.survey.has_vanished", disk.has_vanished):
        settlement = judge(case, disk, Level.STRUCTURE)
    return decide(settlement, metadata="sqlite:///history", created_ms=0)


class Disk:
    """A crew for payloads that a history tells of; it answers as the functions of `survey.look` would."""

    def __init__(self, history: History) -> None:
        self._there = {x["uri"]: x for x in history["artifacts"].values() if x["state"] != "DELETED"}
        self._standing = {
            str(history["artifacts"][p]["properties"]["pushed_destination"]) for p in history["standing"]
        }

    def has_vanished(self, path: str) -> bool:
        """Whether a served destination is gone."""
        return path not in self._standing

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """See `Crew.run`."""
        return [self._look(cast(Callable, work), item) for item in items]

    def _look(self, work: Callable, item: Any) -> Any:
        if work is look.verify_model:
            return Verified(self._whole(item.uri), "as the history tells")
        there = self._there.get(item)
        if there is None or there["bytes"] is None:
            return Failed("nothing lies there")
        if work is look.measure:
            return there["bytes"]
        if work is look.read_evaluation:
            return there["metrics"]
        assert work is look.list_checkpoints, work
        return ()

    def _whole(self, uri: str) -> bool:
        return uri in self._there and self._there[uri]["whole"]


def snapshot_of(history: History) -> Snapshot:
    """The history in columns, as `lineage.read_api` reads a store that holds it."""
    return Snapshot(_artifacts(history), _executions(history), _events(history), _pins(history))


def rows(snapshot: Snapshot, *, times: bool = True) -> dict[str, list[Any]]:
    """All that a snapshot says, in words, so that two can be compared however they number their names.

    Args:
      times: False leaves out when rows were created and updated, which MLMD writes itself.
    """
    artifacts, executions, events = snapshot.artifacts, snapshot.executions, snapshot.events

    def name(names: Sequence[str], at: int) -> str | None:
        return None if at < 0 else names[at]

    def clock(table: Artifacts | Executions, row: int) -> tuple[int, ...]:
        return (int(table.created_ms[row]), int(table.updated_ms[row])) if times else ()

    return {
        "artifacts": [
            (
                int(artifacts.id[row]),
                snapshot.type_of(row),
                int(artifacts.state[row]),
                artifacts.uri[row],
                # NaN differs from itself; its text does not. It also tells 1 from 1.0.
                repr(sorted(snapshot.properties_of(row).items())),
                *clock(artifacts, row),
            )
            for row in range(len(artifacts))
        ],
        "executions": [
            (
                int(executions.id[row]),
                executions.type_names[executions.type[row]],
                int(executions.state[row]),
                name(executions.pipeline_names, executions.pipeline[row]),
                name(executions.run_names, executions.run[row]),
                name(executions.node_names, executions.node[row]),
                *clock(executions, row),
            )
            for row in range(len(executions))
        ],
        "events": sorted(
            (
                int(artifacts.id[events.artifact[at]]),
                int(executions.id[events.execution[at]]),
                int(events.kind[at]),
                name(events.key_names, events.key[at]) or "",
                int(events.time_ms[at]),
            )
            for at in range(len(events))
        ),
        "pins": [
            (pin.artifact_id, pin.reason, pin.actor, pin.since_ms, pin.until_ms, pin.released_ms)
            for pin in snapshot.pins
        ],
    }


class _Names(dict[str, int]):
    def number(self, name: str | None) -> int:
        return -1 if name is None else self.setdefault(name, len(self))


def _column(values: Iterable[int], dtype: Any = np.int64) -> np.ndarray:
    return np.array(list(values), dtype)


def _artifacts(history: History) -> Artifacts:
    rows = list(history["artifacts"].values())
    types = _Names()
    properties: dict[str, list[tuple[int, Value]]] = {}
    for at, row in enumerate(rows):
        for name, value in row["properties"].items():
            properties.setdefault(name, []).append((at, value))
    return Artifacts(
        id=_column(history["artifacts"]),
        type=_column((types.number(row["type"]) for row in rows), np.int32),
        state=_column((ArtifactState[row["state"]] for row in rows), np.int8),
        created_ms=_column(row["created"] for row in rows),
        updated_ms=_column(row["updated"] for row in rows),
        uri=tuple(row["uri"] for row in rows),
        type_names=tuple(types),
        properties={
            name: SparseColumn(_column(at for at, _ in found), tuple(value for _, value in found))
            for name, found in properties.items()
        },
    )


def _executions(history: History) -> Executions:
    rows = list(history["executions"].values())
    types, pipelines, runs, nodes = _Names(), _Names(), _Names(), _Names()
    return Executions(
        id=_column(history["executions"]),
        type=_column((types.number(row["type"]) for row in rows), np.int32),
        state=_column((ExecutionState[row["state"]] for row in rows), np.int8),
        created_ms=_column(row["created"] for row in rows),
        updated_ms=_column(row["updated"] for row in rows),
        pipeline=_column((pipelines.number(row["pipeline"]) for row in rows), np.int32),
        run=_column((runs.number(row["run"]) for row in rows), np.int32),
        node=_column((nodes.number(row["node"]) for row in rows), np.int32),
        type_names=tuple(types),
        pipeline_names=tuple(pipelines),
        run_names=tuple(runs),
        node_names=tuple(nodes),
    )


def _events(history: History) -> Events:
    keys = _Names()
    artifact = {identity: at for at, identity in enumerate(history["artifacts"])}
    execution = {identity: at for at, identity in enumerate(history["executions"])}
    rows = history["events"]
    return Events(
        artifact=_column(artifact[a] for a, *_ in rows),
        execution=_column(execution[e] for _, e, *_ in rows),
        kind=_column((EventKind[kind] for _, _, kind, *_ in rows), np.int8),
        key=_column((keys.number(key) for *_, key, _ in rows), np.int32),
        time_ms=_column(time for *_, time in rows),
        key_names=tuple(keys),
    )


def _pins(history: History) -> tuple[Pin, ...]:
    return tuple(
        Pin(number, p["artifact"], "kept", "tester", p["since"], p["until"], p["released"])
        for number, p in enumerate(history["pins"], 1)
    )
