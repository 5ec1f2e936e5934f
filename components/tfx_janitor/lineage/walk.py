"""Everything that an artifact was made from, and everything that came of it: the graph around one artifact.

    graph = Graphs(snapshot, references).around(row)
    graph.upstream.distance         # {("artifact", 7): 0, ("execution", 3): 1, ...}, the nearest first
    graph.edges                     # each once, from the earlier to the later

An edge is an event of the store, or a reference: a property by which one names the other. Acts of the janitor
record and make nothing, so they are no steps, but for those that leave an artifact behind. `paths` finds
shortest ways between artifacts; here everything on the way is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from tfx_janitor.lineage.paths import Step
from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, ArtifactState, EventKind, Snapshot

FOUND = (EventKind.INTERNAL_OUTPUT,)
"""What a Resolver found: a use that nothing comes of."""

_DELETING = ("purge", "forget")
"""Keys of the events of acts that end in DELETED."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads from an earlier artifact or execution to a later one.

    Attributes:
      name: the event's key, "" if it has none; or the name of the property.
      kind: of the event; None for a property.
      holder: whose property it is, the other's id, URI or path being its value; None for an event.
    """

    origin: Step
    target: Step
    name: str
    kind: EventKind | None = None
    holder: Step | None = None

    @property
    def role(self) -> str | None:
        """`input`, `output`, `internal output`; None for a property."""
        return None if self.kind is None else self.kind.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Direction:
    """One of the two halves of a graph, upstream or downstream of its root.

    Attributes:
      down: whether it leads to what came later.
      distance: steps from the root, of everything that was reached, in the order in which it was reached.
      onward: of each that was reached, the edges that lead away from the root, if any do.
      first: the edge over which each was reached; the root has none.
      unfollowed: how many edges lead further from steps whose edges were not all followed.
    """

    down: bool
    distance: dict[Step, int] = field(default_factory=dict)
    onward: dict[Step, tuple[Edge, ...]] = field(default_factory=dict)
    first: dict[Step, Edge] = field(default_factory=dict)
    unfollowed: dict[Step, int] = field(default_factory=dict)

    def far(self, edge: Edge) -> Step:
        """The end of an edge that lies further from the root."""
        return edge.target if self.down else edge.origin


@dataclass(frozen=True)
class Graph:
    """The lineage of one artifact. A direction that was not asked for is None."""

    root: Step
    upstream: Direction | None
    downstream: Direction | None

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that were asked for, upstream first."""
        return tuple(half for half in (self.upstream, self.downstream) if half is not None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every artifact and execution, the root first."""
        return tuple(
            dict.fromkeys([self.root, *(step for half in self.directions for step in half.distance)])
        )

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge once."""
        halves = (edges for half in self.directions for edges in half.onward.values())
        return tuple(dict.fromkeys(edge for edges in halves for edge in edges))


class Graphs:
    """Draws the graphs around artifacts of one snapshot."""

    def __init__(self, snapshot: Snapshot, references: Iterable[Edge] = ()) -> None:
        """Takes the snapshot, and edges that are no events. Cost: linear in both."""
        self._snapshot = snapshot
        self._out_of: dict[Step, list[Edge]] = {}
        self._into: dict[Step, list[Edge]] = {}
        for edge in references:
            self._out_of.setdefault(edge.origin, []).append(edge)
            self._into.setdefault(edge.target, []).append(edge)
        events = snapshot.events
        self._silent = snapshot.janitor_executions.copy()
        self._silent[events.execution[np.isin(events.kind, OUTPUTS)]] = False

    def around(
        self,
        row: int,
        *,
        upstream: bool = True,
        downstream: bool = True,
        depth: int | None = None,
        breadth: int | None = None,
    ) -> Graph:
        """The lineage of one artifact.

        Args:
          row: of the artifact.
          upstream, downstream: which directions are wanted.
          depth: steps that are walked at most in each; None for as far as it goes. From an artifact to an
            execution is one step, from there to another artifact the next.
          breadth: edges that are followed at most from one step; None for all.

        Returns:
          The graph. Cost: linear in what is reached; cycles and diamonds are walked once.
        """
        root = ("artifact", int(self._snapshot.artifacts.id[row]))
        return Graph(
            root,
            _walk(Direction(down=False), root, self._above, depth, breadth) if upstream else None,
            _walk(Direction(down=True), root, self._below, depth, breadth) if downstream else None,
        )

    def _above(self, step: Step) -> tuple[Edge, ...]:
        """Edges to what a step was made from: events before references, the lowest ids first."""
        kinds = OUTPUTS if step[0] == "artifact" else INPUTS
        events = sorted(self._events(step, kinds), key=lambda edge: (edge.origin, edge.name))
        referred = sorted(self._into.get(step, ()), key=lambda edge: (edge.name, edge.origin))
        return tuple(dict.fromkeys([*events, *referred]))

    def _below(self, step: Step) -> tuple[Edge, ...]:
        """Edges to what came of a step: events before references, the lowest ids first."""
        kinds = (*INPUTS, *FOUND) if step[0] == "artifact" else OUTPUTS
        events = sorted(self._events(step, kinds), key=lambda edge: (edge.target, edge.name))
        referred = sorted(self._out_of.get(step, ()), key=lambda edge: (edge.name, edge.target))
        return tuple(dict.fromkeys([*events, *referred]))

    def _events(self, step: Step, kinds: tuple[EventKind, ...]) -> Iterator[Edge]:
        snapshot, (what, number) = self._snapshot, step
        if what == "artifact":
            row = snapshot.row(number)
            found = () if row is None else snapshot.events_of_artifact(row).tolist()
        else:
            row = snapshot.execution_row(number)
            found = () if row is None else snapshot.events_of_execution(row).tolist()
        events = snapshot.events
        for event in found:
            kind, execution = int(events.kind[event]), int(events.execution[event])
            if kind not in kinds or self._silent[execution]:
                continue
            artifact = ("artifact", int(snapshot.artifacts.id[events.artifact[event]]))
            user = ("execution", int(snapshot.executions.id[execution]))
            key = int(events.key[event])
            name = events.key_names[key] if key >= 0 else ""
            ends = (user, artifact) if kind in OUTPUTS else (artifact, user)
            yield Edge(*ends, name, EventKind(kind))


def _walk(
    direction: Direction,
    root: Step,
    onward: Callable[[Step], tuple[Edge, ...]],
    depth: int | None,
    breadth: int | None,
) -> Direction:
    """Reaches everything by the fewest steps; where events and references lead there, over the events."""
    arriving: dict[int, list[tuple[Step, Edge | None]]] = {0: [(root, None)]}
    referred: dict[int, list[tuple[Step, Edge | None]]] = {}
    at = 0
    while arriving or referred:
        for step, edge in (*arriving.pop(at, ()), *referred.pop(at, ())):
            if step in direction.distance:
                continue
            direction.distance[step] = at
            if edge is not None:
                direction.first[step] = edge
            edges = onward(step)
            within = (edge for edge in edges if depth is None or at + _length(edge) <= depth)
            followed = tuple(islice(within, breadth))
            if followed:
                direction.onward[step] = followed
            if len(followed) < len(edges):
                direction.unfollowed[step] = len(edges) - len(followed)
            for edge in followed:
                arrivals = referred if edge.kind is None else arriving
                arrivals.setdefault(at + _length(edge), []).append((direction.far(edge), edge))
        at += 1
    return direction


def _length(edge: Edge) -> int:
    """Steps; a reference from artifact to artifact stands for an execution between them, too."""
    return 2 if edge.origin[0] == edge.target[0] else 1


def deletion_of(snapshot: Snapshot, row: int) -> tuple[int, int] | None:
    """The act that called an artifact DELETED: the MLMD id of its execution, and when it began.

    None if it is not DELETED, or no act of the janitor did it.
    """
    if snapshot.artifacts.state[row] != ArtifactState.DELETED:
        return None
    events, found = snapshot.events, []
    for event in snapshot.events_of_artifact(row).tolist():
        key, execution = int(events.key[event]), int(events.execution[event])
        if key >= 0 and events.key_names[key] in _DELETING and snapshot.janitor_executions[execution]:
            found.append((int(snapshot.executions.id[execution]), int(events.time_ms[event])))
    return max(found, default=None)
