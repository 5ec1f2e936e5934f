"""What a replay found, as values: each mark, what became of it, and what it would have cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tfx_janitor.rehearsal.uses import Use
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.timestamps import to_iso

SCHEMA = "tfx-janitor/replay/v1"

Fate = Literal["deleted", "rescued", "marked"]


@dataclass(frozen=True, slots=True)
class ReplayedMark:
    """One artifact that the policy would have marked, from then on.

    Attributes:
      bytes: size of the payload as it stands today, None where nothing is left to measure.
      why: the reasons of the verdict that marked it.
      fate: deleted after the grace; rescued, for the policy or a hold kept it again; or still marked when the
        history ended.
      fate_ms: when; the end of the history for what is still marked.
      fate_why: for a rescue, what kept it.
      missed: uses while it was marked that find only what is LIVE: TFX would have made it again, or taken
        another.
      regrets: uses after it was deleted.
    """

    artifact_id: int
    type: str
    uri: str
    pipeline: str | None
    run: str | None
    node: str | None
    output: str | None
    created_ms: int
    bytes: int | None
    marked_ms: int
    why: tuple[Reason, ...]
    fate: Fate
    fate_ms: int
    fate_why: tuple[Reason, ...] = ()
    missed: tuple[Use, ...] = ()
    regrets: tuple[Use, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "artifact_id": self.artifact_id,
            "type": self.type,
            "uri": self.uri,
            "pipeline": self.pipeline,
            "run": self.run,
            "node": self.node,
            "output": self.output,
            "created_at": to_iso(self.created_ms),
            "bytes": self.bytes,
            "marked_at": to_iso(self.marked_ms),
            "reasons": [reason.to_dict() for reason in self.why],
            "fate": self.fate,
            "fate_at": to_iso(self.fate_ms),
            "fate_reasons": [reason.to_dict() for reason in self.fate_why],
            "missed": [use.to_dict() for use in self.missed],
            "regrets": [self._regret(use) for use in self.regrets],
        }

    def _regret(self, use: Use) -> dict[str, Any]:
        return {**use.to_dict(), "after_seconds": (use.at_ms - self.fate_ms) / 1000}


@dataclass(frozen=True)
class Replay:
    """What a policy would have done over a store's history, and what of it would have been regretted.

    Attributes:
      policy: canonical dict of the policy.
      since_ms: the first moment that was judged; `until_ms` is the last, the end of the history.
      ends: ends of runs in the history; of executions that belong to no run, their own.
      judged: moments at which the store was judged. Fewer ends than there are where a history is long.
      thinned: whether ends were left out.
      marks: in the order in which the policy would have marked.
    """

    policy: Mapping[str, Any]
    since_ms: int
    until_ms: int
    ends: int
    judged: int
    thinned: bool
    marks: tuple[ReplayedMark, ...]

    @property
    def deletions(self) -> list[ReplayedMark]:
        """What would have been deleted, in the order of the deletions."""
        found = [mark for mark in self.marks if mark.fate == "deleted"]
        return sorted(found, key=lambda mark: (mark.fate_ms, mark.artifact_id))

    @property
    def rescued(self) -> list[ReplayedMark]:
        """What would have been marked, and kept again in time."""
        return [mark for mark in self.marks if mark.fate == "rescued"]

    @property
    def regretted(self) -> list[ReplayedMark]:
        """What would have been deleted and was used later."""
        return [mark for mark in self.deletions if mark.regrets]

    @property
    def missed(self) -> list[ReplayedMark]:
        """What TFX looked for, and would not have found, while it was marked."""
        return [mark for mark in self.marks if mark.missed]

    @property
    def bytes(self) -> int:
        """Bytes of what would have been deleted, as far as it can still be measured; each payload once."""
        return sum({mark.uri: mark.bytes or 0 for mark in self.deletions}.values())

    @property
    def unmeasured(self) -> int:
        """Deletions whose payload is no longer there to be measured."""
        return sum(mark.bytes is None for mark in self.deletions)

    def document(self, other: Replay | None, *, metadata: str) -> dict[str, Any]:
        """One JSON document, also of two policies on the same history.

        Args:
          other: the replay that this one is compared with.
          metadata: URL of the store, without password.
        """
        return {
            "schema": SCHEMA,
            "metadata": metadata,
            "since": to_iso(self.since_ms),
            "until": to_iso(self.until_ms),
            "replay": self._side(),
            "compared": None if other is None else other._side(),
        }

    def _side(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "moments": {"ends": self.ends, "judged": self.judged, "thinned": self.thinned},
            "summary": {
                "deleted": len(self.deletions),
                "deleted_bytes": self.bytes,
                "deleted_unmeasured": self.unmeasured,
                "rescued": len(self.rescued),
                "still_marked": sum(mark.fate == "marked" for mark in self.marks),
                "regretted": len(self.regretted),
                "regrets": sum(len(mark.regrets) for mark in self.marks),
                "missed": sum(len(mark.missed) for mark in self.marks),
            },
            "marks": [mark.to_dict() for mark in self.marks],
        }
