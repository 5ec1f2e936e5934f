"""Deletes what was marked longer ago than its grace, after judging it again; rescues what is needed again.

Whatever is marked is judged under the policy that marked it, read back from the act of marking, and under
the one given now, if any: it goes only if both still let it go. The payload disappears, its bytes go, and
only then does the state become DELETED, so a crash at any point leaves a mark whose payload the next purge
finishes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.acts import BATCH, Act, Outcome, Touch
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.marks import (
    ArtifactMark,
    CheckpointMark,
    CheckpointName,
    artifact_marks,
    checkpoint_marks,
)
from tfx_janitor.deletion.remove import Removed, finish_at, opened, vanish_at
from tfx_janitor.deletion.seals import as_written
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.deletion.whole import check_whole
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import Place, resolve, unfollowed
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.decide import decision_of
from tfx_janitor.retention.plan import Decision, Reason
from tfx_janitor.survey.crew import Failed
from tfx_janitor.survey.survey import judge

Decisions = Mapping[int, Decision]

_ALTERED = "act {}, which marked it, is not as it was written: see tfx-janitor history --verify"


@dataclass(frozen=True, slots=True)
class RemovalOrder:
    """One payload to remove.

    Attributes:
      path: absolute, links in it followed but for the last name: the place that was judged.
      label: of its entry in the trash.
      roots: it must lie inside one of these.
    """

    path: str
    label: str
    roots: tuple[Place, ...]


def remove_payload(order: RemovalOrder) -> Removed:
    """Makes a payload disappear and removes its bytes, or finishes what a crash left of that.

    Raises:
      RemovalError: it is not inside the roots, or a link has come into its path since it was judged.
      OSError: the file system refused.
    """
    directory, name = os.path.split(order.path)
    with opened(directory, roots=order.roots) as directory_fd:
        return finish_at(directory_fd, order.label) + vanish_at(directory_fd, name, order.label)


@dataclass(frozen=True)
class _Marked:
    """An artifact that stands marked."""

    row: int
    artifact_id: int
    mark: ArtifactMark


def purge(site: Site, *, policy: RetentionPolicy | None = None) -> list[Outcome]:
    """Purges, rescues and prunes what is due.

    Args:
      policy: the policy in force now; None judges by the policies that marked alone.

    Returns:
      One outcome per artifact: purged, rescued, pruned, skipped or failed. What is marked, still lets go
        and is
      within its grace has none.
    """
    known = acts.read(site.store)
    snapshot = site.read()
    judges = _Judges(site, snapshot, policy)
    outcomes: list[Outcome] = []
    # A grace or a policy that somebody altered after the marking must not decide what goes.
    altered = {act.id for act in known if act.kind == "apply" and not as_written(act)}
    going: dict[str, list[_Marked]] = defaultdict(list)
    needed: list[tuple[_Marked, Reason]] = []
    for marked in _standing(site, snapshot, known):
        mark = marked.mark
        if mark.act.id in altered:
            outcomes.append(Outcome(marked.artifact_id, "skipped", _ALTERED.format(mark.act.id)))
            continue
        if mark.begun and _taken_away(snapshot.artifacts.uri[marked.row]):
            # The point of no return was passed: a purge took the payload away, but did not live to record it.
            going[mark.act.details["policy_digest"]].append(marked)
            continue
        decision = judges.of(mark.act, marked.artifact_id)
        if decision is None or decision.verdict == "keep":
            why = Reason("keep.ungoverned", "no rule governs it") if decision is None else decision.reasons[0]
            needed.append((marked, why))
        elif decision.verdict == "unknown":
            why = next(r for r in decision.reasons if r.code.startswith("unknown."))
            outcomes.append(Outcome(marked.artifact_id, "skipped", f"{why.code}: {why.detail}"))
        elif mark.due(site.now_ms):
            going[mark.act.details["policy_digest"]].append(marked)
    outcomes += _rescue(site, snapshot, needed)
    for group in going.values():
        roots = judges.roots(group[0].mark.act)
        for start in range(0, len(group), BATCH):
            outcomes += _remove(site, snapshot, group[start : start + BATCH], roots, judges)
    inside = [m for m in checkpoint_marks(known) if _is_ours(site, snapshot, m.artifact_id)]
    outcomes += [
        Outcome(mark.artifact_id, "skipped", _ALTERED.format(mark.act.id))
        for mark in inside
        if mark.act.id in altered
    ]
    due = [mark for mark in inside if mark.act.id not in altered and mark.due(site.now_ms)]
    for start in range(0, len(due), BATCH):
        outcomes += _prune(site, snapshot, due[start : start + BATCH], judges)
    return outcomes


class _Judges:
    """Second judgements: one for each policy that marked something, made when first asked for."""

    def __init__(self, site: Site, snapshot: Snapshot, policy: RetentionPolicy | None) -> None:
        self._site, self._snapshot, self._policy = site, snapshot, policy
        self._by_digest: dict[str, Decisions] = {}
        self._places: dict[str, Mapping[int, Place]] = {}

    def of(self, act: Act, artifact_id: int) -> Decision | None:
        """The stricter of the judgements under the act's policy and under the one in force."""
        judgements = [self._judged(policy).get(artifact_id) for policy in self._policies(act)]
        for decision in judgements:
            if decision is None or decision.verdict != "delete":
                return decision
        return judgements[0]

    def all_of(self, act: Act, artifact_id: int) -> list[Decision]:
        """The judgements under each policy in question; none at all if one of them does not govern it."""
        judgements = [self._judged(policy).get(artifact_id) for policy in self._policies(act)]
        return [] if None in judgements else [j for j in judgements if j is not None]

    def place(self, act: Act, row: int) -> Place | None:
        """Where a payload lay when it was judged, links followed; None if it never was."""
        return self._places.get(self._policies(act)[0].digest, {}).get(row)

    def roots(self, act: Act) -> tuple[Place, ...]:
        return tuple(resolve(root) for root in self._policies(act)[0].roots)

    def _policies(self, act: Act) -> list[RetentionPolicy]:
        marking = RetentionPolicy.from_record(
            act.details["policy"], source=f"the policy recorded in act {act.id}"
        )
        return [marking] if self._policy is None or self._policy == marking else [marking, self._policy]

    def _judged(self, policy: RetentionPolicy) -> Decisions:
        found = self._by_digest.get(policy.digest)
        if found is None:
            settlement = judge(self._site.case(self._snapshot, policy), self._site.crew, policy.verify)
            self._places[policy.digest] = settlement.facts.places
            governed = settlement.nomination.case.governed
            decisions = (decision_of(settlement, row) for row in governed)
            found = self._by_digest[policy.digest] = {d.artifact_id: d for d in decisions}
        return found


