"""What the janitor remembers of an act: what it was about to touch, what became of it, and its hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["apply", "purge", "rescue", "restore", "pin", "unpin", "rollback", "mend"]
KINDS: tuple[Kind, ...] = ("apply", "purge", "rescue", "restore", "pin", "unpin", "rollback", "mend")

COLLECTED = ("marked", "purged", "finished", "corrected", "pruned", "rescued", "skipped", "failed")
"""What can become of an item that is collected (`apply`, `purge`, `gc`), in the order in which it is told."""

NOT_BEGUN = "stopped before it was begun"
"""Detail of an item that is left to the next run, for somebody wanted this one to stop."""

BY_ANOTHER = "another janitor "
"""How the detail of an item begins that was skipped because another janitor has dealt with it meanwhile."""

Link = tuple[int, str]
"""How an act names another: MLMD id of its execution, and the hash that it had then."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The hashes that an act carries.

    Attributes:
      previous: the acts before it, as it names them, ascending by id.
      begun: `sha256:` and the hash of its beginning.
      ended: that of its end; None while it is under way, and for ever if it was cut off.
    """

    previous: tuple[Link, ...]
    begun: str
    ended: str | None = None

    @property
    def hash(self) -> str:
        """The hash that an act which begins now would name this one by."""
        return self.ended or self.begun


@dataclass(frozen=True, slots=True)
class Touch:
    """What an act is about to do to one artifact: mark, prune, purge, rescue, restore, pin or unpin; of a
    rollback, put back or replace a PushedModel, or serve a Model.
    """

    artifact_id: int
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item of an act.

    Attributes:
      artifact_id: 0 for a directory that no artifact claims.
      done: "marked", "purged", "finished", "corrected", "pruned", "rescued", "restored", "pinned" or
        "unpinned"; of a rollback "put back", "replaced", "served", "pushed"; or "skipped", "failed".
      detail: why it was skipped or rescued, or what was pruned.
      bytes: what the item freed; of what was marked, what its purge would free.
      path: of a directory that no artifact claims; None for an artifact.
    """

    artifact_id: int
    done: str
    detail: str = ""
    bytes: int = 0
    path: str | None = None

    @property
    def row(self) -> list[int | str]:
        """As it is recorded and hashed."""
        row: list[int | str] = [self.artifact_id, self.done, self.detail, self.bytes]
        return row if self.path is None else [*row, self.path]

    @property
    def well(self) -> bool:
        """Whether the item needs nobody's attention: it was dealt with, be it by another janitor."""
        return not self.left or (self.done == "skipped" and self.detail.startswith(BY_ANOTHER))

    @property
    def left(self) -> bool:
        """Whether it was left as it is."""
        return self.done in ("skipped", "failed")

    @property
    def freed(self) -> int:
        """Bytes that are gone from the disk."""
        return self.bytes if self.done in ("purged", "finished", "corrected", "pruned") else 0


@dataclass(frozen=True, slots=True)
class Act:
    """One act as MLMD remembers it.

    Attributes:
      id: MLMD id of its execution.
      ended: False if it is under way, or was cut off.
      details: what was recorded with it, such as plan_id, policy, grace_ms, reason.
      touches: what it was about to do.
      outcomes: what became of it, by item; empty until it ended.
      seal: its hashes; None for an act of a version that wrote none.
      damage: what of its record cannot be read any more, and is empty here; "" for a sound one.
      written_ms: when MLMD wrote its beginning, by MLMD's own clock, whatever time the act says; no hash
        covers it. 0 for one that was not read.
    """

    id: int
    kind: Kind
    at_ms: int
    actor: str
    version: str
    ended: bool
    details: Mapping[str, Any]
    touches: tuple[Touch, ...]
    outcomes: tuple[Outcome, ...] = field(default=())
    seal: Seal | None = None
    damage: str = ""
    written_ms: int = 0

    def is_due(self, now_ms: int) -> bool:
        """Whether the grace of what it marked is over."""
        return now_ms >= self.at_ms + int(self.details["grace_ms"])
