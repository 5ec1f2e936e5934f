"""Takes marks back: MARKED_FOR_DELETION to LIVE, after verifying that the payload is whole."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.acts import BATCH, Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.deletion.whole import check_whole
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState


def restore(site: Site, artifact_ids: Sequence[int]) -> list[Outcome]:
    """Restores artifacts within their grace.

    Returns:
      One outcome per artifact: restored, skipped (not marked any more) or failed (not whole).

    Raises:
      JanitorError: an id is not in the store; nothing was restored then.
    """
    snapshot = site.read()
    rows = {artifact_id: snapshot.row(artifact_id) for artifact_id in dict.fromkeys(artifact_ids)}
    unknown = sorted(artifact_id for artifact_id, row in rows.items() if row is None)
    if unknown:
        raise JanitorError(f"expected ids of artifacts in {site.metadata}, which has no {_listed(unknown)}")
    outcomes: list[Outcome] = []
    marked: list[tuple[int, int]] = []
    for artifact_id, row in rows.items():
        assert row is not None
        state = ArtifactState(int(snapshot.artifacts.state[row]))
        if state is ArtifactState.MARKED_FOR_DELETION:
            marked.append((artifact_id, row))
        else:
            gone = "; its payload was purged" if state is ArtifactState.DELETED else ""
            outcomes.append(Outcome(artifact_id, "skipped", f"it is {state.name}, not marked{gone}"))
    problems = check_whole(site, snapshot, [row for _, row in marked])
    whole = []
    for (artifact_id, row), problem in zip(marked, problems, strict=True):
        if problem is None:
            whole.append((artifact_id, row))
        else:
            outcomes.append(Outcome(artifact_id, "failed", f"not whole: {problem}"))
    for start in range(0, len(whole), BATCH):
        batch = whole[start : start + BATCH]
        act = acts.begin(site, "restore", [Touch(artifact_id, "restore") for artifact_id, _ in batch], {})
        answers = transition(
            site.store,
            {artifact_id: int(snapshot.artifacts.updated_ms[row]) for artifact_id, row in batch},
            source=ArtifactState.MARKED_FOR_DELETION,
            target=ArtifactState.LIVE,
        )
        done = [
            Outcome(artifact_id, "restored" if problem is None else "skipped", problem or "")
            for artifact_id, problem in answers.items()
        ]
        acts.end(site, act, done)
        outcomes += done
    return sorted(outcomes, key=lambda outcome: outcome.artifact_id)


def marked_by(site: Site, plan_id: str) -> list[int]:
    """Ids of the artifacts that a plan marked, ascending.

    Raises:
      JanitorError: no act of this store belongs to such a plan.
    """
    found = [
        act for act in acts.read(site.store) if act.kind == "apply" and act.details.get("plan_id") == plan_id
    ]
    if not found:
        raise JanitorError(
            f"no plan {plan_id} was ever applied to {site.metadata}; `tfx-janitor history` lists them"
        )
    return sorted({touch.artifact_id for act in found for touch in act.touches if touch.what == "mark"})


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
