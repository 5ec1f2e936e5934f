"""What an audit finds: stable codes, how bad each is, and what speaks for it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from tfx_janitor.retention.plan import Step


class Severity(str, enum.Enum):
    """How bad a finding is.

    ERROR: what TFX resolves or a server loads is not there, or is not what it should be.
    WARNING: bytes are wasted, or something keeps others from being deleted or used.
    NOTE: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    def __str__(self) -> str:
        return self.value

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding: how bad it is, and what it means in one sentence."""

    severity: Severity
    meaning: str


CODES: Mapping[str, Code] = {
    "missing-payload": Code(Severity.ERROR, "an artifact that TFX takes for present has nothing at its URI"),
    "unreadable-payload": Code(
        Severity.ERROR, "what cannot be looked at, so that nobody can tell whether it is sound"
    ),
    "partial-payload": Code(Severity.ERROR, "files of a payload are missing"),
    "damaged-model": Code(Severity.ERROR, "a SavedModel's bytes are not those that were written"),
    "emptied-variables": Code(
        Severity.ERROR, "a SavedModel's variables are gone, its graph still needs them"
    ),
    "broken-checkpoint": Code(Severity.WARNING, "a checkpoint cannot be restored from"),
    "stale-checkpoint-state": Code(
        Severity.ERROR, "a `checkpoint` file names what is not there or cannot be restored from"
    ),
    "undeleted-payload": Code(Severity.WARNING, "an artifact is DELETED, and its bytes are still there"),
    "resurrected-state": Code(
        Severity.ERROR, "an artifact was purged, and somebody has put LIVE over DELETED since"
    ),
    "orphan-directory": Code(
        Severity.WARNING, "a directory that no artifact claims, of an execution that is over"
    ),
    "unaccounted-directory": Code(
        Severity.WARNING,
        "payloads of executions that this store does not know; if no other store does, they stay for ever",
    ),
    "shared-payload": Code(
        Severity.NOTE, "several artifacts have one payload, so none of them can be deleted"
    ),
    "stale-execution": Code(Severity.WARNING, "an execution that never ended holds what it used for ever"),
    "dangling-reference": Code(Severity.WARNING, "it refers to something that nobody knows"),
    "unaccounted-version": Code(Severity.WARNING, "a version that is served, and no lineage tells of it"),
    "diverged-version": Code(Severity.ERROR, "a version that is served has other bytes than what was pushed"),
    "unblessed-push": Code(Severity.ERROR, "a Model was pushed, and its evaluation had not blessed it"),
    "stuck-mark": Code(Severity.WARNING, "it is marked for deletion, and nobody will delete it"),
}
"""All kinds of findings, in the order in which they are explained."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
      code: a key of `CODES`.
      detail: what it is, as a sentence without a full stop.
      artifact_id, execution_id: what it is about, in MLMD.
      path: what it is about, on a disk.
      bytes: apparent size of what is wasted or damaged, 0 where that is no question.
      lineage: the path that shows it, if it takes more than one step.
      evidence: JSON-ready values that speak for it, by name.
      mend: arguments of `tfx-janitor` that mend it; empty if only a person can.
    """

    code: str
    detail: str
    artifact_id: int | None = None
    execution_id: int | None = None
    path: str | None = None
    bytes: int = 0
    lineage: tuple[Step, ...] = ()
    evidence: Mapping[str, object] = field(default_factory=dict)
    mend: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return CODES[self.code].severity

    @property
    def meaning(self) -> str:
        """What findings of its kind mean."""
        return CODES[self.code].meaning

    @property
    def order(self) -> tuple[int, int, int, int, str]:
        """Sorts the worst first, then by kind, then by what it is about."""
        codes = list(CODES)
        return (
            self.severity.rank,
            codes.index(self.code),
            self.artifact_id or 0,
            self.execution_id or 0,
            self.path or "",
        )
