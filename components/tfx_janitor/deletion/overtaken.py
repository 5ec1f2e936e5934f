"""What somebody else took between two looks at it is told as that, and not as what it looked like.

Rows are read first and payloads are looked at later. A payload that seems missing or damaged by then may be
one that another janitor has taken since: its row tells that it changed, and the acts by whom. Where another
janitor did what this one was about to do, that is no failure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import BY_ANOTHER, Act, Kind, Outcome
from tfx_janitor.deletion.acts import BATCH
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot, state_name

_DEALING: tuple[Kind, ...] = ("apply", "purge", "rescue", "restore", "mend")

_BY_JANITORS: Mapping[int, tuple[Kind, str, str]] = {
    int(ArtifactState.MARKED_FOR_DELETION): ("apply", "mark", "marked"),
    int(ArtifactState.DELETED): ("purge", "purge", "purged"),
    int(ArtifactState.LIVE): ("rescue", "rescue", "rescued"),
}
"""By state the kind of act by which a janitor gives it, what that touches an artifact for, and in words."""


def unless_overtaken(
    site: Site,
    judged: Snapshot | Mapping[int, int],
    outcomes: Sequence[Outcome],
    *,
    aims: Collection[ArtifactState] = (),
) -> list[Outcome]:
    """The outcomes as given, but for those whose row is not the judged one any more: these are skipped.

    Args:
      judged: what was decided on; or by artifact id the last_update_time of its row in milliseconds.
      outcomes: of items that nothing was done to, in any order.
      aims: states in which this janitor would have them; one that another janitor gave is told as its doing.
    """
    changed = changed_since(site, judged, {outcome.artifact_id for outcome in outcomes}, aims=aims)
    return [
        replace(outcome, done="skipped", detail=changed[outcome.artifact_id])
        if outcome.artifact_id in changed
        else outcome
        for outcome in outcomes
    ]


def changed_since(
    site: Site,
    judged: Snapshot | Mapping[int, int],
    artifact_ids: Collection[int],
    *,
    aims: Collection[ArtifactState] = (),
) -> dict[int, str]:
    """What became meanwhile of those artifacts whose row is not the judged one any more, in words.

    Args:
      judged: as of `unless_overtaken`.
      aims: as of `unless_overtaken`.
    """
    ids = sorted(artifact_ids)
    states = {
        row.id: int(row.state)
        for start in range(0, len(ids), BATCH)
        for row in site.store.get_artifacts_by_id(ids[start : start + BATCH])
        if row.last_update_time_since_epoch != _update_ms(judged, row.id)
    }
    changed = {
        artifact_id: f"it changed since it was decided: it is {state_name(state)} now"
        for artifact_id, state in states.items()
    }
    reached = {artifact_id: state for artifact_id, state in states.items() if state in aims}
    return changed | _by_another(site, judged, reached)


def in_words(
    site: Site,
    judged: Snapshot | Mapping[int, int],
    answers: Mapping[int, str | None],
    *,
    aims: Collection[ArtifactState],
) -> dict[int, str | None]:
    """The answers of a transition, in words where it was not made because another janitor was faster.

    Args:
      judged: as of `unless_overtaken`.
      aims: as of `unless_overtaken`.
    """
    refused = {artifact_id for artifact_id, problem in answers.items() if problem is not None}
    changed = changed_since(site, judged, refused, aims=aims)
    return {
        **answers,
        **{artifact_id: told for artifact_id, told in changed.items() if told.startswith(BY_ANOTHER)},
    }


def _by_another(
    site: Site, judged: Snapshot | Mapping[int, int], states: Mapping[int, int]
) -> dict[int, str]:
    """Which of the artifacts got their state from another janitor since they were judged, in words.

    Args:
      judged: as of `unless_overtaken`.
      states: by artifact id the state now.
    """
    if not states:
        return {}
    last: dict[int, tuple[Act, str]] = {}
    for act in acts.read(site.store, kinds=_DEALING, damaged=True):
        if act.id == site.account.under_way:
            continue
        left = {outcome.artifact_id for outcome in act.outcomes if outcome.left}
        for touch in act.touches:
            if touch.artifact_id in states and touch.artifact_id not in left:
                last[touch.artifact_id] = act, touch.what
    written = _last_written(site, {act.id for act, _ in last.values()})
    found: dict[int, str] = {}
    for artifact_id, (act, what) in last.items():
        kind, touched, did = _BY_JANITORS[states[artifact_id]]
        judged_ms = _update_ms(judged, artifact_id)
        # What was over before the row came to be as it was judged has not changed it since.
        since = judged_ms is not None and written.get(act.id, 0) >= judged_ms
        if (act.kind, what) == (kind, touched) and since:
            found[artifact_id] = f"{BY_ANOTHER}{did} it meanwhile: act {act.id}"
    return found


def _last_written(site: Site, act_ids: Collection[int]) -> dict[int, int]:
    """When acts began, or ended, by the store's clock."""
    ids = sorted(act_ids)
    return {
        row.id: row.last_update_time_since_epoch
        for start in range(0, len(ids), BATCH)
        for row in site.store.get_executions_by_id(ids[start : start + BATCH])
    }


def _update_ms(judged: Snapshot | Mapping[int, int], artifact_id: int) -> int | None:
    if not isinstance(judged, Snapshot):
        return judged.get(artifact_id)
    row = judged.row(artifact_id)
    return None if row is None else int(judged.artifacts.updated_ms[row])
