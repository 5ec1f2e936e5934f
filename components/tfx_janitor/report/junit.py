"""An audit as JUnit XML, which the test reports of CI systems show: a finding is a test case.

The library writes the XML; what is decided here is what a case is called, when it fails, and what it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from tfx_janitor.report.audit import PROGRAM, command_line, subject
from tfx_janitor.report.text import printable, size
from tfx_janitor.retention.timestamps import to_iso

if TYPE_CHECKING:
    from tfx_janitor.audit.audit import Audit
    from tfx_janitor.audit.finding import Finding, Severity

SUITE = "tfx-janitor audit"


def junit_xml(
    audited: Audit,
    *,
    codes: Iterable[str],
    policy_file: str,
    metadata: str,
    now_ms: int,
    fail_on: Severity | None,
    called: Sequence[str] = PROGRAM,
) -> str:
    """One suite: a case for each finding, and one that passes for each code of which nothing was found.

    Class names are codes and case names are what a finding is about, so that a CI system that compares two
    audits tells which findings are new. The text is ASCII, whatever encoding it is written with.

    Args:
      codes: all that was looked for.
      policy_file: what the mending commands call the policy.
      fail_on: findings that are less bad pass, and say in their output what they are; None: all pass.
      called: how the mending commands begin: the program, and options that stand before a command.
    """
    suite = TestSuite(SUITE)
    suite.timestamp = to_iso(now_ms)[:19]
    suite.add_property("metadata", printable(metadata))
    suite.add_property("verify", audited.level.value)

    def mend(finding: Finding) -> str | None:
        return command_line(finding, policy_file, called)

    suite.add_testcases([*_found(audited, mend, fail_on), *_clean(audited, codes)])
    suites = JUnitXml(SUITE)
    suites.add_testsuite(suite)
    suites.update_statistics()
    return suites.tostring().decode().encode("ascii", "xmlcharrefreplace").decode() + "\n"


def _found(
    audited: Audit, mend: Callable[[Finding], str | None], fail_on: Severity | None
) -> Iterator[TestCase]:
    for finding in audited.findings:
        case = TestCase(printable(_name(finding)), classname=finding.code)
        told = "\n".join(printable(line) for line in _lines(finding, mend(finding)))
        if fail_on is not None and finding.severity.rank <= fail_on.rank:
            failure = Failure(printable(finding.detail), finding.severity.value)
            failure.text = told
            case.result = failure
        else:
            case.system_out = told
        yield case


def _clean(audited: Audit, codes: Iterable[str]) -> Iterator[TestCase]:
    found = {finding.code for finding in audited.findings}
    for code in codes:
        if code not in found:
            yield TestCase("nothing found", classname=code)


def _name(finding: Finding) -> str:
    about = subject(finding)
    return about if finding.path in (None, about) else f"{about}: {finding.path}"


def _lines(finding: Finding, command: str | None) -> Iterator[str]:
    yield f"{finding.severity} {finding.code}: {finding.meaning}"
    yield f"{subject(finding)}: {finding.detail}"
    if finding.bytes:
        yield f"bytes: {finding.bytes} ({size(finding.bytes)})"
    if finding.lineage:
        yield f"lineage: {json.dumps([list(step) for step in finding.lineage])}"
    for name, value in finding.evidence.items():
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
    yield f"mend: {command}" if command else "mend: no command does, a person must"
