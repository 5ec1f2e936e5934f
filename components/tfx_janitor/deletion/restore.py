"""Takes marks back: MARKED_FOR_DELETION to LIVE, after verifying that the payload is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.batches import in_batches, not_begun
from tfx_janitor.deletion.marks import CheckpointMark, artifact_marks, checkpoint_marks, closings
from tfx_janitor.deletion.overtaken import unless_overtaken
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.deletion.whole import check_whole
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState, state_name


def restore(site: Site, artifact_ids: Sequence[int]) -> list[Outcome]:
    """Restores artifacts within their grace, and releases the marked checkpoints inside them.

    Returns:
      One outcome per artifact: restored, skipped (not marked any more) or failed (not whole).

    Raises:
      JanitorError: an id is not in the store; nothing was restored then.
      Stopped: somebody wanted to stop before anything was restored.
    """
    snapshot = site.read()
    rows: dict[int, int] = {}
    unknown: list[int] = []
    for artifact_id in dict.fromkeys(artifact_ids):
        row = snapshot.row(artifact_id)
        if row is None:
            unknown.append(artifact_id)
        else:
            rows[artifact_id] = row
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise JanitorError(f"expected ids of artifacts in {site.metadata}, which has no {listed}")
    inside: dict[int, list[CheckpointMark]] = {}
    known = acts.read(site.store)
    for mark in checkpoint_marks(known):
        if mark.artifact_id in rows:
            inside.setdefault(mark.artifact_id, []).append(mark)
    purged = {artifact_id for artifact_id, mark in artifact_marks(known).items() if mark.begun}
    outcomes: list[Outcome] = []
    marked: list[int] = []
    for artifact_id, row in rows.items():
        state = int(snapshot.artifacts.state[row])
        if state == ArtifactState.MARKED_FOR_DELETION:
            marked.append(artifact_id)
        elif artifact_id not in inside:
            is_gone = state == ArtifactState.DELETED and artifact_id in purged
            gone = "; its payload was purged" if is_gone else ""
            outcomes.append(Outcome(artifact_id, "skipped", f"it is {state_name(state)}, not marked{gone}"))
    problems = check_whole(site, snapshot, [rows[artifact_id] for artifact_id in marked])
    whole = [artifact_id for artifact_id, problem in zip(marked, problems, strict=True) if problem is None]
    damaged = [
        Outcome(artifact_id, "failed", f"not whole: {problem}")
        for artifact_id, problem in zip(marked, problems, strict=True)
        if problem is not None
    ]
    outcomes += unless_overtaken(site, snapshot, damaged)
    updated = snapshot.artifacts.updated_ms
    outcomes += in_batches(
        site,
        whole,
        lambda batch: _unmark(site, {artifact_id: int(updated[rows[artifact_id]]) for artifact_id in batch}),
        left=not_begun,
    )
    outcomes += in_batches(
        site,
        list(inside.items()),
        lambda batch: _release(site, batch),
        left=lambda pair: not_begun(pair[0]),
    )
    return sorted(outcomes, key=lambda outcome: outcome.artifact_id)


def marked_by(site: Site, plan_id: str) -> list[int]:
    """Ids of the artifacts that a plan marked, or inside which it marked checkpoints, ascending.

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
    return sorted({touch.artifact_id for act in found for touch in act.touches})


def _unmark(site: Site, expected: Mapping[int, int]) -> list[Outcome]:
    act = acts.begin(site, "restore", [Touch(artifact_id, "restore") for artifact_id in expected], {})
    answers = transition(
        site.store, expected, source=ArtifactState.MARKED_FOR_DELETION, target=ArtifactState.LIVE
    )
    done = [
        Outcome(artifact_id, "restored" if problem is None else "skipped", problem or "")
        for artifact_id, problem in answers.items()
    ]
    acts.end(site, act, done)
    return done


def _release(site: Site, inside: Sequence[tuple[int, Sequence[CheckpointMark]]]) -> list[Outcome]:
    details = {"closes": [mark.closing for _, marks in inside for mark in marks]}
    act = acts.begin(site, "restore", [Touch(artifact_id, "restore") for artifact_id, _ in inside], details)
    # A purge that has said that it closes a mark has these checkpoints in hand, and this act comes too late.
    purging = closings(acts.read(site.store, kinds=("purge",)))
    done = []
    for artifact_id, marks in inside:
        names = ", ".join(sorted({name for mark in marks for _, name in mark.names}))
        if any(mark.closing in purging for mark in marks):
            detail = f"checkpoints {names}: a purge of them has begun"
            done.append(Outcome(artifact_id, "skipped", detail))
        else:
            done.append(Outcome(artifact_id, "restored", f"checkpoints {names}"))
    acts.end(site, act, done)
    return done
