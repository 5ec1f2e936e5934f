"""References between artifacts and executions that are no events: properties that name an id or a place.

TFX writes many of them: a ModelBlessing names the model it judged, a PushedModel the directory where it is
served, an Importer the URI that it imports, a Trainer's `custom_config` perhaps a vocabulary in some other
artifact's payload. MLMD knows nothing of them.

    claims = Claims(snapshot)
    claims.references()                      # what properties of artifacts name
    claims.mentions(execution_id, values)    # what properties of one execution name
    all_references(snapshot, parameters)     # all of these
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tfx_janitor.lineage.paths import Step
from tfx_janitor.lineage.snapshot import Snapshot, Value
from tfx_janitor.lineage.walk import Edge
from tfx_janitor.payload.places import PlaceError, parse

_DESTINATION = "pushed_destination"

_IDS = ("_model_id", "_blessing_id", "_artifact_id")
"""How properties end that hold an artifact's id; any other number may be anything."""

_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:/)?/[^\s\"'\\,;|{}\[\]()<>]+")
"""A path or URI inside a longer text, such as the JSON of a `custom_config`."""


def all_references(snapshot: Snapshot, parameters: Iterable[tuple[int, Mapping[str, Value]]]) -> list[Edge]:
    """Everything that properties name.

    Args:
      parameters: the properties of each execution, by its MLMD id.
    """
    claims = Claims(snapshot)
    mentions = (edge for execution, values in parameters for edge in claims.mentions(execution, values))
    return [*claims.references(), *mentions]


class Claims:
    """Who lies where, by the letters of the URIs; no file system is asked."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Takes the snapshot. Cost: linear in its artifacts."""
        self._snapshot = snapshot
        self._rows: dict[str, list[int]] = {}
        for row, uri in enumerate(snapshot.artifacts.uri):
            if (place := _spelled(uri)) is not None:
                self._rows.setdefault(place, []).append(row)

    def references(self) -> Iterator[Edge]:
        """What the properties of artifacts name. Cost: linear in the properties."""
        yield from self._by_destination()
        by_id = set()
        columns = self._snapshot.artifacts.properties
        for name, column in columns.items():
            if not name.endswith(_IDS):
                continue
            for row, value in column.items():
                named = self._snapshot.row(value) if isinstance(value, int) and value else None
                if named is not None and named != row:
                    by_id.add((row, name.removesuffix("_id")))
                    yield self._named(named, self._artifact(row), name)
        for name, column in columns.items():
            if name == _DESTINATION:
                continue
            for row, value in column.items():
                # Where an id says which one is meant, a URI that several may share says nothing more.
                if not isinstance(value, str) or (row, name.removesuffix("_uri")) in by_id:
                    continue
                for named in self._at(value):
                    if named != row:
                        yield self._named(named, self._artifact(row), name)

    def mentions(self, execution_id: int, values: Mapping[str, Value]) -> Iterator[Edge]:
        """What the properties of an execution name beyond its inputs and outputs.

        A path inside a payload names the artifact around it.
        """
        execution = self._snapshot.execution_row(execution_id)
        linked: set[int] | None = None
        for name, value in values.items():
            if execution is None or not isinstance(value, str) or "/" not in value:
                continue
            texts = (value, *_PATH.findall(value))
            for named in dict.fromkeys(row for text in texts for row in self._around(text)):
                if linked is None:
                    events = self._snapshot.events_of_execution(execution)
                    linked = set(self._snapshot.events.artifact[events].tolist())
                if named not in linked:
                    yield self._named(named, ("execution", execution_id), name)

    def _by_destination(self) -> Iterator[Edge]:
        """From PushedModels to artifacts that lie where they are served, such as an imported version."""
        column = self._snapshot.artifacts.properties.get(_DESTINATION)
        for row, value in column.items() if column is not None else ():
            for named in self._at(str(value)):
                if named != row:
                    pushed = self._artifact(row)
                    yield Edge(pushed, self._artifact(named), _DESTINATION, holder=pushed)

    def _named(self, named: int, holder: Step, name: str) -> Edge:
        return Edge(self._artifact(named), holder, name, holder=holder)

    def _at(self, text: str) -> list[int]:
        place = _spelled(text)
        return [] if place is None else self._rows.get(place, [])

    def _around(self, text: str) -> list[int]:
        """Rows of the artifacts at a place, else of those deepest around it."""
        place = _spelled(text) or ""
        while place.strip("/") and not place.endswith(":/"):
            if place in self._rows:
                return self._rows[place]
            place = place.rpartition("/")[0]
        return []

    def _artifact(self, row: int) -> Step:
        return ("artifact", int(self._snapshot.artifacts.id[row]))


def _spelled(text: str) -> str | None:
    """One spelling for each place; None for what names none."""
    if "/" not in text:
        return None
    try:
        return str(parse(text))
    except PlaceError:
        return None
