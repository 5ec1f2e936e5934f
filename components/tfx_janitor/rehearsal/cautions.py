"""What a policy says that may cost more than its author thinks: allowed, but worth a second look."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import timedelta

from tfx_janitor.payload.places import parse
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.durations import format_duration
from tfx_janitor.policy.file import Problem
from tfx_janitor.policy.lint import covers
from tfx_janitor.policy.rules import fits
from tfx_janitor.policy.schema import RetentionPolicy, Rule
from tfx_janitor.retention.calendar import PERIODS
from tfx_janitor.retention.case import INFRA_BLESSING, MODEL_BLESSING, PUSHED_MODEL, Case

_RANKING = frozenset(("last", "first", *PERIODS, "best", "blessed", "pushed", "groups"))
"""The words that keep so many of each group, whatever else there is."""

_PARTS = ("type", "pipeline", "node", "output")
"""What a match says of where an artifact comes from."""

_NEAR = 0.75
"""How much a word must be like another one to be taken for a slip of it."""

_NONE = timedelta(0)

_APART = {
    "blessed": frozenset((PUSHED_MODEL, INFRA_BLESSING)),
    "pushed": frozenset((MODEL_BLESSING, INFRA_BLESSING)),
}
"""Types that count by the Model that came of the same execution, and TFX's own nodes never make both."""


def cautions(policy: RetentionPolicy) -> tuple[Problem, ...]:
    """Each with the field that it is about, in the order of the file's usual layout."""
    return (*_of_the_policy(policy), *_of_the_rules(policy))


def idle_rules(case: Case) -> Iterator[Problem]:
    """Rules that fit nothing in a store: misspelled, or for what is still to come."""
    for number, rule in enumerate(case.policy.rules):
        if rule not in case.unmatched:
            continue
        at, told = ("rules", number, "match"), f"rule {rule.name} matches nothing in this store"
        for part in _PARTS:
            patterns, known = getattr(rule.match, part), case.values(part)
            if "*" in patterns or any(fits(patterns, value) for value in known):
                continue
            named = " or ".join(f'"{pattern}"' for pattern in patterns)
            near = (difflib.get_close_matches(one, sorted(known), n=1, cutoff=_NEAR) for one in patterns)
            close = next(filter(None, near), None)
            meant = f'; did you mean "{close[0]}"?' if close else ""
            yield Problem(f"{told}: no artifact has the {part} {named}{meant}", (*at, part))
            break
        else:
            yield Problem(told, at)


def _of_the_policy(policy: RetentionPolicy) -> Iterator[Problem]:
    for number, base in enumerate(policy.serving):
        for root in policy.roots:
            if parse(root).contains(parse(base)):
                yield Problem(
                    f'"{base}" lies inside the root "{root}": what is served from there is only held as '
                    "long as MLMD knows that it was pushed; better name roots beside it",
                    ("serving", number),
                )
    for number, root in enumerate(policy.roots):
        for base in policy.serving:
            if parse(base) == parse(root) or parse(base).contains(parse(root)):
                yield Problem(
                    f'"{root}" is what a model server watches, "{base}" of serving: a version that MLMD does '
                    "not know to be pushed there may go; better name where pipelines write to",
                    ("roots", number),
                )
    if policy.min_age == _NONE:
        yield Problem("is zero: what was made a moment ago may already go", ("min_age",))
    if policy.grace == _NONE:
        yield Problem("is zero: what is marked may be purged at once, and never restored", ("grace",))
    if policy.stale_after is not None:
        told = format_duration(policy.stale_after)
        yield Problem(
            f"a RUNNING execution counts as dead {told} after its last sign of life, and TFX gives none "
            "while a node runs: a training that takes longer can lose its inputs",
            ("stale_after",),
        )
    if policy.orphans is not None:
        told = format_duration(policy.orphans.older_than)
        yield Problem(
            "takes an execution for dead, RUNNING or not, that has written nothing into its directories for "
            f"{told}: a training that is silent for longer loses them",
            ("orphans", "older_than"),
        )
    if policy.verify is Level.STRUCTURE:
        yield Problem(
            "a survivor whose tensors are damaged passes for whole; checksums would notice", ("verify",)
        )
    limits = policy.limits
    if limits.max_items is None and limits.max_bytes is None and limits.max_fraction in (None, 1):
        yield Problem("no plan is ever too large to be carried out without approval", ("limits",))


def _of_the_rules(policy: RetentionPolicy) -> Iterator[Problem]:
    for number, rule in enumerate(policy.rules):
        at = ("rules", number)
        if rule.keep is None:
            continue
        if rule.unsafe_delete_all:
            yield Problem(
                "deletes all that it matches and that nothing holds, pushed or not",
                (*at, "unsafe_delete_all"),
            )
        if rule.match.type == ("*",):
            yield Problem("governs artifacts of every type, Examples and Schema too", (*at, "match"))
        if rule.keep.said == ("newer_than",):
            yield Problem(
                "counts from now: of a pipeline that has stopped, only what is held stays; within counts "
                "from the newest of the group",
                (*at, "keep", "newer_than"),
            )
        if _mixes_pipelines(rule):
            yield Problem(
                "puts several pipelines into one group: a busy one pushes out all that a quiet one has",
                (*at, "group_by"),
            )
        for below, keep in rule.keep.walk((*at, "keep")):
            for word, types in _APART.items():
                if word in keep.said and types.issuperset(rule.match.type):
                    yield Problem(
                        f"keeps none that TFX's own nodes make: it is a Model that is {word}, and what came "
                        "of the same execution counts with it",
                        (*below, word),
                    )
        for other_number, other in enumerate(policy.rules):
            if other.keep is None and covers(other.match, rule.match):
                yield Problem(
                    f'deletes nothing, for rules[{other_number}], "{other.name}", prunes inside and keeps '
                    "whatever this rule matches; put its checkpoints into this rule to have both",
                    at,
                )


def _mixes_pipelines(rule: Rule) -> bool:
    one = len(rule.match.pipeline) == 1 and not set(rule.match.pipeline[0]) & set("*?[")
    words = {word for _, keep in rule.keep.walk() for word in keep.said} if rule.keep is not None else set()
    return "pipeline" not in rule.group_by and not one and bool(words & _RANKING)
