"""A comparison of two policies as a person reads it: what differs, why, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rich.console import RenderableType
from rich.text import Text

from tfx_janitor.rehearsal.comparison import Change, Comparison, Difference, Standing
from tfx_janitor.report.plan_view import MOST
from tfx_janitor.report.sentences import inside, why
from tfx_janitor.report.tables import STYLES, Line, artifact_table, would_free
from tfx_janitor.report.text import count, size, text
from tfx_janitor.retention.plan import Decision


def comparison_lines(
    comparison: Comparison, *, old: str, new: str, most: int | None = MOST
) -> Iterator[RenderableType]:
    """The changes, and what they come to.

    Args:
      old: what the old policy is called, such as its file; likewise `new`.
      most: changes that are listed; None lists all.
    """
    difference = comparison.difference
    directories = list(_directories(difference))
    if not difference.changed and not directories:
        agreed = count(difference.same, "artifact")
        yield text(f"Nothing differs: {new} decides as {old} does, on {agreed} that a rule governs.")
        return
    listed = _listing(comparison, most)
    if listed:
        yield artifact_table(map(_line, listed))
        yield Text()
    if len(listed) < difference.changed:
        more = f"{difference.changed - len(listed):,} more changes"
        yield Text(f"{more} not listed here; --all lists everything", "dim")
        yield Text()
    yield text(f"With {new} instead of {old}:", "bold")
    for line in (*directories, *_told(difference)):
        yield Text(f"  {line}")
    yield _freed(comparison)


def _listing(comparison: Comparison, most: int | None) -> list[Change]:
    """Everything if it is at most `most`; else the first of what goes under one of the policies alone."""
    if most is None or comparison.difference.changed <= most:
        return list(comparison.changes)
    return list(islice((change for change in comparison.changes if change.deletes_or_spares), most))


def _line(change: Change) -> Line:
    return Line(change.told, size(change.bytes), _verdict(change), _why(change))


def _verdict(change: Change) -> Text:
    old, new = change.standings
    if old == new:
        return Text.assemble(_styled(new), "; inside differs")
    return Text.assemble(_styled(old), " -> ", _styled(new))


def _styled(standing: Standing) -> Text:
    return Text(standing, STYLES.get(standing, "dim"))


def _why(change: Change) -> Text:
    told = [("old: ", line) for line in _side(change.old)] + [("new: ", line) for line in _side(change.new)]
    return Text("\n").join(Text.assemble((whose, "dim"), text(line)) for whose, line in told)


def _side(decision: Decision | None) -> list[str]:
    return ["no rule governs it"] if decision is None else [why(decision), *inside(decision)]


def _told(difference: Difference) -> Iterator[str]:
    d = difference
    if d.deletes:
        yield f"{count(d.deletes, 'artifact')} would be deleted that stayed ({size(d.deletes_bytes)})"
    if d.spares:
        yield f"{count(d.spares, 'artifact')} would stay that would have gone ({size(d.spares_bytes)})"
    if d.checkpoints_deletes:
        more = count(d.checkpoints_deletes, "checkpoint")
        yield f"{more} would be deleted inside what stays ({size(d.checkpoints_deletes_bytes)})"
    if d.checkpoints_spares:
        fewer = count(d.checkpoints_spares, "checkpoint")
        yield f"{fewer} would stay that would have gone ({size(d.checkpoints_spares_bytes)})"
    if d.governs:
        yield f"{count(d.governs, 'artifact')} would be governed that no rule governed"
    if d.releases:
        yield f"{count(d.releases, 'artifact')} would no longer be governed by any rule"
    if d.doubts:
        yield f"{count(d.doubts, 'artifact')} would be unknown that could be judged"
    if d.understands:
        yield f"{count(d.understands, 'artifact')} could be judged that would be unknown"
    yield f"{count(d.same, 'artifact')} would be judged as before"


def _directories(difference: Difference) -> Iterator[str]:
    """What differs of directories that no artifact claims."""
    d = difference
    for many, amount, change in (
        (d.orphans_deletes, d.orphans_deletes_bytes, "be deleted that stayed"),
        (d.orphans_spares, d.orphans_spares_bytes, "stay that would have gone"),
    ):
        if many:
            named = "directory" if many == 1 else "directories"
            yield f"{many:,} {named} that no artifact claims would {change} ({size(amount)})"


def _freed(comparison: Comparison) -> Text:
    old, new = would_free(comparison.old), would_free(comparison.new)
    if old == new:
        return Text.assemble((size(new), "bold"), " would be freed, as before")
    more = f"{size(abs(new - old))} {'more' if new > old else 'less'}"
    return Text.assemble((more, "bold"), f" would be freed: {size(new)} instead of {size(old)}")