def _standing(site: Site, snapshot: Snapshot, known: Sequence[Act]) -> Iterable[_Marked]:
    """Artifacts that this janitor marked and that are marked, ascending; what others marked is theirs."""
    for artifact_id, mark in artifact_marks(known).items():
        row = snapshot.row(artifact_id)
        if (
            row is not None
            and snapshot.artifacts.state[row] == ArtifactState.MARKED_FOR_DELETION
            and _is_ours(site, snapshot, artifact_id)
        ):
            yield _Marked(row, artifact_id, mark)


def _is_ours(site: Site, snapshot: Snapshot, artifact_id: int) -> bool:
    """Whether an act here may touch an artifact: it is known, and of the pipeline that acts are for."""
    row = snapshot.row(artifact_id)
    return row is not None and site.only_pipeline in (None, snapshot.pipeline_of(row))


def _taken_away(uri: str) -> bool:
    """Whether nothing lies at a URI, while what it lay in is there: else its disk may not be mounted."""
    path = unfollowed(uri).path
    return not os.path.lexists(path) and os.path.isdir(os.path.dirname(path))


def _rescue(site: Site, snapshot: Snapshot, needed: Sequence[tuple[_Marked, Reason]]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    whole: list[tuple[_Marked, Reason]] = []
    problems = check_whole(site, snapshot, [mark.row for mark, _ in needed])
    for (mark, reason), problem in zip(needed, problems, strict=True):
        if problem is None:
            whole.append((mark, reason))
        else:
            detail = f"needed again ({reason.code}: {reason.detail}), but not whole: {problem}"
            outcomes.append(Outcome(mark.artifact_id, "failed", detail))
    for start in range(0, len(whole), BATCH):
        batch = whole[start : start + BATCH]
        touches = [Touch(mark.artifact_id, "rescue") for mark, _ in batch]
        act = acts.begin(site, "rescue", touches, {})
        answers = transition(
            site.store,
            {mark.artifact_id: int(snapshot.artifacts.updated_ms[mark.row]) for mark, _ in batch},
            source=ArtifactState.MARKED_FOR_DELETION,
            target=ArtifactState.LIVE,
        )
        done = []
        for mark, reason in batch:
            problem = answers[mark.artifact_id]
            detail = f"{reason.code}: {reason.detail}" if problem is None else problem
            done.append(Outcome(mark.artifact_id, "rescued" if problem is None else "skipped", detail))
        acts.end(site, act, done)
        outcomes += done
    return outcomes


def _remove(
    site: Site, snapshot: Snapshot, marked: Sequence[_Marked], roots: tuple[Place, ...], judges: _Judges
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    batch: list[_Marked] = []
    orders: list[RemovalOrder] = []
    for mark in marked:
        place = unfollowed(snapshot.artifacts.uri[mark.row])
        judged = judges.place(mark.mark.act, mark.row)
        # A link is judged by where it leads, and goes itself.
        if judged in (None, place) or os.path.islink(place.path):
            batch.append(mark)
            orders.append(RemovalOrder(place.path, f"artifact-{mark.artifact_id}", roots))
        else:
            detail = f"it lay at {judged} when it was judged, and now lies at {place}"
            outcomes.append(Outcome(mark.artifact_id, "skipped", detail))
    if not batch:
        return outcomes
    details = {"plan_ids": sorted({marked.mark.act.details["plan_id"] for marked in batch})}
    act = acts.begin(site, "purge", [Touch(mark.artifact_id, "purge") for mark in batch], details)
    answers = site.crew.run("purge", remove_payload, orders)
    gone = [mark for mark, answer in zip(batch, answers, strict=True) if not isinstance(answer, Failed)]
    states = transition(
        site.store,
        {mark.artifact_id: None for mark in gone},
        source=ArtifactState.MARKED_FOR_DELETION,
        target=ArtifactState.DELETED,
    )
    done = []
    for mark, answer in zip(batch, answers, strict=True):
        if isinstance(answer, Failed):
            done.append(Outcome(mark.artifact_id, "failed", answer.error))
            continue
        problem = states[mark.artifact_id]
        detail = "" if problem is None else f"its bytes are gone, but {problem}"
        done.append(Outcome(mark.artifact_id, "failed" if problem else "purged", detail, answer.bytes))
    acts.end(site, act, done)
    return [*outcomes, *done]


def _prune(site: Site, snapshot: Snapshot, marks: Sequence[CheckpointMark], judges: _Judges) -> list[Outcome]:
    """Deletes marked checkpoints that may still go; then their marks are closed.

    A checkpoint that is needed again is simply planned again when it no longer is.
    """
    orders: list[PruneOrder] = []
    owners: list[int] = []
    going: dict[str, list[CheckpointName]] = defaultdict(list)
    for mark in marks:
        row = snapshot.row(mark.artifact_id)
        names = _still_going(mark, judges)
        if row is None or not names:
            continue
        going[str(mark.artifact_id)] += sorted(names)
        for order in _prune_orders(snapshot.artifacts.uri[row], mark, names, judges):
            orders.append(order)
            owners.append(mark.artifact_id)
    details = {
        "plan_ids": sorted({mark.act.details["plan_id"] for mark in marks}),
        "checkpoints": going,
        "closes": [mark.closing for mark in marks],
    }
    touches = [Touch(artifact_id, "prune") for artifact_id in dict.fromkeys(owners)]
    act = acts.begin(site, "purge", touches, details)
    answers = site.crew.run("prune", prune, orders)
    outcomes = list(_pruned(owners, orders, answers))
    acts.end(site, act, outcomes)
    return outcomes


def _still_going(mark: CheckpointMark, judges: _Judges) -> set[CheckpointName]:
    """Marked checkpoints that every policy in question still lets go, and those half gone already."""
    judgements = judges.all_of(mark.act, mark.artifact_id)
    if not judgements or any(decision.verdict == "delete" for decision in judgements):
        return set()
    going = set(mark.names)
    for decision in judgements:
        going &= {(c.directory, c.name) for c in decision.prunes}
    return going | mark.begun


def _prune_orders(
    uri: str, mark: CheckpointMark, names: Collection[CheckpointName], judges: _Judges
) -> Iterable[PruneOrder]:
    decision = judges.all_of(mark.act, mark.artifact_id)[0]
    for directory in sorted({directory for directory, _ in names}):
        here = {name for where, name in names if where == directory}
        begun = {name for where, name in mark.begun if where == directory}
        judged = {c.name: c.verdict for c in decision.checkpoints if c.directory == directory}
        yield PruneOrder(
            directory=os.path.normpath(os.path.join(resolve(uri).path, directory)),
            names=tuple(sorted(name for name in here if judged.get(name) == "delete")),
            half_gone=tuple(sorted(here & begun)),
            not_restorable=tuple(sorted(name for name, verdict in judged.items() if verdict == "unknown")),
            roots=judges.roots(mark.act),
        )


def _pruned(
    owners: Sequence[int], orders: Sequence[PruneOrder], answers: Sequence[Removed | Failed]
) -> Iterable[Outcome]:
    for artifact_id, order, answer in zip(owners, orders, answers, strict=True):
        if isinstance(answer, Failed):
            yield Outcome(artifact_id, "failed", f"checkpoints in {order.directory}: {answer.error}")
        else:
            names = ", ".join(dict.fromkeys((*order.names, *order.half_gone)))
            yield Outcome(artifact_id, "pruned", f"checkpoints {names}", answer.bytes)
