"""Lineage as trees for a terminal: what an artifact was made from, and what came of it.

What is reached on several ways is told in full where the way is shortest, and named everywhere else. A tree
that grows deep goes on at the left margin, for every level is indented: so the output stays linear in what it
shows, and no chain of warm starts is too long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from rich.text import Text
from rich.tree import Tree

from tfx_janitor.lineage.paths import Step
from tfx_janitor.lineage.walk import Direction
from tfx_janitor.report.lineage_account import LineageAccount
from tfx_janitor.report.lineage_links import over
from tfx_janitor.report.text import count, printable, second, text
from tfx_janitor.retention.timestamps import from_iso

DEEPEST = 24
"""Levels of one tree."""

_LONGEST = 60
"""Characters of a parameter; one that is a single word, such as a path, is never cut."""

_TELLING = ("span", "version", "blessed", "has_model", "pushed", "pushed_version", "pushed_destination")
"""Properties of artifacts that people look for. Those that name other artifacts are branches."""

_EMPTY = ("", "null", "{}", "[]")

_HEADINGS = {False: "Made from", True: "What came of it"}
_NOTHING = {False: "nothing that the store knows of", True: "nothing yet"}


def lineage_trees(account: LineageAccount) -> Iterator[Tree]:
    """One tree, and one more for each branch that is too deep for it."""
    root = Tree(Text("\n").join(_title(account)))
    continued: deque[tuple[_Branches, Step]] = deque()
    for direction in account.graph.directions:
        branches = _Branches(account, direction)
        heading = root.add(Text(f"{_HEADINGS[direction.down]}:", "bold"))
        if direction.onward.get(account.graph.root) or direction.unfollowed:
            continued += ((branches, step) for step in branches.grow(heading, account.graph.root))
        else:
            heading.add(Text(_NOTHING[direction.down]))
    yield root
    while continued:
        branches, step = continued.popleft()
        tree = Tree(text(f"{account.names.name(step)}, continued:", "bold"))
        continued += ((branches, further) for further in branches.grow(tree, step))
        yield tree


class _Branches:
    """Grows the branches of one direction, each step in full once."""

    def __init__(self, account: LineageAccount, direction: Direction) -> None:
        self._account = account
        self._direction = direction
        self._told = {account.graph.root}

    def grow(self, tree: Tree, step: Step, level: int = 0) -> list[Step]:
        """Hangs everything beyond a step below a branch.

        Returns:
          Steps that are left to trees of their own.
        """
        left: list[Step] = []
        for edge in self._direction.onward.get(step, ()):
            further = self._direction.far(edge)
            words = printable(f"{over(edge, step).words} {self._account.names.name(further)}")
            if self._direction.first.get(further) is not edge:
                tree.add(Text(f"{words}, {self._whereabouts(further)}"))
                continue
            self._told.add(further)
            branch = tree.add(self._label(words, further))
            if level + 1 >= DEEPEST and self._direction.onward.get(further):
                branch.add(Text("continued below", "dim"))
                left.append(further)
            else:
                left += self.grow(branch, further, level + 1)
        unfollowed = self._direction.unfollowed.get(step)
        if unfollowed:
            tree.add(Text(f"{count(unfollowed, 'more step')} from here; --all follows", "dim"))
        return left

    def _whereabouts(self, step: Step) -> str:
        return "told above" if step in self._told else "told below"

    def _label(self, words: str, step: Step) -> Text:
        facts = self._account.facts(step)
        deleted = facts.get("state") == "DELETED"
        lines = [Text(words, "red" if deleted else "")]
        lines += (text(line, "dim") for line in _about(step, facts))
        return Text("\n").join(lines)


def _title(account: LineageAccount) -> Iterator[Text]:
    """What the root is, and in a line each what led to it."""
    root = account.graph.root
    facts = account.facts(root)
    yield Text.assemble(text(f"{facts['type']} {root[1]}", "bold"), f"  {facts['state']}")
    yield from (text(line, "dim" if at else "") for at, line in enumerate(_about(root, facts)))
    place = " / ".join(str(facts[part]) for part in ("pipeline", "node", "output") if facts[part])
    run = f"; run {facts['run']}" if facts["run"] else ""
    yield text(f"{place or 'no COMPLETE execution produced it'}{run}", "dim")
    if account.found.served:
        yield Text("what was named is where it is served")
    if account.found.others:
        others = ", ".join(str(account.names.artifact_id(row)) for row in account.found.others)
        yield text(f"the same place is also claimed by artifact {others}")
    yield from (text(line) for line in _origin(account))


def _origin(account: LineageAccount) -> Iterator[str]:
    origin, snapshot = account.origin, account.snapshot
    if origin is None:
        return
    name = account.names.name

    def named(row: int) -> str:
        return name(("artifact", account.names.artifact_id(row)))

    for model in origin.models:
        if model == account.found.row:
            continue
        run = snapshot.run_of(model)
        yield f"model: {named(model)}" + (f", trained in run {run}" if run else "")
    for examples in origin.examples:
        told = _told(snapshot.properties_of(examples), ("span", "version"))
        yield f"data: {named(examples)}" + (f", {told}" if told else "")
    for blessing in origin.blessings:
        blessed = snapshot.property(blessing, "blessed") == 1
        yield f"blessing: {named(blessing)}, {'blessed' if blessed else 'not blessed'}"
    if not origin.blessings:
        yield "blessing: none"


def _about(step: Step, facts: Mapping[str, object]) -> Iterator[str]:
    """The lines below a name: where it lies, when it came to be, what it was told to do."""
    if step[0] == "artifact":
        deleted = facts["deleted"]
        yield str(facts["uri"])
        said = [f"created {_second(facts['created_at'])}", _told(facts["properties"], _TELLING)]
        if isinstance(deleted, Mapping):
            said.append(f"deleted {_second(deleted['at'])} by act {deleted['act']}")
        yield "; ".join(part for part in said if part)
        return
    owner = f"pipeline {facts['pipeline']}" if facts["pipeline"] else str(facts["type"])
    yield f"{owner}; {_second(facts['created_at'])}"
    parameters = facts["parameters"]
    told = _told(parameters, tuple(parameters)) if isinstance(parameters, Mapping) else ""
    if told:
        yield told


def _told(values: object, names: tuple[str, ...]) -> str:
    """`span 3, version 0`: those of the names that have a value."""
    if not isinstance(values, Mapping):
        return ""
    shown = ((name, _short(values[name])) for name in names if name in values)
    return ", ".join(f"{name} {value}" for name, value in shown if value not in _EMPTY)


def _short(value: object) -> str:
    words = str(value).split()
    folded = " ".join(words)
    return folded if len(folded) <= _LONGEST or len(words) == 1 else f"{folded[: _LONGEST - 3]}..."


def _second(iso: object) -> str:
    return second(from_iso(str(iso)))
