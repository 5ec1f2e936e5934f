"""The janitor's acts as lineage: each is an MLMD execution of its own type with events to what it touched.

An act is begun, with everything that it is about to touch, before its first effect, and ended with what
became of each item. So a crash leaves an act that never ended, and nothing that no act tells of. Acts are
found by type; they sit in no context, and an INPUT event on an artifact changes neither caching nor
resolution in TFX.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, ExecutionState
from tfx_janitor.version import VERSION

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

Kind = Literal["apply", "purge", "rescue", "restore", "pin", "unpin"]
KINDS: tuple[Kind, ...] = ("apply", "purge", "rescue", "restore", "pin", "unpin")

BATCH = 1000
"""Artifacts an act at most: what an act records stays small enough for every backend."""

_INPUT = 3


@dataclass(frozen=True, slots=True)
class Touch:
    """What an act is about to do to one artifact: mark, prune, purge, rescue, restore, pin or unpin."""

    artifact_id: int
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item of an act.

    Attributes:
      done: "marked", "purged", "pruned", "rescued", "restored", "pinned", "unpinned"; or "skipped", "failed".
      detail: why it was skipped or rescued, or what was pruned.
      bytes: what the item freed; of what was marked, what its purge would free.
    """

    artifact_id: int
    done: str
    detail: str = ""
    bytes: int = 0

    @property
    def well(self) -> bool:
        """Whether the item needs nobody's attention."""
        return self.done not in ("skipped", "failed")


@dataclass(frozen=True, slots=True)
class Act:
    """One act as MLMD remembers it.

    Attributes:
      id: MLMD id of its execution.
      ended: False if it is under way, or was cut off.
      details: what was recorded with it, such as plan_id, policy, grace_ms, reason.
      touches: what it was about to do.
      outcomes: what became of it, by item; empty until it ended.
    """

    id: int
    kind: Kind
    at_ms: int
    actor: str
    version: str
    ended: bool
    details: Mapping[str, Any]
    touches: tuple[Touch, ...]
    outcomes: tuple[Outcome, ...] = field(default=())


def begin(site: Site, kind: Kind, touches: Sequence[Touch], details: Mapping[str, Any]) -> int:
    """Records what is about to be done, before it is done.

    Args:
      details: JSON-ready values.

    Returns:
      The MLMD id of the act's execution.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    type_id = site.store.put_execution_type(mlmd.ExecutionType(name=ACT_TYPE_PREFIX + kind))
    execution = mlmd.Execution(type_id=type_id, last_known_state=int(ExecutionState.RUNNING))
    execution.custom_properties["at_ms"].int_value = site.now_ms
    execution.custom_properties["actor"].string_value = site.actor
    execution.custom_properties["version"].string_value = VERSION
    execution.custom_properties["details"].string_value = json.dumps(details, sort_keys=True)
    act_id = site.store.put_executions([execution])[0]
    events = []
    for touch in touches:
        event = mlmd.Event(
            artifact_id=touch.artifact_id,
            execution_id=act_id,
            type=_INPUT,
            milliseconds_since_epoch=site.now_ms,
        )
        event.path.steps.add().key = touch.what
        events.append(event)
    if events:
        site.store.put_events(events)
    return act_id


def end(site: Site, act_id: int, outcomes: Iterable[Outcome]) -> None:
    """Records what became of an act's items, and that it is over."""
    execution = site.store.get_executions_by_id([act_id])[0]
    recorded = [[o.artifact_id, o.done, o.detail, o.bytes] for o in outcomes]
    execution.custom_properties["outcomes"].string_value = json.dumps(recorded)
    execution.last_known_state = int(ExecutionState.COMPLETE)
    site.store.put_executions([execution])


def read(store: MetadataStore, artifact_id: int | None = None) -> list[Act]:
    """All acts of a store, or those that touched one artifact, in the order in which they were begun."""
    executions: list[tuple[Kind, Any]] = []
    for kind in KINDS:
        executions.extend((kind, row) for row in store.get_executions_by_type(ACT_TYPE_PREFIX + kind))
    executions.sort(key=lambda pair: pair[1].id)
    touches: dict[int, list[Touch]] = {}
    ids = [row.id for _, row in executions]
    for start in range(0, len(ids), BATCH):
        for event in store.get_events_by_execution_ids(ids[start : start + BATCH]):
            what = event.path.steps[0].key if event.path.steps else ""
            touches.setdefault(event.execution_id, []).append(Touch(event.artifact_id, what))
    acts = [_act(kind, row, touches.get(row.id, [])) for kind, row in executions]
    if artifact_id is None:
        return acts
    return [act for act in acts if any(touch.artifact_id == artifact_id for touch in act.touches)]


def _act(kind: Kind, row: Any, touches: list[Touch]) -> Act:
    values = row.custom_properties
    recorded = json.loads(values["outcomes"].string_value) if "outcomes" in values else []
    return Act(
        id=row.id,
        kind=kind,
        at_ms=values["at_ms"].int_value,
        actor=values["actor"].string_value,
        version=values["version"].string_value,
        ended=row.last_known_state == ExecutionState.COMPLETE,
        details=json.loads(values["details"].string_value or "{}"),
        touches=tuple(sorted(touches, key=lambda touch: touch.artifact_id)),
        outcomes=tuple(Outcome(*item) for item in recorded),
    )
