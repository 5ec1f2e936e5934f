"""What the page shows, as one value: gathered by whoever may open a store, drawn by who may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.lineage.walk import Edge
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.report.page.growth import Growth
from tfx_janitor.report.served import Timeline
from tfx_janitor.retention.plan import Decision, Plan

if TYPE_CHECKING:
    from tfx_janitor.audit.audit import Audit
    from tfx_janitor.deletion.act import Act


@dataclass(frozen=True)
class Contents:
    """One store at one moment, under one policy.

    Attributes:
      snapshot: of the store; its lineage is drawn.
      plan: made on this snapshot, with everything measured.
      policy_file: the policy as commands name it.
      references: what leads from one thing to another beside the events.
      audited: what is wrong; None if nobody looked.
      acts: what the janitor did, oldest first.
      timelines: what was served when, one for each base directory.
      growth: what was stored over time; None for an empty store.
    """

    snapshot: Snapshot
    plan: Plan
    policy: RetentionPolicy
    policy_file: str
    references: Sequence[Edge] = ()
    audited: Audit | None = None
    acts: Sequence[Act] = ()
    timelines: Sequence[Timeline] = ()
    growth: Growth | None = None

    @cached_property
    def decisions(self) -> Mapping[int, Decision]:
        """Every verdict, by the row of its artifact: made once, for a plan makes them anew each time."""
        rows = ((self.snapshot.row(decision.artifact_id), decision) for decision in self.plan.decisions)
        return {row: decision for row, decision in rows if row is not None}

    @property
    def measured(self) -> int:
        """Bytes of all payloads whose size is known; a plan has no total where one is not."""
        total = self.plan.summary.bytes_total
        known = (decision.bytes or 0 for decision in self.decisions.values())
        return sum(known) if total is None else total

    @property
    def unmeasured(self) -> int:
        """Artifacts that are governed, and nobody could measure."""
        return sum(decision.bytes is None for decision in self.decisions.values())
