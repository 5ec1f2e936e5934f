"""From opinions to verdicts: the policy's word, lineage's, storage's, and what depends on all three.

Three pure steps. `nominate` asks policy and lineage. `settle` adds what storage says and the holds that
depend on what else is deleted; it is asked twice, first trusting every payload, to learn which ones need to
be verified, and then with the facts. `decide` writes it all down as a plan.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tfx_janitor.lineage.snapshot import ArtifactState, state_name
from tfx_janitor.payload.places import Place
from tfx_janitor.policy.schema import CheckpointRule, Rule
from tfx_janitor.retention import holds
from tfx_janitor.retention.answers import RuleAnswer, answer
from tfx_janitor.retention.case import MODEL, MODEL_RUN, PRESENT, Case, Group
from tfx_janitor.retention.facts import CheckpointFact, StorageFacts
from tfx_janitor.retention.lineage_words import Reach
from tfx_janitor.retention.metrics import decisive_payloads
from tfx_janitor.retention.plan import (
    CheckpointDecision,
    Decision,
    Plan,
    Reason,
    Summary,
    verdict_of,
)
from tfx_janitor.retention.pruning import prune

PRUNABLE_DESPITE = frozenset(
    {
        "hold.newest",
        "hold.latest-blessed",
        "hold.served",
        "hold.newest-checkpoint",
        "hold.no-verified-survivor",
    }
)
"""Holds that need a ModelRun to stay, but not all of its checkpoints: TFX looks at the directory alone."""


@dataclass(frozen=True)
class Nomination:
    """What policy and lineage say.

    Attributes:
      answers: each rule's answer for each of its groups.
      seats: where a row sits: indexes into `answers` with the index in that group.
      held: lineage holds by row, also of rows that no rule governs.
      rows: governed, kept by no rule and held by no lineage hold, before anybody knows what else stays.
    """

    case: Case
    answers: tuple[RuleAnswer, ...]
    seats: Mapping[int, Sequence[tuple[int, int]]]
    held: Mapping[int, Sequence[Reason]]
    rows: frozenset[int]

    def policy_reasons(self, row: int, reach: Reach) -> Iterator[Reason]:
        """What each governing rule says of a row, given what is deleted."""
        for rule in self.case.governed[row]:
            if rule.keep is None:
                yield Reason(
                    "keep.prunes-inside", "this rule prunes checkpoints and never deletes", rule.name
                )
        for answered, at in self.seats.get(row, ()):
            yield from self.answers[answered].reasons(at, reach)

    def keeps(self, row: int, reach: Reach | None = None) -> bool:
        """Whether some rule keeps a row; without `reach` none does for the sake of something else."""
        return any(self.answers[number].keeps(at, reach) for number, at in self.seats[row])

    @cached_property
    def asking_lineage(self) -> frozenset[int]:
        """Those of `rows` that some rule may yet keep for the sake of what stays."""
        return frozenset(
            row
            for row in self.rows
            if any(self.answers[number].asks_lineage for number, _ in self.seats[row])
        )

    @cached_property
    def decisive_payloads(self) -> Mapping[int, Sequence[tuple[int, str, Rule]]]:
        """Payloads that alone tell by what a rule ranks something."""
        return decisive_payloads(self.case)


@dataclass(frozen=True)
class Settlement:
    """Which rows are deleted, and the reasons that policy and lineage did not know.

    Attributes:
      held: storage holds and dependent holds by row.
    """

    nomination: Nomination
    facts: StorageFacts
    deletions: frozenset[int]
    held: Mapping[int, Sequence[Reason]]
    clusters: Mapping[int, Sequence[int]]

    def groups_to_verify(self) -> list[tuple[int, ...]]:
        """Surviving Models of each group that loses one, newest first; one whole Model in each is enough."""
        return [tuple(survivors) for _, survivors in self._losing_groups()]

    def siblings_to_verify(self) -> list[int]:
        """Models that stand for the checkpoints of a ModelRun which is deleted or pruned."""
        case = self.nomination.case
        runs = [row for row in self.deletions if case.snapshot.type_of(row) == MODEL_RUN]
        wanted = {
            model for run in (*runs, *self.rows_to_prune()) for model in case.snapshot.siblings(run, MODEL)
        }
        states = case.snapshot.artifacts.state
        return sorted(model for model in wanted - self.deletions if states[model] in PRESENT)

    def rows_to_prune(self) -> list[int]:
        """Kept LIVE ModelRuns inside which some rule prunes and no hold forbids it, ascending."""
        case = self.nomination.case
        return [
            row
            for row, rules in case.governed.items()
            if row not in self.deletions
            and any(rule.checkpoints is not None for rule in rules)
            and case.snapshot.type_of(row) == MODEL_RUN
            and case.snapshot.artifacts.state[row] == ArtifactState.LIVE
            and all(reason.code in PRUNABLE_DESPITE for reason in self.holds_on(row))
        ]

    def holds_on(self, row: int) -> tuple[Reason, ...]:
        """All holds on a row: lineage, storage, dependent."""
        return (*self.nomination.held.get(row, ()), *self.held.get(row, ()))

    def reasons_of(self, row: int) -> tuple[Reason, ...]:
        """All that is to be said of a governed row: holds, then each rule's words, kept and missed."""
        return (*self.holds_on(row), *self.nomination.policy_reasons(row, self.reach))

    @cached_property
    def reach(self) -> Reach:
        """What the words of lineage find."""
        return Reach(self.nomination.case, self.facts, self.deletions)

    def _losing_groups(self) -> Iterator[tuple[Group, list[int]]]:
        snapshot = self.nomination.case.snapshot
        for group in self.nomination.case.groups:
            models = [row for row in group.rows if snapshot.type_of(row) == MODEL]
            if any(row in self.deletions for row in models):
                staying = (row for row in models if row not in self.deletions)
                yield group, [row for row in staying if not self._stays_by_a_pin_alone(row)]

    def _stays_by_a_pin_alone(self, row: int) -> bool:
        """Whether nothing but somebody's pin keeps a row: a pin is for that one, and lets no other go."""
        held = {reason.code for reason in self.holds_on(row)}
        return held == {"hold.pinned"} and not self.nomination.keeps(row, self.reach)


