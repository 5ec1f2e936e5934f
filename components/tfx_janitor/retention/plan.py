"""What is decided, as values: reasons with stable codes, decisions, and the plan that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tfx_janitor.errors import JanitorError
from tfx_janitor.policy.file import Problem
from tfx_janitor.retention.timestamps import from_iso, to_iso

SCHEMA = "tfx-janitor/plan/v1"

Verdict = Literal["keep", "delete", "unknown"]
VERDICTS: tuple[Verdict, ...] = ("keep", "delete", "unknown")

Step = tuple[str, int]
"""One node of a lineage path: ("artifact" | "execution" | "context", MLMD id)."""


class PlanError(JanitorError):
    """A plan that cannot be read, or that is not what it says it is."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is.

    Attributes:
      code: stable identifier. `hold.*` is a safety reason, `keep.*` comes from the policy, `expire.*` says by
        how much a rule missed, `unknown.*` names what is not understood.
      detail: the facts in one line, without times relative to now, so that a plan stays the same while
        nothing changes.
      rule: name of the policy's rule, for `keep.*` and `expire.*`.
      path: lineage path from the artifact to what makes it needed.
    """

    code: str
    detail: str = ""
    rule: str | None = None
    path: tuple[Step, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether this reason alone forbids the deletion."""
        return not self.code.startswith("expire.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "code": self.code,
            "rule": self.rule,
            "detail": self.detail,
            "path": [list(s) for s in self.path],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reason:
        """Reads what `to_dict` wrote."""
        path = tuple((str(kind), int(number)) for kind, number in data["path"])
        return cls(data["code"], data["detail"], data["rule"], path)


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """The verdict that follows from reasons: delete only if every one of them lets go.

    Anything unknown makes the whole unknown, even beside a keep: who reads the plan should look at it.
    """
    verdict: Verdict = "delete"
    for reason in reasons:
        if reason.code.startswith("unknown."):
            return "unknown"
        if reason.holds:
            verdict = "keep"
    return verdict


@dataclass(frozen=True, slots=True)
class CheckpointDecision:
    """The verdict on one checkpoint inside a kept ModelRun.

    Attributes:
      directory: where it lies, relative to the artifact's URI; "" is the URI itself.
      name: such as "ckpt-100".
      step: training step, if the name tells one.
      bytes: apparent size of its files.
    """

    directory: str
    name: str
    step: int | None
    bytes: int
    verdict: Verdict
    reasons: tuple[Reason, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "directory": self.directory,
            "name": self.name,
            "step": self.step,
            "bytes": self.bytes,
            "verdict": self.verdict,
            "reasons": [reason.to_dict() for reason in self.reasons],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CheckpointDecision:
        """Reads what `to_dict` wrote."""
        reasons = tuple(map(Reason.from_dict, data["reasons"]))
        return cls(data["directory"], data["name"], data["step"], data["bytes"], data["verdict"], reasons)


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one artifact.

    Attributes:
      pipeline: owner, by the OUTPUT event of the COMPLETE execution that produced it; so are run, node,
        output.
      created_ms: milliseconds since the epoch.
      updated_ms: MLMD's last_update_time; `apply` skips an artifact that changed since.
      bytes: apparent size of the payload, None where it was not measured.
    """

    artifact_id: int
    type: str
    uri: str
    state: str
    pipeline: str | None
    run: str | None
    node: str | None
    output: str | None
    created_ms: int
    updated_ms: int
    bytes: int | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    checkpoints: tuple[CheckpointDecision, ...] = ()

    @property
    def prunes(self) -> tuple[CheckpointDecision, ...]:
        """The checkpoints to delete inside this artifact, which itself stays."""
        return tuple(c for c in self.checkpoints if c.verdict == "delete")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "artifact_id": self.artifact_id,
            "type": self.type,
            "uri": self.uri,
            "state": self.state,
            "pipeline": self.pipeline,
            "run": self.run,
            "node": self.node,
            "output": self.output,
            "created_at": to_iso(self.created_ms),
            "updated_at": to_iso(self.updated_ms),
            "bytes": self.bytes,
            "verdict": self.verdict,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "checkpoints": [checkpoint.to_dict() for checkpoint in self.checkpoints],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """Reads what `to_dict` wrote."""
        return cls(
            artifact_id=data["artifact_id"],
            type=data["type"],
            uri=data["uri"],
            state=data["state"],
            pipeline=data["pipeline"],
            run=data["run"],
            node=data["node"],
            output=data["output"],
            created_ms=from_iso(data["created_at"]),
            updated_ms=from_iso(data["updated_at"]),
            bytes=data["bytes"],
            verdict=data["verdict"],
            reasons=tuple(map(Reason.from_dict, data["reasons"])),
            checkpoints=tuple(map(CheckpointDecision.from_dict, data["checkpoints"])),
        )


@dataclass(frozen=True, slots=True)
class Orphan:
    """The verdict on one directory that an execution left behind and no artifact claims.

    All directories of one execution have the same verdict, for the same reasons.

    Attributes:
      path: absolute, without links.
      execution: MLMD id of the execution that TFX laid it out for.
      output: the output that it was meant for; None for TFX's own working directory of the execution.
      bytes: apparent size; None if it could not be measured, as files, newest_ms and inode then are.
      files: everything in it that is not a directory.
      newest_ms: the last time at which anything in it was written, came, went, or changed its attributes.
      inode: of the directory: another one at the same path is another directory.
    """

    path: str
    execution: int
    pipeline: str
    run: str | None
    node: str
    output: str | None
    bytes: int | None
    files: int | None
    newest_ms: int | None
    inode: int | None
    verdict: Verdict
    reasons: tuple[Reason, ...]

    @property
    def content(self) -> tuple[object, ...]:
        """What stays the same while it is the same directory with the same content, as far as looks tell."""
        return self.path, self.execution, self.inode, self.newest_ms, self.bytes, self.files

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "newest": None if self.newest_ms is None else to_iso(self.newest_ms),
            "reasons": [reason.to_dict() for reason in self.reasons],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Orphan:
        """Reads what `to_dict` wrote."""
        newest = data["newest"]
        return cls(
            **{name: data[name] for name in _AS_THEY_ARE},
            newest_ms=None if newest is None else from_iso(newest),
            reasons=tuple(map(Reason.from_dict, data["reasons"])),
        )


_AS_THEY_ARE = (
    *("path", "execution", "pipeline", "run", "node", "output"),
    *("bytes", "files", "inode", "verdict"),
)
"""Fields of an `Orphan` that JSON has values for."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of a plan. Bytes are apparent sizes; `bytes_total` is None unless everything was measured."""

    artifacts: int = 0
    keep: int = 0
    delete: int = 0
    unknown: int = 0
    ungoverned: int = 0
    checkpoints: int = 0
    checkpoints_delete: int = 0
    bytes_total: int | None = None
    bytes_reclaimable: int = 0

    def to_dict(self) -> dict[str, int | None]:
        """JSON-ready form."""
        return {name: getattr(self, name) for name in self.__slots__}


DecisionSource = Callable[[], Iterator[Decision]]


@dataclass(frozen=True)
class Plan:
    """The immutable, hashed list of all verdicts with all reasons.

    The decisions are made anew each time they are asked for, in ascending artifact id, so that a plan over a
    million artifacts costs no memory for its listing.

    Attributes:
      created_ms: when the plan was made; not part of the id.
      now_ms: the moment that the plan judges; not part of the id either, so that the same verdicts have the
        same id a minute later and an approval by id stays good.
      metadata: URL of the MLMD store, without password.
      policy: canonical dict of the policy.
      orphans: directories that no artifact claims, by execution and path; None if the policy says nothing of
        them, which is part of the id as well.
      cautions: what came to nothing while it was made, for who reads it now; no part of the id, and not
        written down with it.
    """

    created_ms: int
    now_ms: int
    metadata: str
    policy: Mapping[str, Any]
    summary: Summary
    source: DecisionSource = field(repr=False, compare=False)
    id: str = ""
    orphans: tuple[Orphan, ...] | None = None
    cautions: tuple[Problem, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", self._digest())

    @property
    def decisions(self) -> Iterator[Decision]:
        """All verdicts, in ascending artifact id."""
        return self.source()

    @property
    def deletions(self) -> Iterator[Decision]:
        """The artifacts to delete, in ascending artifact id."""
        return (d for d in self.decisions if d.verdict == "delete")

    @property
    def prunings(self) -> Iterator[Decision]:
        """The kept artifacts inside which checkpoints are to be deleted."""
        return (d for d in self.decisions if d.verdict != "delete" and d.prunes)

    @property
    def abandoned(self) -> tuple[Orphan, ...]:
        """The directories to delete that no artifact claims."""
        return tuple(orphan for orphan in self.orphans or () if orphan.verdict == "delete")

    def decision(self, artifact_id: int) -> Decision | None:
        """The verdict on one artifact, or None if no rule governs it."""
        return next((d for d in self.decisions if d.artifact_id == artifact_id), None)

    def to_json(self, *, cautioning: bool = False) -> Iterator[str]:
        """The plan as pieces of one JSON document, one decision a line, ends with a newline.

        Args:
          cautioning: tells the cautions as well, which are no part of a plan that is written down.
        """
        head = {
            "schema": SCHEMA,
            "id": self.id,
            "created_at": to_iso(self.created_ms),
            "now": to_iso(self.now_ms),
            **self._content(),
        }
        if cautioning:
            head["cautions"] = [one.to_dict() for one in self.cautions]
        yield json.dumps(head)[:-1] + ', "decisions": ['
        separator = "\n"
        for decision in self.decisions:
            yield separator + json.dumps(decision.to_dict())
            separator = ",\n"
        if self.orphans is not None:
            yield '\n], "orphans": ['
            yield ",".join("\n" + json.dumps(orphan.to_dict()) for orphan in self.orphans)
        yield "\n]}\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Reads what `to_json` wrote.

        Raises:
          PlanError: not a plan, another version of one, or changed since it was made.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise PlanError(
                f"expected a plan made by `tfx-janitor plan --out`, but this is no JSON: {error}"
            ) from None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else type(data).__name__
            raise PlanError(
                f"expected a plan of schema {SCHEMA}, got {found!r}; make one with `tfx-janitor plan --out`"
            )
        try:
            decisions = tuple(map(Decision.from_dict, data["decisions"]))
            orphans = data.get("orphans")
            plan = cls(
                created_ms=from_iso(data["created_at"]),
                now_ms=from_iso(data["now"]),
                metadata=data["metadata"],
                policy=data["policy"],
                summary=Summary(**data["summary"]),
                source=lambda: iter(decisions),
                orphans=None if orphans is None else tuple(map(Orphan.from_dict, orphans)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(
                f"the plan is damaged ({error!r}); make a new one with `tfx-janitor plan --out`"
            ) from None
        if plan.id != data.get("id"):
            raise PlanError(
                f"the plan says its id is {data.get('id')}, but its content hashes to {plan.id}: it was "
                "changed after it was made; make a new one with `tfx-janitor plan --out`"
            )
        return plan

    def _content(self) -> dict[str, Any]:
        return {"metadata": self.metadata, "policy": self.policy, "summary": self.summary.to_dict()}

    def _digest(self) -> str:
        digest = hashlib.sha256(f"{SCHEMA}\n".encode())
        digest.update(_canonical(self._content()))
        for decision in self.decisions:
            digest.update(b"\n")
            digest.update(_canonical(decision.to_dict()))
        if self.orphans is not None:
            digest.update(b"\norphans\n")
            digest.update(_canonical([orphan.to_dict() for orphan in self.orphans]))
        return f"sha256:{digest.hexdigest()}"


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
