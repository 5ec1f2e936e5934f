"""Refuses what only shows when one looks at several fields of a policy together: what can have no effect.

Each refusal here is certain: without the word, or without the rule, every history would be judged the same.
What merely looks deadly is not refused; `cautions` tells it to who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tfx_janitor.policy.durations import format_duration
from tfx_janitor.policy.file import FieldPath, Problem
from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.rules import Match, Rule


def refusals(
    rules: Sequence[Rule], *, min_age: timedelta, orphans_older_than: timedelta | None = None
) -> Iterator[Problem]:
    """What a policy must not say, each with its field."""
    if orphans_older_than is not None and orphans_older_than < min_age:
        yield Problem(
            f"useless: min_age holds all that is younger than {format_duration(min_age)} already; "
            "expected that or a longer time",
            ("orphans", "older_than"),
        )
    for number, rule in enumerate(rules):
        at = ("rules", number)
        yield from _idle_rule(rules, number, at)
        if rule.keep is not None:
            for below, keep in rule.keep.walk((*at, "keep")):
                yield from _idle_words(keep, below)
                yield from _younger_than_min_age(keep, below, min_age)


def covers(outer: Match, inner: Match) -> bool:
    """Whether one match surely fits all that another one fits; False where the patterns do not tell."""
    fields = ("type", "pipeline", "node", "output")
    return all(
        "*" in getattr(outer, name) or set(getattr(inner, name)) <= set(getattr(outer, name))
        for name in fields
    ) and all(
        name in inner.properties and inner.properties[name] == value
        for name, value in outer.properties.items()
    )


def _idle_rule(rules: Sequence[Rule], number: int, at: FieldPath) -> Iterator[Problem]:
    rule = rules[number]
    for other_number, other in enumerate(rules):
        alike = (rule.match, rule.group_by, rule.keep) == (other.match, other.group_by, other.keep)
        earlier_twin = number < other_number and alike and rule.checkpoints == other.checkpoints
        if number == other_number or earlier_twin or not covers(other.match, rule.match):
            continue
        name = f'rules[{other_number}], "{other.name}",'
        if rule.unsafe_delete_all:
            yield Problem(
                f"useless: {name} governs all that it matches, too, and what several rules match is deleted "
                "only if all of them let it go; narrow the match of one of them",
                (*at, "unsafe_delete_all"),
            )
            return
        if alike and rule.checkpoints in (None, other.checkpoints):
            yield Problem(f"useless: {name} says the same of the same artifacts; remove one of them", at)
            return


def _younger_than_min_age(keep: Keep, at: FieldPath, min_age: timedelta) -> Iterator[Problem]:
    if keep.newer_than is not None and keep.newer_than < min_age and keep.max_bytes is None:
        yield Problem(
            f"useless: min_age holds all that is younger than {format_duration(min_age)} already; "
            "expected a longer time",
            (*at, "newer_than"),
        )


@dataclass(frozen=True)
class _Term:
    """One word with its value, somewhere in a union of words.

    Attributes:
      at: where it stands in the policy.
      whole: whether all that the word keeps is in the union; not so where an `unless` stands beside it.
    """

    at: FieldPath
    word: str
    value: Any
    whole: bool = True

    @property
    def shown(self) -> str:
        """Where it stands in its rule's keep, for messages: `any_of[0].last`."""
        return Problem("", self.at[self.at.index("keep") + 1 :]).field

    def keeps_all_of(self, other: _Term) -> bool:
        """Whether this word surely keeps whatever the other one does."""
        wider = _WIDER.get(self.word)
        return self.word == other.word and wider is not None and wider(self.value, other.value)


def _terms(keep: Keep, at: FieldPath, whole: bool = True) -> Iterator[_Term]:
    """The words of a keep and of what its `any_of` holds: it keeps what any of them keeps."""
    for word in keep.said:
        if word == "any_of":
            for number, inner in enumerate(keep.any_of or ()):
                yield from _terms(inner, (*at, word, number), whole and inner.unless is None)
        elif word not in ("all_of", "unless"):
            yield _Term((*at, word), word, getattr(keep, word), whole)


def _alone(keep: Keep, at: FieldPath) -> _Term | None:
    """The one word that a keep consists of, if it does."""
    terms = list(_terms(keep, at))
    return terms[0] if len(keep.said) == len(terms) == 1 else None


def _idle_words(keep: Keep, at: FieldPath) -> Iterator[Problem]:
    terms = list(_terms(keep, at))
    taken = (
        [] if keep.unless is None else [term for term in _terms(keep.unless, (*at, "unless")) if term.whole]
    )
    for index, term in enumerate(terms):
        for other_index, other in enumerate(terms):
            # Of two equal words the later one is useless. Within one part of any_of, that part tells.
            told = (index < other_index and term.keeps_all_of(other)) or _in_one_part(term, other, len(at))
            if index != other_index and other.whole and other.keeps_all_of(term) and not told:
                message = f"useless beside {other.shown}, which keeps all that it keeps; remove one of them"
                yield Problem(message, term.at)
                break
        for other in taken:
            if other.keeps_all_of(term):
                message = f"can never keep anything, for {other.shown} takes it all away; remove one of them"
                yield Problem(message, term.at)
                break
    yield from _idle_parts(keep, at, [term for term in terms if term.whole])


def _in_one_part(term: _Term, other: _Term, depth: int) -> bool:
    part = slice(0, depth + 2)
    return len(term.at) > depth + 1 and term.at[part] == other.at[part]


def _idle_parts(keep: Keep, at: FieldPath, beside: Sequence[_Term]) -> Iterator[Problem]:
    """Parts of all_of that take nothing away, or an all_of that adds nothing to the words beside it."""
    parts = [((*at, "all_of", number), part) for number, part in enumerate(keep.all_of or ())]
    for below, part in parts:
        narrow = _alone(part, below)
        if narrow is None:
            continue
        for term in beside:
            if term.keeps_all_of(narrow):
                message = (
                    f"useless beside {term.shown}, which keeps all that it could keep; remove one of them"
                )
                yield Problem(message, (*at, "all_of"))
                return
        for other_below, other in parts:
            wide = [term for term in _terms(other, other_below) if term.whole and term.keeps_all_of(narrow)]
            earlier_twin = other == part and other_below < below
            if wide and other.unless is None and other_below != below and not earlier_twin:
                message = f"useless beside {narrow.shown}, which keeps no more; remove one of them"
                yield Problem(message, other_below)


def _at_least(wide: Any, narrow: Any) -> bool:
    return wide >= narrow


def _superset(wide: Any, narrow: Any) -> bool:
    return set(wide) >= set(narrow)


_WIDER: Mapping[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(("last", "first", "within", "newer_than", "blessed", "pushed"), _at_least),
    **dict.fromkeys(("tagged", "used_by", "ancestors_of", "descendants_of", "ids"), _superset),
    "best": lambda wide, narrow: (
        (wide.metric, wide.mode) == (narrow.metric, narrow.mode) and wide.count >= narrow.count
    ),
    "groups": lambda wide, narrow: wide == narrow,
}
"""Per word, whether one value keeps all that another does. Calendar words depend on their neighbours."""
