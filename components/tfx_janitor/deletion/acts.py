"""The janitor's acts as lineage: each is an MLMD execution of its own type with events to what it touched.

An act is begun, with everything that it is about to touch, before its first effect, and ended with what
became of each item. So a crash leaves an act that never ended, and nothing that no act tells of. Acts are
found by type; they sit in no context, and an INPUT event on an artifact changes neither caching nor
resolution in TFX. Each carries hashes that name the acts before it (`seals`), so that it shows when one is
altered or taken away (`chain`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_janitor.deletion import seals
from tfx_janitor.deletion.act import KINDS, Act, Kind, Link, Outcome, Seal, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, ExecutionState
from tfx_janitor.version import VERSION

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

BATCH = 1000
"""Artifacts an act at most: what an act records stays small enough for every backend."""

_INPUT = 3

_LOOK_BACK = 4
"""How many of the newest acts a new one looks at. Only where more janitors than this begin at the same moment
is one of their acts named by none."""


class DamagedAct(JanitorError):
    """An act whose record cannot be read any more."""


def begin(site: Site, kind: Kind, touches: Sequence[Touch], details: Mapping[str, Any]) -> int:
    """Records what is about to be done, before it is done.

    Args:
      details: JSON-ready values.

    Returns:
      The MLMD id of the act's execution.
    """
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    type_id = site.store.put_execution_type(mlmd.ExecutionType(name=ACT_TYPE_PREFIX + kind))
    previous = _unnamed(site.store)
    execution = mlmd.Execution(
        type_id=type_id, name=uuid.uuid4().hex, last_known_state=int(ExecutionState.RUNNING)
    )
    recorded = json.dumps(details, sort_keys=True)
    act = Act(0, kind, site.now_ms, site.actor, VERSION, False, json.loads(recorded), tuple(touches))
    values = execution.custom_properties
    values["at_ms"].int_value = site.now_ms
    values["actor"].string_value = site.actor
    values["version"].string_value = VERSION
    values["details"].string_value = recorded
    values["previous"].string_value = json.dumps(previous)
    values["begun_hash"].string_value = seals.beginning(act, previous)
    edges = []
    for touch in touches:
        event = mlmd.Event(artifact_id=touch.artifact_id, type=_INPUT, milliseconds_since_epoch=site.now_ms)
        event.path.steps.add().key = touch.what
        edges.append((0, None, event))
    # In one transaction: whoever reads an act reads all of what it touches, whenever the writer was killed.
    try:
        act_id = site.store.put_lineage_subgraph([execution], [], [], edges)[0][0]
    except errors.AlreadyExistsError:
        # Nobody else has its name: it was written by an attempt that went unanswered.
        written = site.store.get_execution_by_type_and_name(ACT_TYPE_PREFIX + kind, execution.name)
        if written is None:
            raise
        act_id = written.id
    site.account.under_way = act_id
    return act_id


def end(site: Site, act_id: int, outcomes: Iterable[Outcome]) -> None:
    """Records what became of an act's items, and that it is over.

    Raises:
      JanitorError: the store does not know the act.
    """
    became = list(outcomes)
    site.account.outcomes += became
    found = site.store.get_executions_by_id([act_id])
    if not found:
        raise JanitorError(f"somebody put another store at {site.metadata} meanwhile: it has no act {act_id}")
    (execution,) = found
    values = execution.custom_properties
    values["outcomes"].string_value = json.dumps([outcome.row for outcome in became])
    values["ended_hash"].string_value = seals.end(values["begun_hash"].string_value, became)
    execution.last_known_state = int(ExecutionState.COMPLETE)
    site.store.put_executions([execution])
    site.account.under_way = None


def read(
    store: MetadataStore,
    artifact_id: int | None = None,
    *,
    kinds: Iterable[Kind] = KINDS,
    damaged: bool = False,
) -> list[Act]:
    """All acts of a store, or those that touched one artifact, in the order in which they were begun.

    They are those of one moment: an act that begins meanwhile is not among them, and so none is that names
    one which is not.

    Args:
      damaged: also gives acts whose record cannot be read, for who wants to know of them.

    Raises:
      DamagedAct: the record of one cannot be read, and nobody asked for such.
    """
    from ml_metadata.metadata_store import ListOptions, OrderByField

    newest = store.get_executions(ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False))
    last = newest[0].id if newest else 0
    executions: list[tuple[Kind, Any]] = []
    for kind in kinds:
        rows = store.get_executions_by_type(ACT_TYPE_PREFIX + kind)
        executions.extend((kind, row) for row in rows if row.id <= last)
    executions.sort(key=lambda pair: pair[1].id)
    touches: dict[int, list[Touch]] = {}
    ids = [row.id for _, row in executions]
    for start in range(0, len(ids), BATCH):
        for event in store.get_events_by_execution_ids(ids[start : start + BATCH]):
            if event.type != _INPUT:  # what a rollback made is among its outcomes
                continue
            what = event.path.steps[0].key if event.path.steps else ""
            touches.setdefault(event.execution_id, []).append(Touch(event.artifact_id, what))
    acts = [_act(kind, row, touches.get(row.id, [])) for kind, row in executions]
    if artifact_id is not None:
        acts = [act for act in acts if any(touch.artifact_id == artifact_id for touch in act.touches)]
    for act in acts:
        if act.damage and not damaged:
            raise DamagedAct(
                f"act {act.id} cannot be read: {act.damage}; somebody altered it in the metadata store, and "
                "`tfx-janitor history --verify` tells what else"
            )
    return acts


def _unnamed(store: MetadataStore) -> list[Link]:
    """What a new act names: the newest acts that none has named, as they are now, ascending by id.

    Whoever names an act has a higher id, so among the newest ones of all kinds it shows who is named.
    """
    rows = sorted((row for kind in KINDS for row in _newest(store, kind)), key=lambda row: row.id)
    found = [(row.id, seal) for row in rows[-_LOOK_BACK:] if (seal := _seal(row)) is not None]
    named = {link for _, seal in found for link in seal.previous}
    return [link for act_id, seal in found if (link := (act_id, seal.hash)) not in named]


def _newest(store: MetadataStore, kind: Kind) -> Iterable[Any]:
    """The newest acts of a kind. MLMD lists those of a type in any order; its Python wrapper cannot ask."""
    from ml_metadata.proto import metadata_store_pb2 as mlmd
    from ml_metadata.proto import metadata_store_service_pb2 as service

    request = service.GetExecutionsByTypeRequest(type_name=ACT_TYPE_PREFIX + kind)
    request.options.max_result_size = _LOOK_BACK
    request.options.order_by_field.field = mlmd.ListOperationOptions.OrderByField.ID
    request.options.order_by_field.is_asc = False
    response = service.GetExecutionsByTypeResponse()
    store._call("GetExecutionsByType", request, response)
    return response.executions


def _act(kind: Kind, row: Any, touches: list[Touch]) -> Act:
    values = row.custom_properties
    details: dict[str, Any] = {}
    outcomes: tuple[Outcome, ...] = ()
    damage = ""
    try:
        details = _details(values["details"].string_value)
    except ValueError:
        damage = "its details are not what was written"
    try:
        outcomes = _outcomes(values["outcomes"].string_value)
    except (ValueError, TypeError):
        damage = "its outcomes are not what was written"
    return Act(
        id=row.id,
        kind=kind,
        at_ms=values["at_ms"].int_value,
        actor=values["actor"].string_value,
        version=values["version"].string_value,
        ended=row.last_known_state == ExecutionState.COMPLETE,
        details=details,
        touches=tuple(sorted(touches, key=lambda touch: touch.artifact_id)),
        outcomes=outcomes,
        seal=_seal(row),
        damage=damage,
        written_ms=row.create_time_since_epoch,
    )


def _details(recorded: str) -> dict[str, Any]:
    details = json.loads(recorded or "{}")
    if not isinstance(details, dict):
        raise ValueError(f"expected an object, got {details!r}")
    return details


def _outcomes(recorded: str) -> tuple[Outcome, ...]:
    outcomes = tuple(Outcome(*item) for item in json.loads(recorded or "[]"))
    for outcome in outcomes:
        kinds = [type(value) for value in outcome.row]
        if kinds not in ([int, str, str, int], [int, str, str, int, str]):
            raise ValueError(f"expected numbers and texts, got {outcome}")
    return outcomes


def _seal(row: Any) -> Seal | None:
    values = row.custom_properties
    if not values["begun_hash"].string_value:
        return None
    try:
        previous = tuple(
            (int(number), str(digest)) for number, digest in json.loads(values["previous"].string_value)
        )
    except (ValueError, TypeError):
        previous = ()  # then its beginning has another hash, and shows it
    return Seal(previous, values["begun_hash"].string_value, values["ended_hash"].string_value or None)
