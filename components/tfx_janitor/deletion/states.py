"""Changes the state of artifacts by compare-and-set, and nothing else of them, ever.

A whole-row put would lose what a concurrent writer put there, and a partial one would wipe the URI. MLMD
has a real compare-and-set, a masked put that aborts when the row's last update time is not the one
expected; its Python wrapper has no argument for it, so the request goes through the wrapper's own call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_janitor.lineage.snapshot import ArtifactState, state_name

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

_BATCH = 500
_CHANGED = "it changed since it was decided"


def transition(
    store: MetadataStore,
    expected_updates: Mapping[int, int | None],
    *,
    source: ArtifactState,
    target: ArtifactState,
) -> dict[int, str | None]:
    """Moves artifacts from one state to another.

    Args:
      expected_updates: by artifact id the last_update_time in milliseconds that the decision was made on;
        None takes the row as it is now.
      source: the state that each must have.
      target: the state that each gets.

    Returns:
      By artifact id None where it was done, else why it was not; the others are not concerned.
    """
    outcome: dict[int, str | None] = {}
    ids = sorted(expected_updates)
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        rows = {row.id: row for row in store.get_artifacts_by_id(batch)}
        ready = []
        for artifact_id in batch:
            row, expected = rows.get(artifact_id), expected_updates[artifact_id]
            if row is None:
                outcome[artifact_id] = "it is not in the store"
            elif row.state != source:
                outcome[artifact_id] = f"expected state {source.name}, found {state_name(row.state)}"
            elif expected is not None and row.last_update_time_since_epoch != expected:
                outcome[artifact_id] = _CHANGED
            else:
                ready.append(row)
        outcome.update(_put(store, ready, target))
    return outcome


def _put(store: MetadataStore, rows: Sequence[Any], target: ArtifactState) -> dict[int, str | None]:
    from ml_metadata import errors

    from tfx_janitor.lineage.patience import PerhapsDone

    if not rows:
        return {}
    try:
        _compare_and_set(store, rows, target)
    except errors.FailedPreconditionError as refusal:
        if isinstance(refusal, PerhapsDone) and (done := _carried_out(store, rows, target)):
            return done
        # One row of the batch changed under us and the whole batch was refused: find out which.
        if len(rows) == 1:
            return {rows[0].id: _CHANGED}
        outcome: dict[int, str | None] = {}
        for row in rows:
            outcome.update(_put(store, [row], target))
        return outcome
    return {row.id: None for row in rows}


def _compare_and_set(store: MetadataStore, rows: Sequence[Any], target: ArtifactState) -> None:
    from ml_metadata.proto import metadata_store_service_pb2 as service

    request = service.PutArtifactsRequest()
    for row in rows:
        artifact = request.artifacts.add()
        artifact.id, artifact.type_id = row.id, row.type_id
        artifact.last_update_time_since_epoch = row.last_update_time_since_epoch
        artifact.state = int(target)
    request.options.abort_if_latest_updated_time_changed = True
    request.update_mask.paths.append("state")
    store._call("PutArtifacts", request, service.PutArtifactsResponse())


def _carried_out(store: MetadataStore, rows: Sequence[Any], target: ArtifactState) -> dict[int, str | None]:
    """What became of rows whose write went unanswered; nothing if it was not carried out.

    It is one transaction: as long as one row is as it was, none was written. A row that has the state that it
    was to get, and is the same otherwise, counts as written here. Another janitor's write of the same state,
    while this one went unanswered, looks the same: then both have an artifact in hand, which each step of a
    removal bears, and both tell that it went. To count it as lost would leave it in nobody's hand.
    """
    found = {row.id: row for row in store.get_artifacts_by_id([row.id for row in rows])}
    if any(found[row.id].last_update_time_since_epoch == row.last_update_time_since_epoch for row in rows):
        return {}
    return {
        row.id: None if _with_state(row, target) == _with_state(found[row.id]) else _CHANGED for row in rows
    }


def _with_state(row: Any, state: int | None = None) -> Any:
    """A row without its time, and with another state if one is given."""
    copy = type(row)()
    copy.CopyFrom(row)
    copy.ClearField("last_update_time_since_epoch")
    if state is not None:
        copy.state = int(state)
    return copy
