"""The text of a run, read by the parsers that Prometheus' own Python client has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from tfx_janitor.deletion.act import COLLECTED, Outcome
from tfx_janitor.deletion.waiting import Waiting
from tfx_janitor.report.openmetrics import BEGINNING, Run, exposition
from tfx_janitor.retention.plan import Summary

STORE = "sqlite:///srv/tfx/metadata.db"
WHOSE = {"command": "gc", "metadata": STORE}

RUN = Run(
    command="gc",
    metadata=STORE,
    pipeline=None,
    ended_s=1_700_000_000.25,
    duration_s=12.5,
    exit_code=0,
    outcomes=[
        Outcome(2, "marked", bytes=500),
        Outcome(3, "purged", bytes=700),
        Outcome(4, "pruned", bytes=40),
    ],
    summary=Summary(artifacts=9, keep=6, delete=2, unknown=1, ungoverned=5, bytes_reclaimable=1240),
    waiting=Waiting(marks=3, oldest_ms=1_600_000_000_500),
)
BECAME = {"marked": 1, "purged": 1, "pruned": 1}
FAILED = replace(
    RUN, ended_s=1_700_086_400.0, exit_code=2, complete=False, outcomes=(), summary=None, waiting=None
)


def samples(text: str, **of: str) -> dict[str, float]:
    """Values by name and by the labels that are not the run's own: `items_total{done=marked}`."""
    found = {}
    for family in read_openmetrics(text):
        for sample in family.samples:
            own = {name: value for name, value in sample.labels.items() if name not in {*WHOSE, "pipeline"}}
            assert sample.labels == {**WHOSE, **of, **own}
            shown = ",".join(f"{name}={value}" for name, value in sorted(own.items()))
            found[sample.name.removeprefix("tfx_janitor_") + (f"{{{shown}}}" if own else "")] = sample.value
    return found


def test_a_run_tells_what_it_did_and_what_there_is():
    assert samples(exposition(RUN)) == {
        "last_run_timestamp_seconds": 1_700_000_000.25,
        "last_run_duration_seconds": 12.5,
        "last_run_exit_code": 0,
        "last_run_refused": 0,
        "last_success_timestamp_seconds": 1_700_000_000.25,
        "runs_total": 1,
        **{f"last_run_items{{done={done}}}": BECAME.get(done, 0) for done in COLLECTED},
        **{f"items_total{{done={done}}}": BECAME.get(done, 0) for done in COLLECTED},
        "last_run_freed_bytes": 740,
        "freed_bytes_total": 740,
        "artifacts{verdict=keep}": 6,
        "artifacts{verdict=delete}": 2,
        "artifacts{verdict=unknown}": 1,
        "artifacts{verdict=ungoverned}": 5,
        "reclaimable_bytes": 1240,
        "marks": 3,
        "oldest_mark_timestamp_seconds": 1_600_000_000.5,
    }


def test_all_bytes_are_told_where_they_were_measured():
    measured = replace(RUN, summary=Summary(bytes_total=5000))
    assert samples(exposition(measured))["stored_bytes"] == 5000


def test_findings_by_code_and_severity():
    found = {("missing-payload", "error"): 2, ("shared-payload", "note"): 0}
    audit = replace(RUN, command="audit", pipeline="inception", outcomes=None, summary=None, findings=found)
    told = samples(exposition(audit), command="audit", pipeline="inception")
    assert told["findings{code=missing-payload,severity=error}"] == 2
    assert told["findings{code=shared-payload,severity=note}"] == 0
    assert not any(name.startswith(("items", "last_run_items", "artifacts")) for name in told)


def test_what_a_run_did_not_come_to_know_is_left_out():
    assert samples(exposition(replace(FAILED, outcomes=None))) == {
        "last_run_timestamp_seconds": 1_700_086_400.0,
        "last_run_duration_seconds": 12.5,
        "last_run_exit_code": 2,
        "last_run_refused": 0,
        "runs_total": 1,
    }


def test_nothing_marked_is_no_oldest_mark():
    told = samples(exposition(replace(RUN, waiting=Waiting(marks=0, oldest_ms=None))))
    assert (told["marks"], "oldest_mark_timestamp_seconds" in told) == (0, False)


def test_counters_and_the_last_success_go_on_from_the_run_before():
    first = exposition(RUN)
    second = exposition(FAILED, first)
    third = samples(exposition(replace(RUN, ended_s=1_700_172_800.0), second))
    failed = samples(second)
    assert (failed["last_run_items{done=purged}"], failed["items_total{done=purged}"]) == (0, 1)
    assert failed["last_success_timestamp_seconds"] == RUN.ended_s
    assert (third["last_run_items{done=purged}"], third["items_total{done=purged}"]) == (1, 2)
    assert (third["runs_total"], third["freed_bytes_total"]) == (3, 1480)
    assert third["last_success_timestamp_seconds"] == 1_700_172_800.0


@pytest.mark.parametrize(
    ("ended", "success"),
    [
        ({"exit_code": 1, "outcomes": [Outcome(2, "skipped", "pinned")]}, True),
        ({"exit_code": 1, "outcomes": [Outcome(2, "failed", "permission denied")]}, False),
        ({"exit_code": 3, "refused": True, "complete": False}, False),
    ],
    ids=["skipped", "failed", "refused"],
)
def test_what_is_a_success(ended: dict[str, Any], success: bool):
    told = samples(exposition(replace(RUN, **ended)))
    assert ("last_success_timestamp_seconds" in told) == success
    assert told["last_run_refused"] == ended.get("refused", False)


@pytest.mark.parametrize(
    "other",
    [
        exposition(replace(RUN, command="purge")),
        exposition(replace(RUN, metadata="sqlite:///other.db")),
        exposition(replace(RUN, pipeline="inception")),
        exposition(RUN)[:700],
        "",
        "\0\1\2",
    ],
    ids=["command", "store", "pipeline", "cut off", "empty", "no text"],
)
def test_counters_begin_anew_after_anything_else(other: str):
    assert exposition(RUN, other) == exposition(RUN)


def test_one_pipeline_does_not_go_on_from_all_of_them():
    one = replace(RUN, pipeline="inception")
    assert exposition(one, exposition(RUN)) == exposition(one)


def test_both_formats_of_prometheus_read_the_same():
    """The textfile collector of node-exporter reads the older one, and knows fewer types."""
    text = exposition(RUN)
    openmetrics = [sample for family in read_openmetrics(text) for sample in family.samples]
    prometheus = [sample for family in read_prometheus(text) for sample in family.samples]
    assert [(s.name, s.labels, s.value) for s in openmetrics] == [
        (s.name, s.labels, s.value) for s in prometheus
    ]
    assert {family.type for family in read_openmetrics(text)} == {"gauge", "counter"}
    assert not any(sample.timestamp for sample in openmetrics)
    assert text.startswith(BEGINNING) and text.endswith("# EOF\n")


def test_names_of_stores_and_pipelines_may_be_anything():
    odd = replace(RUN, metadata='sqlite:///srv/"a\\b"\n\udce9.db')
    (store,) = {sample.labels["metadata"] for f in read_openmetrics(exposition(odd)) for sample in f.samples}
    assert store == 'sqlite:///srv/"a\\b"\n\\udce9.db'
    assert exposition(odd, exposition(odd)) != exposition(odd)
