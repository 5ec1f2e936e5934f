"""Marks and restores directories that no artifact claims; `orphan_purge` purges them.

There is no row in MLMD to compare and set, so acts stand in for it. A purge writes down what it is about to
remove and then looks who took a mark back; a restore writes down what it takes back and then looks who is
about to remove it. Whichever was later sees the other, and then the directory stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_janitor.deletion import acts, seals
from tfx_janitor.deletion.act import Act, Outcome
from tfx_janitor.deletion.batches import in_batches
from tfx_janitor.deletion.orphan_marks import (
    OrphanMark,
    in_words,
    names_path,
    not_begun,
    orphan_marks,
    outcome_of,
    removed_by,
)
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.presence import is_missing
from tfx_janitor.retention.plan import Orphan, Plan


def still_going(plan: Plan, fresh: Plan, known: Sequence[Act]) -> tuple[list[Orphan], list[Outcome]]:
    """What a plan lets go and is not marked yet, as far as it may still go and is as the plan saw it.

    Args:
      fresh: made now, under the same policy.
      known: all acts.

    Returns:
      The directories to mark, and an outcome for each that is skipped.
    """
    waiting = {one.orphan.content for one in orphan_marks(known)}
    now = {orphan.path: orphan for orphan in fresh.orphans or ()}
    going: list[Orphan] = []
    skipped: list[Outcome] = []
    for together in _by_execution(plan.abandoned):
        problem = next((p for orphan in together if (p := _problem(orphan, now.get(orphan.path)))), None)
        fresh_ones = [orphan for orphan in together if orphan.content not in waiting]
        if problem is None:
            going += fresh_ones
        else:
            skipped += (outcome_of(orphan, "skipped", problem) for orphan in fresh_ones)
    return going, skipped


def mark(site: Site, going: Sequence[Orphan], details: Mapping[str, Any]) -> list[Outcome]:
    """Marks directories by acts that record them.

    Args:
      details: what acts of marking record besides.
    """

    def carry_out(batch: Sequence[Orphan]) -> list[Outcome]:
        records = [orphan.to_dict() for orphan in batch]
        recorded = {**details, "decided": seals.decided(batch), "orphans": records}
        act = acts.begin(site, "apply", [], recorded)
        done = [outcome_of(o, "marked", in_words(o.reasons[0]), o.bytes or 0) for o in batch]
        acts.end(site, act, done)
        return done

    return in_batches(site, going, carry_out, left=not_begun)


def _problem(orphan: Orphan, now: Orphan | None) -> str | None:
    if now is None:
        return "it is gone, or something claims it now"
    if now.verdict != "delete":
        return f"needed again: {in_words(now.reasons[0])}"
    return None if now.content == orphan.content else "it changed since it was decided"


def restore(site: Site, paths: Sequence[str]) -> list[Outcome]:
    """Takes marks on directories back.

    Args:
      paths: as marks spell them.

    Returns:
      One outcome per path: restored; skipped, if it is not marked any more; failed, if nothing lies there or
      a purge has begun to remove it.

    Raises:
      JanitorError: a path was never marked; nothing was restored then.
    """
    known = acts.read(site.store, kinds=("apply", "purge", "restore"))
    for path in paths:
        if not any(names_path(act, path) for act in known):
            raise JanitorError(
                f"expected ids of artifacts or paths of directories that were marked, got {path}; "
                "`tfx-janitor history` lists them"
            )
    standing: dict[str, list[OrphanMark]] = {path: [] for path in paths}
    for one in orphan_marks(known):
        if one.orphan.path in standing:
            standing[one.orphan.path].append(one)
    outcomes = [
        Outcome(0, "skipped", "it is not marked any more", path=path)
        for path, marks in standing.items()
        if not marks
    ]
    taking: list[OrphanMark] = []
    for path, marks in standing.items():
        if problem := _irretrievable(path, marks):
            outcomes.append(outcome_of(marks[0].orphan, "failed", problem))
        else:
            taking += marks
    outcomes += in_batches(
        site, taking, lambda batch: _release(site, batch), left=lambda one: not_begun(one.orphan)
    )
    return sorted(outcomes, key=lambda outcome: outcome.path or "")


def marked_by(site: Site, plan_id: str) -> list[str]:
    """Paths of the directories that a plan marked and that are marked still."""
    marks = orphan_marks(acts.read(site.store))
    return [one.orphan.path for one in marks if one.act.details.get("plan_id") == plan_id]


def _irretrievable(path: str, marks: Sequence[OrphanMark]) -> str | None:
    if not marks:
        return None
    if is_missing(path):
        return "nothing lies there any more"
    return next((_PURGING.format(one.purging) for one in marks if one.purging), None)


_PURGING = (
    "act {} is purging it; if that was cut off, write a file into the directory: what changed is never purged"
)


def _release(site: Site, marks: Sequence[OrphanMark]) -> list[Outcome]:
    act = acts.begin(site, "restore", [], {"closes": [one.closing for one in marks]})
    purges = {
        closing: other.id
        for other in acts.read(site.store, kinds=("purge",))
        if not other.ended
        for closing in removed_by(other)
    }
    done = [
        outcome_of(one.orphan, "failed", _PURGING.format(purges[one.closing]))
        if one.closing in purges
        else outcome_of(one.orphan, "restored", "")
        for one in marks
    ]
    acts.end(site, act, done)
    return done


def _by_execution(orphans: Sequence[Orphan]) -> list[list[Orphan]]:
    found: dict[int, list[Orphan]] = defaultdict(list)
    for orphan in orphans:
        found[orphan.execution].append(orphan)
    return list(found.values())
