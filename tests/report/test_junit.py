"""An audit as JUnit XML, read back by the library that reads it in CI systems."""

from __future__ import annotations

from typing import Any

import pytest
from junitparser import JUnitXml, TestCase

from tfx_janitor.audit.audit import Audit
from tfx_janitor.audit.finding import CODES, Finding, Severity
from tfx_janitor.payload.verification import Level
from tfx_janitor.report.junit import junit_xml

MISSING = Finding(
    "missing-payload",
    "Model has nothing at /srv/model/2",
    artifact_id=2,
    path="/srv/model/2",
    evidence={"mounted": True},
    mend=("forget", "2", "--reason", "its payload is gone"),
)
WASTED = Finding(
    "undeleted-payload",
    "its bytes are still there",
    artifact_id=3,
    bytes=1500,
    lineage=(("artifact", 3), ("execution", 7)),
    mend=("discard", "3", "--reason", "left over"),
)
SHARED = Finding("shared-payload", "one inside the other", artifact_id=4)
ALL = (MISSING, WASTED, SHARED)


def written(*findings: Finding, fail_on: Severity | None = Severity.NOTE) -> str:
    return junit_xml(
        Audit(findings, 9, 5, Level.STRUCTURE),
        codes=CODES,
        policy_file="janitor.yaml",
        metadata="sqlite:///srv/tfx/metadata.db",
        now_ms=1_700_000_000_000,
        fail_on=fail_on,
    )


def cases(xml: str) -> list[TestCase]:
    (suite,) = JUnitXml.fromstring(xml.encode())
    return list(suite)


def case_of(xml: str, code: str) -> TestCase:
    (case,) = (case for case in cases(xml) if case.classname == code)
    return case


def failure_of(case: TestCase) -> Any:
    (failure,) = case.result
    return failure


def test_a_finding_is_a_case_with_all_that_there_is_to_say():
    case = case_of(written(*ALL), "undeleted-payload")
    assert (case.name, case.is_failure) == ("artifact 3", True)
    failure = failure_of(case)
    assert (failure.type, failure.message) == ("warning", "its bytes are still there")
    assert failure.text.splitlines() == [
        "warning undeleted-payload: an artifact is DELETED, and its bytes are still there",
        "artifact 3: its bytes are still there",
        "bytes: 1500 (1.5 kB)",
        'lineage: [["artifact", 3], ["execution", 7]]',
        "mend: tfx-janitor discard 3 --reason 'left over' --policy janitor.yaml",
    ]


def test_evidence_and_path_are_told():
    case = case_of(written(*ALL), "missing-payload")
    assert case.name == "artifact 2: /srv/model/2"
    assert "\nmounted: true\n" in failure_of(case).text


def test_where_no_command_mends_a_person_must():
    assert failure_of(case_of(written(*ALL), "shared-payload")).text.endswith(
        "\nmend: no command does, a person must"
    )


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    [
        (Severity.NOTE, ["missing-payload", "undeleted-payload", "shared-payload"]),
        (Severity.WARNING, ["missing-payload", "undeleted-payload"]),
        (Severity.ERROR, ["missing-payload"]),
        (None, []),
    ],
)
def test_what_is_not_bad_enough_passes_and_says_what_it_is(fail_on: Severity | None, failed: list[str]):
    xml = written(*ALL, fail_on=fail_on)
    assert [case.classname for case in cases(xml) if case.is_failure] == failed
    assert JUnitXml.fromstring(xml.encode()).failures == len(failed)
    told = {case.classname for case in cases(xml) if case.system_out}
    assert told == {finding.code for finding in ALL} - set(failed)


def test_each_code_of_which_nothing_was_found_passes():
    clean = cases(written())
    assert [case.classname for case in clean] == list(CODES)
    assert all(case.is_passed and case.name == "nothing found" for case in clean)
    assert len(cases(written(*ALL))) == len(CODES)


def test_the_suite_says_of_what_store_and_when():
    suites = JUnitXml.fromstring(written(*ALL).encode())
    (suite,) = suites
    assert (suites.tests, suite.tests, suite.errors) == (len(CODES), len(CODES), 0)
    assert suite.timestamp == "2023-11-14T22:13:20"
    assert {entry.name: entry.value for entry in suite.properties()} == {
        "metadata": "sqlite:///srv/tfx/metadata.db",
        "verify": "structure",
    }


def test_a_name_is_a_text_whatever_it_holds():
    hostile = "/srv/]]><!--\"'&amp;<failure>\x00\x1b[2J\udcff\ufffe\u202e\n é"
    xml = written(
        Finding(
            "missing-payload",
            hostile,
            path=hostile,
            evidence={hostile: hostile, "names": [hostile]},
            mend=("forget", hostile),
        )
    )
    assert xml.isascii()
    case = case_of(xml, "missing-payload")
    shown = "/srv/]]><!--\"'&amp;<failure>\\x00\\x1b[2J\\udcff\\ufffe\\u202e\\n é"
    assert (case.name, failure_of(case).message) == (shown, shown)
    assert f"\n{shown}: {shown}\n" in failure_of(case).text
