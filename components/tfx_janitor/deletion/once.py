"""A plan is applied once, and while it is fresh.

Applying judges anew, so an old plan deletes nothing that is needed. But nobody has looked at it for long, and
one that was applied before may have been taken back by somebody since.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.marks import marked_checkpoints
from tfx_janitor.deletion.orphan_marks import orphan_marks
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.durations import format_duration
from tfx_janitor.retention.plan import Plan
from tfx_janitor.retention.timestamps import shown, to_ms

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

MAX_AGE = timedelta(days=1)

_MINUTE_MS = 60_000


class NotNow(JanitorError):
    """A plan that is not to be applied now, or not again; nothing was done."""


def check_fresh(plan: Plan, now_ms: int, max_age: timedelta = MAX_AGE) -> None:
    """Lets a plan pass that judges a moment not long ago.

    Raises:
      NotNow: it judges one that is longer ago, or to come.
    """
    age_ms = now_ms - plan.now_ms
    if age_ms < 0:
        raise NotNow(
            f"expected a plan that judges the past, and this one judges {shown(plan.now_ms)}, while it is "
            f"{shown(now_ms)} now; make a new one with `tfx-janitor plan --out`, without --now and by a "
            "clock that agrees with this one's"
        )
    if age_ms > to_ms(max_age):
        age = timedelta(milliseconds=age_ms - age_ms % _MINUTE_MS)
        raise NotNow(
            f"expected a plan that is at most {format_duration(max_age)} old, and this one judges "
            f"{shown(plan.now_ms)}, {format_duration(age)} ago; make a new one with `tfx-janitor plan --out`,"
            " or allow more with --max-age"
        )


def check_unused(plan: Plan, store: MetadataStore) -> None:
    """Lets a plan pass that was not applied since it was made, or not to the end.

    A plan that is made later and lets go the same has the same id, and is another one.

    Raises:
      NotNow: an act that ended has dealt with all that it deletes.
      DamagedAct: the record of an act cannot be read.
    """
    known = acts.read(store)
    applied = [act for act in known if act.kind == "apply" and act.ended and act.at_ms >= plan.now_ms]
    applied = [act for act in applied if act.details.get("plan_id") == plan.id]
    dealt_with = {outcome.path or outcome.artifact_id for act in applied for outcome in act.outcomes}
    if applied and not _is_left(plan, known, dealt_with):
        last = applied[-1]
        raise NotNow(
            f"expected a plan that was not applied yet, and this one was at {shown(last.at_ms)} by "
            f"{last.actor}, act {last.id}; make a new one with `tfx-janitor plan --out`"
        )


def _is_left(plan: Plan, known: Sequence[Act], dealt_with: Collection[int | str]) -> bool:
    """Whether a plan deletes something that nobody has dealt with; marks that wait for their grace are."""
    waiting = marked_checkpoints(known)
    marked = {mark.orphan.content for mark in orphan_marks(known)}
    if any(o.path not in dealt_with and o.content not in marked for o in plan.abandoned):
        return True
    return any(
        decision.state == ArtifactState.LIVE.name
        if decision.verdict == "delete"
        else any((decision.artifact_id, c.directory, c.name) not in waiting for c in decision.prunes)
        for decision in plan.decisions
        if decision.artifact_id not in dealt_with
    )
