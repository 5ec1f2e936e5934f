"""Marks what a plan lets go: LIVE to MARKED_FOR_DELETION. No byte is touched; all can be restored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tfx_janitor.deletion import acts, limits, loader, orphans, seals
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.batches import in_batches, not_begun
from tfx_janitor.deletion.doubts import doubted
from tfx_janitor.deletion.marks import marked_checkpoints
from tfx_janitor.deletion.orphan_marks import orphan_marks
from tfx_janitor.deletion.overtaken import in_words, unless_overtaken
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Decision, Plan
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey.survey import make_plan

_AIMS = (ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED, ArtifactState.LIVE)
"""What is marked, or was and is purged by now, or was and is needed again, needs no mark."""


def apply(site: Site, plan: Plan, *, approved: str | None = None) -> list[Outcome]:
    """Marks the artifacts and checkpoints that the plan deletes and that may still go now.

    The lineage is read and judged anew, for pipelines went on since the plan was made; then each mark is a
    compare-and-set on the very row that the plan saw. Checkpoints, and directories that no artifact claims,
    are marked by the record of the act alone: MLMD does not know them.

    Args:
      approved: id of the plan, if a person approved that it goes beyond the limits.

    Returns:
      One outcome per artifact, and per directory that no artifact claims: marked, or skipped and why.

    Raises:
      Refused: the plan is beyond a limit.
      Stopped: somebody wanted to stop before anything was marked.
      JanitorError: the plan was made on another store, or its policy asks for payloads to be loaded, and
        there is no TensorFlow.
    """
    if plan.metadata != site.metadata:
        raise JanitorError(
            f"the plan was made on {plan.metadata}, and this is {site.metadata}; make a plan here"
        )
    known = acts.read(site.store)
    marked_already = marked_checkpoints(known)
    marked_orphans = [mark.orphan for mark in orphan_marks(known)]
    limits.check(plan, approved, waiting=marked_already, waiting_orphans=marked_orphans)
    planned = [decision for decision in plan.decisions if decision.verdict == "delete" or decision.prunes]
    if not planned and not plan.abandoned:
        return []
    policy = RetentionPolicy.from_record(plan.policy, source="the plan's policy")
    loader.check(policy)
    fresh = make_plan(
        site.case(site.read(), policy),
        site.scouts,
        metadata=site.metadata,
        created_ms=site.now_ms,
        doubted=doubted(known),
    )
    details = {
        "plan_id": plan.id,
        "policy_digest": policy.digest,
        "policy": policy.to_dict(),
        "grace_ms": to_ms(policy.grace),
    }
    marks, prunes, skipped = _still_going(planned, fresh, marked_already)
    skipped = unless_overtaken(site, {d.artifact_id: d.updated_ms for d in planned}, skipped, aims=_AIMS)
    abandoned, changed = orphans.still_going(plan, fresh, known)
    skipped += changed
    marked = in_batches(
        site, marks, lambda batch: _mark(site, batch, details), left=lambda d: not_begun(d.artifact_id)
    )
    marked += in_batches(
        site,
        prunes,
        lambda batch: _mark_checkpoints(site, batch, details),
        left=lambda pair: not_begun(pair[0].artifact_id),
    )
    marked += orphans.mark(site, abandoned, details)
    skipped = in_batches(site, skipped, lambda batch: _record(site, batch, details), left=lambda told: told)
    return [*skipped, *marked]


def _still_going(
    planned: Sequence[Decision], fresh: Plan, marked_already: Collection[tuple[int, str, str]]
) -> tuple[list[Decision], list[tuple[Decision, list[list[str]]]], list[Outcome]]:
    """What a plan lets go and is not marked yet, as far as it may still go.

    Args:
      planned: decisions of the plan that delete an artifact, or prune inside one.
      fresh: made now, under the same policy.
      marked_already: checkpoints: artifact id, directory and name of each.

    Returns:
      The artifacts to mark; those inside which checkpoints are to be marked, with pairs of a directory and a
      name; and an outcome for each artifact that is needed again.
    """
    wanted = {decision.artifact_id for decision in planned}
    current = {d.artifact_id: d for d in fresh.decisions if d.artifact_id in wanted}
    marks: list[Decision] = []
    prunes: list[tuple[Decision, list[list[str]]]] = []
    skipped: list[Outcome] = []
    for decision in planned:
        now = current.get(decision.artifact_id)
        if decision.verdict == "delete":
            if decision.state == ArtifactState.MARKED_FOR_DELETION.name:
                continue
            problem = _needed(now)
            if problem is None:
                marks.append(decision)
            else:
                skipped.append(Outcome(decision.artifact_id, "skipped", problem))
        else:
            still = [] if now is None else [[c.directory, c.name] for c in now.prunes]
            names = [
                pair
                for c in decision.prunes
                if (pair := [c.directory, c.name]) in still
                and (decision.artifact_id, c.directory, c.name) not in marked_already
            ]
            if names:
                prunes.append((decision, names))
    return marks, prunes, skipped


def _needed(now: Decision | None) -> str | None:
    if now is None:
        return "no rule governs it any more"
    if now.verdict != "delete":
        reason = next(reason for reason in now.reasons if reason.holds)
        return f"needed again: {reason.code}, {reason.detail}"
    return None


def _record(site: Site, skipped: Sequence[Outcome], details: Mapping[str, Any]) -> list[Outcome]:
    """Records what is needed again, by an act that touches nothing: so all of the plan was dealt with."""
    acts.end(site, acts.begin(site, "apply", [], details), skipped)
    return list(skipped)


def _mark(site: Site, batch: Sequence[Decision], details: Mapping[str, Any]) -> list[Outcome]:
    touches = [Touch(d.artifact_id, "mark") for d in batch]
    act = acts.begin(site, "apply", touches, {**details, "decided": seals.decided(batch)})
    judged = {decision.artifact_id: decision.updated_ms for decision in batch}
    answers = transition(
        site.store, judged, source=ArtifactState.LIVE, target=ArtifactState.MARKED_FOR_DELETION
    )
    answers = in_words(site, judged, answers, aims=_AIMS)
    outcomes = []
    for decision in batch:
        problem = answers[decision.artifact_id]
        done = "marked" if problem is None else "skipped"
        why = "; ".join(f"{r.code}: {r.detail} (rule {r.rule})" for r in decision.reasons)
        frees = 0 if problem else decision.bytes or 0
        outcomes.append(Outcome(decision.artifact_id, done, problem or why, frees))
    acts.end(site, act, outcomes)
    return outcomes


def _mark_checkpoints(
    site: Site, batch: Sequence[tuple[Decision, list[list[str]]]], details: Mapping[str, Any]
) -> list[Outcome]:
    touches = [Touch(decision.artifact_id, "prune") for decision, _ in batch]
    marked = {str(decision.artifact_id): names for decision, names in batch}
    decided = seals.decided(decision for decision, _ in batch)
    act = acts.begin(site, "apply", touches, {**details, "decided": decided, "checkpoints": marked})
    outcomes = []
    for decision, names in batch:
        size = sum(c.bytes for c in decision.prunes if [c.directory, c.name] in names)
        shown = ", ".join(name for _, name in names)
        outcomes.append(Outcome(decision.artifact_id, "marked", f"checkpoints {shown}", size))
    acts.end(site, act, outcomes)
    return outcomes
