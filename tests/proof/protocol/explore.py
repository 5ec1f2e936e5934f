"""Looks at every world that can be reached, nearest first, and stops at the first that breaks a law."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tests.proof.protocol.laws import Law
from tests.proof.protocol.steps import steps
from tests.proof.protocol.world import Cast, Protocol, World


@dataclass(frozen=True)
class Exploration:
    """What was found.

    Attributes:
      states: how many worlds were looked at; those that differ only in who is who count once.
      broken: the first law that does not hold, by name; None if all hold everywhere.
      trace: a shortest way there, step by step; empty if all hold.
      end: the world at its end.
    """

    states: int
    broken: str | None = None
    trace: tuple[str, ...] = ()
    end: World | None = None


def explore(protocol: Protocol, cast: Cast, laws: Sequence[Law]) -> Exploration:
    """Breadth-first over all interleavings."""
    first = cast.begin()
    came: dict[World, tuple[str, World] | None] = {first: None}
    seen = {first.key}
    waiting = deque([first])
    while waiting:
        world = waiting.popleft()
        for law in laws:
            if not law(world, protocol):
                return Exploration(len(seen), law.__name__, _way_to(world, came), world)
        for label, after in steps(world, protocol, cast):
            key = after.key
            if key not in seen:
                seen.add(key)
                came[after] = (label, world)
                waiting.append(after)
    return Exploration(len(seen))


def _way_to(world: World, came: dict[World, tuple[str, World] | None]) -> tuple[str, ...]:
    labels: list[str] = []
    while (before := came[world]) is not None:
        label, world = before
        labels.append(label)
    return tuple(reversed(labels))
