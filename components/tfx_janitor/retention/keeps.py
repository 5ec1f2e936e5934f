"""The policy's vocabulary of keeps, one small piece per word.

Each word sees a whole group, newest first, and answers for every member whether it keeps it, with a
function that says why or by how much it missed; so ranking words and filtering words have one shape, and
sentences are only made for artifacts that somebody looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tfx_janitor.retention.case import Case, Group
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.timestamps import shown, to_ms


@dataclass(frozen=True, slots=True)
class Judgement:
    """One word's answer for a group.

    Attributes:
      kept: per member of the group, in its order.
      explain: the detail for the member at an index, kept or missed.
    """

    kept: Sequence[bool]
    explain: Callable[[int], str]


Word = Callable[[Case, Group, Any], Judgement]


def last(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the newest `count`, by creation time, then id."""
    return _rank(range(len(group.rows)), len(group.rows), count, "newest", "newest")


def first(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the oldest `count`."""
    size = len(group.rows)
    return _rank(range(size - 1, -1, -1), size, count, "oldest", "oldest")


def within(case: Case, group: Group, span: timedelta) -> Judgement:
    """Keeps what is at most `span` older than the group's newest, so a stopped pipeline expires nothing."""
    created = case.snapshot.artifacts.created_ms
    newest = int(created[group.rows[0]])
    kept = [bool(created[row] >= newest - to_ms(span)) for row in group.rows]

    def explain(at: int) -> str:
        relation = "within the span" if kept[at] else "beyond the span"
        moment = shown(int(created[group.rows[at]]))
        return f"created {moment}, {relation} before the group's newest, {shown(newest)}"

    return Judgement(kept, explain)


def newer_than(case: Case, group: Group, age: timedelta) -> Judgement:
    """Keeps what is at most `age` old now."""
    created = case.snapshot.artifacts.created_ms
    oldest_kept = case.now_ms - to_ms(age)
    kept = [bool(created[row] >= oldest_kept) for row in group.rows]

    def explain(at: int) -> str:
        ends = shown(int(created[group.rows[at]]) + to_ms(age))
        return f"newer than the limit until {ends}" if kept[at] else f"older than the limit since {ends}"

    return Judgement(kept, explain)


def blessed(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the newest `count` that are blessed; a ModelRun counts by the Model that came of it."""
    chosen = [at for at, row in enumerate(group.rows) if case.is_blessed(row)]
    return _rank(chosen, len(group.rows), count, "newest blessed", "blessed")


def pushed(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the newest `count` that were pushed; a ModelRun counts by the Model that came of it."""
    chosen = [at for at, row in enumerate(group.rows) if case.is_pushed(row)]
    return _rank(chosen, len(group.rows), count, "newest pushed", "pushed")


def tagged(case: Case, group: Group, tags: Sequence[str]) -> Judgement:
    """Keeps what carries one of the tags: words of the property `tags`, separated by commas or blanks."""
    wanted = frozenset(tags)

    def found(row: int) -> list[str]:
        text = case.snapshot.property(row, "tags")
        return sorted(wanted.intersection(str(text or "").replace(",", " ").split()))

    matches = [found(row) for row in group.rows]

    def explain(at: int) -> str:
        if matches[at]:
            return f"tagged {', '.join(matches[at])}"
        return f"has none of the tags {', '.join(sorted(wanted))}"

    return Judgement([bool(match) for match in matches], explain)


def ids(case: Case, group: Group, wanted: Sequence[int]) -> Judgement:
    """Keeps the artifacts named by id."""
    listed = frozenset(wanted)
    kept = [int(case.snapshot.artifacts.id[row]) in listed for row in group.rows]
    return Judgement(kept, lambda at: "listed by id" if kept[at] else "its id is not listed")


WORDS: Mapping[str, Word] = {
    "last": last,
    "first": first,
    "within": within,
    "newer_than": newer_than,
    "blessed": blessed,
    "pushed": pushed,
    "tagged": tagged,
    "ids": ids,
}
"""The vocabulary: a field of `policy.Keep` and the word that answers for it."""


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What all words of one rule say about one group."""

    group: Group
    words: tuple[tuple[str, Judgement], ...]

    def keeps(self, at: int) -> bool:
        """Whether any word keeps the member at an index."""
        return any(judgement.kept[at] for _, judgement in self.words)

    def reasons(self, at: int) -> tuple[Reason, ...]:
        """Each word's reason for the member at an index: `keep.<word>`, or `expire.<word>` if it missed."""
        if not self.words:
            return (Reason("expire.all", "unsafe_delete_all keeps nothing", self.group.rule.name),)
        return tuple(
            Reason(
                f"{'keep' if judgement.kept[at] else 'expire'}.{word}",
                judgement.explain(at),
                self.group.rule.name,
            )
            for word, judgement in self.words
        )


def answer(case: Case, group: Group) -> RuleAnswer:
    """Asks every word that the group's rule uses."""
    keep = group.rule.keep
    used = [] if keep is None else [(word, getattr(keep, word)) for word in WORDS]
    # `is not None`, and not truth: an empty list is refused by the schema, a zero would be too.
    return RuleAnswer(
        group, tuple((word, WORDS[word](case, group, value)) for word, value in used if value is not None)
    )


def _rank(chosen: Sequence[int], size: int, count: int, superlative: str, noun: str) -> Judgement:
    """Ranks the chosen indexes in their order and keeps the first `count`."""
    rank = {at: place for place, at in enumerate(chosen, start=1)}
    kept = [rank.get(at, count + 1) <= count for at in range(size)]

    def explain(at: int) -> str:
        if at not in rank:
            return f"not {noun}"
        if kept[at]:
            return f"rank {rank[at]} of {len(chosen)}, the {superlative} {count} are kept"
        return f"rank {rank[at]} of {len(chosen)}, keeps {count}"

    return Judgement(kept, explain)
