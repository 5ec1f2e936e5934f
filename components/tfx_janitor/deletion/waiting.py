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

    from tfx_janitor.deletion.act import Act

_CHUNK = 1000


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
    made = [act.at_ms for act in _marking(store)]
    return Waiting(len(made), min(made, default=None))


def next_due(store: MetadataStore, now_ms: int) -> tuple[int, int | None]:
    """How many marks stand, and when the next grace is over of those that are not over yet."""
    ends = [act.at_ms + int(act.details["grace_ms"]) for act in _marking(store)]
    return len(ends), min((end for end in ends if end > now_ms), default=None)


def _marking(store: MetadataStore) -> Iterator[Act]:
    """The act behind each mark that stands."""
    known = acts.read(store, damaged=True)
    marks = artifact_marks(known)
    now = _marked(store, list(marks))
    yield from (mark.act for artifact_id, mark in marks.items() if artifact_id in now)
    yield from (mark.act for mark in checkpoint_marks(known))
    yield from (mark.act for mark in orphan_marks(known))


def _marked(store: MetadataStore, ids: list[int]) -> set[int]:
    """Those of the artifacts that are marked now. Asked by id: MLMD 1.21 cannot ask by state."""
    chunks = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
    rows = (row for chunk in chunks for row in store.get_artifacts_by_id(chunk))
    return {row.id for row in rows if row.state == ArtifactState.MARKED_FOR_DELETION}
