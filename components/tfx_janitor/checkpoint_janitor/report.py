"""What became of one janitor's run: a value, its JSON, and its page of text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.text import Text

from tfx_janitor.deletion.act import COLLECTED, Outcome
from tfx_janitor.policy.file import Problem
from tfx_janitor.report.documents import outcomes_document
from tfx_janitor.report.orphans import orphan_lines, orphan_totals
from tfx_janitor.report.plan_view import caution_lines, listing
from tfx_janitor.report.sentences import totals
from tfx_janitor.report.tables import checkpoint_table, decision_table, outcome_table, summary_lines
from tfx_janitor.report.text import count, printable, second, size
from tfx_janitor.retention.plan import Plan

SCHEMA = "tfx-janitor/report/v1"

_MOST = 1000
"""Verdicts on the page; the plan has all of them."""
_WIDTH = 140

Status = Literal["done", "refused", "failed"]


@dataclass(frozen=True)
class Report:
    """What became of one janitor's run.

    Attributes:
      actor: who acted, as the history shows it.
      now_ms: the moment that everything was judged at.
      status: "refused" says that by rule nothing was marked, "failed" that not everything was done.
      reason: why it refused or failed, empty if done.
      plan: the verdicts; None if none came about.
      outcomes: what became of each artifact that was acted on, as far as it is known.
    """

    actor: str
    now_ms: int
    status: Status
    reason: str = ""
    plan: Plan | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nobody needs to look: it is done, and no item failed."""
        return self.status == "done" and not self.counts["failed"]

    @property
    def counts(self) -> dict[str, int]:
        """How many artifacts each thing became of, zeros included."""
        found = Counter(outcome.done for outcome in self.outcomes)
        return {done: found[done] for done in COLLECTED}

    @property
    def bytes_freed(self) -> int:
        """Apparent size of what was purged and pruned."""
        return sum(outcome.freed for outcome in self.outcomes)

    @property
    def complaint(self) -> str:
        """Why somebody needs to look: the reason, or what the first item failed of; empty if nobody does."""
        failed = (f"artifact {o.artifact_id}: {o.detail}" for o in self.outcomes if o.done == "failed")
        return self.reason or next(failed, "")

    @property
    def cautions(self) -> tuple[Problem, ...]:
        """What came to nothing while the plan was made."""
        return () if self.plan is None else self.plan.cautions

    @property
    def headline(self) -> str:
        """One line."""
        if self.status != "done":
            return f"{self.actor} {self.status}: {self.reason}"
        freed = f"; {size(self.bytes_freed)} freed" if self.bytes_freed else ""
        failed = f"; {self.complaint}" if self.complaint else ""
        return f"{self.actor}: {totals(**self.counts)}{freed}{failed}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: that of `tfx-janitor gc --format json`, and who, how and why."""
        plan_id = None if self.plan is None else self.plan.id
        metadata = "" if self.plan is None else self.plan.metadata
        document = outcomes_document(
            "gc",
            self.outcomes,
            metadata=metadata,
            now_ms=self.now_ms,
            plan_id=plan_id,
            cautions=self.cautions,
        )
        own = {"schema": SCHEMA, "actor": self.actor, "status": self.status, "reason": self.reason}
        return {**document, **own}

    def to_text(self) -> str:
        """A page for people: the headline, what was done, and the verdicts with their reasons."""
        page = StringIO()
        console = Console(
            file=page, width=_WIDTH, color_system=None, markup=False, emoji=False, highlight=False
        )
        for part in self._parts():
            console.print(part, soft_wrap=isinstance(part, Text))
        return "\n".join(line.rstrip(" ") for line in page.getvalue().split("\n"))

    def _parts(self) -> list[RenderableType]:
        parts: list[RenderableType] = [Text(printable(self.headline)), Text(f"at {second(self.now_ms)}")]
        if self.outcomes:
            parts += [Text(), outcome_table(self.outcomes, self._types())]
        if self.plan is not None:
            found = listing(self.plan, _MOST)
            parts += [Text(), decision_table(found.decisions)]
            if found.left_out:
                parts.append(Text(f"{count(found.left_out, 'more artifact')} in the plan"))
            if any(decision.checkpoints for decision in found.decisions):
                parts += [Text(), checkpoint_table(found.decisions)]
            orphans = self.plan.orphans
            parts += [Text(), *orphan_lines(orphans or (), _MOST)]
            parts += [] if orphans is None else [Text(orphan_totals(orphans))]
            parts += summary_lines(self.plan)
            parts += caution_lines(self.cautions)
        return parts

    def _types(self) -> dict[int, str]:
        wanted = {outcome.artifact_id for outcome in self.outcomes}
        decisions = () if self.plan is None else self.plan.decisions
        return {d.artifact_id: d.type for d in decisions if d.artifact_id in wanted}
