"""Every refusal of the vocabulary of `keep`, word for word as a user reads it: file, line, field, what to do.

What a policy is refused for beside its words stands in `test_refused_fields` and `test_file`.
"""

from __future__ import annotations

import pytest

from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

HEAD = """\
version: 1
roots: [/srv]
rules:
  - name: models
    match: {type: Model}
    keep:
"""
LINE = HEAD.count("\n") + 1
"""Where the first word of `keep` stands."""

DURATION = "expected a duration such as 30m, 36h, 7d, 2w or 1d12h, got"
SIZE = "expected a number of bytes, or a size such as 10GB or 512MiB (powers of 1024), got"
SELECTORS = "expected model, blessed, pushed, served or pinned, got"
NOTHING = "expected a value, got nothing (null); give one or remove the key"
KNOWN = (
    "known are all_of, ancestors_of, any_of, best, blessed, daily, descendants_of, first, groups, hourly, "
    "ids, "
    "last, max_bytes, monthly, newer_than, pushed, quarterly, tagged, unless, used_by, weekly, within, yearly"
)


def refused(words: str) -> list[str]:
    """The lines that refuse a policy with these words of `keep`."""
    text = HEAD + "".join(f"      {line}\n" for line in words.splitlines())
    with pytest.raises(PolicyError) as error:
        RetentionPolicy.from_text(text, source="janitor.yaml")
    return str(error.value).splitlines()


def at(field: str, message: str, line: int = LINE) -> str:
    return f"janitor.yaml:{line}: rules[0].keep.{field}: {message}"


