"""Directories that no artifact claims, for people and as JSON: in a plan, and one explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from tfx_janitor.report.explanation import plans_of
from tfx_janitor.report.sentences import sentence
from tfx_janitor.report.tables import STYLES
from tfx_janitor.report.text import count, second, size, text
from tfx_janitor.retention.plan import Orphan
from tfx_janitor.retention.timestamps import to_iso

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act, Outcome

SCHEMA = "tfx-janitor/orphan-explanation/v1"

_HEADINGS = {
    "delete": "It may go: nothing claims it, and nothing shows that its execution is alive",
    "keep": "It stays, because",
    "unknown": "It stays until somebody looks at it, because",
}

_REMOVED = ("purged", "finished")


def orphan_lines(orphans: Sequence[Orphan], most: int | None) -> Iterator[RenderableType]:
    """Executions that left directories behind, each with why these stay or may go.

    Args:
      most: directories that are listed; None lists all.
    """
    if not orphans:
        return
    yield Text("Directories that no artifact claims:", "bold")
    listed = orphans if most is None else orphans[:most]
    execution = None
    for orphan in listed:
        if orphan.execution != execution:
            execution = orphan.execution
            yield text(f"  {_whose(orphan)}: {'; '.join(sentence(reason) for reason in orphan.reasons)}")
        verdict = (f"{orphan.verdict:7}", STYLES[orphan.verdict])
        yield Text.assemble("    ", verdict, f"  {size(orphan.bytes):>9}  ", text(orphan.path))
    if len(orphans) > len(listed):
        yield Text(f"  {count(len(orphans) - len(listed), 'more')}; --all lists everything", "dim")
    yield Text()


def orphan_totals(orphans: Sequence[Orphan]) -> str:
    """`3 directories that no artifact claims: 2 delete (1.2 GB)`."""
    going = [orphan for orphan in orphans if orphan.verdict == "delete"]
    named = "directory" if len(orphans) == 1 else "directories"
    freed = f" ({size(sum(orphan.bytes or 0 for orphan in going))})" if going else ""
    return f"{len(orphans):,} {named} that no artifact claims: {len(going):,} delete{freed}"


def removal(path: str, acts: Sequence[Act]) -> tuple[Act, Outcome] | None:
    """The act that removed a directory, and with what outcome, if nothing became of it since."""
    became = [(act, outcome) for act in acts if (outcome := _outcome(act, path)) is not None]
    return became[-1] if became and became[-1][1].done in _REMOVED else None


def explanation_lines(
    orphan: Orphan, acts: Sequence[Act], removed: tuple[Act, Outcome] | None = None
) -> Iterator[Text]:
    """Why one directory stays, may go or went, and what was done to it so far.

    Args:
      orphan: as it is, or, where it is gone, as it was marked.
      removed: what removed it, if it is gone.
    """
    verdict, claims = _verdict(orphan, removed), "claims" if removed is None else "claimed"
    style = STYLES[orphan.verdict if removed is None else removed[1].done]
    yield Text.assemble(text(orphan.path, "bold"), f"  no artifact {claims} it  ", (verdict, style))
    yield text(f"  {_whose(orphan)}{_extent(orphan)}", "dim")
    yield Text()
    if removed is None:
        yield Text(f"{_HEADINGS[orphan.verdict]}:")
    else:
        act, outcome = removed
        freed = size(outcome.bytes)
        yield text(f"It was deleted at {second(act.at_ms)} by {act.actor}, {freed} freed, because:")
    yield from (text(f"  {sentence(reason)}") for reason in orphan.reasons)
    if acts:
        yield Text()
        yield Text("What was done to it:")
    for act in acts:
        outcome = _outcome(act, orphan.path)
        told = "not finished" if outcome is None else f"{outcome.done} {outcome.detail}".rstrip()
        yield text(f"  {second(act.at_ms)}  {act.kind} by {act.actor}, act {act.id}: {told}")


def explanation_document(
    orphan: Orphan, acts: Sequence[Act], removed: tuple[Act, Outcome] | None = None, *, now_ms: int
) -> dict[str, Any]:
    """The same, JSON-ready."""
    return {
        "schema": SCHEMA,
        "at": to_iso(now_ms),
        **orphan.to_dict(),
        "verdict": _verdict(orphan, removed),
        "history": [
            {
                "act": act.id,
                "kind": act.kind,
                "at": to_iso(act.at_ms),
                "actor": act.actor,
                "version": act.version,
                "plans": plans_of(act),
                "done": None if outcome is None else outcome.done,
                "detail": "" if outcome is None else outcome.detail,
                "bytes": 0 if outcome is None else outcome.bytes,
            }
            for act in acts
            for outcome in (_outcome(act, orphan.path),)
        ],
    }


def _verdict(orphan: Orphan, removed: tuple[Act, Outcome] | None) -> str:
    return orphan.verdict if removed is None else "deleted"


def _whose(orphan: Orphan) -> str:
    place = " / ".join(part for part in (orphan.pipeline, orphan.node) if part)
    run = "" if orphan.run is None else f" of run {orphan.run}"
    return f"{place}, execution {orphan.execution}{run}"


def _extent(orphan: Orphan) -> str:
    if orphan.newest_ms is None:
        return ""
    files = count(orphan.files or 0, "file")
    return f"; {size(orphan.bytes)} in {files}, last changed at {second(orphan.newest_ms)}"


def _outcome(act: Act, path: str) -> Outcome | None:
    return next((outcome for outcome in act.outcomes if outcome.path == path), None)
