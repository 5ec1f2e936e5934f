"""The timeline of a serving directory for a terminal: a table, the newest version first.

Where the table is wider than the terminal it becomes a list, for no id and no name is ever cut.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

from tfx_janitor.report.served import ServedVersion, Timeline
from tfx_janitor.report.tables import grid
from tfx_janitor.report.text import printable, second, text
from tfx_janitor.verified_pusher.standing import Standing

_COLUMNS = ("version", "from", "until", "model", "run", "data", "blessing", "there", "digest")

_ANY_WIDTH = 10_000

_DIGITS = 12
"""Hexadecimal digits of a digest that are shown; JSON has all of them."""


def timeline_lines(timeline: Timeline) -> Iterator[RenderableType]:
    """The table, and what it cannot say."""
    yield text(str(timeline.base), "bold")
    if not timeline.looked:
        yield Text("nobody can look into it from here, so what stands there is not known", "yellow")
    if timeline.versions:
        yield _Versions(timeline)
    yield from (text(_unrecorded(timeline, one), "yellow") for one in timeline.unrecorded)


class _Versions:
    """A table of versions, or a list of them where it does not fit."""

    def __init__(self, timeline: Timeline) -> None:
        self._rows = [list(_cells(timeline, version)) for version in reversed(timeline.versions)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = grid()
        for _ in _COLUMNS:
            table.add_column(no_wrap=True)
        table.add_row(*(Text(name, "dim") for name in _COLUMNS))
        for row in self._rows:
            table.add_row(*row)
        # Not its minimum: that is the width of the longest words, and blanks are no place to break at here.
        if Measurement.get(console, options.update(max_width=_ANY_WIDTH), table).maximum <= options.max_width:
            yield table
            return
        for row in self._rows:
            yield row[0]
            for name, cell in zip(_COLUMNS[1:], row[1:], strict=True):
                if cell:
                    yield Text.assemble(f"  {name:9}", Text(", ").join(cell.split("\n")))


def _unrecorded(timeline: Timeline, one: Standing) -> str:
    serves = " and is what is served" if one.number == timeline.newest else ""
    told = [f"{one.name} stands there{serves}, but no PushedModel of the store tells of it"]
    told += [] if one.source_id is None else [f"its manifest says it was made from artifact {one.source_id}"]
    told += [] if one.puts_back is None else [f"a rollback put version {one.puts_back} back as this one"]
    return "; ".join(told)


def _cells(timeline: Timeline, version: ServedVersion) -> Iterator[Text]:
    style = "green" if timeline.serves(version) else ""
    put_back = "" if version.puts_back is None else f" ({version.puts_back} again)"
    yield text(f"{version.name}{put_back}", style)
    yield Text("\n".join(second(period.since_ms) for period in version.periods) or "never the newest")
    yield Text("\n".join(_until(timeline, version)), style)
    ids = timeline.snapshot.artifacts.id
    yield Text("\n".join(str(ids[model]) for model in version.origin.models) or "unknown")
    yield text(_run(timeline, version))
    yield text("\n".join(_data(timeline, version)) or "unknown")
    yield Text("\n".join(_blessings(timeline, version)) or "none")
    yield Text(_there(timeline, version))
    yield text((version.digest or "").removeprefix("blake3:")[:_DIGITS])


def _until(timeline: Timeline, version: ServedVersion) -> Iterator[str]:
    for period in version.periods:
        if period.until_ms is not None:
            yield second(period.until_ms)
        elif timeline.serves(version):
            yield "now"
        else:
            yield "not recorded" if timeline.looked else "unknown"


def _run(timeline: Timeline, version: ServedVersion) -> str:
    """The run that trained what was pushed; with the one that pushed it, if that is another."""
    runs = (timeline.snapshot.run_of(model) for model in version.origin.models)
    trained = next((run for run in runs if run), None)
    told = printable(trained or version.run or "unknown")
    return (
        told
        if version.run in (None, trained) or not trained
        else f"{told}, pushed in {printable(version.run)}"
    )


def _data(timeline: Timeline, version: ServedVersion) -> Iterator[str]:
    for row in version.origin.examples:
        span = timeline.snapshot.property(row, "span")
        examples = f"Examples {timeline.snapshot.artifacts.id[row]}"
        yield examples if span is None else f"span {span} ({examples})"


def _blessings(timeline: Timeline, version: ServedVersion) -> Iterator[str]:
    for row in version.origin.blessings:
        blessed = timeline.snapshot.property(row, "blessed") == 1
        yield f"{'blessed' if blessed else 'not blessed'} ({timeline.snapshot.artifacts.id[row]})"


def _there(timeline: Timeline, version: ServedVersion) -> str:
    if not timeline.looked:
        return "unknown"
    if version.standing is not None:
        return "yes"
    return "retired" if version.retired_ms is not None else "gone"
