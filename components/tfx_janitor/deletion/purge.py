"""Deletes what was marked longer ago than its grace, after judging it again; rescues what is needed again.

Whatever is marked is judged under the policy that marked it, read back from the act of marking, and under
the one given now, if any: it goes only if both still let it go. How it goes is in `claim`. A crash at any
point leaves an act that never ended, and what it began the next purge finishes.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from tfx_janitor.deletion import acts, orphan_purge
from tfx_janitor.deletion.acts import Act, Outcome, Touch
from tfx_janitor.deletion.batches import IN_HAND, in_batches, not_begun
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.claim import Condemned, carry_out, trash_label
from tfx_janitor.deletion.marks import (
    CheckpointMark,
    CheckpointName,
    artifact_marks,
    checkpoint_marks,
    closings,
)
from tfx_janitor.deletion.overtaken import unless_overtaken
from tfx_janitor.deletion.remove import Removed, is_tidy
from tfx_janitor.deletion.seals import ALTERED, as_written
from tfx_janitor.deletion.second_judgement import SecondJudgement
from tfx_janitor.deletion.site import Site
from tfx_janitor.deletion.states import transition
from tfx_janitor.deletion.whole import check_whole
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import Place, resolve, unfollowed
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Reason
from tfx_janitor.survey.crew import Failed


def purge(site: Site, *, policy: RetentionPolicy | None = None) -> list[Outcome]:
    """Purges, rescues and prunes what is due.

    Args:
      policy: the policy in force now; None judges by the policies that marked alone.

    Returns:
      One outcome per artifact: purged, rescued, pruned, skipped or failed; finished, where an earlier purge
      was cut off; corrected, where somebody put LIVE over DELETED and nothing lies there. What is marked,
      still lets go and is within its grace has none.

    Raises:
      Stopped: somebody wanted to stop while this was looking; the site's account tells what was done before.
    """
    # Rows before acts: a mark that is made in between is seen in its own grace, not in that of an older one.
    snapshot = site.read()
    known = acts.read(site.store)
    judges = SecondJudgement(site, snapshot, policy)
    outcomes: list[Outcome] = []
    # A grace or a policy that somebody altered after the marking must not decide what goes.
    altered = {act.id for act in known if act.kind in ("apply", "mend") and not as_written(act)}
    going: dict[str, list[Condemned]] = defaultdict(list)
    needed: list[tuple[Condemned, Reason]] = []
    unknown: list[Outcome] = []
    for item in _standing(site, snapshot, known):
        mark = item.mark
        if mark.act.id in altered:
            outcomes.append(Outcome(item.artifact_id, "skipped", ALTERED.format(mark.act.id)))
            continue
        if item.vanished:
            # The point of no return was passed, but whoever passed it did not live to come to the end; or
            # what is gone is called by another state again.
            going[mark.act.details["policy_digest"]].append(item)
            continue
        if item.state == ArtifactState.DELETED:
            occupant = judges.occupant(mark.act, item.row, item.place)
            if occupant is None:
                going[mark.act.details["policy_digest"]].append(item)
            else:
                outcomes.append(
                    Outcome(item.artifact_id, "skipped", f"its purge was cut off; now {occupant}")
                )
            continue
        decision = judges.of(mark.act, item.artifact_id)
        if mark.discarded and decision is not None and decision.verdict == "keep":
            # A person's word takes the place of the rules, but of no hold: while one holds, it stays marked.
            if any(reason.code.startswith("hold.") for reason in decision.reasons):
                continue
            decision = dataclasses.replace(decision, verdict="delete")
        if decision is None or decision.verdict == "keep":
            why = Reason("keep.ungoverned", "no rule governs it") if decision is None else decision.reasons[0]
            needed.append((item, why))
        elif decision.verdict == "unknown":
            why = next(r for r in decision.reasons if r.code.startswith("unknown."))
            unknown.append(Outcome(item.artifact_id, "skipped", f"{why.code}: {why.detail}"))
        elif not mark.due(site.now_ms):
            continue
        elif judges.place(mark.act, item.row) in (None, item.place) or os.path.islink(item.place.path):
            # A link is judged by where it leads, and goes itself.
            going[mark.act.details["policy_digest"]].append(item)
        else:
            judged = judges.place(mark.act, item.row)
            detail = f"it lay at {judged} when it was judged, and now lies at {item.place}"
            outcomes.append(Outcome(item.artifact_id, "skipped", detail))
    outcomes += unless_overtaken(site, snapshot, unknown)
    outcomes += _rescue(site, snapshot, needed)
    for group in going.values():
        roots = judges.roots(group[0].mark.act)
        outcomes += in_batches(
            site,
            group,
            lambda batch, roots=roots: carry_out(site, snapshot, batch, roots),
            left=lambda item: not_begun(item.artifact_id),
        )
    inside = [m for m in checkpoint_marks(known) if _is_ours(site, snapshot, m.artifact_id)]
    outcomes += [
        Outcome(mark.artifact_id, "skipped", ALTERED.format(mark.act.id))
        for mark in inside
        if mark.act.id in altered
    ]
    due = [mark for mark in inside if mark.act.id not in altered and mark.due(site.now_ms)]
    outcomes += in_batches(
        site,
        due,
        lambda batch: _prune(site, snapshot, batch, judges),
        left=lambda mark: not_begun(mark.artifact_id),
        # An act closes all its marks as it ends, so it must not end before all of them were dealt with.
        size=IN_HAND,
    )
    return [*outcomes, *orphan_purge.purge(site, snapshot, known, judges, frozenset(altered))]


def _standing(site: Site, snapshot: Snapshot, known: Sequence[Act]) -> Iterable[Condemned]:
    """What this janitor marked, what it claimed and did not finish, and what came to life again; ascending.

    What others marked is theirs.
    """
    for artifact_id, mark in artifact_marks(known).items():
        row = snapshot.row(artifact_id)
        if row is None or not _is_ours(site, snapshot, artifact_id):
            continue
        state = ArtifactState(int(snapshot.artifacts.state[row]))
        if state == ArtifactState.MARKED_FOR_DELETION:
            place = unfollowed(snapshot.artifacts.uri[row])
            yield Condemned(row, artifact_id, mark, state, place, mark.begun and _has_vanished(place))
        elif state == ArtifactState.DELETED and mark.unfinished:
            place = unfollowed(snapshot.artifacts.uri[row])
            vanished = not os.path.lexists(place.path)
            if not vanished or not is_tidy(place.path, trash_label(artifact_id)):
                yield Condemned(row, artifact_id, mark, state, place, vanished)
        elif state == ArtifactState.LIVE and mark.begun:
            place = unfollowed(snapshot.artifacts.uri[row])
            if _has_vanished(place):
                yield Condemned(row, artifact_id, mark, state, place, vanished=True)


def _is_ours(site: Site, snapshot: Snapshot, artifact_id: int) -> bool:
    """Whether an act here may touch an artifact: it is known, and of the pipeline that acts are for."""
    row = snapshot.row(artifact_id)
    return row is not None and site.only_pipeline in (None, snapshot.pipeline_of(row))


def _has_vanished(place: Place) -> bool:
    """Whether nothing lies at a place, while what it lay in is there: else its disk may not be mounted."""
    return not os.path.lexists(place.path) and os.path.isdir(os.path.dirname(place.path))


def _rescue(site: Site, snapshot: Snapshot, needed: Sequence[tuple[Condemned, Reason]]) -> list[Outcome]:
    damaged: list[Outcome] = []
    whole: list[tuple[Condemned, Reason]] = []
    problems = check_whole(site, snapshot, [mark.row for mark, _ in needed])
    for (mark, reason), problem in zip(needed, problems, strict=True):
        if problem is None:
            whole.append((mark, reason))
        else:
            detail = f"needed again ({reason.code}: {reason.detail}), but not whole: {problem}"
            damaged.append(Outcome(mark.artifact_id, "failed", detail))
    outcomes = unless_overtaken(site, snapshot, damaged)
    outcomes += in_batches(
        site,
        whole,
        lambda batch: _unmark(site, snapshot, batch),
        left=lambda pair: not_begun(pair[0].artifact_id),
    )
    return outcomes


def _unmark(site: Site, snapshot: Snapshot, needed: Sequence[tuple[Condemned, Reason]]) -> list[Outcome]:
    touches = [Touch(mark.artifact_id, "rescue") for mark, _ in needed]
    act = acts.begin(site, "rescue", touches, {})
    answers = transition(
        site.store,
        {mark.artifact_id: int(snapshot.artifacts.updated_ms[mark.row]) for mark, _ in needed},
        source=ArtifactState.MARKED_FOR_DELETION,
        target=ArtifactState.LIVE,
    )
    done = []
    for mark, reason in needed:
        problem = answers[mark.artifact_id]
        detail = f"{reason.code}: {reason.detail}" if problem is None else problem
        done.append(Outcome(mark.artifact_id, "rescued" if problem is None else "skipped", detail))
    acts.end(site, act, done)
    return done


def _prune(
    site: Site, snapshot: Snapshot, marks: Sequence[CheckpointMark], judges: SecondJudgement
) -> list[Outcome]:
    """Deletes marked checkpoints that may still go; then their marks are closed.

    A checkpoint that is needed again is simply planned again when it no longer is.
    """
    orders: list[tuple[CheckpointMark, PruneOrder]] = []
    going: dict[str, list[CheckpointName]] = defaultdict(list)
    for mark in marks:
        row = snapshot.row(mark.artifact_id)
        names = _still_going(mark, judges)
        if row is None or not names:
            continue
        going[str(mark.artifact_id)] += sorted(names)
        for order in _prune_orders(snapshot.artifacts.uri[row], mark, names, judges):
            orders.append((mark, order))
    details = {
        "plan_ids": sorted({mark.act.details["plan_id"] for mark in marks}),
        "checkpoints": going,
        "closes": [mark.closing for mark in marks],
    }
    touches = [Touch(artifact_id, "prune") for artifact_id in dict.fromkeys(m.artifact_id for m, _ in orders)]
    act = acts.begin(site, "purge", touches, details)
    # MLMD knows no state of a checkpoint to compare and set. So whoever closes a mark says so first,
    # and then looks whether somebody else has: a restore that began before this act keeps what it restored.
    began_before = (other for other in acts.read(site.store, kinds=("restore",)) if other.id < act)
    restored = closings(began_before)
    outcomes = [
        Outcome(mark.artifact_id, "skipped", f"checkpoints in {order.directory}: a restore was faster")
        for mark, order in orders
        if mark.closing in restored
    ]
    orders = [(mark, order) for mark, order in orders if mark.closing not in restored]
    answers = site.crew.run("prune", prune, [order for _, order in orders])
    outcomes += _pruned([mark.artifact_id for mark, _ in orders], [order for _, order in orders], answers)
    acts.end(site, act, outcomes)
    return outcomes


def _still_going(mark: CheckpointMark, judges: SecondJudgement) -> set[CheckpointName]:
    """Marked checkpoints that every policy in question still lets go, and those half gone already."""
    judgements = judges.all_of(mark.act, mark.artifact_id)
    if not judgements or any(decision.verdict == "delete" for decision in judgements):
        return set()
    going = set(mark.names)
    for decision in judgements:
        going &= {(c.directory, c.name) for c in decision.prunes}
    return going | mark.begun


def _prune_orders(
    uri: str, mark: CheckpointMark, names: Collection[CheckpointName], judges: SecondJudgement
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
