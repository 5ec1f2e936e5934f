"""The moment that an explanation is for: now, an earlier one or a later one, and what nobody knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.snapshot import ArtifactState, Snapshot
from tfx_janitor.lineage.timeline import as_of
from tfx_janitor.report.finding import Found, NotFound, find
from tfx_janitor.report.text import count, second
from tfx_janitor.retention.case import PUSHED_MODEL
from tfx_janitor.retention.plan import Reason, Verdict, verdict_of
from tfx_janitor.retention.settlement import Settlement

Tense = Literal["past", "present", "future"]


@dataclass(frozen=True, eq=False)
class Moment:
    """When an artifact is looked at.

    Attributes:
      today: the store as it is.
      at_ms: the moment that is asked about.
      now_ms: the clock's reading.
    """

    today: Snapshot
    at_ms: int
    now_ms: int

    @property
    def tense(self) -> Tense:
        """Where the moment lies."""
        if self.at_ms == self.now_ms:
            return "present"
        return "past" if self.at_ms < self.now_ms else "future"

    @cached_property
    def snapshot(self) -> Snapshot:
        """The store as it was; nobody knows what will be in it, so in the future it is as it is."""
        return as_of(self.today, self.at_ms) if self.tense == "past" else self.today

    def find(self, name: str) -> Found:
        """The artifact that a word names, among those of the moment.

        Raises:
          NotFound: the store knows none of that name, or did not yet.
        """
        try:
            return find(self.snapshot, name)
        except NotFound:
            row = find(self.today, name).row
            artifacts = self.today.artifacts
            raise NotFound(
                f"{self.today.type_of(row)} {artifacts.id[row]} did not exist yet at {second(self.at_ms)}: "
                f"it was created at {second(int(artifacts.created_ms[row]))}; give a later moment"
            ) from None

    def precedes(self, other_ms: int) -> bool:
        """Whether it lies in the past, and something else happened after it."""
        return self.tense == "past" and other_ms > self.at_ms

    def gone_since(self, row: int) -> bool:
        """Whether an artifact of the moment is DELETED today and was not then."""
        return bool(self._gone[row])

    def notes(self, row: int, settlement: Settlement, reasons: Sequence[Reason]) -> Iterator[str]:
        """What a reader must know of an answer for this moment, a sentence each.

        Args:
          row: the artifact, in `snapshot`.
          settlement: the case judged at this moment.
          reasons: all that is to be said of the artifact.
        """
        if self.tense == "future":
            yield "judged as if nothing happened until then: no run, no use, no push, no pin"
        if self.tense != "past":
            return
        yield "what the store recorded later is left out; the policy is the one that was given"
        yield "storage is looked at as it is today, and properties and URIs have no history in MLMD"
        for destination in _left(settlement, row):
            yield f"nothing stands at {destination} today; whether it was served there then, nobody can tell"
        if self.gone_since(row):
            whole = self.verdict_if_whole(row, reasons)
            told = "" if whole is None else f"; had it been whole, the verdict would be {whole}"
            yield f"it is DELETED today, so nobody can look at the payload that it had{told}"
        others = int(self._gone.sum()) - self.gone_since(row)
        if others:
            told = f"{count(others, 'other artifact')} of that moment {'is' if others == 1 else 'are'}"
            yield f"{told} DELETED today; holds that look at payloads see only those that are left"

    def verdict_if_whole(self, row: int, reasons: Sequence[Reason]) -> Verdict | None:
        """The verdict on an artifact whose payload has gone since, had it been there; else None."""
        if not self.gone_since(row) or not reasons:
            return None
        return verdict_of(reason for reason in reasons if reason.code != "unknown.payload")

    @cached_property
    def _gone(self) -> npt.NDArray[np.bool_]:
        rows = np.searchsorted(self.today.artifacts.id, self.snapshot.artifacts.id)
        gone = self.today.artifacts.state[rows] == ArtifactState.DELETED
        return gone & (self.snapshot.artifacts.state != ArtifactState.DELETED)


def _left(settlement: Settlement, row: int) -> Iterator[str]:
    """Where an artifact was pushed to and nothing stands any more."""
    case = settlement.nomination.case
    pushed = [row] if case.snapshot.type_of(row) == PUSHED_MODEL else [p for _, p in case.pushes.get(row, ())]
    for one in pushed:
        destination = case.snapshot.property(one, "pushed_destination")
        if destination and one not in case.standing(settlement.facts):
            yield str(destination)
