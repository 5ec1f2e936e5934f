"""Gathers the facts that a case needs from storage: as few looks as decide it, cheap ones first."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.payload.places import Place, PlaceError, resolve
from tfx_janitor.payload.presence import has_vanished
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.rules import CheckpointRule
from tfx_janitor.retention.answers import members_with_budget
from tfx_janitor.retention.case import PUSHED_MODEL, Case
from tfx_janitor.retention.decide import decide, judge_checkpoints
from tfx_janitor.retention.facts import CheckpointFact, Evidence, StorageFacts, Verified
from tfx_janitor.retention.metrics import metrics_of, payloads_with_metrics
from tfx_janitor.retention.plan import Plan
from tfx_janitor.retention.settle import nominate, settle, trust_again
from tfx_janitor.retention.settlement import Nomination, Settlement
from tfx_janitor.survey import look
from tfx_janitor.survey.cautions import cautions_here, denied_here
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.survey.orphans import find_orphans
from tfx_janitor.survey.resolver import Resolver


def make_plan(
    case: Case,
    crew: Crew,
    *,
    metadata: str,
    created_ms: int,
    measure_all: bool = False,
    doubted: Collection[int] = (),
) -> Plan:
    """Decides a case, looking at the structure of payloads alone, which is fast, but for what is in doubt.

    Args:
      metadata: URL of the store, without password.
      created_ms: the clock's reading, for the record.
      measure_all: measures every governed payload, not only what would be deleted.
      doubted: as of `judge`.
    """
    settlement = judge(case, crew, Level.STRUCTURE, measure_all=measure_all, doubted=doubted)
    found = find_orphans(case, crew)
    denied = denied_here(settlement, () if found is None else found.orphans)
    return decide(
        settlement,
        metadata=metadata,
        created_ms=created_ms,
        orphans=None if found is None else found.orphans,
        cautions=(*cautions_here(case), *denied, *(() if found is None else found.cautions)),
    )


def judge(
    case: Case,
    crew: Crew,
    level: Level,
    *,
    measure_all: bool = False,
    doubted: Collection[int] = (),
) -> Settlement:
    """Asks lineage, policy and storage.

    Args:
      level: how thoroughly the Models and checkpoints that must survive are verified.
      doubted: ids of artifacts that a purge took back for damage; if it is left to structure, what these
        depend on is verified at the policy's level all the same.
    """
    nomination = nominate(_with_evidence(case, crew))
    case = nomination.case
    facts = _look_at_places(case)
    tentative = settle(nomination, facts, trusting=True)
    facts = _measure(tentative, facts, crew, measure_all)
    tentative = trust_again(tentative, facts)
    facts = _list_checkpoints(tentative, facts, crew)
    tentative = trust_again(tentative, facts)
    rows = {row for artifact_id in doubted if (row := case.snapshot.row(artifact_id)) is not None}
    deeper = case.policy.verify if level is Level.STRUCTURE else level
    levels = dict.fromkeys(tentative.vouching_for(rows), deeper) if rows else {}
    facts = _verify_models(tentative, facts, crew, level, levels)
    if deeper is not Level.STRUCTURE:
        thorough = facts.checkpoints.keys() if level is deeper else facts.checkpoints.keys() & rows
        facts = _verify_checkpoints(nomination, facts, crew, deeper, thorough)
    return settle(nomination, facts)


def look_at_everything(case: Case, crew: Crew) -> tuple[Case, StorageFacts]:
    """Places, and sizes of all governed payloads that can be measured; judges nothing, verifies nothing.

    Returns:
      The case with the evidence that its policy asks for, and the facts.
    """
    case = _with_evidence(case, crew)
    facts = _look_at_places(case)
    sizes = _sizes(case, _measurable(case, facts), crew)
    known = {row: size for row, size in sizes.items() if not isinstance(size, Failed)}
    return case, dataclasses.replace(facts, bytes=known)


def _with_evidence(case: Case, crew: Crew) -> Case:
    """The case with what its policy's words must ask storage; most policies ask nothing."""
    evaluations, members = payloads_with_metrics(case), members_with_budget(case)
    if not evaluations and not members:
        return case
    read = crew.run("read evaluations", look.read_evaluation, _uris(case, evaluations))
    sizes = crew.run("measure", look.measure, _uris(case, members))
    told = dict(zip(evaluations, read, strict=True))
    names = metrics_of(case.policy)
    evidence = Evidence(
        # An evaluation with many slices tells hundreds of thousands of metrics; those nobody asks for go.
        metrics={
            row: {name: found[name] for name in names & found.keys()}
            for row, found in told.items()
            if not isinstance(found, Failed)
        },
        unreadable={row: found.error for row, found in told.items() if isinstance(found, Failed)},
        bytes={row: size for row, size in zip(members, sizes, strict=True) if not isinstance(size, Failed)},
    )
    return dataclasses.replace(case, evidence=evidence)


