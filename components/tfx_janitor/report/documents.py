"""JSON documents of everything but plans and explanations, which know their own.

Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_janitor.lineage.snapshot import Pin
from tfx_janitor.payload.verification import Level, Verification
from tfx_janitor.policy.file import Problem
from tfx_janitor.report.explanation import plans_of
from tfx_janitor.retention.plan import CheckpointDecision
from tfx_janitor.retention.timestamps import to_iso

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act, Outcome
    from tfx_janitor.deletion.history import HistoryVerification


def outcomes_document(
    act: str,
    outcomes: Sequence[Outcome],
    *,
    metadata: str,
    now_ms: int,
    plan_id: str | None = None,
    refused: str | None = None,
    stopped: str | None = None,
    cautions: Sequence[Problem] = (),
) -> dict[str, Any]:
    """What a command did: `apply`, `purge`, `gc` or `restore`.

    The summary counts the items by what became of them; `well` is false if any failed or was skipped
    (but for what another janitor did meanwhile), if the plan was refused by a limit, or if it was stopped
    before all was done. Only who makes a plan of its own has cautions.
    """
    return {
        "schema": "tfx-janitor/outcomes/v1",
        "act": act,
        "now": to_iso(now_ms),
        "metadata": metadata,
        "plan_id": plan_id,
        "refused": refused,
        "stopped": stopped,
        "cautions": [one.to_dict() for one in cautions],
        "outcomes": [_outcome(outcome) for outcome in outcomes],
        "summary": {
            "items": len(outcomes),
            "well": refused is None and stopped is None and all(outcome.well for outcome in outcomes),
            "done": dict(Counter(outcome.done for outcome in outcomes)),
            "bytes_freed": sum(outcome.freed for outcome in outcomes),
        },
    }


def history_document(acts: Sequence[Act], *, metadata: str) -> dict[str, Any]:
    """Acts, in the order given."""
    return {
        "schema": "tfx-janitor/history/v1",
        "metadata": metadata,
        "acts": [
            {
                "id": act.id,
                "kind": act.kind,
                "at": to_iso(act.at_ms),
                "written_at": to_iso(act.written_ms),
                "actor": act.actor,
                "version": act.version,
                "ended": act.ended,
                "plans": plans_of(act),
                "details": dict(act.details),
                "touches": [{"artifact_id": t.artifact_id, "what": t.what} for t in act.touches],
                "outcomes": [_outcome(outcome) for outcome in act.outcomes],
                "hash": None if act.seal is None else act.seal.hash,
            }
            for act in acts
        ],
    }


def history_verification_document(
    verified: HistoryVerification, *, metadata: str, plan_id: str | None = None
) -> dict[str, Any]:
    """Whether acts, plans and pins are as they were written; the heads' hashes are to be noted elsewhere."""
    return {
        "schema": "tfx-janitor/history-verification/v1",
        "metadata": metadata,
        "plan_id": plan_id,
        "heads": [{"act_id": act_id, "hash": digest} for act_id, digest in verified.heads],
        "findings": [
            {
                "kind": finding.kind,
                "act_id": finding.act_id,
                "detail": finding.detail,
                "expected": finding.expected,
                "found": finding.found,
            }
            for finding in verified.findings
        ],
        "summary": {
            "acts": verified.acts,
            "sealed": verified.sealed,
            "findings": len(verified.findings),
            "well": not verified.findings,
        },
    }


def pins_document(pins: Sequence[Pin], *, metadata: str) -> dict[str, Any]:
    """Pins, standing or released, in the order given."""
    return {
        "schema": "tfx-janitor/pins/v1",
        "metadata": metadata,
        "pins": [
            {
                "artifact_id": pin.artifact_id,
                "reason": pin.reason,
                "actor": pin.actor,
                "since": to_iso(pin.since_ms),
                "until": None if pin.until_ms is None else to_iso(pin.until_ms),
                "released": None if pin.released_ms is None else to_iso(pin.released_ms),
            }
            for pin in pins
        ],
    }


def verification_document(
    verifications: Sequence[Verification], errors: Mapping[str, str], level: Level
) -> dict[str, Any]:
    """What lies at some paths, whole or damaged; `errors` are by path where nothing was recognised."""
    return {
        "schema": "tfx-janitor/verification/v1",
        "level": level.value,
        "payloads": [
            {
                "path": found.path,
                "kind": found.kind,
                "whole": found.whole,
                "files": found.files,
                "bytes": found.bytes,
                "tensors": found.tensors,
                "damages": [
                    {"file": damage.file, "tensor": damage.tensor, "problem": damage.problem}
                    for damage in found.damages
                ],
            }
            for found in verifications
        ],
        "errors": [{"path": path, "error": error} for path, error in errors.items()],
        "summary": {
            "payloads": len(verifications),
            "whole": sum(found.whole for found in verifications),
            "damaged": sum(not found.whole for found in verifications),
        },
    }


def checkpoints_document(
    directory: str,
    decisions: Sequence[CheckpointDecision],
    *,
    deleted: bool,
    rewrites_state: bool,
    bytes_freed: int,
) -> dict[str, Any]:
    """Verdicts on the checkpoints of a plain directory, and whether they were carried out.

    Args:
      rewrites_state: whether that makes another `checkpoint` file.
    """
    verdicts = Counter(decision.verdict for decision in decisions)
    return {
        "schema": "tfx-janitor/checkpoints/v1",
        "directory": directory,
        "deleted": deleted,
        "rewrites_state": rewrites_state,
        "checkpoints": [decision.to_dict() for decision in decisions],
        "summary": {
            "checkpoints": len(decisions),
            "keep": verdicts["keep"],
            "delete": verdicts["delete"],
            "unknown": verdicts["unknown"],
            "bytes_reclaimable": sum(d.bytes for d in decisions if d.verdict == "delete"),
            "bytes_freed": bytes_freed,
        },
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    orphan = {} if outcome.path is None else {"path": outcome.path}
    return {
        "artifact_id": outcome.artifact_id if outcome.path is None else None,
        **orphan,
        "done": outcome.done,
        "detail": outcome.detail,
        "bytes": outcome.bytes,
    }
