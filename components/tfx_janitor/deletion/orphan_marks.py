"""Which directories that no artifact claims are marked now.

MLMD does not know them, so the record of the act that marked one is its mark, as it is with checkpoints: it
stands until an act closes it, a purge that dealt with it or a restore that took it back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tfx_janitor.deletion.act import NOT_BEGUN, Act, Outcome
from tfx_janitor.payload.places import PlaceError, unfollowed
from tfx_janitor.retention.plan import Orphan, Reason

Closing = tuple[int, str]
"""How acts name a mark, under `closes` and `removes`: the act that made it, and the path."""


@dataclass(frozen=True, slots=True)
class OrphanMark:
    """A directory as an act marked it.

    Attributes:
      begun: whether a purge ever began to remove it.
      purging: the act of such a purge that has not ended: it is at work, or was cut off; 0 if there is none.
    """

    act: Act
    orphan: Orphan
    begun: bool = False
    purging: int = 0

    @property
    def closing(self) -> Closing:
        """How an act says that it has dealt with this mark."""
        return self.act.id, self.orphan.path

    @property
    def label(self) -> str:
        """What the directory is called in the trash."""
        return f"execution-{self.orphan.execution}"


def orphan_marks(known: Iterable[Act], *, altered: frozenset[int] = frozenset()) -> list[OrphanMark]:
    """All marks on directories that stand, in the order in which they were made.

    Args:
      known: all acts of applying, purging and restoring, ascending.
      altered: acts that are not as they were written: they mark nothing.
    """
    marked: dict[Closing, tuple[Act, Orphan]] = {}
    purging: dict[Closing, int] = {}
    closed: set[Closing] = set()
    for act in known:
        if act.kind == "apply" and act.id not in altered:
            for record in act.details.get("orphans", ()):
                orphan = Orphan.from_dict(record)
                marked[act.id, orphan.path] = act, orphan
        for closing in removed_by(act):
            purging[closing] = 0 if act.ended else act.id
        closed |= set(closed_by(act)) if act.ended else set()
    return [
        OrphanMark(act, orphan, begun=closing in purging, purging=purging.get(closing, 0))
        for closing, (act, orphan) in marked.items()
        if closing not in closed
    ]


def removed_by(act: Act) -> Iterator[Closing]:
    """The marks that an act of purging was about to remove the directories of."""
    yield from ((int(made_by), str(path)) for made_by, path in act.details.get("removes", ()))


def closed_by(act: Act) -> Iterator[Closing]:
    """The marks that an act deals with, whether it has ended or not; what it failed at is still marked."""
    failed = {outcome.path for outcome in act.outcomes if outcome.done == "failed"}
    for made_by, closed in act.details.get("closes", ()):
        # Of a mark on checkpoints it is an artifact's id.
        if isinstance(closed, str) and closed not in failed:
            yield int(made_by), closed


def names_path(act: Act, path: str) -> bool:
    """Whether an act marked, purged or restored the directory at a path."""
    marked = (str(record["path"]) for record in act.details.get("orphans", ()))
    return path in (*marked, *(closed for _, closed in act.details.get("closes", ())))


def spelled(name: str) -> str:
    """A path as marks and plans spell it: absolute, links followed but for the last name."""
    try:
        return unfollowed(os.path.abspath(name)).path
    except PlaceError:
        return name


def outcome_of(orphan: Orphan, done: str, detail: str, size: int = 0) -> Outcome:
    """What became of a directory."""
    return Outcome(0, done, detail, size, orphan.path)


def not_begun(orphan: Orphan) -> Outcome:
    """What becomes of a directory that the wish to stop came before."""
    return outcome_of(orphan, "skipped", NOT_BEGUN)


def in_words(reason: Reason) -> str:
    """A reason as outcomes tell it."""
    return f"{reason.code}: {reason.detail}"
