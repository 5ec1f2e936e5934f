"""What all words of a rule say together about a group: any of them keeps, unless something takes it away.

A `keep` is a small formula. Most of its words are answered once, when the group is known; those of lineage
depend on what else stays and are asked again in every round of `settle`, through a `Reach`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from tfx_janitor.policy.keep import LINEAGE_WORDS, Keep
from tfx_janitor.retention import calendar
from tfx_janitor.retention.case import Case, Group
from tfx_janitor.retention.judgement import Judgement
from tfx_janitor.retention.keeps import WORDS
from tfx_janitor.retention.lineage_words import Reach
from tfx_janitor.retention.plan import Reason


@dataclass(frozen=True)
class Formula:
    """One `keep` with its words answered for a group.

    Attributes:
      words: those that the group alone answers, in the schema's order; `max_bytes` is one of them.
      lineage: those of lineage with their selectors.
      any_of, all_of: formulas that are put together.
      unless: what takes away.
    """

    group: Group
    words: tuple[tuple[str, Judgement], ...]
    lineage: tuple[tuple[str, tuple[str, ...]], ...]
    any_of: tuple[Formula, ...] = ()
    all_of: tuple[Formula, ...] = ()
    unless: Formula | None = None

    def keeps(self, at: int, reach: Reach | None) -> bool:
        """Whether the member at an index is kept; without `reach` no word of lineage keeps anything."""
        return self._wants(at, reach) and not self._taken(at)

    def reasons(self, at: int, reach: Reach) -> Iterator[Reason]:
        """Each word's reason for the member: `keep.<word>`, or `expire.<word>` if it missed.

        Where `unless` takes away what some word keeps, `expire.unless` says so in that word's place.
        """
        taken = self._taken(at)
        wanted: list[Reason] = []
        for reason in self._said(at, reach):
            if taken and _keeps(reason):
                wanted.append(reason)
            else:
                yield reason
        if taken and wanted and self.unless is not None:
            names = ", ".join(_word(reason) for reason in wanted)
            against = ", ".join(_told(r) for r in self.unless.reasons(at, reach) if _keeps(r))
            rule = self.group.rule.name
            yield Reason("expire.unless", f"{names} would keep it, unless {against}", rule)

    def unknown(self, at: int) -> Reason | None:
        """What some word, here or in what is put together, does not understand about a member."""
        for _, judgement in self.words:
            if at in judgement.unknown:
                return Reason(judgement.unknown[at], judgement.explain(at), self.group.rule.name)
        inner = (*self.any_of, *self.all_of, *([] if self.unless is None else [self.unless]))
        return next((reason for formula in inner if (reason := formula.unknown(at)) is not None), None)

    @property
    def asks_lineage(self) -> bool:
        """Whether the answer depends on what else stays."""
        return bool(self.lineage) or any(formula.asks_lineage for formula in (*self.any_of, *self.all_of))

    def _wants(self, at: int, reach: Reach | None) -> bool:
        row = self.group.rows[at]
        return (
            any(judgement.kept[at] for _, judgement in self.words)
            or any(formula.keeps(at, reach) for formula in self.any_of)
            or (bool(self.all_of) and all(formula.keeps(at, reach) for formula in self.all_of))
            or (reach is not None and any(reach.finds(*asked, row) for asked in self.lineage))
        )

    def _taken(self, at: int) -> bool:
        # The schema allows no word of lineage here, so nothing that depends on what else stays.
        return self.unless is not None and self.unless.keeps(at, None)

    def _said(self, at: int, reach: Reach) -> Iterator[Reason]:
        rule, row = self.group.rule.name, self.group.rows[at]
        for word, judgement in self.words:
            code = f"{'keep' if judgement.kept[at] else 'expire'}.{word}"
            yield Reason(code, judgement.explain(at), rule, judgement.path(at))
        for word, selectors in self.lineage:
            yield reach.reason(word, selectors, row, rule)
        for word, formulas in (("any_of", self.any_of), ("all_of", self.all_of)):
            if formulas:
                answers = [formula.keeps(at, reach) for formula in formulas]
                kept = any(answers) if word == "any_of" else all(answers)
                # What decided: those that keep where it is kept, else those that do not.
                telling = [f for f, answer in zip(formulas, answers, strict=True) if answer == kept]
                parts = [
                    " and ".join(_told(r) for r in formula.reasons(at, reach) if _keeps(r) == kept)
                    for formula in telling
                ]
                yield Reason(f"{'keep' if kept else 'expire'}.{word}", "; ".join(parts), rule)


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule says about one group."""

    group: Group
    formula: Formula

    def keeps(self, at: int, reach: Reach | None = None) -> bool:
        """Whether the rule keeps the member at an index; what it does not understand it does not let go."""
        return self.formula.unknown(at) is not None or self.formula.keeps(at, reach)

    @property
    def asks_lineage(self) -> bool:
        """Whether the answer depends on what else stays."""
        return self.formula.asks_lineage

    def reasons(self, at: int, reach: Reach) -> tuple[Reason, ...]:
        """Each word's reason for the member at an index."""
        unknown = self.formula.unknown(at)
        if unknown is not None:
            return (unknown,)
        told = tuple(self.formula.reasons(at, reach))
        return told or (Reason("expire.all", "unsafe_delete_all keeps nothing", self.group.rule.name),)


