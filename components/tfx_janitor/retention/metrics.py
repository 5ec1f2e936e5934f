"""Metrics: where the value of one comes from, and `best`, which ranks by it.

TFX users have metrics in three places: on the artifact itself, on something that was derived from it in one
step (a ModelBlessing, a ModelEvaluation, a custom artifact), and in the payload of a ModelEvaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tfx_janitor.lineage.snapshot import OUTPUTS, ArtifactState, Value
from tfx_janitor.policy.keep import Best
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.retention.case import INFRA_BLESSING, MODEL, MODEL_RUN, PUSHED_MODEL, Case, Group
from tfx_janitor.retention.judgement import Judgement, ranked
from tfx_janitor.retention.plan import Step

MODEL_EVALUATION = "ModelEvaluation"

UNREADABLE = "unknown.metric"
"""A payload that may hold the metric cannot be read."""

_NO_JUDGES = frozenset({MODEL, MODEL_RUN, PUSHED_MODEL, INFRA_BLESSING})
"""Types whose metrics are their own, and not those of what they were made from."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's value, and the artifact that carries it.

    Attributes:
      value: whatever is stored under the metric's name; None where it may stand in a payload that cannot be
        read.
      carrier: row of the artifact.
      path: from the artifact that was asked about to the carrier.
      by_payload: whether the carrier's payload tells it, and not a property.
    """

    value: Value | None
    carrier: int
    path: tuple[Step, ...]
    by_payload: bool

    @property
    def number(self) -> float | None:
        """The value if it can be ranked: None for NaN, texts and flags."""
        if self.value is None or isinstance(self.value, bool | str) or math.isnan(self.value):
            return None
        return float(self.value)


def measured(case: Case, row: int, metric: str) -> Measured | None:
    """A metric of an artifact, from the first place that has it; None if none does.

    A ModelRun counts by the Model that the same execution produced, unless it has the metric itself.
    """
    evidence = case.evidence
    for subject in _subjects(case, row):
        carriers = list(_carriers(case, subject))
        for carrier, path in carriers:
            value = case.snapshot.property(carrier, metric)
            if value is not None:
                return Measured(value, carrier, path, by_payload=False)
        for carrier, path in carriers:
            value = evidence.metrics.get(carrier, {}).get(metric)
            # An older evaluation does not speak for a newer one that nobody can read.
            if value is not None or carrier in evidence.unreadable:
                return Measured(value, carrier, path, by_payload=True)
    return None


def payloads_with_metrics(case: Case) -> list[int]:
    """ModelEvaluations whose payload the policy must ask, for nothing else tells the metric; ascending."""
    wanted: set[int] = set()
    for group in case.groups:
        for metric in _metrics_of_rule(group.rule):
            for row in group.rows:
                if measured(case, row, metric) is None:
                    wanted.update(_evaluations(case, row))
    return sorted(wanted)


def decisive_payloads(case: Case) -> dict[int, list[tuple[int, str, Rule]]]:
    """Artifacts whose payload alone tells a metric: by row, of what, which metric, and the rule that asks.

    Where that payload goes, what it spoke for has no value any more the next time.
    """
    found: dict[int, list[tuple[int, str, Rule]]] = {}
    for group in case.groups:
        for metric in sorted(_metrics_of_rule(group.rule)):
            for row in group.rows:
                one = measured(case, row, metric)
                if one is not None and one.by_payload:
                    found.setdefault(one.carrier, []).append((row, metric, group.rule))
    return found


def metrics_of(policy: RetentionPolicy) -> frozenset[str]:
    """Names of all metrics that a policy ranks by."""
    return frozenset[str]().union(*map(_metrics_of_rule, policy.rules))


def _metrics_of_rule(rule: Rule) -> frozenset[str]:
    keeps = rule.keep.walk() if rule.keep is not None else ()
    return frozenset(keep.best.metric for _, keep in keeps if keep.best is not None)


def best(case: Case, group: Group, wanted: Best) -> Judgement:
    """Keeps the `count` with the best value; NaN and missing never count, of equal ones the newer wins.

    What might have the metric in a payload that cannot be read is unknown: it may be the best of all.
    """
    found = [measured(case, row, wanted.metric) for row in group.rows]
    sign = -1 if wanted.mode == "max" else 1
    # The group is sorted newest first and the sort is stable: so the newer of two equal ones comes first.
    scores = {at: sign * number for at, one in enumerate(found) if one and (number := one.number) is not None}
    judged = ranked(sorted(scores, key=scores.__getitem__), len(found), wanted.count, "best", "ranked")
    unknown = {at: UNREADABLE for at, one in enumerate(found) if one is not None and one.value is None}

    def explain(at: int) -> str:
        one = found[at]
        if one is None:
            return f"has no {wanted.metric}"
        if one.value is None:
            return case.evidence.unreadable[one.carrier]
        value = f"{one.value:.6g}" if isinstance(one.value, float) else repr(one.value)
        rank = judged.explain(at) if at in scores else "which cannot be ranked"
        return f"{wanted.metric} {value}, {rank}"

    def path(at: int) -> tuple[Step, ...]:
        one = found[at]
        return one.path if one is not None and len(one.path) > 1 else ()

    return Judgement(judged.kept, explain, path, unknown)


def _carriers(case: Case, row: int) -> Iterator[tuple[int, tuple[Step, ...]]]:
    """The artifact itself, then what was derived from it in one step, the newest first, with paths."""
    snapshot = case.snapshot
    yield row, (case.artifact_step(row),)
    derived: dict[int, int] = {}
    for execution in _judges(case, row):
        for output in snapshot.artifacts_of(execution, OUTPUTS):
            if snapshot.type_of(output) not in _NO_JUDGES:
                derived.setdefault(output, execution)
    for output in sorted(derived, reverse=True):
        execution = derived[output]
        yield (
            output,
            (case.artifact_step(row), case.execution_step(execution), case.artifact_step(output)),
        )


def _judges(case: Case, row: int) -> Iterator[int]:
    """Executions that took an artifact as input for its own sake."""
    for event in case.snapshot.events_of_artifact(row).tolist():
        if case.is_taken(event):
            yield int(case.snapshot.events.execution[event])


def _subjects(case: Case, row: int) -> tuple[int, ...]:
    is_run = case.snapshot.type_of(row) == MODEL_RUN
    return (row, *case.snapshot.siblings(row, MODEL)) if is_run else (row,)


def _evaluations(case: Case, row: int) -> Iterator[int]:
    """ModelEvaluations whose payload may tell the metrics of an artifact; one that is DELETED has none."""
    states = case.snapshot.artifacts.state
    for subject in _subjects(case, row):
        for carrier, _ in _carriers(case, subject):
            is_evaluation = case.snapshot.type_of(carrier) == MODEL_EVALUATION
            if is_evaluation and states[carrier] != ArtifactState.DELETED:
                yield carrier
