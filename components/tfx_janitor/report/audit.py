"""An audit's findings: for people by kind, the worst first; and as JSON."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.text import Text

from tfx_janitor.report.text import count, size, text, to_copy
from tfx_janitor.retention.timestamps import to_iso

if TYPE_CHECKING:
    from tfx_janitor.audit.audit import Audit
    from tfx_janitor.audit.finding import Finding

SCHEMA = "tfx-janitor/audit/v1"

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}

NEEDS_POLICY = frozenset(("gc", "discard", "audit"))
"""Commands that cannot do without a policy."""


PROGRAM = ("tfx-janitor",)
"""How the command line is called."""


def audit_lines(audited: Audit, *, policy_file: str, called: Sequence[str] = PROGRAM) -> Iterator[Text]:
    """Findings under a heading for each kind, with what mends them; then the totals.

    A command that mends findings of several kinds is printed as one that mends only once.

    Args:
      policy_file: what the commands call the policy.
      called: how they begin: the program, and options that stand before a command.
    """
    told: set[str] = set()
    for code, group in groupby(audited.findings, key=lambda finding: finding.code):
        findings = list(group)
        severity = findings[0].severity.value
        wasted = sum(finding.bytes for finding in findings)
        amount = f"  {count(len(findings), 'finding')}" + (f", {size(wasted)}" if wasted else "")
        yield Text.assemble((f"{severity} ", _STYLES[severity]), (code, "bold"), text(amount))
        yield text(f"  {findings[0].meaning}", "dim")
        for finding in findings:
            yield text(f"  {subject(finding)}: {finding.detail}")
        for command in dict.fromkeys(command_line(finding, policy_file, called) for finding in findings):
            if command is not None:
                yield to_copy(f"  {'as above' if command in told else 'mend'}: {command}", "dim")
                told.add(command)
    looked = f"{count(audited.artifacts, 'artifact')}, {count(audited.executions, 'execution')} looked at"
    by_severity = Counter(finding.severity.value for finding in audited.findings)
    counted = [count(by_severity[name], name) for name in _STYLES if by_severity[name]]
    found = ", ".join(counted) or "nothing found"
    yield text(f"{looked} ({audited.level.value}): {found}")


def subject(finding: Finding) -> str:
    """What a finding is about, in a word or two."""
    if finding.artifact_id is not None:
        return f"artifact {finding.artifact_id}"
    if finding.execution_id is not None:
        return f"execution {finding.execution_id}"
    return finding.path or "the store"


def command_line(finding: Finding, policy_file: str, called: Sequence[str] = PROGRAM) -> str | None:
    """The command that mends a finding, as a shell takes it; None if only a person can."""
    if not finding.mend:
        return None
    policy = ("--policy", policy_file) if finding.mend[0] in NEEDS_POLICY else ()
    return shlex.join((*called, *finding.mend, *policy))


def audit_document(audited: Audit, *, metadata: str, now_ms: int) -> dict[str, Any]:
    """What was looked at, every finding, and how many there are of each kind."""
    return {
        "schema": SCHEMA,
        "metadata": metadata,
        "now": to_iso(now_ms),
        "level": audited.level.value,
        "summary": {
            "artifacts": audited.artifacts,
            "executions": audited.executions,
            "findings": len(audited.findings),
            "by_severity": dict(Counter(finding.severity.value for finding in audited.findings)),
            "by_code": dict(Counter(finding.code for finding in audited.findings)),
        },
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "detail": finding.detail,
                "artifact_id": finding.artifact_id,
                "execution_id": finding.execution_id,
                "path": finding.path,
                "bytes": finding.bytes,
                "lineage": [list(step) for step in finding.lineage],
                "evidence": dict(finding.evidence),
                "mend": list(finding.mend),
            }
            for finding in audited.findings
        ],
    }
