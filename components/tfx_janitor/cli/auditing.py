"""`audit`: looks at everything, tells what is wrong and what mends it, and changes nothing."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.metrics import measured
from tfx_janitor.cli.options import Metrics, Now, OnlyPipeline, Policy, VerifyLevel, called
from tfx_janitor.cli.printing import print_json, print_pieces, show
from tfx_janitor.cli.site import opened, read_policy


class FailOn(str, enum.Enum):
    """How bad a finding must be for exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


class AuditFormat(str, enum.Enum):
    """How an audit is printed."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


def audit(
    ctx: typer.Context,
    policy: Policy,
    level: Annotated[
        VerifyLevel, typer.Option("--verify", help="How deep to verify payloads.")
    ] = VerifyLevel.STRUCTURE,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="How bad a finding must be for exit code 1.")
    ] = FailOn.NOTE,
    pipeline: OnlyPipeline = None,
    now: Now = None,
    metrics: Metrics = None,
    format: Annotated[
        AuditFormat, typer.Option("--format", help="For people, as JSON, or as JUnit XML for CI systems.")
    ] = AuditFormat.TABLE,
) -> None:
    """Check metadata, storage and serving against each other. Changes nothing.

    Each finding says how bad it is, what speaks for it, and the command that mends it.
    """
    from tfx_janitor.audit.audit import audit as look
    from tfx_janitor.audit.finding import CODES, Severity
    from tfx_janitor.payload.verification import Level
    from tfx_janitor.report.audit import audit_document, audit_lines

    with measured(ctx, "audit", metrics, pipeline=pipeline) as seen:
        rules = read_policy(policy)
        with opened(ctx, now=now, readonly=True, pipeline=pipeline) as site:
            seen.site = site
            seen.audited = audited = look(site, rules, Level(level.value))
        program = called(ctx, site.metadata)
        least = None if fail_on is FailOn.NEVER else Severity(fail_on.value)
        if format is AuditFormat.JSON:
            print_json(audit_document(audited, metadata=site.metadata, now_ms=site.now_ms))
        elif format is AuditFormat.JUNIT:
            from tfx_janitor.report.junit import junit_xml

            xml = junit_xml(
                audited,
                codes=CODES,
                policy_file=policy,
                metadata=site.metadata,
                now_ms=site.now_ms,
                fail_on=least,
                called=program,
            )
            print_pieces([xml])
        else:
            show(*audit_lines(audited, policy_file=policy, called=program))
        finish(least is None or all(finding.severity.rank > least.rank for finding in audited.findings))
