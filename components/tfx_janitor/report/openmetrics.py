"""What one run of a command has to say to Prometheus, as OpenMetrics text: values in, text out.

Gauges tell of the last run, and counters of all runs so far: they go on from the text of the run before.
Only types that OpenMetrics and Prometheus' older text format spell alike are used, for the textfile collector
of node-exporter reads the older one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from tfx_janitor.deletion.act import COLLECTED, Outcome
from tfx_janitor.retention.plan import Summary

if TYPE_CHECKING:
    from tfx_janitor.deletion.waiting import Waiting

PREFIX = "tfx_janitor"

BEGINNING = f"# HELP {PREFIX}_"
"""What each text begins with."""

_WHOSE = ("command", "metadata", "pipeline")

Values = Mapping[tuple[str, ...], float]
"""Samples of one family, by the values of the labels that only it has."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command, however it ended. What it did not come to know is None, and is not in the text.

    Attributes:
      command: such as "gc".
      metadata: URL of the store, without password.
      pipeline: the one that the run was restricted to.
      ended_s: when it ended, in seconds since the epoch.
      duration_s: how long it took, in seconds.
      exit_code: what the process ends with.
      refused: whether a limit of the policy forbade it.
      complete: whether it came to its end.
      outcomes: what became of the items.
      summary: totals of the plan.
      waiting: what is marked at its end.
      findings: how many an audit made, by code and severity; those that it did not make with 0.
    """

    command: str
    metadata: str
    pipeline: str | None
    ended_s: float
    duration_s: float
    exit_code: int
    refused: bool = False
    complete: bool = True
    outcomes: Sequence[Outcome] | None = None
    summary: Summary | None = None
    waiting: Waiting | None = None
    findings: Values | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end and failed at nothing; what it found or skipped is no failure of it."""
        return self.complete and all(outcome.done != "failed" for outcome in self.outcomes or ())

    @property
    def labels(self) -> dict[str, str]:
        """What all of its samples have."""
        values = (self.command, self.metadata, self.pipeline)
        return {name: _text(value) for name, value in zip(_WHOSE, values, strict=True) if value is not None}


def exposition(run: Run, before: str = "") -> str:
    """The text.

    Args:
      before: what this gave for the run before. Counters, and the time of the last success, go on from those
        samples that have the same labels; a text that cannot be read lets them begin anew.
    """
    registry = CollectorRegistry()
    registry.register(_Families(run, _samples(before, run.labels)))
    return generate_latest(registry).decode()


class _Families(Collector):
    def __init__(self, run: Run, before: Mapping[tuple[str, ...], float]) -> None:
        self._run = run
        self._before = before

    def collect(self) -> Iterator[Metric]:
        yield from self._of_every_run()
        yield from self._of_the_items()
        yield from self._of_the_store()

    def _of_every_run(self) -> Iterator[Metric]:
        run = self._run
        yield self._gauge("last_run_timestamp", "When the last run ended.", {(): run.ended_s}, unit="seconds")
        yield self._gauge(
            "last_run_duration", "How long the last run took.", {(): run.duration_s}, unit="seconds"
        )
        yield self._gauge("last_run_exit_code", "What the last run ended with.", {(): run.exit_code})
        yield self._gauge(
            "last_run_refused", "Whether a limit of the policy forbade the last run.", {(): int(run.refused)}
        )
        success = run.ended_s if run.succeeded else self._before.get((f"{_LAST_SUCCESS}_seconds",))
        if success is not None:
            yield self._gauge(
                _LAST_SUCCESS.removeprefix(f"{PREFIX}_"),
                "When a run last came to its end and failed at nothing.",
                {(): success},
                unit="seconds",
            )
        yield self._counter("runs", "Runs so far, however they ended.", {(): 1})

    def _of_the_items(self) -> Iterator[Metric]:
        outcomes = self._run.outcomes
        if outcomes is None:
            return
        # Each has a sample, for what is missing raises no alert.
        became = dict.fromkeys(COLLECTED, 0) | Counter(outcome.done for outcome in outcomes)
        items = {(done,): number for done, number in became.items()}
        freed = {(): sum(outcome.freed for outcome in outcomes)}
        yield self._gauge("last_run_items", "What became of the items of the last run.", items, "done")
        yield self._gauge("last_run_freed", "Bytes that the last run freed.", freed, unit="bytes")
        yield self._counter("items", "What became of the items of all runs so far.", items, "done")
        yield self._counter("freed", "Bytes that all runs so far freed.", freed, unit="bytes")

    def _of_the_store(self) -> Iterator[Metric]:
        run = self._run
        if (summary := run.summary) is not None:
            verdicts = ("keep", "delete", "unknown", "ungoverned")
            artifacts = {(verdict,): getattr(summary, verdict) for verdict in verdicts}
            yield self._gauge("artifacts", "Artifacts by what the plan says of them.", artifacts, "verdict")
            reclaimable = {(): summary.bytes_reclaimable}
            told = "Bytes that the plan would free."
            yield self._gauge("reclaimable", told, reclaimable, unit="bytes")
            if summary.bytes_total is not None:
                total = {(): summary.bytes_total}
                yield self._gauge("stored", "Bytes of all governed payloads.", total, unit="bytes")
        if (waiting := run.waiting) is not None:
            yield self._gauge("marks", "Marks that wait for their purge.", {(): waiting.marks})
            if waiting.oldest_ms is not None:
                yield self._gauge(
                    "oldest_mark_timestamp",
                    "When the oldest mark that waits for its purge was made.",
                    {(): waiting.oldest_ms / 1000},
                    unit="seconds",
                )
        if run.findings is not None:
            yield self._gauge("findings", "Findings of the audit.", run.findings, "code", "severity")

    def _gauge(self, name: str, meaning: str, values: Values, *by: str, unit: str = "") -> Metric:
        labels = self._run.labels
        family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=[*labels, *by], unit=unit)
        for own, value in values.items():
            family.add_metric([*labels.values(), *own], value)
        return family

    def _counter(self, name: str, meaning: str, values: Values, *by: str, unit: str = "") -> Metric:
        labels = self._run.labels
        family = CounterMetricFamily(f"{PREFIX}_{name}", meaning, labels=[*labels, *by], unit=unit)
        for own, value in values.items():
            so_far = self._before.get((f"{family.name}_total", *own), 0)
            family.add_metric([*labels.values(), *own], so_far + value)
        return family


_LAST_SUCCESS = f"{PREFIX}_last_success_timestamp"


def _samples(text: str, labels: Mapping[str, str]) -> dict[tuple[str, ...], float]:
    """The samples of whoever has these labels, by name and by the values of their other labels."""
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError:
        return {}
    return {
        (sample.name, *(value for name, value in sample.labels.items() if name not in _WHOSE)): sample.value
        for family in families
        for sample in family.samples
        if {name: value for name, value in sample.labels.items() if name in _WHOSE} == labels
    }


def _text(value: str) -> str:
    """A label's value, which must be valid UTF-8; paths need not be."""
    return value.encode("utf-8", "backslashreplace").decode()
