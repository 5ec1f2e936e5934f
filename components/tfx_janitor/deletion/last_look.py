"""The last look at the store before bytes go: who came to need what was judged some time ago.

To judge many payloads, with checksums, may take an hour, and that somebody needs one of them changes no row:
no compare-and-set tells. Whoever comes after this look still comes too late.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tfx_janitor.deletion.acts import BATCH
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.read_api import read_pins
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, ArtifactState, Snapshot
from tfx_janitor.payload.places import Place, PlaceError, resolve

_ROLLBACK = f"{ACT_TYPE_PREFIX}rollback"

_NEWEST = 10
"""Of so many artifacts it is asked first whether they are new."""


def needed_since(site: Site, judged: Snapshot, artifact_ids: Collection[int]) -> dict[int, str]:
    """Who began to use artifacts, pinned them, or came to lie where they lie, since they were judged.

    Args:
      artifact_ids: of artifacts that were judged.

    Returns:
      By artifact id why it is needed, in words; the others are not concerned.
    """
    needed: dict[int, str] = {}
    ids = sorted(artifact_ids)
    if not ids:
        return needed
    users: dict[int, set[int]] = {}
    for start in range(0, len(ids), BATCH):
        for event in site.store.get_events_by_artifact_ids(ids[start : start + BATCH]):
            if judged.execution_row(event.execution_id) is None:
                users.setdefault(event.execution_id, set()).add(event.artifact_id)
    for execution in site.store.get_executions_by_id(users):
        # Acts record, and use nothing; but what a rollback touches, it may put into service.
        if not execution.type.startswith(ACT_TYPE_PREFIX) or execution.type == _ROLLBACK:
            detail = f"needed again: execution {execution.id} came to use it after it was judged"
            needed |= dict.fromkeys(users[execution.id], detail)
    for pin in read_pins(site.store):
        if pin.artifact_id in artifact_ids and pin.stands(site.now_ms):
            needed[pin.artifact_id] = "needed again: it was pinned after it was judged"
    made = [(row.id, place) for row in _made_since(site, judged) if (place := _place(row.uri)) is not None]
    for artifact_id in ids if made else ():
        row = judged.row(artifact_id)
        mine = None if row is None else _place(judged.artifacts.uri[row])
        for other, place in made:
            if mine is not None and (mine == place or mine.contains(place) or place.contains(mine)):
                needed[artifact_id] = (
                    f"needed again: artifact {other} was made at {place} after it was judged"
                )
    return needed


def _made_since(site: Site, judged: Snapshot) -> list[Any]:
    """The artifacts that are there now and were not when the store was read."""
    from ml_metadata.metadata_store import ListOptions, OrderByField

    last = int(judged.artifacts.id.max(initial=0))
    limit = _NEWEST
    while True:
        newest = site.store.get_artifacts(ListOptions(limit=limit, order_by=OrderByField.ID, is_asc=False))
        if len(newest) < limit or newest[-1].id <= last:
            return [row for row in newest if row.id > last and row.state != ArtifactState.DELETED]
        limit *= 10


def _place(uri: str) -> Place | None:
    try:
        return resolve(uri)
    except PlaceError:
        return None
