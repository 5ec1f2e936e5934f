"""One artifact, what everybody around it knows, and the protocols that its janitors may follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Row = Literal["LIVE", "MARKED", "DELETED"]

Payload = Literal["whole", "partial", "trash", "part in trash", "gone"]
"""Where the bytes are, and how many of them: at the URI, in the trash beside it, or nowhere."""

Grace = Literal["none", "running", "over"]
"""Of the last act of marking in the store: there is none, or its grace is running, or over."""

Phase = Literal[
    "idle",
    "go",  # apply: judged, may go
    "act",  # apply: the act is written
    "mark put",  # apply, where puts are blind: the row was looked at
    "read",  # purge: the first of its two reads is done
    "needed",  # purge: judged, needed again
    "rescue",  # purge: needed again, and its payload is whole
    "rescue put",
    "condemned",  # purge: judged, to be removed
    "claim",  # purge: the act is written; the row is to say so before the payload is touched
    "finish",  # emptying what an earlier run left in the trash
    "rename",
    "empty",
    "record",  # the bytes are gone; the row is still to say so
    "record put",
]

Use = Literal["idle", "resolved", "using", "late", "done"]
"""A launcher has resolved the artifact, and then registered its execution: in time, or after a judgement."""

Person = Literal["away", "looked", "verified"]


@dataclass(frozen=True, slots=True)
class Janitor:
    """One process that runs again and again.

    Attributes:
      fresh: the row is still the one that it read: what a compare-and-set finds out.
      due: the last mark that it read of had its grace behind it.
      begun: a purge of what that mark marked had begun.
      saw: the state that it read, where the store is read before the acts.
      source: the state of the row that it judged, and claims.
      vanished: nothing lay at the URI then, so that it looks in the trash alone.
    """

    phase: Phase = "idle"
    fresh: bool = False
    due: bool = False
    begun: bool = False
    saw: Row | None = None
    source: Row = "MARKED"
    vanished: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything that anybody can see or remember, at one instant.

    Attributes:
      row: the artifact's state in MLMD.
      payload: its bytes.
      grace: of the last mark that the acts tell of.
      begun: whether an act of purging it has begun since that mark.
      pinned: whether somebody pinned it.
      launchers: those that take it for input.
      looked_fresh: whether the row is still the one that the restoring person saw.
      ripe: the grace of the mark that stands is over. This and the rest is looked at by nobody but the laws.
      cleared: the mark that stands was judged again after that, and let go.
      unjudged: bytes went without.
      deletions: how often it became DELETED; two stands for many.
    """

    janitors: tuple[Janitor, ...]
    launchers: tuple[Use, ...]
    row: Row = "LIVE"
    payload: Payload = "whole"
    grace: Grace = "none"
    begun: bool = False
    pinned: bool = False
    person: Person = "away"
    looked_fresh: bool = False
    ripe: bool = False
    cleared: bool = False
    unjudged: bool = False
    deletions: int = 0

    @property
    def used(self) -> bool:
        """Whether an execution that is not over has an INPUT event on it."""
        return "using" in self.launchers or "late" in self.launchers

    @property
    def key(self) -> tuple[object, ...]:
        """The same for worlds that differ only in which janitor, or which launcher, is which."""
        return (
            self.row,
            self.payload,
            self.grace,
            self.begun,
            self.pinned,
            self.person,
            self.looked_fresh,
            self.ripe,
            self.cleared,
            self.unjudged,
            self.deletions,
            tuple(sorted(self.launchers)),
            tuple(sorted(self.janitors, key=hash)),
        )


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the janitors do, and what is assumed of time.

    Attributes:
      judges_again: purge judges what is marked once more.
      waits: purge waits for the grace.
      compare_and_set: a state is changed only on the row that was read; else the put is blind.
      renames: the payload disappears in one rename before any byte goes; else it is deleted in place.
      bytes_before_deleted: the row becomes DELETED when the bytes are gone; else before they are touched.
      on_judged_row: DELETED is set on the very row that was judged; else on any row that is marked.
      finishes_deleted: purge finishes what is DELETED, if a purge of it began and bytes are left.
      corrects: purge makes DELETED again what is LIVE, was purged, and is not there.
      begun_is_kept: that a purge began is remembered even when a later act of marking touches it.
      reads_row_first: purge reads the row, and then the acts; else the other way round.
      grace_outlasts_launching: whoever resolved the artifact before the mark has registered when it is over.
      grace_outlasts_marking: whoever wrote the act of marking has marked by then, or is dead.
    """

    judges_again: bool = True
    waits: bool = True
    compare_and_set: bool = True
    renames: bool = True
    bytes_before_deleted: bool = True
    on_judged_row: bool = False
    finishes_deleted: bool = False
    corrects: bool = False
    begun_is_kept: bool = False
    reads_row_first: bool = False
    grace_outlasts_launching: bool = True
    grace_outlasts_marking: bool = True


BYTES_FIRST = Protocol()
"""The row becomes DELETED when the bytes are gone, if it is marked then."""

CLAIM_FIRST = Protocol(
    bytes_before_deleted=False,
    on_judged_row=True,
    finishes_deleted=True,
    corrects=True,
    begun_is_kept=True,
    reads_row_first=True,
)
"""The row becomes DELETED, if it is the one that was judged; then the bytes go. What the package does:
`test_against_the_code.py` holds it to that."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is there.

    Attributes:
      janitors: how many run at once.
      stale: a launcher that resolved the artifact before anything happens here.
      consumer: a launcher that has yet to resolve it.
      person: somebody who restores and pins.
      crashes: janitors may die anywhere.
    """

    janitors: int = 1
    stale: bool = True
    consumer: bool = True
    person: bool = True
    crashes: bool = True

    def begin(self) -> World:
        """A LIVE artifact, whole, and nobody has done anything yet."""
        stale: tuple[Use, ...] = ("resolved",) if self.stale else ()
        consumer: tuple[Use, ...] = ("idle",) if self.consumer else ()
        return World(janitors=(Janitor(),) * self.janitors, launchers=stale + consumer)