REFUSED: dict[str, str] = {
    # Counts.
    "daily: 0": at("daily", "expected at least 1, got 0"),
    "weekly: -1": at("weekly", "expected at least 1, got -1"),
    "monthly: 1.5": at("monthly", "expected a whole number, got 1.5"),
    "quarterly: true": at("quarterly", "expected a whole number, got true"),
    'yearly: "3"': at("yearly", 'expected a whole number, got "3"; remove the quotes'),
    "hourly: [1]": at("hourly", "expected a whole number, got a list"),
    "pushed: all": at("pushed", 'expected a whole number, got "all"'),
    "daily:": at("daily", NOTHING),
    # Words that there are not.
    "dayly: 7": at("dayly", 'unknown key; did you mean "daily"?'),
    "Last: 3": at("Last", 'unknown key; did you mean "last"?'),
    "newer-than: 3d": at("newer-than", 'unknown key; did you mean "newer_than"?'),
    "keep_last: 3": at("keep_last", f"unknown key; {KNOWN}"),
    "any_of: [{last: 3}, {lsat: 5}]": at("any_of[1].lsat", 'unknown key; did you mean "last"?'),
    "last: 3\nlast: 4": at("last", f"given twice, first on line {LINE}; keep one of them", LINE + 1),
    "any_of: [{first: 1, first: 2}, {last: 1}]": at(
        "any_of[0].first", f"given twice, first on line {LINE}; keep one of them"
    ),
    # Lengths of time.
    "within: 30": at("within", f"{DURATION} the bare number 30; write 30d for days"),
    "within: 30 days": at("within", f'{DURATION} "30 days"; the units are w, d, h, m (minutes), s and ms'),
    "within: 0d": at("within", "expected a duration longer than zero, got 0s"),
    "within: -3d": at("within", f'{DURATION} "-3d"; durations count from zero up'),
    "within: 1.5h": at(
        "within", f'{DURATION} "1.5h"; the numbers are whole: write 90m for one and a half hours'
    ),
    "within: 1h1d": at(
        "within",
        'expected each unit once and the largest first, as in 1d12h, got "1h1d"; put the parts in order',
    ),
    "newer_than: 1y": at("newer_than", f'{DURATION} "1y"; the units are w, d, h, m (minutes), s and ms'),
    "newer_than: ''": at("newer_than", f"{DURATION} an empty text"),
    "newer_than: [1d]": at("newer_than", f"{DURATION} a list"),
    "newer_than:": at("newer_than", NOTHING),
    # best
    "best: accuracy": at(
        "best", 'expected a mapping such as {metric: accuracy, count: 2, mode: max}, got "accuracy"'
    ),
    "best: [{metric: auc, count: 2, mode: max}]": at(
        "best", "expected a mapping such as {metric: accuracy, count: 2, mode: max}, got a list"
    ),
    "best: {count: 2, mode: max}": at(
        "best.metric",
        "is missing; name a property, or a metric of the evaluation's payload, such as accuracy",
    ),
    "best: {metric: auc, mode: max}": at("best.count", "is missing; say how many of the best to keep"),
    "best: {metric: auc, count: 2}": at(
        "best.mode", "is missing; say max if more of the metric is better, min if less is"
    ),
    "best: {metric: auc, count: 2, mode: highest}": at("best.mode", 'expected max or min, got "highest"'),
    "best: {metric: '', count: 2, mode: max}": at("best.metric", "expected a text, got an empty one"),
    "best: {metric: 3, count: 2, mode: max}": at("best.metric", "expected a text, got 3; put it in quotes"),
    "best: {metric: auc, count: 0, mode: max}": at("best.count", "expected at least 1, got 0"),
    "best: {metric: auc, count: 1, mode: max, top: 1}": at(
        "best.top", "unknown key; known are count, metric, mode"
    ),
    # groups
    "groups: []": at("groups", "expected at least one, got an empty list"),
    "groups: span": at("groups", 'expected a list such as [{property: span, keep: 2}], got "span"'),
    "groups: {property: span}": at(
        "groups", "expected a list such as [{property: span, keep: 2}], got a mapping"
    ),
    "groups: [span]": at("groups[0]", 'expected a mapping such as {property: span, keep: 2}, got "span"'),
    "groups: [{keep: 2}]": at(
        "groups[0].property", "is missing; name the property whose values make the groups"
    ),
    "groups: [{property: span, keep: 0}]": at("groups[0].keep", "expected at least 1, got 0"),
    "groups: [{property: span, order: biggest}]": at(
        "groups[0].order", 'expected largest or smallest, got "biggest"'
    ),
    "groups: [{property: span, kep: 2}]": at("groups[0].kep", 'unknown key; did you mean "keep"?'),
    "groups: [{property: span, keep: }]": at("groups[0].keep", NOTHING),
    # Lists of texts and ids.
    "tagged: []": at("tagged", "expected at least one, got an empty list"),
    "tagged: golden, silver": at(
        "tagged[0]",
        'expected a tag without blanks and commas, got "golden, silver"; no artifact can carry it',
    ),
    "tagged: [a, a]": at("tagged[1]", '"a" is given twice; remove one'),
    "used_by: []": at("used_by", "expected at least one, got an empty list"),
    "used_by: [a, a]": at("used_by[1]", '"a" is given twice; remove one'),
    "used_by: ['']": at("used_by[0]", "expected a text, got an empty one"),
    "used_by: 3": at("used_by", "expected a list, got 3"),
    "ids: 12": at("ids", "expected a list, got 12; write [12]"),
    "ids: ['12']": at("ids[0]", 'expected a whole number, got "12"; remove the quotes'),
    "ids: [3, 3]": at("ids[1]", "3 is given twice; remove one"),
    "ids: [0]": at("ids[0]", "expected at least 1, got 0"),
    # Lineage.
    "ancestors_of: []": at("ancestors_of", "expected at least one, got an empty list"),
    "ancestors_of: models": at("ancestors_of[0]", f'{SELECTORS} "models"'),
    "ancestors_of: [served, served]": at("ancestors_of[1]", '"served" is given twice; remove one'),
    "ancestors_of: {served: 1}": at("ancestors_of", "expected a list, got a mapping"),
    "descendants_of: Model": at("descendants_of[0]", f'{SELECTORS} "Model"'),
    "descendants_of: [pushed, 3]": at("descendants_of[1]", f"{SELECTORS} 3"),
    # Putting words together.
    "any_of: []": at("any_of", "expected at least two to put together, got an empty list; remove it"),
    "any_of: [{last: 3}]": at(
        "any_of", "expected at least two to put together, got one; write its words directly"
    ),
    "any_of: {last: 3}": at("any_of", "expected a list such as [{last: 3}, {pushed: 2}], got a mapping"),
    "all_of: [{last: 3}, {}]": at(
        "all_of[1]", "expected something to keep, got nothing; say what, or remove it"
    ),
    "all_of: [{last: 3}, 5]": at("all_of[1]", "expected a mapping such as {last: 3}, got 5"),
    "unless: {last: 3}": at(
        "unless",
        "can never keep anything: unless takes away from what the words beside it keep, and there are none; "
        "add one, such as last: 3",
    ),
    "last: 3\nunless: {}": at(
        "unless", "expected something to take away, got nothing; say what, or remove it", LINE + 1
    ),
    "last: 3\nunless: 3": at("unless", "expected a mapping such as {tagged: scratch}, got 3", LINE + 1),
    "last: 3\nunless: {first: 1, unless: {last: 1}}": at(
        "unless.unless", "not possible inside unless: there is no unless of an unless; remove it", LINE + 1
    ),
    "last: 3\nunless: {ancestors_of: served}": at(
        "unless.ancestors_of",
        "not possible inside unless: it depends on what stays; remove it",
        LINE + 1,
    ),
    "last: 3\nunless: {any_of: [{last: 1}, {descendants_of: served}]}": at(
        "unless.any_of[1].descendants_of",
        "not possible inside unless: it depends on what stays; remove it",
        LINE + 1,
    ),
    "last: 3\nunless: {max_bytes: 5GB}": at(
        "unless.max_bytes",
        "a budget is for the whole group; put max_bytes beside the other words of keep",
        LINE + 1,
    ),
    "any_of: [{last: 3}, {max_bytes: 5GB}]": at(
        "any_of[1].max_bytes",
        "a budget is for the whole group; put max_bytes beside the other words of keep",
    ),
    # Budgets.
    "max_bytes: 0": at("max_bytes", "expected at least 1, got 0"),
    "max_bytes: 10G": at("max_bytes", f'{SIZE} "10G"'),
    "max_bytes: 1.5": at("max_bytes", "expected a whole number, got 1.5"),
    "max_bytes:": at("max_bytes", NOTHING),
    # What can have no effect beside something else.
    "last: 3\nany_of: [{last: 5}, {first: 1}]": at(
        "last", "useless beside any_of[0].last, which keeps all that it keeps; remove one of them"
    ),
    "last: 5\nall_of: [{last: 3}, {pushed: 1}]": at(
        "all_of", "useless beside last, which keeps all that it could keep; remove one of them", LINE + 1
    ),
    "all_of: [{last: 3}, {last: 5}]": at(
        "all_of[1]", "useless beside all_of[0].last, which keeps no more; remove one of them"
    ),
    "pushed: 2\nunless: {pushed: 2}": at(
        "pushed", "can never keep anything, for unless.pushed takes it all away; remove one of them"
    ),
    "newer_than: 3h": at(
        "newer_than", "useless: min_age holds all that is younger than 1d already; expected a longer time"
    ),
}