def answer(case: Case, group: Group) -> RuleAnswer:
    """Asks every word that the group's rule uses."""
    keep = group.rule.keep or Keep()
    formula = _formula(case, group, keep)
    if keep.max_bytes is not None:
        budget = _budget(case, formula, keep.max_bytes)
        formula = dataclasses.replace(formula, words=(*formula.words, ("max_bytes", budget)))
    return RuleAnswer(group, formula)


def members_with_budget(case: Case) -> list[int]:
    """Rows whose sizes a budget of the policy must know, ascending."""
    budgeted = (g for g in case.groups if g.rule.keep is not None and g.rule.keep.max_bytes is not None)
    return sorted({row for group in budgeted for row in group.rows})


def _formula(case: Case, group: Group, keep: Keep) -> Formula:
    counts = {word: count for word in calendar.PERIODS if (count := getattr(keep, word)) is not None}
    judgements = calendar.judge(case, group, counts)
    for word, judge in WORDS.items():
        value = getattr(keep, word)
        if value is not None:
            judgements[word] = judge(case, group, value)
    return Formula(
        group,
        words=tuple((word, judgements[word]) for word in Keep.model_fields if word in judgements),
        lineage=tuple((word, selectors) for word in LINEAGE_WORDS if (selectors := getattr(keep, word))),
        any_of=tuple(_formula(case, group, inner) for inner in keep.any_of or ()),
        all_of=tuple(_formula(case, group, inner) for inner in keep.all_of or ()),
        unless=None if keep.unless is None else _formula(case, group, keep.unless),
    )


def _budget(case: Case, formula: Formula, most: int) -> Judgement:
    """Fills up what room the other words leave, newest first, up to the first that does not fit.

    What only a word of lineage keeps counts as left: else a model that goes would change the budget of the
    data that it was trained on.
    """
    sizes = [case.evidence.bytes.get(row, 0) for row in formula.group.rows]
    kept = [formula.keeps(at, None) for at in range(len(sizes))]
    used_by_others = sum(size for size, other in zip(sizes, kept, strict=True) if other)
    total, filled = used_by_others, dict[int, int]()
    for at, size in enumerate(sizes):
        if not kept[at] and not formula._taken(at):
            total += size
            filled[at] = total

    def explain(at: int) -> str:
        if kept[at]:
            return f"another word keeps it; those take {used_by_others:,} of {most:,} bytes"
        if at not in filled:
            return "unless takes it away, so it is not filled in again"
        relation = "within" if filled[at] <= most else "beyond"
        return f"with it the group comes to {filled[at]:,} bytes, {relation} {most:,}"

    return Judgement([filled.get(at, most + 1) <= most for at in range(len(sizes))], explain)


def _keeps(reason: Reason) -> bool:
    return reason.code.startswith("keep.")


def _word(reason: Reason) -> str:
    return reason.code.partition(".")[2]


def _told(reason: Reason) -> str:
    return f"{_word(reason)} ({reason.detail})"
