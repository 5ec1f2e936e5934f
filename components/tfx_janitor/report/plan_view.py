"""A plan as a person reads it: what goes and what stays with the reasons, the payloads, the totals."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from tfx_janitor.policy.file import Problem
from tfx_janitor.report.orphans import orphan_lines, orphan_totals
from tfx_janitor.report.tables import decision_table, payload_list, summary_lines
from tfx_janitor.report.text import count, text
from tfx_janitor.retention.plan import Decision, Plan

MOST = 100
"""Artifacts that are listed unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The decisions that are listed, and how many are not."""

    decisions: tuple[Decision, ...]
    left_out: int


def listing(plan: Plan, most: int | None = MOST) -> Listing:
    """Everything if it is at most `most`; else the first of what is deleted, pruned inside or unknown.

    Args:
      most: None lists everything. Memory is taken for what is listed alone.
    """
    if most is None:
        return Listing(tuple(plan.decisions), 0)
    first: list[Decision] = []
    telling: list[Decision] = []
    seen = 0
    for decision in plan.decisions:
        seen += 1
        if len(first) < most:
            first.append(decision)
        if len(telling) < most and (decision.verdict != "keep" or decision.prunes):
            telling.append(decision)
    listed = first if seen <= most else telling
    return Listing(tuple(listed), seen - len(listed))


def caution_lines(cautions: Sequence[Problem]) -> Iterator[Text]:
    """What of a policy is worth a second look, if anything is."""
    if cautions:
        yield Text()
        yield Text("Worth a second look:", "bold")
        yield from (text(f"  {one.field}: {one.message}", "yellow") for one in cautions)


def plan_lines(
    plan: Plan, found: Listing, marked: Collection[tuple[int, str, str]] = ()
) -> Iterator[RenderableType]:
    """The decisions that are listed, the payloads that would go, and the totals.

    Args:
      marked: checkpoints that are marked already: artifact id, directory and name of each.
    """
    if found.decisions:
        yield decision_table(found.decisions, marked)
        yield Text()
    if found.left_out:
        yield Text(f"{count(found.left_out, 'more artifact')} not listed here; --all lists everything", "dim")
        yield Text()
    going = [decision for decision in found.decisions if decision.verdict == "delete"]
    if going:
        yield Text("Payloads that would go:", "bold")
        yield from payload_list(going)
        yield Text()
    orphans = plan.orphans or ()
    yield from orphan_lines(orphans, None if not found.left_out else MOST)
    if plan.orphans is not None:
        yield Text(orphan_totals(orphans))
    yield from summary_lines(plan)
