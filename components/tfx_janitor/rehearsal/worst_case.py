"""The smallest history in which a policy would delete something that was ever pushed.

A search through imagined histories of one pipeline, judged by the engine that judges real ones. Nothing in
them is pinned or served any more, and all of it is old enough.

Within a family of histories a longer one loses what a shorter one does, and so does one with more pushed
runs; so the fewest are found by bisection. Of histories with equally many runs the one with the fewest pushed
runs is taken, and of those the most ordinary one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from tfx_janitor.payload.places import parse
from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.rules import fits
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.rehearsal.adverse import NEWEST_MS, Adversary, Family
from tfx_janitor.rehearsal.imagined import PUSHABLE, Names, Run, fitting, imagine, row_of, storage
from tfx_janitor.retention.case import MODEL, MODEL_RUN, Case
from tfx_janitor.retention.decide import decide
from tfx_janitor.retention.facts import Evidence
from tfx_janitor.retention.plan import Decision
from tfx_janitor.retention.settle import nominate, settle
from tfx_janitor.retention.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Loss:
    """A history in which something that was ever pushed is deleted.

    Attributes:
      now_ms: the moment that is judged.
      runs: the oldest first.
      type: the type of `decisions`: of the pushed things that are deleted, the first of Model, ModelRun and
        PushedModel.
      decisions: per run the verdict on what it made of that type.
      lost: the pushed things that are deleted, of any type.
      payload_bytes: size of each payload, where a budget counts them.
    """

    family: Family
    now_ms: int
    runs: tuple[Run, ...]
    type: str
    decisions: tuple[Decision, ...]
    lost: tuple[Decision, ...]
    payload_bytes: int | None


@dataclass(frozen=True, slots=True)
class WorstCase:
    """What the search found for one rule.

    Attributes:
      types: what the rule may delete of what a push needs or leaves.
      loss: None if nothing is lost in any history that was tried.
    """

    rule: Rule
    types: tuple[str, ...]
    loss: Loss | None


def worst_cases(policy: RetentionPolicy) -> tuple[WorstCase, ...]:
    """The worst case of each rule, in the policy's order.

    What is lost to a rule, all other rules that govern it let go as well.
    """
    return tuple(_worst_case(policy, rule) for rule in policy.rules)


def _worst_case(policy: RetentionPolicy, rule: Rule) -> WorstCase:
    names = _names_for(rule)
    if rule.keep is None or names is None:
        return WorstCase(rule, (), None)
    search = _Search(policy, rule, names)
    return WorstCase(rule, search.types, search.smallest() if search.types else None)


def _names_for(rule: Rule) -> Names | None:
    """Names that the rule matches, the usual ones where it does; None if nothing could have such a name."""
    match, usual = rule.match, Names()
    trains = any(fits(match.type, name) for name in (MODEL, MODEL_RUN))
    pipeline = fitting(match.pipeline, usual.pipeline)
    trainer = fitting(match.node, usual.trainer) if trains else usual.trainer
    if pipeline is None or trainer is None:
        return None
    pusher = fitting(match.node, usual.pusher)
    model = fitting(match.output, usual.model) or usual.model
    model_run = fitting(match.output, usual.model_run)
    # Two nodes, or two outputs of one node, never share a name: then only the first of them is meant.
    return Names(
        pipeline=pipeline,
        trainer=trainer,
        pusher=pusher if pusher and pusher != trainer else usual.pusher,
        model=model,
        model_run=model_run if model_run and model_run != model else usual.model_run,
        pushed_model=fitting(match.output, usual.pushed_model) or usual.pushed_model,
    )


@dataclass(frozen=True)
class _Judged:
    """A history, judged: `losses` are the rows of pushed things that are deleted."""

    family: Family
    runs: tuple[Run, ...]
    settlement: Settlement
    losses: tuple[int, ...]

    @property
    def pushed_runs(self) -> int:
        """How many runs were pushed."""
        return sum(run.pushed for run in self.runs)

    @property
    def type(self) -> str:
        """Of what is lost, the first of Model, ModelRun and PushedModel."""
        types = {self.settlement.nomination.case.snapshot.type_of(row) for row in self.losses}
        return next(name for name in PUSHABLE if name in types)

    @property
    def rank(self) -> tuple[int, int]:
        """What makes a loss more telling than another of equally many runs: the lower."""
        return self.pushed_runs, PUSHABLE.index(self.type)

    @property
    def victims(self) -> list[int]:
        """Numbers of the runs that lose something, ascending."""
        return [
            number
            for number in range(len(self.runs))
            if any(row_of(number, name) in self.losses for name in PUSHABLE)
        ]


class _Search:
    """The histories that one rule is tried with.

    Attributes:
      types: what the rule governs of what a push needs or leaves.
    """

    def __init__(self, policy: RetentionPolicy, rule: Rule, names: Names) -> None:
        self._policy, self._names = policy, names
        self._roots = tuple(map(parse, policy.roots))
        self._first_id = 1 + max(
            (number for each in policy.rules for keep in _keeps(each) for number in keep.ids or ()), default=0
        )
        one = (Run(NEWEST_MS, pushed=True, blessed=True, properties=rule.match.properties),)
        governed = self._case(one, NEWEST_MS, None).governed
        self.types = tuple(name for name in PUSHABLE if rule in governed.get(row_of(0, name), ()))
        deciding = {each.name: each for name in self.types for each in governed[row_of(0, name)]}
        keeps = tuple(keep for each in deciding.values() for keep in _keeps(each))
        self._adversary = Adversary(keeps, policy.min_age, rule.match.properties)

    def smallest(self) -> Loss | None:
        """The loss with the fewest runs, and of those the one with the fewest pushed runs."""
        families = list(self._adversary.families())
        length = self._adversary.enough
        for family in filter(self._adversary.is_hard, families):
            length = self._shortest(family, length) or length
        best: _Judged | None = None
        at_most = length
        for family in families:
            judged = self._fewest_pushed(family, length, at_most)
            if judged is not None and (best is None or judged.rank < best.rank):
                best = judged
                at_most = best.pushed_runs - (best.type == self.types[0])
            if not at_most:
                break
        return None if best is None else self._loss(best)

    def _shortest(self, family: Family, at_most: int) -> int | None:
        """Length of the family's shortest history with a loss; None if it is longer than `at_most`."""
        longest = min(at_most, family.longest)
        # The newest run is held: one alone loses nothing.
        if longest < 2 or not self._first_loss(family, longest):
            return None
        return _least(2, longest, lambda length: self._first_loss(family, length) is not None)

    def _first_loss(self, family: Family, length: int) -> _Judged | None:
        """A history of this length with a loss: all runs pushed, or only one where that may be what loses."""
        choices: list[Collection[int]] = [range(length)]
        if self._adversary.taking_away and length > 1:
            choices += [(length - 2,), (0,)]
        judged = (self._judge(family, length, pushed) for pushed in choices)
        return next((each for each in judged if each.losses), None)

    def _fewest_pushed(self, family: Family, length: int, at_most: int) -> _Judged | None:
        """The family's loss with the fewest pushed runs: one that is lost, and the newest of the others."""
        first = self._first_loss(family, length) if length <= family.longest else None
        if first is None:
            return None
        best = first if first.pushed_runs <= at_most else None
        for victim in first.victims:
            order = (victim, *(number for number in range(length - 1, -1, -1) if number != victim))

            def lossy(count: int, order: tuple[int, ...] = order) -> bool:
                return bool(self._judge(family, length, order[:count]).losses)

            fewer = at_most if best is None else best.pushed_runs - 1
            if fewer and lossy(fewer):
                best = self._judge(family, length, order[: _least(1, fewer, lossy)])
        return best

    def _judge(self, family: Family, length: int, pushed: Collection[int]) -> _Judged:
        runs = self._adversary.runs(family, length, pushed)
        case = self._case(runs, family.now_ms, self._adversary.payload_bytes)
        facts = storage(runs, self._names, self._roots[0], self._roots)
        settlement = settle(nominate(case), facts)
        rows = (row_of(number, name) for number in sorted(pushed) for name in self.types)
        return _Judged(family, runs, settlement, tuple(row for row in rows if row in settlement.deletions))

    def _case(self, runs: tuple[Run, ...], now_ms: int, payload_bytes: int | None) -> Case:
        snapshot = imagine(runs, self._names, self._roots[0], self._first_id)
        sizes = {} if payload_bytes is None else dict.fromkeys(range(len(snapshot.artifacts)), payload_bytes)
        return Case(snapshot, self._policy, now_ms, evidence=Evidence(bytes=sizes))

    def _loss(self, judged: _Judged) -> Loss:
        case = judged.settlement.nomination.case
        plan = decide(judged.settlement, metadata="imagined", created_ms=case.now_ms)
        by_id = {decision.artifact_id: decision for decision in plan.decisions}
        ids = case.snapshot.artifacts.id
        lost = tuple(by_id[int(ids[row])] for row in judged.losses)
        rows = (row_of(number, judged.type) for number in range(len(judged.runs)))
        return Loss(
            family=judged.family,
            now_ms=case.now_ms,
            runs=judged.runs,
            type=judged.type,
            decisions=tuple(by_id[int(ids[row])] for row in rows),
            lost=lost,
            payload_bytes=self._adversary.payload_bytes,
        )


def _keeps(rule: Rule) -> Iterator[Keep]:
    return (keep for _, keep in rule.keep.walk()) if rule.keep is not None else iter(())


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number from which on something holds, given that it holds for the highest."""
    if low < high and not holds(high - 1):  # as it often is
        return high
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