def nominate(case: Case) -> Nomination:
    """Asks policy and lineage, and nobody else."""
    answers = tuple(answer(case, group) for group in case.groups)
    seats: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, answered in enumerate(answers):
        for at, row in enumerate(answered.group.rows):
            seats[row].append((number, at))
    held = holds.held_by_lineage(case)
    rows = frozenset(
        row
        for row, rules in case.governed.items()
        if row not in held
        and all(rule.keep is not None for rule in rules)
        and not any(answers[number].keeps(at) for number, at in seats[row])
    )
    return Nomination(case, answers, seats, held, rows)


def settle(nomination: Nomination, facts: StorageFacts, *, trusting: bool = False) -> Settlement:
    """Adds what storage says, and the holds that depend on what else is deleted.

    Args:
      trusting: takes every payload for whole, to learn what would have to be verified.
    """
    case = nomination.case
    clusters = _clusters(case, facts)
    held: dict[int, list[Reason]] = holds.held_by_storage(case, facts)
    # What storage was not asked about is never deleted.
    deletions = {row for row in nomination.rows if row not in held and row in facts.places}
    while True:
        settlement = Settlement(nomination, facts, frozenset(deletions), held, clusters)
        needed = {
            row for row in nomination.asking_lineage & deletions if nomination.keeps(row, settlement.reach)
        }
        found = {**dict(_evidence(settlement)), **dict(_shared_payloads(settlement))}
        if not trusting:
            found = {**dict(_needed_checkpoints(settlement)), **found}
            if not found and not needed:
                # Asked last: the more stays, the likelier that one of those that stay is whole.
                found = dict(_unverified_survivors(settlement))
        if not found and not needed:
            return settlement
        # Each round keeps more and deletes less, so this ends.
        for row, reason in found.items():
            held.setdefault(row, []).append(reason)
        deletions -= found.keys() | needed


def decide(settlement: Settlement, *, metadata: str, created_ms: int) -> Plan:
    """Writes the verdicts down.

    Args:
      metadata: URL of the store, without password.
      created_ms: the clock's reading, for the record only.
    """
    case = settlement.nomination.case
    return Plan(
        created_ms=created_ms,
        now_ms=case.now_ms,
        metadata=metadata,
        policy=case.policy.to_dict(),
        summary=_summary(settlement),
        source=lambda: (decision_of(settlement, row) for row in case.governed),
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
        if other != row and other in settlement.deletions
    )