def _look_at_places(case: Case) -> StorageFacts:
    artifacts = case.snapshot.artifacts
    resolver = Resolver()
    places: dict[int, Place] = {}
    not_understood: dict[int, str] = {}
    for row in np.flatnonzero(artifacts.state != ArtifactState.DELETED).tolist():
        try:
            places[row] = resolver(artifacts.uri[row])
        except PlaceError as error:
            if row in case.governed:
                not_understood[row] = str(error)
    for row in case.governed:
        if row in places and not places[row].local:
            not_understood[row] = f"no handler for {places[row].scheme}:// yet"
    destinations = dict(_destinations(case))
    return StorageFacts(
        roots=tuple(resolve(root) for root in case.policy.roots),
        places=places,
        not_understood=not_understood,
        destinations=destinations,
        unseen=frozenset(row for row, place in destinations.items() if not _is_seen(place)),
    )


def _destinations(case: Case) -> Iterable[tuple[int, Place]]:
    snapshot = case.snapshot
    for row in snapshot.rows_of_type(PUSHED_MODEL):
        destination = snapshot.property(row, "pushed_destination")
        # Whatever state the PushedModel is in: a server loads what stands there, not what a store says.
        if snapshot.property(row, "pushed") != 1 or not destination:
            continue
        try:
            place = resolve(str(destination))
        except PlaceError:
            continue
        # A destination that cannot be looked at from here may well be serving: it stands until proven gone.
        if not (place.local and has_vanished(place.path)):
            yield row, place


def _is_seen(place: Place) -> bool:
    return not place.local or os.path.lexists(place.path)


def _measure(tentative: Settlement, facts: StorageFacts, crew: Crew, measure_all: bool) -> StorageFacts:
    case = tentative.nomination.case
    rows = _measurable(case, facts) if measure_all else sorted(tentative.deletions)
    sizes: dict[int, int] = {}
    unreadable: dict[int, str] = {}
    for row, answer in _sizes(case, rows, crew).items():
        if not isinstance(answer, Failed):
            sizes[row] = answer
        elif row in tentative.deletions:
            # Nothing there may also mean a disk that is not mounted: never a reason to record a deletion.
            unreadable[row] = answer.error
        else:
            sizes[row] = 0
    return dataclasses.replace(facts, bytes=sizes, unreadable=unreadable)


def _measurable(case: Case, facts: StorageFacts) -> list[int]:
    return [
        row for row in case.governed if case.present[row] and row in facts.places and facts.places[row].local
    ]


def _sizes(case: Case, rows: Sequence[int], crew: Crew) -> dict[int, int | Failed]:
    """Sizes of payloads, without asking again for what the policy had to know before."""
    sizes: dict[int, int | Failed] = {
        row: case.evidence.bytes[row] for row in rows if row in case.evidence.bytes
    }
    wanted = [row for row in rows if row not in sizes]
    sizes.update(zip(wanted, crew.run("measure", look.measure, _uris(case, wanted)), strict=True))
    return sizes


def _list_checkpoints(tentative: Settlement, facts: StorageFacts, crew: Crew) -> StorageFacts:
    rows = tentative.rows_to_prune()
    found: dict[int, tuple[CheckpointFact, ...]] = {}
    unreadable = dict(facts.unreadable)
    uris = _uris(tentative.nomination.case, rows)
    for row, answer in zip(rows, crew.run("list checkpoints", look.list_checkpoints, uris), strict=True):
        if isinstance(answer, Failed):
            unreadable[row] = answer.error
        else:
            found[row] = answer
    return dataclasses.replace(facts, checkpoints=found, unreadable=unreadable)


