"""What was stored over time, and what a policy would have left of it: two curves over the same artifacts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfx_janitor.lineage.snapshot import ArtifactState, Ints
from tfx_janitor.rehearsal.replayed import Replay
from tfx_janitor.retention.case import Case

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act

POINTS = 240
"""Moments on a curve: more than a screen shows apart."""


@dataclass(frozen=True)
class Curve:
    """How many artifacts there were at each moment, and their apparent size as far as it is known."""

    artifacts: Ints
    bytes: Ints

    def to_dict(self) -> dict[str, list[int]]:
        """JSON-ready form."""
        return {"artifacts": self.artifacts.tolist(), "bytes": self.bytes.tolist()}


@dataclass(frozen=True)
class Growth:
    """Curves over artifacts that a policy governs, those that were deleted since among them.

    Attributes:
      moments_ms: ascending, the last one is now.
      stored: what there was.
      kept: what there would have been, had the policy been at work from the start; None if nobody tried.
      unmeasured: artifacts whose size nobody knows any more, which count as nothing.
    """

    moments_ms: Ints
    stored: Curve
    kept: Curve | None
    unmeasured: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "moments": self.moments_ms.tolist(),
            "stored": self.stored.to_dict(),
            "kept": None if self.kept is None else self.kept.to_dict(),
            "unmeasured": self.unmeasured,
        }


def growth(case: Case, sizes: Mapping[int, int], acts: Iterable[Act], replay: Replay | None) -> Growth | None:
    """Draws the curves.

    Args:
      case: the store as it is now, and the policy.
      sizes: of payloads that are there, by row.
      acts: of the janitor: they know when what is gone went, and how big it was.
      replay: of the policy, over the history of this store.

    Returns:
      The curves; None if the policy governs nothing and never did.
    """
    artifacts = case.snapshot.artifacts
    rows = np.array(sorted(_ever_governed(case)), np.int64)
    if not len(rows):
        return None
    went = {o.artifact_id: (act.at_ms, o.freed) for act in acts for o in act.outcomes if _deletes(o.done)}
    ids, created = artifacts.id[rows].tolist(), artifacts.created_ms[rows]
    freed = {number: size for number, (_, size) in went.items()}
    known = [sizes.get(row, freed.get(number)) for row, number in zip(rows.tolist(), ids, strict=True)]
    weights = np.array([size or 0 for size in known], np.int64)
    moments = np.linspace(created.min(), max(case.now_ms, created.max()), POINTS).astype(np.int64)
    deleted = artifacts.state[rows] == ArtifactState.DELETED
    # Whom no act deleted was last updated when somebody else did.
    ends = artifacts.updated_ms[rows].copy()
    for at in np.flatnonzero(deleted).tolist():
        ends[at] = min(went.get(ids[at], (ends[at], 0))[0], case.now_ms)
    ever = _curve(created, weights, moments)
    gone = _curve(ends[deleted], weights[deleted], moments)
    kept = None
    if replay is not None:
        fates = {mark.artifact_id: mark.fate_ms for mark in replay.deletions}
        would = np.array([number in fates for number in ids], bool)
        left = np.array([fates[number] for number in ids if number in fates], np.int64)
        kept = _less(ever, _curve(left, weights[would], moments))
    return Growth(moments, _less(ever, gone), kept, sum(size is None for size in known))


def _ever_governed(case: Case) -> Iterable[int]:
    """Rows that the policy governs, or would govern had nothing been deleted."""
    artifacts = case.snapshot.artifacts
    state = np.full_like(artifacts.state, ArtifactState.LIVE)
    undeleted = dataclasses.replace(case.snapshot, artifacts=dataclasses.replace(artifacts, state=state))
    return dataclasses.replace(case, snapshot=undeleted).governed


def _deletes(done: str) -> bool:
    return done in ("purged", "finished", "corrected")


def _curve(times: Ints, weights: Ints, moments: Ints) -> Curve:
    """How many had happened at each moment, and their weights."""
    order = np.argsort(times, kind="stable")
    happened = np.searchsorted(times[order], moments, side="right")
    return Curve(happened, np.concatenate((_ZERO, np.cumsum(weights[order])))[happened])


def _less(one: Curve, other: Curve) -> Curve:
    return Curve(one.artifacts - other.artifacts, one.bytes - other.bytes)


_ZERO: npt.NDArray[np.int64] = np.zeros(1, np.int64)
