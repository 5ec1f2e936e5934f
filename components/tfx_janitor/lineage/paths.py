"""Who was made from what: shortest lineage paths over the events of a snapshot.

A step up goes from an artifact to the executions that have it as output and from there to their inputs; a
step down goes the other way. INTERNAL events are no steps, for a Resolver makes nothing, and neither are the
janitor's own acts. Among paths of one length the one over the lowest ids is taken, so that the same store
always gives the same path.

    derivations = Derivations(snapshot)
    walk = derivations.ancestors(kept)        # one search for all of them, linear in the store
    walk.rows                                 # all that they were made from
    walk.path(row)                            # from a row to the nearest of them, step by step
    derivations.path(model, pushed)           # between two, looking only as far as it must
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.snapshot import INPUTS, OUTPUTS, EventKind, Ints, Snapshot

Step = tuple[str, int]
"""One node of a path: ("artifact" | "execution", MLMD id)."""

_UNSEEN, _SOURCE = -1, -2


@dataclass(frozen=True, eq=False)
class Walk:
    """All that a search reached, with the way back from each.

    Attributes:
      toward: per artifact row, the execution row one step nearer to where the search began; negative where
        it was not reached, or began.
      toward_of_execution: per execution row, the artifact row one step nearer; negative if not reached.
      back: kinds of the events over which a step back leads from an artifact.
    """

    snapshot: Snapshot
    toward: Ints
    toward_of_execution: Ints
    back: tuple[EventKind, ...]

    @cached_property
    def rows(self) -> Ints:
        """Rows of the artifacts that were reached, ascending, without those where the search began."""
        return np.flatnonzero(self.toward >= 0)

    def __contains__(self, row: int) -> bool:
        """Whether an artifact was reached; one where the search began, if it was reached from another."""
        return bool(self.toward[row] >= 0 or (self.toward[row] == _SOURCE and self._steps_back(row)))

    def path(self, row: int) -> tuple[Step, ...]:
        """The steps from an artifact that was reached to the nearest one where the search began.

        Raises:
          KeyError: the search did not reach it.
        """
        if self.toward[row] == _UNSEEN:
            raise KeyError(row)
        start = [_artifact(self.snapshot, row)]
        if self.toward[row] != _SOURCE:
            return tuple(start + self._onwards(int(self.toward[row])))
        onwards = (self._onwards(execution) for execution in sorted(self._steps_back(row)))
        # In a circle, the way on may lead back to where it begins.
        others = (steps for steps in onwards if steps[-1] != start[0])
        return tuple(start + min(others, key=len, default=[]))

    def _onwards(self, execution: int) -> list[Step]:
        steps = []
        while execution >= 0:
            row = int(self.toward_of_execution[execution])
            steps += [_execution(self.snapshot, execution), _artifact(self.snapshot, row)]
            execution = int(self.toward[row])
        return steps

    def _steps_back(self, row: int) -> list[int]:
        """Executions over which one where the search began was reached from another.

        The search does not go back to where it began, so what it found there is looked up.
        """
        found = self.snapshot.executions_of(row, self.back)
        return [e for e in found if self.toward_of_execution[e] not in (_UNSEEN, row)]


class Derivations:
    """What the artifacts of one snapshot were made from, ready to be searched many times."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Takes the snapshot; its events are sorted at the first search."""
        self._snapshot = snapshot

    def ancestors(self, rows: Iterable[int]) -> Walk:
        """All artifacts that some of the given ones were made from, over any number of steps."""
        return self._walk(rows, self._producers, self._inputs, INPUTS)

    def descendants(self, rows: Iterable[int]) -> Walk:
        """All artifacts that were made from some of the given ones, over any number of steps."""
        return self._walk(rows, self._consumers, self._outputs, OUTPUTS)

    def path(
        self, ancestor: int, descendant: int, *, between: Collection[str] | None = None
    ) -> tuple[Step, ...] | None:
        """The shortest path from one artifact down to one that was made from it.

        The search goes up from the descendant and ends at the ancestor's distance, so that it costs little
        however large the store is, as long as there is a path.

        Args:
          ancestor: row.
          descendant: row.
          between: names of the artifact types that may lie between the two; None for any.

        Returns:
          The steps, the ancestor first; None if there is no such path.
        """
        snapshot = self._snapshot
        toward = {descendant: _SOURCE}
        toward_of_execution: dict[int, int] = {}
        frontier = [descendant]
        while frontier and ancestor not in toward:
            executions: list[int] = []
            for row in frontier:
                for execution in snapshot.executions_of(row, OUTPUTS):
                    if not snapshot.janitor_executions[execution] and execution not in toward_of_execution:
                        toward_of_execution[execution] = row
                        executions.append(execution)
            frontier = []
            for execution in sorted(executions):
                for row in snapshot.artifacts_of(execution, INPUTS):
                    passable = between is None or row == ancestor or snapshot.type_of(row) in between
                    if passable and row not in toward:
                        toward[row] = execution
                        frontier.append(row)
            frontier.sort()
        if ancestor not in toward:
            return None
        steps, row = [_artifact(snapshot, ancestor)], ancestor
        while (execution := toward[row]) >= 0:
            row = toward_of_execution[execution]
            steps += [_execution(snapshot, execution), _artifact(snapshot, row)]
        return tuple(steps)

    def _walk(
        self,
        rows: Iterable[int],
        from_artifacts: _Steps,
        from_executions: _Steps,
        back: tuple[EventKind, ...],
    ) -> Walk:
        snapshot = self._snapshot
        toward = np.full(len(snapshot.artifacts), _UNSEEN, np.int64)
        toward_of_execution = np.full(len(snapshot.executions), _UNSEEN, np.int64)
        frontier = np.unique(np.fromiter(rows, np.int64))
        toward[frontier] = _SOURCE
        while len(frontier):
            executions = from_artifacts.reach(frontier, toward_of_execution)
            frontier = from_executions.reach(executions, toward)
        return Walk(snapshot, toward, toward_of_execution, back)

    @cached_property
    def _producers(self) -> _Steps:
        return self._steps(OUTPUTS, self._snapshot.events.artifact, self._snapshot.events.execution)

    @cached_property
    def _inputs(self) -> _Steps:
        return self._steps(INPUTS, self._snapshot.events.execution, self._snapshot.events.artifact)

    @cached_property
    def _consumers(self) -> _Steps:
        return self._steps(INPUTS, self._snapshot.events.artifact, self._snapshot.events.execution)

    @cached_property
    def _outputs(self) -> _Steps:
        return self._steps(OUTPUTS, self._snapshot.events.execution, self._snapshot.events.artifact)

    def _steps(self, kinds: Sequence[EventKind], origin: Ints, target: Ints) -> _Steps:
        snapshot = self._snapshot
        used = np.isin(snapshot.events.kind, kinds)
        used &= ~snapshot.janitor_executions[snapshot.events.execution]
        chosen = np.flatnonzero(used)
        chosen = chosen[np.argsort(origin[chosen], kind="stable")]
        nodes = max(len(snapshot.artifacts), len(snapshot.executions))
        return _Steps(np.searchsorted(origin[chosen], np.arange(nodes + 1)), target[chosen])


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps of one kind: those from node i lead to `target[starts[i]:starts[i + 1]]`."""

    starts: Ints
    target: Ints

    def reach(self, frontier: npt.NDArray[np.int64], toward: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Steps on from ascending nodes, and notes in `toward` from where each new one was reached first.

        Returns:
          The new nodes, ascending.
        """
        first, counts = self.starts[frontier], self.starts[frontier + 1] - self.starts[frontier]
        before = np.cumsum(counts) - counts
        reached = self.target[np.repeat(first - before, counts) + np.arange(counts.sum())]
        origins = np.repeat(frontier, counts)
        new = toward[reached] == _UNSEEN
        # `unique` names the first place of each node, which is that of its lowest origin.
        nodes, places = np.unique(reached[new], return_index=True)
        toward[nodes] = origins[new][places]
        return nodes.astype(np.int64)


def _artifact(snapshot: Snapshot, row: int) -> Step:
    return ("artifact", int(snapshot.artifacts.id[row]))


def _execution(snapshot: Snapshot, row: int) -> Step:
    return ("execution", int(snapshot.executions.id[row]))
