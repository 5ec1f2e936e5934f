"""What another policy would change: two plans on the same snapshot, side by side, and only what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from tfx_janitor.retention.plan import CheckpointDecision, Decision, Orphan, Plan, Verdict
from tfx_janitor.retention.timestamps import to_iso

SCHEMA = "tfx-janitor/comparison/v1"

_Told = TypeVar("_Told")

Standing = Verdict | Literal["ungoverned"]
"""A verdict, or that no rule governs the artifact, or the policy says nothing of such directories."""


@dataclass(frozen=True, slots=True)
class CheckpointChange:
    """One checkpoint on which the two plans differ.

    Attributes:
      old: None where the plan prunes nothing inside this artifact, so that the checkpoint stays with it.
      new: likewise.
    """

    old: CheckpointDecision | None
    new: CheckpointDecision | None

    @property
    def told(self) -> CheckpointDecision:
        """The decision of either plan that names and measures the checkpoint."""
        return _either(self.new, self.old)

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """The old verdict and the new one."""
        return _checkpoint_verdict(self.old), _checkpoint_verdict(self.new)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        old, new = self.verdicts
        return {
            "directory": self.told.directory,
            "name": self.told.name,
            "step": self.told.step,
            "bytes": self.told.bytes,
            "old": {"verdict": old, "reasons": _reasons(self.old)},
            "new": {"verdict": new, "reasons": _reasons(self.new)},
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact on which the two plans differ, itself or inside.

    Attributes:
      old: the old policy's decision, None if it does not govern the artifact.
      new: likewise of the new policy.
      checkpoints: those that differ inside, if the artifact stays under both.
    """

    old: Decision | None
    new: Decision | None
    checkpoints: tuple[CheckpointChange, ...]

    @property
    def told(self) -> Decision:
        """The decision of either plan that tells what the artifact is."""
        return _either(self.new, self.old)

    @property
    def standings(self) -> tuple[Standing, Standing]:
        """What the artifact is under the old policy, and under the new one."""
        return _standing(self.old), _standing(self.new)

    @property
    def deletes_or_spares(self) -> bool:
        """Whether it matters to bytes: the artifact or a checkpoint goes under one policy alone."""
        inside = (verdict for checkpoint in self.checkpoints for verdict in checkpoint.verdicts)
        return "delete" in (*self.standings, *inside)

    @property
    def bytes(self) -> int | None:
        """Size of the payload, measured by a plan that deletes it; None if none does."""
        sizes = [side.bytes for side in (self.old, self.new) if side is not None and side.bytes is not None]
        return sizes[0] if sizes else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        old, new = self.standings
        told = self.told.to_dict()
        names = ("artifact_id", "type", "uri", "state", "pipeline", "run", "node", "output", "created_at")
        return {
            **{name: told[name] for name in names},
            "bytes": self.bytes,
            "old": {"verdict": old, "reasons": _reasons(self.old)},
            "new": {"verdict": new, "reasons": _reasons(self.new)},
            "checkpoints": [change.to_dict() for change in self.checkpoints],
        }


