"""What is marked now, as the acts tell it: a state alone says neither by whom, nor since when.

A mark on an artifact stands while its state says so. A mark on checkpoints, which MLMD does not know,
stands from the act that made it until an act closes it: a purge that dealt with it, or a restore that took
it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tfx_janitor.deletion.act import Act

CheckpointName = tuple[str, str]
"""A directory relative to the artifact's URI ("" is the URI itself), and the checkpoint's name in it."""


@dataclass(frozen=True, slots=True)
class ArtifactMark:
    """The act that marked an artifact last.

    Attributes:
      begun: whether a purge of it ever began.
      unfinished: whether one that may have claimed it was cut off, or left bytes.
    """

    act: Act
    begun: bool = False
    unfinished: bool = False

    @property
    def discarded(self) -> bool:
        """Whether a person marked it, whatever the policy keeps."""
        return bool(self.act.details.get("discarded"))

    def due(self, now_ms: int) -> bool:
        """Whether its grace is over."""
        return self.act.is_due(now_ms)


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """Checkpoints of one artifact that one act marked and nothing has closed.

    Attributes:
      begun: those that a purge had begun to delete when it was cut off.
    """

    act: Act
    artifact_id: int
    names: frozenset[CheckpointName]
    begun: frozenset[CheckpointName]

    @property
    def closing(self) -> tuple[int, int]:
        """How an act says in its details, under `closes`, that it has dealt with this mark."""
        return self.act.id, self.artifact_id

    def due(self, now_ms: int) -> bool:
        """Whether its grace is over."""
        return self.act.is_due(now_ms)


def artifact_marks(known: Iterable[Act]) -> dict[int, ArtifactMark]:
    """By artifact id, ascending, the last mark on it; whether it stands is what its state says.

    An act that ended without marking it made no mark, and one that took it back ends the mark: what is marked
    after that, somebody else marked. An act that was cut off may have marked it, and counts.
    """
    marks: dict[int, ArtifactMark] = {}
    for act in known:
        done = {outcome.artifact_id: outcome.done for outcome in act.outcomes}
        for touch in act.touches:
            artifact_id, became = touch.artifact_id, done.get(touch.artifact_id)
            mark = marks.get(artifact_id)
            if touch.what == "mark" and became in (None, "marked"):
                # That a purge began stays known: an act that was cut off may not have marked anything.
                marks[artifact_id] = ArtifactMark(act) if mark is None else replace(mark, act=act)
            elif touch.what == "purge" and mark is not None and became != "skipped":
                # One that was cut off stays so: who finished it may not have seen all that it had in hand.
                unfinished = mark.unfinished or became in (None, "failed")
                marks[artifact_id] = replace(mark, begun=True, unfinished=unfinished)
            elif became in ("rescued", "restored") and "closes" not in act.details:
                marks.pop(artifact_id, None)
    return dict(sorted(marks.items()))


def checkpoint_marks(known: Sequence[Act]) -> list[CheckpointMark]:
    """All marks on checkpoints that stand, in the order in which they were made.

    What a purge failed at is still marked, and begun.
    """
    closed: set[tuple[int, int]] = set()
    begun: dict[int, set[CheckpointName]] = {}
    for act in known:
        failed = {outcome.artifact_id for outcome in act.outcomes if outcome.done == "failed"}
        if act.ended:
            closed |= closings([act])
        for artifact_id, names in names_by_artifact(act).items() if act.kind == "purge" else ():
            if not act.ended or artifact_id in failed:
                begun.setdefault(artifact_id, set()).update(names)
    marks = []
    for act in known:
        for artifact_id, marked in names_by_artifact(act).items() if act.kind == "apply" else ():
            if (act.id, artifact_id) not in closed:
                cut_off = marked & begun.get(artifact_id, set())
                marks.append(CheckpointMark(act, artifact_id, marked, frozenset(cut_off)))
    return marks


def marked_checkpoints(known: Sequence[Act]) -> set[tuple[int, str, str]]:
    """The checkpoints on which a mark stands: artifact id, directory and name of each."""
    return {(mark.artifact_id, *name) for mark in checkpoint_marks(known) for name in mark.names}


def closings(known: Iterable[Act]) -> set[tuple[int, int]]:
    """The marks on checkpoints that acts have closed or are about to close, each as its `closing`.

    Not those that they failed at, or left to another act.
    """
    found: set[tuple[int, int]] = set()
    for act in known:
        left = {outcome.artifact_id for outcome in act.outcomes if outcome.left}
        found |= {(made_by, at) for made_by, at in act.details.get("closes", ()) if at not in left}
    return found


def names_by_artifact(act: Act) -> dict[int, frozenset[CheckpointName]]:
    """The checkpoints that an act says it is about to mark or to delete, by the artifact that they are in."""
    return {int(text): _names(pairs) for text, pairs in act.details.get("checkpoints", {}).items()}


def _names(pairs: Iterable[Sequence[str]]) -> frozenset[CheckpointName]:
    return frozenset((directory, name) for directory, name in pairs)
