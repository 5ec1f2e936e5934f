"""A replay as a person reads it: what would have gone when, what of it was used later, and the conclusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from rich.console import RenderableType
from rich.text import Text

from tfx_janitor.policy.durations import format_duration
from tfx_janitor.rehearsal.replayed import Replay, ReplayedMark
from tfx_janitor.rehearsal.uses import How, Use
from tfx_janitor.report.plan_view import MOST
from tfx_janitor.report.tables import grid
from tfx_janitor.report.text import count, minute, size, text
from tfx_janitor.retention.timestamps import to_iso

_HOW: dict[How, str] = {
    "input": "input",
    "cache": "cache hit",
    "import": "imported",
    "resolve": "resolved",
    "bless": "named by a blessing",
    "push": "pushed",
    "pin": "pinned by a person",
}

_MOST_DAYS = 31
"""Days that get a line each; a longer list is told by months."""


def replay_lines(
    replay: Replay, *, name: str, other: tuple[str, Replay] | None = None, most: int | None = MOST
) -> Iterator[RenderableType]:
    """What a policy would have done, and the conclusion in a sentence.

    Args:
      name: what the policy is called, such as its file.
      other: the name and the replay of a policy to compare with, on the same history.
      most: artifacts that are listed in a table; None lists all.
    """
    yield _history(replay)
    yield Text()
    yield from _deletions(replay)
    for called, replayed in (() if other is None else (other,)) + ((name, replay),):
        yield from _uses(replayed, most, called if other else None)
    if other is not None:
        yield _side_by_side(replay, name, *other)
        yield Text()
    yield _conclusion(replay, name, other)


def _history(replay: Replay) -> Text:
    span = _span(replay.until_ms - replay.since_ms)
    told = (
        f"Replayed {span} of history, {minute(replay.since_ms)} to {minute(replay.until_ms)} UTC: "
        f"{count(replay.ends, 'end')} of runs, judged at {count(replay.judged, 'moment')}."
    )
    if replay.thinned:
        told += " Not every end was judged, for there are many: marks and deletions come somewhat late."
    return Text(told)


def _deletions(replay: Replay) -> Iterator[RenderableType]:
    if not replay.deletions:
        return
    days = {to_iso(mark.fate_ms)[:10] for mark in replay.deletions}
    length = len("2026-11-22") if len(days) <= _MOST_DAYS else len("2026-11")
    artifacts: Counter[str] = Counter()
    payloads: dict[str, dict[str, int]] = {}
    for mark in replay.deletions:
        period = to_iso(mark.fate_ms)[:length]
        artifacts[period] += 1
        payloads.setdefault(period, {})[mark.uri] = mark.bytes or 0
    table = grid()
    for justify in ("left", "right", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_row(*(Text(head, "dim") for head in ("deleted (UTC)", "artifacts", "size")))
    for period in sorted(artifacts):
        table.add_row(period, f"{artifacts[period]:,}", size(sum(payloads[period].values())))
    yield table
    if replay.unmeasured:
        gone = count(replay.unmeasured, "payload")
        already = "is gone" if replay.unmeasured == 1 else "are gone"
        yield Text(f"The sizes leave out {gone} that {already} already.", "dim")
    yield Text()


def _uses(replay: Replay, most: int | None, name: str | None) -> Iterator[RenderableType]:
    by = "" if name is None else f" by {name}"
    told = (
        (f"Used after it would have been deleted{by}:", [(m, m.regrets) for m in replay.regretted]),
        (f"Looked for in vain while it would have been marked{by}:", [(m, m.missed) for m in replay.missed]),
    )
    for heading, found in told:
        if found:
            yield text(heading, "bold")
            yield _use_table(found[:most])
            if most is not None and len(found) > most:
                yield Text(f"{len(found) - most:,} more not listed here; --all lists everything", "dim")
            yield Text()


def _use_table(found: Sequence[tuple[ReplayedMark, Sequence[Use]]]) -> RenderableType:
    """One line for each artifact, told by its first use."""
    table = grid()
    table.add_column(justify="right", no_wrap=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    heads = ("id", "type", "marked (UTC)", "deleted (UTC)", "used", "by")
    table.add_row(*(Text(head, "dim") for head in heads))
    for mark, uses in found:
        deleted = mark.fate == "deleted"
        since = mark.fate_ms if uses is mark.regrets else mark.marked_ms
        table.add_row(
            str(mark.artifact_id),
            text(mark.type),
            minute(mark.marked_ms),
            minute(mark.fate_ms) if deleted else Text(mark.fate, "dim"),
            f"{_span(uses[0].at_ms - since)} later",
            _told(uses),
        )
    return table


def _told(uses: Sequence[Use]) -> Text:
    """`cache hit: Trainer of inception-run-3 (execution 12) in inception; 2 more uses`."""
    first = uses[0]
    told = _HOW[first.how]
    if first.execution_id is not None:
        node = f"{first.node or 'an execution'}{f' of {first.run}' if first.run else ''}"
        told += (
            f": {node} (execution {first.execution_id}){f' in {first.pipeline}' if first.pipeline else ''}"
        )
    if len(uses) > 1:
        told += f"; {count(len(uses) - 1, 'more use')}"
    return text(told)


def _side_by_side(replay: Replay, name: str, other_name: str, other: Replay) -> RenderableType:
    table = grid()
    table.add_column(no_wrap=True)
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", text(other_name, "bold"), text(name, "bold"))
    for what, told in _FIGURES.items():
        table.add_row(what, told(other), told(replay))
    return table


_FIGURES = {
    "deleted": lambda r: f"{len(r.deletions):,}",
    "size": lambda r: size(r.bytes),
    "of it used later": lambda r: f"{len(r.regretted):,}",
    "missed while marked": lambda r: f"{len(r.missed):,}",
    "kept again in time": lambda r: f"{len(r.rescued):,}",
    "marked at the end": lambda r: f"{sum(mark.fate == 'marked' for mark in r.marks):,}",
}


def _conclusion(replay: Replay, name: str, other: tuple[str, Replay] | None) -> Text:
    told = f"{name} would have deleted {_amount(replay)}"
    if other is not None:
        told += f"; {other[0]} {_amount(other[1])}"
    return text(f"{told}.", "bold red" if replay.regretted else "bold")


def _amount(replay: Replay) -> str:
    if not replay.deletions:
        return "nothing"
    used = len(replay.regretted)
    later = f"{used:,} of which {'was' if used == 1 else 'were'}" if used else "none of which was"
    return f"{count(len(replay.deletions), 'artifact')} ({size(replay.bytes)}), {later} used later"


def _span(span_ms: int) -> str:
    """`12d4h`, `3h20m`, `40s`: as exact as its length asks for."""
    span = timedelta(milliseconds=span_ms)
    for least, unit in ((timedelta(days=1), "hours"), (timedelta(hours=1), "minutes")):
        if span >= least:
            whole = timedelta(**{unit: 1})
            return format_duration(span // whole * whole)
    return format_duration(timedelta(seconds=span // timedelta(seconds=1)))
