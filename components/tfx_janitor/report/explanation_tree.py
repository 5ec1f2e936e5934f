"""An explanation as a tree: the artifact, a branch for each reason, and below it the lineage path."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from tfx_janitor.report.explanation import Explanation
from tfx_janitor.report.explanation_outline import Branch, about, other_branches, title, verdict_branch


def explanation_tree(explanation: Explanation) -> Tree:
    """The tree; its guides are ASCII on a console that can show nothing else."""
    verdict = verdict_branch(explanation)
    tree = Tree(Text("\n").join((title(explanation), *about(explanation), verdict.label)))
    _grow(tree, verdict.below)
    _grow(tree, other_branches(explanation))
    return tree


def _grow(tree: Tree, branches: Iterable[Branch]) -> None:
    for branch in branches:
        _grow(tree.add(branch.label), branch.below)