def _shared_payloads(settlement: Settlement) -> Iterator[tuple[int, Reason]]:
    case, places = settlement.nomination.case, settlement.facts.places
    for row in settlement.deletions:
        for other in settlement.clusters.get(row, ()):
            if other < 0:
                served = -other - 1
                destination = settlement.facts.destinations[served]
                if _touches(places[row], destination):
                    detail = f"the served version {destination} lies in, at or around its payload"
                    path = (case.artifact_step(row), case.artifact_step(served))
                    yield row, Reason("hold.shared-payload", detail, path=path)
                    break
            elif other not in settlement.deletions and _touches(places[row], places[other]):
                step = case.artifact_step(other)
                detail = (
                    f"artifact {step[1]}, which stays, lies in, at or around its payload: {places[other]}"
                )
                yield row, Reason("hold.shared-payload", detail, path=(case.artifact_step(row), step))
                break


def _evidence(settlement: Settlement) -> Iterator[tuple[int, Reason]]:
    case = settlement.nomination.case
    for carrier, spoken_for in settlement.nomination.decisive_payloads.items():
        if carrier in settlement.deletions:
            for row, metric, rule in spoken_for:
                if row not in settlement.deletions:
                    step = case.artifact_step(row)
                    named = f"{case.snapshot.type_of(row)} {step[1]}"
                    detail = f"it alone tells the {metric} of {named}, which stays and rule {rule.name} ranks"
                    path = case.derivations.path(row, carrier) or (step, case.artifact_step(carrier))
                    yield carrier, Reason("hold.evidence", detail, path=tuple(reversed(path)))
                    break


def _touches(one: Place, other: Place) -> bool:
    return one == other or one.contains(other) or other.contains(one)


def _unverified_survivors(settlement: Settlement) -> Iterator[tuple[int, Reason]]:
    case, verified = settlement.nomination.case, settlement.facts.verified
    for group, survivors in settlement._losing_groups():
        if any(row in verified and verified[row].whole for row in survivors):
            continue
        told = [
            f"model {case.snapshot.artifacts.id[row]}: {verified[row].detail}"
            for row in survivors
            if row in verified
        ]
        detail = "no surviving model of its group is whole" + (f" ({'; '.join(told[:3])})" if told else "")
        for row in group.rows:
            if row in settlement.deletions and case.snapshot.type_of(row) == MODEL:
                yield row, Reason("hold.no-verified-survivor", detail, path=(case.artifact_step(row),))


def _needed_checkpoints(settlement: Settlement) -> Iterator[tuple[int, Reason]]:
    case = settlement.nomination.case
    for row in settlement.deletions:
        if case.snapshot.type_of(row) == MODEL_RUN:
            problem = holds.unverified_sibling(case, settlement.facts, row, settlement.deletions)
            if problem is not None:
                detail = f"its newest checkpoint may be all that is left; {problem}"
                yield row, Reason("hold.newest-checkpoint", detail, path=(case.artifact_step(row),))


def _clusters(case: Case, facts: StorageFacts) -> dict[int, tuple[int, ...]]:
    """Rows by row whose payloads may touch; a served destination takes part as -1 - row of its PushedModel.

    Sorted by path components, everything inside a payload follows it directly, so one pass finds the chains.
    """
    members = [(place.scheme, (*place.path.split("/"),), row) for row, place in facts.places.items()]
    members += [
        (place.scheme, (*place.path.split("/"),), -1 - row) for row, place in facts.destinations.items()
    ]
    members.sort()
    found: dict[int, tuple[int, ...]] = {}
    chain: list[int] = []
    top: tuple[str, tuple[str, ...]] | None = None
    for scheme, parts, row in members:
        if top is not None and scheme == top[0] and parts[: len(top[1])] == top[1]:
            chain.append(row)
            continue
        if len(chain) > 1:
            found.update(dict.fromkeys(chain, tuple(chain)))
        chain, top = [row], (scheme, parts)
    if len(chain) > 1:
        found.update(dict.fromkeys(chain, tuple(chain)))
    return {row: rows for row, rows in found.items() if row >= 0}
