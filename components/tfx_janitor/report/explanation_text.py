"""An explanation as a person reads it, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from tfx_janitor.report.explanation import Explanation
from tfx_janitor.report.explanation_outline import Branch, about, other_branches, title, verdict_branch


def explanation_lines(explanation: Explanation) -> Iterator[Text]:
    """Lines in order, to be printed without cutting anything."""
    yield title(explanation)
    for line in about(explanation):
        yield Text.assemble("  ", line)
    for branch in (verdict_branch(explanation), *other_branches(explanation)):
        yield Text()
        yield branch.label
        yield from _indented(branch.below, "  ")


def _indented(branches: Iterable[Branch], indent: str) -> Iterator[Text]:
    for branch in branches:
        yield Text.assemble(indent, "-> " if branch.step else "", branch.label)
        yield from _indented(branch.below, f"{indent}{'   ' if branch.step else '  '}")
