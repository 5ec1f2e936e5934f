"""A policy's rules in words: one sentence each, with every word of the vocabulary spelled out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tfx_janitor.policy.keep import Best, Grouping, Keep
from tfx_janitor.policy.rules import CheckpointRule, Match
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.report.text import size
from tfx_janitor.retention.calendar import PERIODS

_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))

_PERIODS = dict(zip(PERIODS, ("hour", "day", "week", "month", "quarter", "year"), strict=True))

_SELECTORS = {
    "model": "the Models that stay",
    "blessed": "the blessed Models that stay",
    "pushed": "the Models that were pushed, while they or a PushedModel of theirs stay",
    "served": "the Models that are served",
    "pinned": "what is pinned",
}


def rule_sentence(rule: Rule) -> str:
    """What a rule does, as one sentence."""
    subject = f"Of {_matched(rule.match)}"
    inside = "" if rule.checkpoints is None else _checkpoints(rule.checkpoints)
    if rule.keep is None:
        return f"{subject} it deletes none, and {inside}."
    if rule.keep.is_empty:
        return f"{subject} it keeps none: all may go that nothing holds."
    kept = "; ".join(_phrases(rule.keep))
    inside = f"; {inside}" if inside else ""
    return f"{subject} it keeps {_grouped(rule.group_by)}: {kept}; all else may go{inside}."


def policy_sentence(policy: RetentionPolicy) -> str:
    """Where and when anything may go at all, as one sentence."""
    where = f"lies inside {listed(policy.roots, 'or')}"
    old = [f"is at least {spelled(policy.min_age)} old"] if policy.min_age else []
    after = "what is marked may be purged at once"
    if policy.grace:
        after = f"between mark and purge it can be restored for {spelled(policy.grace)}"
    sentence = f"Only what {listed([where, *old, 'is held by nothing'])} is ever deleted; {after}."
    if policy.orphans is None:
        return sentence
    quiet = spelled(policy.orphans.older_than)
    return (
        f"{sentence} What an execution left that recorded nothing may go when neither it nor its run gave a "
        f"sign of life for {quiet}."
    )


def spelled(duration: timedelta) -> str:
    """`1 day and 12 hours`, in whole days, hours and minutes, else in seconds."""
    parts: list[str] = []
    rest = duration
    for unit, length in _UNITS:
        number, rest = divmod(rest, length)
        if number:
            parts.append(counted(number, unit))
    if rest or not parts:
        seconds = rest.total_seconds()
        parts.append(f"{seconds:g} second" + ("" if seconds == 1 else "s"))
    return listed(parts)


def counted(number: int, noun: str) -> str:
    """`1 day`, `2 days`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _matched(match: Match) -> str:
    anything = match.type == ("*",)
    said = ["all artifacts" if anything else f"the artifacts of type {listed(match.type, 'or')}"]
    for name, preposition in (("pipeline", "of"), ("node", "from"), ("output", "under")):
        patterns: Sequence[str] = getattr(match, name)
        if patterns != ("*",):
            said.append(f"{preposition} {name} {listed(patterns, 'or')}")
    if match.properties:
        said.append(f"with {listed([f'{name} {value}' for name, value in match.properties.items()])}")
    return " ".join(said)


def _grouped(group_by: Sequence[str]) -> str:
    if not group_by:
        return "of all together"
    return f"for each {listed([part.removeprefix('properties.') for part in group_by])}"


def _phrases(keep: Keep) -> Iterator[str]:
    """What a keep keeps, one phrase for each part of it."""
    calendar = {word: getattr(keep, word) for word in PERIODS if getattr(keep, word) is not None}
    for word in keep.said:
        value = getattr(keep, word)
        if word in _PHRASES:
            yield _PHRASES[word](value)
        elif word == next(iter(calendar), None):
            yield _calendar(calendar)
        elif word == "any_of":
            for inner in value:
                yield _together(inner)
        elif word == "all_of":
            yield f"what is in each of these: {listed([f'({_together(inner)})' for inner in value])}"
    if keep.max_bytes is not None:
        room = f"the next newest while all of it comes to at most {size(keep.max_bytes)}"
        yield room if keep.said == ("max_bytes",) else f"and {room}"
    if keep.unless is not None:
        yield f"of all these but not {_together(keep.unless)}"


def _together(keep: Keep) -> str:
    return "; ".join(_phrases(keep))


def _newest(one: str = "", many: str = "") -> Callable[[int], str]:
    def phrase(count: int) -> str:
        return f"the newest{one}" if count == 1 else f"the newest {count:,}{many}"

    return phrase


def _oldest(count: int) -> str:
    return "the oldest" if count == 1 else f"the oldest {count:,}"


def _best(best: Best) -> str:
    which = "the one" if best.count == 1 else f"the {best.count:,}"
    return f"{which} with the {'highest' if best.mode == 'max' else 'lowest'} {best.metric}"


def _groups(groupings: Sequence[Grouping]) -> str:
    steps = []
    for grouping in groupings:
        if grouping.keep is None:
            steps.append(f"of every {grouping.property}")
        elif grouping.keep == 1:
            steps.append(f"with the {grouping.order} {grouping.property}")
        else:
            steps.append(f"with the {grouping.keep:,} {grouping.order} values of {grouping.property}")
    return f"those {', of these those '.join(steps)}"


def _calendar(counts: Mapping[str, int]) -> str:
    periods = [counted(count, _PERIODS[word]) for word, count in counts.items()]
    if list(counts.values()) == [1]:
        return f"the newest of the newest {_PERIODS[next(iter(counts))]}"
    later = [f"then of {period} beyond those" for period in periods[1:]]
    newest = f"the newest of each of the newest {periods[0]} that have any"
    return ", ".join([newest, *later, "and the oldest of all while there are fewer"])


def _from(which: str) -> Callable[[Sequence[str]], str]:
    def phrase(selectors: Sequence[str]) -> str:
        return f"what {which} {listed([_SELECTORS[selector] for selector in selectors], 'or')}"

    return phrase


_PHRASES: Mapping[str, Callable[[Any], str]] = {
    "last": _newest(),
    "first": _oldest,
    "within": lambda span: f"what is at most {spelled(span)} older than the newest",
    "newer_than": lambda age: f"what is at most {spelled(age)} old",
    "best": _best,
    "blessed": _newest(" that is blessed", " that are blessed"),
    "pushed": _newest(" that was pushed", " that were pushed"),
    "tagged": lambda tags: f"what is tagged {listed(tags, 'or')}",
    "groups": _groups,
    "used_by": lambda pipelines: f"what a run of pipeline {listed(pipelines, 'or')} ever took as input",
    "ancestors_of": _from("was used to make"),
    "descendants_of": _from("was made from"),
    "ids": lambda ids: f"what has the id {listed(map(str, ids), 'or')}",
}
"""Per word what it keeps, as a noun phrase; calendar words are told together."""


def _checkpoints(rule: CheckpointRule) -> str:
    said = []
    if rule.last is not None:
        newest = "checkpoint" if rule.last == 1 else f"{rule.last:,} checkpoints"
        said.append(f"the newest {newest} that can be restored")
    if rule.every_n_steps is not None:
        said.append(f"the first and then one every {counted(rule.every_n_steps, 'step')}")
    if rule.every_n_hours is not None:
        said.append(f"the first and then one every {rule.every_n_hours:g} hours")
    return f"inside each ModelRun that stays it keeps {listed(said)}"


def listed(parts: Iterable[str], conjunction: str = "and") -> str:
    """`a, b and c`."""
    *most, last = parts
    return f"{', '.join(most)} {conjunction} {last}" if most else last
