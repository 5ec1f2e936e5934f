"""Opinions on one case as values: what policy and lineage say, and what is left when storage was asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.rules import Rule
from tfx_janitor.retention.answers import RuleAnswer
from tfx_janitor.retention.case import MODEL, MODEL_RUN, PRESENT, Case, Group
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.lineage_words import Reach
from tfx_janitor.retention.metrics import decisive_payloads
from tfx_janitor.retention.plan import Reason

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
        return [tuple(survivors) for _, survivors in self.losing_groups()]

    def siblings_to_verify(self) -> list[int]:
        """Models that stand for the checkpoints of a ModelRun which is deleted or pruned."""
        case = self.nomination.case
        runs = [row for row in self.deletions if case.snapshot.type_of(row) == MODEL_RUN]
        wanted = {
            model for run in (*runs, *self.rows_to_prune()) for model in case.snapshot.siblings(run, MODEL)
        }
        states = case.snapshot.artifacts.state
        return sorted(model for model in wanted - self.deletions if states[model] in PRESENT)

    def vouching_for(self, rows: Collection[int]) -> set[int]:
        """Models on whose wholeness it depends whether one of these rows goes, or is pruned inside."""
        snapshot = self.nomination.case.snapshot
        runs = (row for row in rows if snapshot.type_of(row) == MODEL_RUN)
        siblings = {model for run in runs for model in snapshot.siblings(run, MODEL)}
        vouching = set(siblings)
        for group, survivors in self.losing_groups():
            # A Model that goes lets its ModelRun go, too; so whoever lets the Model go vouches for both.
            if any((row in rows or row in siblings) and row in self.deletions for row in group.rows):
                vouching.update(survivors)
        return vouching

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

    def losing_groups(self) -> Iterator[tuple[Group, list[int]]]:
        """Each group that loses a Model, with the Models that stay and vouch for it, newest first."""
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
