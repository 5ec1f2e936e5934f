"""What is marked now and waits for its purge: how much of it, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.marks import artifact_marks, checkpoint_marks
from tfx_janitor.deletion.orphan_marks import orphan_marks
from tfx_janitor.lineage.snapshot import ArtifactState

if TYPE_CHECKING:
    from ml_metadata import MetadataStore


@dataclass(frozen=True, slots=True)
class Waiting:
    """Marks that stand, as the acts tell them; what somebody else marked is not among them.

    Attributes:
      marks: one for each artifact, for each artifact with checkpoints by each act, and for each directory.
      oldest_ms: when the oldest of them was made; None if there is none.
    """

    marks: int
    oldest_ms: int | None


def waiting(store: MetadataStore) -> Waiting:
    """Reads the marks that stand now; an act whose record cannot be read tells of none."""
    made = list(_made(store))
    return Waiting(len(made), min(made, default=None))


def _made(store: MetadataStore) -> Iterator[int]:
    from ml_metadata.metadata_store import ListOptions

    marked = ListOptions(filter_query=f"state = {ArtifactState.MARKED_FOR_DELETION.name}")
    now = {row.id for row in store.get_artifacts(marked)}
    known = acts.read(store, damaged=True)
    yield from (mark.act.at_ms for artifact_id, mark in artifact_marks(known).items() if artifact_id in now)
    yield from (mark.act.at_ms for mark in checkpoint_marks(known))
    yield from (mark.act.at_ms for mark in orphan_marks(known))
