"""The policy's vocabulary of keeps, one small piece per word.

Each word sees a whole group, newest first, and answers for every member whether it keeps it, with a
function that says why or by how much it missed; so ranking words and filtering words have one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tfx_janitor.lineage.snapshot import INPUTS
from tfx_janitor.policy.durations import format_duration
from tfx_janitor.policy.rules import fits
from tfx_janitor.retention.case import Case, Group
from tfx_janitor.retention.judgement import Judgement, first_kept, ranked
from tfx_janitor.retention.metrics import best
from tfx_janitor.retention.plan import Step
from tfx_janitor.retention.property_groups import groups
from tfx_janitor.retention.timestamps import shown, to_ms

Word = Callable[[Case, Group, Any], Judgement]


def last(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the newest `count`, and what was created in the same millisecond as the last of them.

    The tie is the rule of TFX's KeepMostRecentlyPublished: outputs that were published together are not torn
    apart by the order of their ids.
    """
    created = case.snapshot.artifacts.created_ms[list(group.rows)]
    tied = int((created >= created[min(count, len(created)) - 1]).sum())
    judged = ranked(range(len(created)), len(created), max(tied, count), "newest", "newest")
    if tied <= count:
        return judged

    def explain(at: int) -> str:
        if at >= tied:
            return f"rank {at + 1} of {len(created)}, keeps {count} and what is as old as the last of them"
        if at >= count:
            return f"rank {at + 1} of {len(created)}, as old as the last of the newest {count}"
        return f"rank {at + 1} of {len(created)}, {first_kept('newest', count)}"

    return Judgement(judged.kept, explain)


def first(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the oldest `count`."""
    size = len(group.rows)
    return ranked(range(size - 1, -1, -1), size, count, "oldest", "oldest")


def within(case: Case, group: Group, span: timedelta) -> Judgement:
    """Keeps what is at most `span` older than the group's newest, so a stopped pipeline expires nothing."""
    created = case.snapshot.artifacts.created_ms
    newest = int(created[group.rows[0]])
    kept = [bool(created[row] >= newest - to_ms(span)) for row in group.rows]

    def explain(at: int) -> str:
        moment = int(created[group.rows[at]])
        gap = format_duration(timedelta(milliseconds=newest - moment))
        before = f"{gap} before the group's newest, {shown(newest)}"
        return f"created {shown(moment)}, {before}; keeps {format_duration(span)}"

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
    return ranked(chosen, len(group.rows), count, "newest blessed", "blessed")


def pushed(case: Case, group: Group, count: int) -> Judgement:
    """Keeps the newest `count` that were pushed; a ModelRun counts by the Model that came of it."""
    chosen = [at for at, row in enumerate(group.rows) if case.is_pushed(row)]
    return ranked(chosen, len(group.rows), count, "newest pushed", "pushed")


def tagged(case: Case, group: Group, tags: Sequence[str]) -> Judgement:
    """Keeps what carries one of the tags: words of the property `tags`, separated by commas or blanks."""
    wanted = frozenset(tags)

    def found(row: int) -> list[str]:
        text = case.snapshot.property(row, "tags")
        return sorted(wanted.intersection(str(text or "").replace(",", " ").split()))

    matches = [found(row) for row in group.rows]

    def explain(at: int) -> str:
        if matches[at]:
            return ", ".join(matches[at])
        return f"has none of the tags {', '.join(sorted(wanted))}"

    return Judgement([bool(match) for match in matches], explain)


def ids(case: Case, group: Group, wanted: Sequence[int]) -> Judgement:
    """Keeps the artifacts named by id."""
    listed = frozenset(wanted)
    kept = [int(case.snapshot.artifacts.id[row]) in listed for row in group.rows]
    return Judgement(kept, lambda at: "listed by id" if kept[at] else "its id is not listed")


def used_by(case: Case, group: Group, patterns: Sequence[str]) -> Judgement:
    """Keeps what an execution of a pipeline that fits ever took as input; the janitor's acts use nothing."""
    executions = case.snapshot.executions
    # The last one stands for an execution without any pipeline, whose index is -1.
    names = (*executions.pipeline_names, None)
    fitting = [fits(patterns, name) for name in names]
    users: list[int | None] = []
    for row in group.rows:
        found = case.snapshot.executions_of(row, INPUTS)
        own = case.snapshot.janitor_executions
        users.append(next((e for e in found if fitting[executions.pipeline[e]] and not own[e]), None))

    def explain(at: int) -> str:
        user = users[at]
        if user is None:
            return f"no pipeline {' or '.join(patterns)} ever took it as input"
        name = names[executions.pipeline[user]] or "no known pipeline"
        return f"taken as input by execution {executions.id[user]} of {name}"

    def path(at: int) -> tuple[Step, ...]:
        user = users[at]
        return () if user is None else (case.artifact_step(group.rows[at]), case.execution_step(user))

    return Judgement([user is not None for user in users], explain, path)


WORDS: Mapping[str, Word] = {
    "last": last,
    "first": first,
    "within": within,
    "newer_than": newer_than,
    "best": best,
    "blessed": blessed,
    "pushed": pushed,
    "tagged": tagged,
    "groups": groups,
    "used_by": used_by,
    "ids": ids,
}
"""The words that a group alone answers: fields of `policy.keep.Keep`, each with what it means. Those that are
not here are put together from several: calendar periods (`calendar`), lineage (`lineage_words`), combinators
and the budget (`answers`)."""
