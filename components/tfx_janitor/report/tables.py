"""Terminal tables of decisions, checkpoints and outcomes: renderables for any rich console.

No id is ever cut short and no path either: what does not fit is folded. Everything that comes from a store
or a disk goes through `text`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tfx_janitor.report.sentences import inside, totals, why, why_checkpoint
from tfx_janitor.report.text import count, minute, size, text, to_copy
from tfx_janitor.retention.plan import CheckpointDecision, Decision, Plan

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Outcome

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

_GAP = 2
"""Blanks between two columns."""

_ROOM = 30
"""Columns that a sentence needs to be read without pain."""


@dataclass(frozen=True, slots=True)
class Line:
    """One artifact in a table: whose and when it is, and the cells that differ from table to table."""

    told: Decision
    size: str
    verdict: Text
    why: Text


def decision_table(
    decisions: Iterable[Decision], marked: Collection[tuple[int, str, str]] = ()
) -> RenderableType:
    """One line for each artifact, the newest first, under a heading for each output of each node.

    Args:
      marked: checkpoints that are marked already: artifact id, directory and name of each.
    """
    return artifact_table(
        Line(
            decision,
            size(decision.bytes),
            Text(decision.verdict, STYLES[decision.verdict]),
            Text("\n").join(text(line) for line in (why(decision), *inside(decision, marked))),
        )
        for decision in decisions
    )


def artifact_table(lines: Iterable[Line]) -> RenderableType:
    """The lines, the newest artifact first, under a heading for each output of each node."""
    return _Artifacts(list(lines))


class _Artifacts:
    """Groups of artifacts, their columns below one another; why goes below the rest if beside is no room."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Each group is a table of its own, so the widths of all are taken together.
        def widest(cells: Iterable[str], least: str) -> int:
            return max(len(cell) for cell in (*cells, least))

        widths = (
            widest((str(line.told.artifact_id) for line in self._lines), "id"),
            len("2026-11-22 10:36"),
            widest((line.size for line in self._lines), "size"),
            widest((line.verdict.plain for line in self._lines), "unknown"),
        )
        beside = _has_room(options, widths, max((_width(line.why) for line in self._lines), default=0))

        def columns() -> Table:
            table = grid()
            table.add_column(justify="right", no_wrap=True, min_width=widths[0])
            table.add_column(no_wrap=True, style="dim", min_width=widths[1])
            table.add_column(justify="right", no_wrap=True, min_width=widths[2])
            table.add_column(no_wrap=True, min_width=widths[3])
            if beside:
                table.add_column(overflow="fold")
            return table

        head = columns()
        titles = ("id", "created (UTC)", "size", "verdict", "why")[: len(head.columns)]
        head.add_row(*(Text(name, "dim") for name in titles))
        yield head
        for owner, group in sorted(self._grouped().items()):
            yield Text()
            yield _heading(owner)
            table = columns()
            for line in sorted(group, key=lambda line: line.told.artifact_id, reverse=True):
                cells = (str(line.told.artifact_id), minute(line.told.created_ms), line.size, line.verdict)
                if beside:
                    table.add_row(*cells, line.why)
                    continue
                table.add_row(*cells)
                yield table
                yield Padding(line.why, (0, 0, 0, widths[0] + _GAP))
                table = columns()
            if beside:
                yield table

    def _grouped(self) -> dict[tuple[str, ...], list[Line]]:
        grouped: dict[tuple[str, ...], list[Line]] = {}
        for line in self._lines:
            told = line.told
            owner = (told.pipeline or "", told.node or "", told.output or "", told.type)
            grouped.setdefault(owner, []).append(line)
        return grouped


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
    """The payloads that would go, one line each: people copy them."""
    return [to_copy(f"  {decision.artifact_id}  {decision.uri}") for decision in decisions]


def outcome_table(outcomes: Iterable[Outcome], names: Mapping[int, str] | None = None) -> RenderableType:
    """One line for each item of an act: an artifact, or the path of a directory that no artifact claims.

    Args:
      outcomes: what became of the items.
      names: by artifact id what it is, such as "Model"; "artifact" without.
    """
    rows = []
    for outcome in outcomes:
        name = (names or {}).get(outcome.artifact_id, "artifact")
        item = f"{name} {outcome.artifact_id}" if outcome.path is None else outcome.path
        amount = size(outcome.bytes) if outcome.bytes else ""
        done = Text(outcome.done, STYLES.get(outcome.done, ""))
        rows.append((done, text(item), Text(amount), text(outcome.detail)))
    return _Outcomes(rows)


class _Outcomes:
    """A table of items; what there is to say of each goes below it where beside the longest is no room."""

    def __init__(self, rows: Sequence[tuple[Text, Text, Text, Text]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._rows:
            return
        *columns, details = [max(map(_width, column)) for column in zip(*self._rows, strict=True)]
        beside = _has_room(options, columns, details)
        table = grid()
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=beside, overflow="fold")
        if beside:
            table.add_column(justify="right", no_wrap=True)
            table.add_column(overflow="fold")
        for done, item, amount, detail in self._rows:
            if beside:
                table.add_row(done, item, amount, detail)
            else:
                first = Text("  ").join(cell for cell in (item, amount) if cell)
                table.add_row(done, Text("\n").join(line for line in (first, detail) if line))
        yield table


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
    freed = Text.assemble((size(would_free(plan)), "bold"), " would be freed")
    if summary.bytes_total is not None:
        orphans = sum(orphan.bytes or 0 for orphan in plan.orphans or ())
        freed.append(f" of {size(summary.bytes_total + orphans)}")
    return [*lines, freed, Text(f"plan {plan.id}", "dim")]


def would_free(plan: Plan) -> int:
    """Bytes that a plan would free, those of directories that no artifact claims among them."""
    going = (orphan.bytes or 0 for orphan in plan.orphans or () if orphan.verdict == "delete")
    return plan.summary.bytes_reclaimable + sum(going)


def _width(cell: Text) -> int:
    return max(line.cell_len for line in cell.split("\n", allow_blank=True))


def _has_room(options: ConsoleOptions, columns: Sequence[int], last: int) -> bool:
    """Whether a last column can be read beside others of these widths."""
    return options.max_width - sum(width + _GAP for width in columns) >= min(last, _ROOM)


def _heading(owner: tuple[str, ...]) -> Text:
    pipeline, node, output, type_name = owner
    place = " / ".join(part for part in (pipeline or "no known pipeline", node, output) if part)
    return Text.assemble(text(place, "bold"), text(f" ({type_name})", "dim"))


def grid() -> Table:
    """A table without lines, as all of them are here."""
    return Table.grid(padding=(0, _GAP, 0, 0))
