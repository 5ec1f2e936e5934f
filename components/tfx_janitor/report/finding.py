"""Which artifact a person means: an id, a URI, or any path in what the artifact left on a disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.payload.places import Place, PlaceError, parse, resolve

_DESTINATION = "pushed_destination"


class NotFound(JanitorError):
    """Nothing that the store knows is meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """The artifact that is meant.

    Attributes:
      row: of the snapshot.
      served: whether what was named is where a PushedModel is served, and not its payload.
      others: further artifacts that lie at the very same place.
    """

    row: int
    served: bool = False
    others: tuple[int, ...] = ()


def find(snapshot: Snapshot, name: str) -> Found:
    """Finds the artifact that a word names.

    Args:
      name: an MLMD id; a URI; or a path, absolute or relative to the working directory, that may lie deep
        inside a payload or inside a served version.

    Raises:
      NotFound: no artifact has this id, or none lies at or around this path.
    """
    if name.isascii() and name.isdigit():
        row = snapshot.row(int(name))
        if row is None:
            raise NotFound(f"expected the id of an artifact, but the store has no artifact {name}")
        return Found(row)
    wanted = _places(name)
    # Normalising by letters alone is fast; asking the disk about the links in every URI is not.
    for read in (parse, resolve):
        matches = [
            (len(place.path), snapshot.artifacts.state[row] != ArtifactState.DELETED, row, served)
            for row, place, served in _claimed(snapshot, read)
            if any(place == target or place.contains(target) for target in wanted)
        ]
        if matches:
            depth, _, row, served = max(matches)
            others = {other for length, _, other, _ in matches if length == depth and other != row}
            return Found(row, served, tuple(sorted(others)))
    inside = [
        (row, place)
        for row, place, served in _claimed(snapshot, parse)
        if served and any(target.contains(place) for target in wanted)
    ]
    version = f", but one in it: {max(inside)[1]}" if inside else ""
    raise NotFound(
        f"no artifact of the store lies at or around {wanted[0]}, and no PushedModel is served there"
        f"{version}; give an artifact's id, its URI or a path inside it"
    )


def _places(name: str) -> tuple[Place, ...]:
    whole = name if "://" in name else os.path.abspath(name)
    try:
        return tuple(dict.fromkeys((parse(whole), resolve(whole))))
    except PlaceError as error:
        raise NotFound(f"expected an artifact's id, URI or path: {error}") from None


def _claimed(snapshot: Snapshot, read: Callable[[str], Place]) -> Iterator[tuple[int, Place, bool]]:
    """Every place that an artifact claims: its payload, and for a PushedModel where it is served."""
    for row, uri in enumerate(snapshot.artifacts.uri):
        try:
            yield row, read(uri), False
        except PlaceError:
            continue
    destinations = snapshot.artifacts.properties.get(_DESTINATION)
    for row, uri in destinations.items() if destinations is not None else ():
        try:
            yield row, read(str(uri)), True
        except PlaceError:
            continue
