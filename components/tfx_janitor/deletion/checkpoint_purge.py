"""Deletes marked checkpoints inside ModelRuns that stay, after judging them again; closes their marks."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Act, Outcome, Touch
from tfx_janitor.deletion.batches import in_batches, in_hand, not_begun
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.last_look import needed_since
from tfx_janitor.deletion.loader import UNJUDGED
from tfx_janitor.deletion.marks import CheckpointMark, CheckpointName, checkpoint_marks, closings
from tfx_janitor.deletion.remove import Removed
from tfx_janitor.deletion.seals import ALTERED
from tfx_janitor.deletion.second_judgement import SecondJudgement
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload.places import resolve
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey.crew import Failed

_RESTORING = timedelta(hours=1)
"""A restore that began longer ago and never ended is dead, and keeps nothing."""


def purge(
    site: Site,
    snapshot: Snapshot,
    known: Sequence[Act],
    judges: SecondJudgement,
    altered: Collection[int],
    unjudged: Collection[int],
) -> list[Outcome]:
    """Prunes what is due.

    Args:
      altered: ids of acts that are not as they were written: what they marked stays.
      unjudged: ids of acts whose policy cannot judge here: what they marked stays as well.

    Returns:
      One outcome per ModelRun and directory: pruned, skipped or failed.
    """
    marks = [mark for mark in checkpoint_marks(known) if site.concerns(snapshot, mark.artifact_id)]
    due = [mark for mark in marks if mark.act.id not in altered and mark.due(site.now_ms)]
    return [
        *(
            Outcome(mark.artifact_id, "skipped", ALTERED.format(mark.act.id))
            for mark in marks
            if mark.act.id in altered
        ),
        *(
            Outcome(mark.artifact_id, "skipped", UNJUDGED.format(mark.act.id))
            for mark in due
            if mark.act.id in unjudged
        ),
        *in_batches(
            site,
            [mark for mark in due if mark.act.id not in unjudged],
            lambda batch: _prune(site, snapshot, batch, judges),
            left=lambda mark: not_begun(mark.artifact_id),
            # An act closes all its marks as it ends, so it must not end before all of them were dealt with.
            size=in_hand(site),
        ),
    ]


def _prune(
    site: Site, snapshot: Snapshot, marks: Sequence[CheckpointMark], judges: SecondJudgement
) -> list[Outcome]:
    """Deletes marked checkpoints that may still go; then their marks are closed.

    A checkpoint that is needed again is simply planned again when it no longer is.
    """
    late = needed_since(site, snapshot, {mark.artifact_id for mark in marks})
    marks = [mark for mark in marks if mark.artifact_id not in late]
    waiting = [Outcome(artifact_id, "skipped", why) for artifact_id, why in late.items()]
    if not marks:
        return waiting
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
    restored = closings(_restores_before(site, act))
    outcomes = [
        *waiting,
        *(
            Outcome(mark.artifact_id, "skipped", f"checkpoints in {order.directory}: a restore was faster")
            for mark, order in orders
            if mark.closing in restored
        ),
    ]
    orders = [(mark, order) for mark, order in orders if mark.closing not in restored]
    answers = site.crew.run("prune", prune, [order for _, order in orders])
    outcomes += _pruned([mark.artifact_id for mark, _ in orders], [order for _, order in orders], answers)
    acts.end(site, act, outcomes)
    return outcomes


def _restores_before(site: Site, act_id: int) -> Iterator[Act]:
    """The restores that keep what they restored from an act of purging.

    MLMD knows no state of a checkpoint to compare and set. So whoever closes a mark says so first, and then
    looks whether somebody else has: who began first wins.
    """
    for act in acts.read(site.store, kinds=("restore",)):
        if act.id < act_id and (act.ended or site.now_ms - act.at_ms < to_ms(_RESTORING)):
            yield act


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
