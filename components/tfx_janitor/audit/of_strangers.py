"""Findings about directories of executions that this store does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.filesize import decimal

from tfx_janitor.audit.finding import Finding
from tfx_janitor.retention.orphans import Contents
from tfx_janitor.retention.timestamps import shown, to_iso
from tfx_janitor.survey.crew import Failed
from tfx_janitor.survey.strangers import Strangers, StrangerSearch

_FEW = 5
"""Numbers that a detail names; the evidence has all of them."""

_ADVICE = (
    "point --metadata at the store that they are of; if that is gone, look at them with `tfx-janitor verify` "
    "and remove them by hand"
)


def findings(search: StrangerSearch) -> Iterator[Finding]:
    """One for each output of a node, however many directories lie in it."""
    for strangers in search.found:
        numbers = list(strangers.contents)
        sizes = [found for found in strangers.contents.values() if isinstance(found, Contents)]
        last = max((found.newest_ms for found in sizes), default=None)
        evidence: dict[str, object] = {
            "numbers": numbers,
            "last_written": None if last is None else to_iso(last),
            "unread": {
                str(number): found.error
                for number, found in strangers.contents.items()
                if isinstance(found, Failed)
            },
        }
        yield Finding(
            "unaccounted-directory",
            f"{_what(numbers)}: {'; '.join((*_measured(strangers, sizes, last), _ADVICE))}",
            path=strangers.path,
            bytes=sum(found.bytes for found in sizes),
            evidence=evidence,
        )


def _what(numbers: Sequence[int]) -> str:
    few = ", ".join(map(str, numbers[:_FEW]))
    more = f" and {len(numbers) - _FEW:,} more" if len(numbers) > _FEW else ""
    if len(numbers) == 1:
        return f"directory {few} is of no execution here, and no artifact claims it"
    named = f"{few}{more}" + (f", {len(numbers):,} in all," if more else "")
    return f"directories {named} are of no execution here, and no artifact claims them"


def _measured(strangers: Strangers, sizes: Sequence[Contents], last: int | None) -> Iterator[str]:
    if last is not None:
        yield f"{decimal(sum(found.bytes for found in sizes))}, last written at {shown(last)}"
    unread = [found for found in strangers.contents.values() if isinstance(found, Failed)]
    if unread:
        rest = f", and {len(unread) - 1:,} more" if len(unread) > 1 else ""
        yield f"not measured: {unread[0].error}{rest}"