@dataclass(frozen=True, slots=True)
class OrphanChange:
    """One directory that no artifact claims on which the two plans differ.

    Attributes:
      old: None where the plan has no verdict on it.
      new: likewise.
    """

    old: Orphan | None
    new: Orphan | None

    @property
    def told(self) -> Orphan:
        """The verdict of either plan, which tells what the directory is."""
        return _either(self.new, self.old)

    @property
    def standings(self) -> tuple[Standing, Standing]:
        """What the directory is under the old policy, and under the new one."""
        return _standing(self.old), _standing(self.new)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        old, new = self.standings
        told = self.told.to_dict()
        names = ("path", "execution", "pipeline", "run", "node", "output", "bytes", "files", "newest")
        return {
            **{name: told[name] for name in names},
            "old": {"verdict": old, "reasons": _reasons(self.old)},
            "new": {"verdict": new, "reasons": _reasons(self.new)},
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Totals of a comparison.

    Attributes:
      changed: artifacts on which the plans differ, themselves or inside.
      same: the others that a rule of either policy governs.
      deletes: artifacts that only the new policy deletes, and their bytes.
      spares: artifacts that only the old policy deletes, and their bytes.
      checkpoints_deletes, checkpoints_spares: likewise, inside artifacts that stay under both.
      orphans_deletes, orphans_spares: likewise, directories that no artifact claims.
      governs, releases: artifacts that only the new policy governs, and only the old one.
      doubts, understands: artifacts that are unknown under the new policy alone, and under the old one alone.
      bytes_reclaimable: what the new policy frees more than the old, of artifacts and checkpoints; negative
        if it frees less. Payloads that several artifacts share are counted once, so it need not be the
        difference of the bytes above.
    """

    changed: int = 0
    same: int = 0
    deletes: int = 0
    deletes_bytes: int = 0
    spares: int = 0
    spares_bytes: int = 0
    checkpoints_deletes: int = 0
    checkpoints_deletes_bytes: int = 0
    checkpoints_spares: int = 0
    checkpoints_spares_bytes: int = 0
    orphans_deletes: int = 0
    orphans_deletes_bytes: int = 0
    orphans_spares: int = 0
    orphans_spares_bytes: int = 0
    governs: int = 0
    releases: int = 0
    doubts: int = 0
    understands: int = 0
    bytes_reclaimable: int = 0

    def to_dict(self) -> dict[str, int]:
        """JSON-ready form."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class Comparison:
    """Two plans on the same store at the same moment. Like a plan, it keeps no list of its items."""

    old: Plan
    new: Plan

    @property
    def changes(self) -> Iterator[Change]:
        """Artifacts on which the plans differ, in ascending id. Other reasons for the same are no change."""
        return (change for change in self._pairs() if _differs(change))

    @property
    def orphans(self) -> Iterator[OrphanChange]:
        """Directories that no artifact claims on which the plans differ, by path."""
        old, new = ({orphan.path: orphan for orphan in plan.orphans or ()} for plan in (self.old, self.new))
        pairs = (OrphanChange(old.get(path), new.get(path)) for path in sorted({**old, **new}))
        return (pair for pair in pairs if pair.standings[0] != pair.standings[1])

    @cached_property
    def difference(self) -> Difference:
        """The totals; costs one walk over both plans."""
        totals = dict.fromkeys(Difference.__slots__, 0)
        totals["bytes_reclaimable"] = self.new.summary.bytes_reclaimable - self.old.summary.bytes_reclaimable
        for change in self._pairs():
            if _differs(change):
                _count(change, totals)
            else:
                totals["same"] += 1
        for orphan in self.orphans:
            _count_orphan(orphan, totals)
        return Difference(**totals)

    def to_json(self) -> Iterator[str]:
        """The comparison as pieces of one JSON document, one change a line, ends with a newline."""
        head = {"schema": SCHEMA, "now": to_iso(self.new.now_ms), "metadata": self.new.metadata}
        sides = {"old": _side(self.old), "new": _side(self.new), "difference": self.difference.to_dict()}
        yield json.dumps({**head, **sides})[:-1] + ', "changes": ['
        separator = "\n"
        for change in self.changes:
            yield separator + json.dumps(change.to_dict())
            separator = ",\n"
        yield '\n], "orphans": ['
        yield ",".join("\n" + json.dumps(orphan.to_dict()) for orphan in self.orphans)
        yield "\n]}\n"

    def _pairs(self) -> Iterator[Change]:
        """Both plans' decisions on each artifact; both list them in ascending id."""
        olds, news = self.old.decisions, self.new.decisions
        old, new = next(olds, None), next(news, None)
        while old is not None or new is not None:
            if new is None or (old is not None and old.artifact_id < new.artifact_id):
                yield Change(old, None, _inside(old, None))
                old = next(olds, None)
            elif old is None or new.artifact_id < old.artifact_id:
                yield Change(None, new, _inside(None, new))
                new = next(news, None)
            else:
                yield Change(old, new, _inside(old, new))
                old, new = next(olds, None), next(news, None)


def _either(new: _Told | None, old: _Told | None) -> _Told:
    known = new or old
    assert known is not None, "a change is of something that at least one plan tells of"
    return known


def _inside(old: Decision | None, new: Decision | None) -> tuple[CheckpointChange, ...]:
    if "delete" in (_standing(old), _standing(new)):
        return ()
    sides = [{(c.directory, c.name): c for c in side.checkpoints} if side else {} for side in (old, new)]
    pairs = (CheckpointChange(sides[0].get(key), sides[1].get(key)) for key in {**sides[0], **sides[1]})
    return tuple(pair for pair in pairs if pair.verdicts[0] != pair.verdicts[1])


def _differs(change: Change) -> bool:
    old, new = change.standings
    return old != new or bool(change.checkpoints)


def _count(change: Change, totals: dict[str, int]) -> None:
    old, new = change.standings
    totals["changed"] += 1
    totals["governs"] += old == "ungoverned"
    totals["releases"] += new == "ungoverned"
    totals["doubts"] += new == "unknown" != old
    totals["understands"] += old == "unknown" != new
    if new == "delete" != old:
        totals["deletes"] += 1
        totals["deletes_bytes"] += change.bytes or 0
    elif old == "delete" != new:
        totals["spares"] += 1
        totals["spares_bytes"] += change.bytes or 0
    for checkpoint in change.checkpoints:
        if checkpoint.verdicts[1] == "delete":
            totals["checkpoints_deletes"] += 1
            totals["checkpoints_deletes_bytes"] += checkpoint.told.bytes
        elif checkpoint.verdicts[0] == "delete":
            totals["checkpoints_spares"] += 1
            totals["checkpoints_spares_bytes"] += checkpoint.told.bytes


def _count_orphan(change: OrphanChange, totals: dict[str, int]) -> None:
    old, new = change.standings
    if new == "delete":
        totals["orphans_deletes"] += 1
        totals["orphans_deletes_bytes"] += change.told.bytes or 0
    elif old == "delete":
        totals["orphans_spares"] += 1
        totals["orphans_spares_bytes"] += change.told.bytes or 0


def _side(plan: Plan) -> dict[str, Any]:
    """What identifies a plan, and its totals."""
    return {"plan_id": plan.id, "policy": plan.policy, "summary": plan.summary.to_dict()}


def _standing(decision: Decision | Orphan | None) -> Standing:
    return "ungoverned" if decision is None else decision.verdict


def _checkpoint_verdict(decision: CheckpointDecision | None) -> Verdict:
    return "keep" if decision is None else decision.verdict


def _reasons(decision: Decision | CheckpointDecision | Orphan | None) -> list[dict[str, Any]]:
    return [] if decision is None else [reason.to_dict() for reason in decision.reasons]