def _verify_models(
    tentative: Settlement, facts: StorageFacts, crew: Crew, level: Level, levels: Mapping[int, Level]
) -> StorageFacts:
    """Verifies the Models that must survive.

    Args:
      levels: by row, where another level than the general one holds.
    """
    case = tentative.nomination.case
    verified: dict[int, Verified] = {}

    def verify(rows: Iterable[int]) -> None:
        wanted = [row for row in dict.fromkeys(rows) if row not in verified]
        uris = zip(wanted, _uris(case, wanted), strict=True)
        orders = [look.ModelOrder(uri, levels.get(row, level)) for row, uri in uris]
        for row, answer in zip(wanted, crew.run("verify models", look.verify_model, orders), strict=True):
            verified[row] = Verified(False, answer.error) if isinstance(answer, Failed) else answer

    verify(tentative.siblings_to_verify())
    # One whole survivor in each group is enough, and it is nearly always the newest.
    open_groups = [list(group) for group in tentative.groups_to_verify()]
    while open_groups:
        verify(group[0] for group in open_groups if group)
        open_groups = [group[1:] for group in open_groups if group and not verified[group[0]].whole]
    return dataclasses.replace(facts, verified=verified)


def _verify_checkpoints(
    nomination: Nomination, facts: StorageFacts, crew: Crew, level: Level, rows: Collection[int]
) -> StorageFacts:
    """Verifies the checkpoints that would stay, until those that stay are whole.

    One found damaged stops counting, which may make an older one stay, which must then be verified too.

    Args:
      rows: the ModelRuns whose checkpoints are verified.
    """
    case = nomination.case
    checkpoints = {row: list(found) for row, found in facts.checkpoints.items()}
    while True:
        orders: list[tuple[int, int, look.CheckpointOrder]] = []
        for row in sorted(rows):
            found = checkpoints[row]
            rules = [(r.name, r.checkpoints) for r in case.governed[row] if r.checkpoints is not None]
            kept = _staying(found, rules)
            for at, fact in enumerate(found):
                if fact.candidate.restorable is None and (fact.directory, fact.candidate.name) in kept:
                    directory = os.path.normpath(os.path.join(facts.places[row].path, fact.directory))
                    orders.append((row, at, look.CheckpointOrder(directory, fact.candidate.name, level)))
        if not orders:
            return dataclasses.replace(
                facts, checkpoints={row: tuple(found) for row, found in checkpoints.items()}
            )
        answers = crew.run("verify checkpoints", look.verify_checkpoint, [order for _, _, order in orders])
        for (row, at, _), answer in zip(orders, answers, strict=True):
            checkpoints[row][at] = with_verdict(checkpoints[row][at], answer)


def with_verdict(fact: CheckpointFact, answer: Verified | Failed) -> CheckpointFact:
    """A checkpoint with what its verification said."""
    whole = not isinstance(answer, Failed) and answer.whole
    problem = None if whole else (answer.error if isinstance(answer, Failed) else answer.detail)
    return dataclasses.replace(
        fact, candidate=dataclasses.replace(fact.candidate, restorable=whole, problem=problem)
    )


def _staying(
    found: Sequence[CheckpointFact], rules: Sequence[tuple[str | None, CheckpointRule]]
) -> set[tuple[str, str]]:
    """Directories and names of the checkpoints that these rules keep, as far as they are known by now."""
    by_directory: dict[str, list[CheckpointFact]] = {}
    for fact in found:
        by_directory.setdefault(fact.directory, []).append(fact)
    judged = partial(judge_checkpoints, rules=rules, newest_needed="not verified yet")
    return {
        (decision.directory, decision.name)
        for facts in by_directory.values()
        for decision in judged(facts)
        if decision.verdict == "keep"
    }


def _uris(case: Case, rows: Sequence[int]) -> list[str]:
    return [case.snapshot.artifacts.uri[row] for row in rows]
