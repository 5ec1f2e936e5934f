"""Writes down what was settled: verdicts with their reasons, and the plan that holds them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from tfx_janitor.lineage.snapshot import ArtifactState, state_name
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.rules import CheckpointRule
from tfx_janitor.retention import holds
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.facts import CheckpointFact
from tfx_janitor.retention.plan import (
    CheckpointDecision,
    Decision,
    Orphan,
    Plan,
    Reason,
    Summary,
    verdict_of,
)
from tfx_janitor.retention.pruning import prune
from tfx_janitor.retention.settlement import Settlement


def decide(
    settlement: Settlement,
    *,
    metadata: str,
    created_ms: int,
    orphans: tuple[Orphan, ...] | None = None,
    cautions: tuple[Problem, ...] = (),
) -> Plan:
    """Writes the verdicts down.

    Args:
      metadata: URL of the store, without password.
      created_ms: the clock's reading, for the record only.
      orphans: verdicts on directories that no artifact claims, if the policy asks for them.
      cautions: what is to be told beside the verdicts.
    """
    case = settlement.nomination.case
    return Plan(
        created_ms=created_ms,
        now_ms=case.now_ms,
        metadata=metadata,
        policy=case.policy.to_dict(),
        summary=_summary(settlement),
        source=lambda: (decision_of(settlement, row) for row in case.governed),
        orphans=orphans,
        cautions=cautions,
    )


def decision_of(settlement: Settlement, row: int) -> Decision:
    """The verdict on one governed row."""
    case = settlement.nomination.case
    snapshot = case.snapshot
    reasons = settlement.reasons_of(row)
    verdict = verdict_of(reasons)
    if verdict == "delete" and row not in settlement.deletions:
        reasons = (*reasons, Reason("unknown.payload", "its payload was not looked at"))
        verdict = "unknown"
    if verdict != "delete":
        reasons = tuple(reason for reason in reasons if reason.holds)
    return Decision(
        artifact_id=int(snapshot.artifacts.id[row]),
        type=snapshot.type_of(row),
        uri=snapshot.artifacts.uri[row],
        state=state_name(int(snapshot.artifacts.state[row])),
        pipeline=snapshot.pipeline_of(row),
        run=snapshot.run_of(row),
        node=snapshot.node_of(row),
        output=snapshot.output_of(row),
        created_ms=int(snapshot.artifacts.created_ms[row]),
        updated_ms=int(snapshot.artifacts.updated_ms[row]),
        bytes=settlement.facts.bytes.get(row),
        verdict=verdict,
        reasons=reasons,
        checkpoints=() if verdict == "delete" else _checkpoints(settlement, row),
    )


def _checkpoints(settlement: Settlement, row: int) -> tuple[CheckpointDecision, ...]:
    found = settlement.facts.checkpoints.get(row)
    if not found:
        return ()
    case = settlement.nomination.case
    rules = [(rule.name, rule.checkpoints) for rule in case.governed[row] if rule.checkpoints is not None]
    needed = holds.unverified_sibling(case, settlement.facts, row, settlement.deletions)
    by_directory: defaultdict[str, list[CheckpointFact]] = defaultdict(list)
    for fact in found:
        by_directory[fact.directory].append(fact)
    return tuple(
        decision
        for directory in sorted(by_directory)
        for decision in judge_checkpoints(by_directory[directory], rules, newest_needed=needed)
    )


def judge_checkpoints(
    facts: Sequence[CheckpointFact],
    rules: Sequence[tuple[str | None, CheckpointRule]],
    *,
    newest_needed: str | None,
) -> list[CheckpointDecision]:
    """Verdicts on the checkpoints of one directory: deleted only if every rule lets go.

    Args:
      facts: all checkpoints of the directory.
      rules: pairs of a rule's name and the rule.
      newest_needed: why the newest restorable one must stay whatever the rules say; None if it need not.
    """
    candidates = [fact.candidate for fact in facts]
    by_name = {fact.candidate.name: fact for fact in facts}
    reasons: defaultdict[str, dict[Reason, None]] = defaultdict(dict)
    for rule_name, rule in rules:
        for pruning in prune(candidates, rule, hold_newest=newest_needed is not None):
            for reason in pruning.reasons:
                if reason.code == "hold.newest-checkpoint":
                    reason = dataclasses.replace(reason, detail=f"{reason.detail}; {newest_needed}")
                elif reason.code.startswith(("keep.", "expire.")):
                    reason = dataclasses.replace(reason, rule=rule_name)
                reasons[pruning.name][reason] = None
    decisions = []
    for name, why in reasons.items():
        verdict, fact = verdict_of(why), by_name[name]
        told = tuple(reason for reason in why if reason.holds or verdict == "delete")
        decisions.append(
            CheckpointDecision(fact.directory, name, fact.candidate.step, fact.bytes, verdict, told)
        )
    return decisions


def _summary(settlement: Settlement) -> Summary:
    case, facts = settlement.nomination.case, settlement.facts
    counts = {"keep": 0, "delete": 0, "unknown": 0}
    checkpoints = checkpoints_delete = reclaimable = 0
    for row in case.governed:
        decision = decision_of(settlement, row)
        counts[decision.verdict] += 1
        checkpoints += len(decision.checkpoints)
        checkpoints_delete += len(decision.prunes)
        reclaimable += sum(checkpoint.bytes for checkpoint in decision.prunes)
        if decision.verdict == "delete" and not _counted_elsewhere(settlement, row):
            reclaimable += facts.bytes.get(row, 0)
    measured = all(row in facts.bytes for row in case.governed)
    return Summary(
        artifacts=len(case.governed),
        ungoverned=_count_ungoverned(case),
        checkpoints=checkpoints,
        checkpoints_delete=checkpoints_delete,
        bytes_total=sum(facts.bytes[row] for row in case.governed) if measured else None,
        bytes_reclaimable=reclaimable,
        **counts,
    )


def _count_ungoverned(case: Case) -> int:
    present = case.snapshot.artifacts.state != ArtifactState.DELETED
    return int(present.sum()) - len(case.governed)


def _counted_elsewhere(settlement: Settlement, row: int) -> bool:
    places = settlement.facts.places
    return any(
        places[other].contains(places[row]) or (places[other] == places[row] and other < row)
        for other in settlement.clusters.get(row, ())
        if other in settlement.deletions
    )
