"""All that a store remembers of the janitor, looked through for what was altered or taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfx_janitor.deletion import acts, chain, pin_records
from tfx_janitor.deletion.act import Link
from tfx_janitor.deletion.chain import Finding
from tfx_janitor.retention.plan import Plan, PlanError

if TYPE_CHECKING:
    from ml_metadata import MetadataStore


@dataclass(frozen=True, slots=True)
class HistoryVerification:
    """What verifying a history found.

    Attributes:
      acts: number of acts.
      sealed: number of those that carry hashes.
      heads: the hashes that cover all others, mostly one; to be noted elsewhere.
    """

    acts: int
    sealed: int
    heads: tuple[Link, ...]
    findings: tuple[Finding, ...]


def verify(
    store: MetadataStore, *, noted: Sequence[str] = (), plan: Plan | PlanError | None = None
) -> HistoryVerification:
    """Verifies acts and pins; changes nothing. Cost: linear in the number of acts.

    Args:
      noted: hashes of heads that were noted before, which must still be there.
      plan: a plan that must be one that was applied here; or what is wrong with its file.
    """
    known = acts.read(store, damaged=True)
    records = pin_records.read(store)
    since = acts.read(store, kinds=("pin", "unpin"), damaged=True)
    findings = chain.check(known)
    findings += pin_records.check(chain.sound(known, findings), records, since)
    findings += chain.check_heads(known, noted)
    if isinstance(plan, PlanError):
        findings.append(Finding("altered-plan", None, str(plan)))
    elif plan is not None:
        findings += chain.check_plan(known, plan)
    sealed = sum(act.seal is not None for act in known)
    return HistoryVerification(len(known), sealed, tuple(chain.heads(known)), tuple(findings))
