"""How two neighbours on a lineage path are connected, and in which words a step from one to the next is told.

Nearly always an event of the store connects them. Where none does, something else that was recorded must: a
property that names the other one, the run that both are part of, the place that both claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tfx_janitor.lineage.snapshot import EventKind, Snapshot
from tfx_janitor.lineage.walk import Edge
from tfx_janitor.payload.places import Place, PlaceError, resolve
from tfx_janitor.report.text import printable
from tfx_janitor.retention.plan import Step

By = Literal["event", "property", "run", "place", "pin", "nothing"]


@dataclass(frozen=True, slots=True)
class Link:
    """What connects a step to the one after it.

    Attributes:
      by: the kind of thing that was recorded.
      words: what goes before the name of the later step: "output model of", "current_model_id of".
    """

    by: By
    words: str

    def to_dict(self) -> dict[str, str]:
        """JSON-ready form."""
        return {"by": self.by, "words": self.words}


class LineageLinks:
    """Links between the artifacts, executions and pins of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Takes the snapshot that the paths were found in."""
        self._snapshot = snapshot

    def path(self, steps: Sequence[Step]) -> list[Link]:
        """One link for each step but the first."""
        return [self.between(*pair) for pair in pairwise(steps)]

    def between(self, one: Step, other: Step) -> Link:
        """What connects two steps."""
        kinds = (one[0], other[0])
        if kinds == ("artifact", "execution"):
            return self._event(one[1], other[1], _ONTO_EXECUTION)
        if kinds == ("execution", "artifact"):
            return self._event(other[1], one[1], _ONTO_ARTIFACT)
        if kinds == ("execution", "execution"):
            return self._run(one[1], other[1])
        if kinds == ("artifact", "artifact"):
            return self._reference(one[1], other[1])
        return Link("pin", "held by")

    def _event(self, artifact_id: int, execution_id: int, told: str) -> Link:
        snapshot = self._snapshot
        row, execution = snapshot.row(artifact_id), snapshot.execution_row(execution_id)
        if row is None or execution is None:
            return _NOTHING
        events = snapshot.events
        for event in snapshot.events_of_artifact(row).tolist():
            if events.execution[event] == execution:
                kind, key = int(events.kind[event]), int(events.key[event])
                return Link("event", told.format(role=_role(kind, events.key_names[key] if key >= 0 else "")))
        return _NOTHING

    def _run(self, one_id: int, other_id: int) -> Link:
        runs = self._snapshot.executions.run
        rows = self._snapshot.execution_row(one_id), self._snapshot.execution_row(other_id)
        one, other = (-1 if row is None else int(runs[row]) for row in rows)
        return Link("run", "in the same run as") if one >= 0 and one == other else _NOTHING

    def _reference(self, one_id: int, other_id: int) -> Link:
        for name in self._naming(other_id, one_id):
            return _property(name, held=True)
        for name in self._naming(one_id, other_id):
            return _property(name, held=False)
        others = list(self._places(other_id))
        if any(a == b or a.contains(b) or b.contains(a) for a in self._places(one_id) for b in others):
            return Link("place", "shares its place with")
        return _NOTHING

    def _naming(self, named_id: int, naming_id: int) -> Iterator[str]:
        """Properties by which an artifact names another one: by its id, or by its URI."""
        named, naming = self._snapshot.row(named_id), self._snapshot.row(naming_id)
        if named is None or naming is None:
            return
        uri = self._snapshot.artifacts.uri[named]
        for name, value in self._snapshot.properties_of(naming).items():
            if value == uri or (name.endswith("_id") and value == named_id):
                yield name

    def _places(self, artifact_id: int) -> Iterator[Place]:
        row = self._snapshot.row(artifact_id)
        if row is None:
            return
        for uri in (self._snapshot.artifacts.uri[row], self._snapshot.property(row, "pushed_destination")):
            try:
                yield resolve(str(uri))
            except PlaceError:
                continue


def over(edge: Edge, one: Step) -> Link:
    """What an edge of a graph says to whoever comes from one of its ends to the other.

    Args:
      one: the end that the words go on from.
    """
    if edge.kind is None and edge.origin[0] == edge.target[0]:
        return _property(edge.name, held=edge.holder == one)
    if edge.kind is None:
        name = printable(edge.name)
        return Link("property", f"its {name} names" if edge.holder == one else f"named in {name} of")
    told = _ONTO_EXECUTION if one[0] == "artifact" else _ONTO_ARTIFACT
    return Link("event", told.format(role=_role(edge.kind, edge.name)))


def _role(kind: int, key: str) -> str:
    """`input model`, `output model`; what a Resolver found is its `internal output model`."""
    name = EventKind(kind).name.lower().replace("_", " ") if kind in list(EventKind) else f"event {kind}"
    return f"{name} {printable(key)}" if key else name


def _property(name: str, *, held: bool) -> Link:
    return Link("property", f"its {printable(name)} is" if held else f"{printable(name)} of")


_ONTO_EXECUTION, _ONTO_ARTIFACT = "{role} of", "{role}:"


_NOTHING = Link("nothing", "not connected by anything in the store to")