@pytest.mark.parametrize(("words", "line"), REFUSED.items(), ids=REFUSED)
def test_words_of_keep(words: str, line: str):
    assert refused(words) == [line]


def test_no_words_at_all():
    assert refused("") == [f"janitor.yaml:{LINE - 1}: rules[0].keep: {NOTHING}"]


def test_all_that_has_no_effect_is_told_at_once():
    text = """\
version: 1
roots: [/srv]
rules:
  - name: models
    match: {type: Model}
    keep: {last: 3, newer_than: 3h}
  - name: again
    match: {type: Model}
    keep: {last: 3, newer_than: 3h}
  - name: old
    match: {type: Model, pipeline: old}
    keep: {}
    unsafe_delete_all: true
"""
    with pytest.raises(PolicyError) as error:
        RetentionPolicy.from_text(text, source="janitor.yaml")
    younger = "useless: min_age holds all that is younger than 1d already; expected a longer time"
    assert str(error.value).splitlines() == [
        f"janitor.yaml:6: rules[0].keep.newer_than: {younger}",
        'janitor.yaml:7: rules[1]: useless: rules[0], "models", says the same of the same artifacts; remove '
        "one "
        "of them",
        f"janitor.yaml:9: rules[1].keep.newer_than: {younger}",
        'janitor.yaml:13: rules[2].unsafe_delete_all: useless: rules[0], "models", governs all that it '
        "matches, "
        "too, and what several rules match is deleted only if all of them let it go; narrow the match of "
        "one of "
        "them",
    ]
