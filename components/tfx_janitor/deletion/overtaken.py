"""What somebody else took between two looks at it is told as that, and not as what it looked like.

Rows are read first and payloads are looked at later. A payload that seems missing or damaged by then may be
one that another janitor has taken since: its row tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.acts import BATCH
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import Snapshot, state_name


def unless_overtaken(
    site: Site, judged: Snapshot | Mapping[int, int], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """The outcomes as given, but for those whose row is not the judged one any more: these are skipped.

    Args:
      judged: what was decided on; or by artifact id the last_update_time of its row in milliseconds.
      outcomes: of items that nothing was done to, in any order.
    """
    changed = changed_since(site, judged, {outcome.artifact_id for outcome in outcomes})
    return [
        replace(outcome, done="skipped", detail=changed[outcome.artifact_id])
        if outcome.artifact_id in changed
        else outcome
        for outcome in outcomes
    ]


def changed_since(
    site: Site, judged: Snapshot | Mapping[int, int], artifact_ids: Collection[int]
) -> dict[int, str]:
    """What became meanwhile of those artifacts whose row is not the judged one any more, in words.

    Args:
      judged: as of `unless_overtaken`.
    """
    ids = sorted(artifact_ids)
    changed: dict[int, str] = {}
    for start in range(0, len(ids), BATCH):
        for row in site.store.get_artifacts_by_id(ids[start : start + BATCH]):
            if row.last_update_time_since_epoch != _update_ms(judged, row.id):
                changed[row.id] = f"it changed since it was decided: it is {state_name(row.state)} now"
    return changed


def _update_ms(judged: Snapshot | Mapping[int, int], artifact_id: int) -> int | None:
    if not isinstance(judged, Snapshot):
        return judged.get(artifact_id)
    row = judged.row(artifact_id)
    return None if row is None else int(judged.artifacts.updated_ms[row])
