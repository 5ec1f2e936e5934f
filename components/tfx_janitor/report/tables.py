"""Terminal tables of decisions, checkpoints and outcomes: renderables for any rich console.

No id is ever cut short and no path either: what does not fit is folded. Everything that comes from a store
or a disk goes through `text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tfx_janitor.report.sentences import inside, totals, why, why_checkpoint
from tfx_janitor.report.text import count, minute, size, text
from tfx_janitor.retention.plan import CheckpointDecision, Decision, Plan

if TYPE_CHECKING:
    from tfx_janitor.deletion.acts import Outcome

STYLES = {
    "keep": "green",
    "delete": "red",
    "unknown": "yellow",
    "failed": "bold red",
    "skipped": "yellow",
    "marked": "red",
    "purged": "red",
    "finished": "red",
    "corrected": "red",
    "pruned": "red",
    "rescued": "green",
    "restored": "green",
    "whole": "green",
    "DAMAGED": "bold red",
}
"""Styles of the words that a reader's eye looks for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact in a table: whose and when it is, and the cells that differ from table to table."""

    told: Decision
    size: str
    verdict: Text
    why: Text


def decision_table(decisions: Iterable[Decision]) -> RenderableType:
    """One line for each artifact, the newest first, under a heading for each output of each node."""
    return artifact_table(
        Line(
            decision,
            size(decision.bytes),
            Text(decision.verdict, STYLES[decision.verdict]),
            Text("\n").join(text(line) for line in (why(decision), *inside(decision))),
        )
        for decision in decisions
    )


def artifact_table(lines: Iterable[Line]) -> RenderableType:
    """The lines, the newest artifact first, under a heading for each output of each node."""
    grouped: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        told = line.told
        owner = (told.pipeline or "", told.node or "", told.output or "", told.type)
        grouped.setdefault(owner, []).append(line)
    listed = [line for group in grouped.values() for line in group]

    def columns() -> Table:
        # Each group is a table of its own, so the widths of all are taken together.
        def widest(cells: Iterable[str], least: str) -> int:
            return max(len(cell) for cell in (*cells, least))

        table = grid()
        ids = widest((str(line.told.artifact_id) for line in listed), "id")
        table.add_column(justify="right", no_wrap=True, min_width=ids)
        table.add_column(no_wrap=True, style="dim", min_width=len("2026-11-22 10:36"))
        sizes = widest((line.size for line in listed), "size")
        table.add_column(justify="right", no_wrap=True, min_width=sizes)
        verdicts = widest((line.verdict.plain for line in listed), "unknown")
        table.add_column(no_wrap=True, min_width=verdicts)
        table.add_column(overflow="fold")
        return table

    head = columns()
    head.add_row(*(Text(name, "dim") for name in ("id", "created (UTC)", "size", "verdict", "why")))
    parts: list[RenderableType] = [head]
    for owner in sorted(grouped):
        parts += [Text(), _heading(owner)]
        table = columns()
        for line in sorted(grouped[owner], key=lambda line: line.told.artifact_id, reverse=True):
            created = minute(line.told.created_ms)
            table.add_row(str(line.told.artifact_id), created, line.size, line.verdict, line.why)
        parts.append(table)
    return Group(*parts)


def checkpoint_table(decisions: Iterable[Decision]) -> RenderableType:
    """One line for each checkpoint inside the ModelRuns that stay, under a heading for each ModelRun."""
    parts: list[RenderableType] = []
    for decision in decisions:
        if decision.checkpoints:
            parts += [Text()] if parts else []
            owner = f"{decision.pipeline or '?'} / {decision.node or '?'}"
            parts.append(text(f"{decision.type} {decision.artifact_id} of {owner}, {decision.run}", "bold"))
            parts.append(checkpoint_rows(decision.checkpoints))
    return Group(*parts)


def checkpoint_rows(checkpoints: Sequence[CheckpointDecision]) -> Table:
    """One line for each checkpoint."""
    table = grid()
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, min_width=len("unknown"))
    table.add_column(overflow="fold")
    for checkpoint in checkpoints:
        name = f"{checkpoint.directory}/{checkpoint.name}" if checkpoint.directory else checkpoint.name
        verdict = Text(checkpoint.verdict, STYLES[checkpoint.verdict])
        table.add_row(text(name), size(checkpoint.bytes), verdict, text(why_checkpoint(checkpoint)))
    return table


def payload_list(decisions: Iterable[Decision]) -> list[Text]:
    """The payloads that would go, one line each, to be printed without wrapping: people copy them."""
    return [Text.assemble(f"  {d.artifact_id}  ", text(d.uri)) for d in decisions]


def outcome_table(outcomes: Iterable[Outcome], names: Mapping[int, str] | None = None) -> Table:
    """One line for each item of an act: an artifact, or the path of a directory that no artifact claims.

    Args:
      outcomes: what became of the items.
      names: by artifact id what it is, such as "Model"; "artifact" without.
    """
    table = grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        name = (names or {}).get(outcome.artifact_id, "artifact")
        item = f"{name} {outcome.artifact_id}" if outcome.path is None else outcome.path
        table.add_row(
            Text(outcome.done, STYLES.get(outcome.done, "")),
            text(item),
            size(outcome.bytes) if outcome.bytes else "",
            text(outcome.detail),
        )
    return table


def outcome_summary(outcomes: Sequence[Outcome]) -> Text:
    """`3 marked, 1 skipped`, and the bytes that were freed."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.done] = counts.get(outcome.done, 0) + 1
    freed = sum(outcome.freed for outcome in outcomes)
    return Text(totals(**counts) + (f"; {size(freed)} freed" if freed else ""))


def summary_lines(plan: Plan) -> list[RenderableType]:
    """The totals of a plan, and its id."""
    summary = plan.summary
    line = Text(f"{count(summary.artifacts, 'artifact')} governed: ")
    verdicts = {"keep": summary.keep, "delete": summary.delete, "unknown": summary.unknown}
    for verdict, number in verdicts.items():
        line.append("" if verdict == "keep" else ", ")
        line.append(f"{number:,} {verdict}", STYLES[verdict] if number else "dim")
    line.append(f"; {summary.ungoverned:,} that no rule governs")
    lines: list[RenderableType] = [line]
    if summary.checkpoints:
        told = f"{count(summary.checkpoints, 'checkpoint')} inside: {summary.checkpoints_delete:,} delete"
        lines.append(Text(told))
    freed = Text.assemble((size(summary.bytes_reclaimable), "bold"), " would be freed")
    if summary.bytes_total is not None:
        freed.append(f" of {size(summary.bytes_total)}")
    return [*lines, freed, Text(f"plan {plan.id}", "dim")]


def _heading(owner: tuple[str, ...]) -> Text:
    pipeline, node, output, type_name = owner
    place = " / ".join(part for part in (pipeline or "no known pipeline", node, output) if part)
    return Text.assemble(text(place, "bold"), text(f" ({type_name})", "dim"))


def grid() -> Table:
    """A table without lines, as all of them are here."""
    return Table.grid(padding=(0, 2, 0, 0))
