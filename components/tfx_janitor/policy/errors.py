"""Says in a policy's own words what pydantic found wrong: where, what was expected, what came, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from tfx_janitor.policy.file import FieldPath, PolicyError, Problem

_MISSING = {
    "version": "add version: 1",
    "roots": "name at least one directory; only payloads inside the roots may ever be deleted",
    "rules": "add at least one rule; what no rule matches is never touched",
    "name": "give the rule a name; plans and reasons refer to it",
    "match": 'say which artifacts the rule governs, such as match: {type: Model, pipeline: "mine-*"}',
    "metric": "name a property, or a metric of the evaluation's payload, such as accuracy",
    "count": "say how many of the best to keep",
    "mode": "say max if more of the metric is better, min if less is",
    "property": "name the property whose values make the groups",
    "older_than": "say for how long nothing must have been written, such as 14d",
}

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


_SUCH_AS = {
    "best": "{metric: accuracy, count: 2, mode: max}",
    "orphans": "{older_than: 14d}",
    "groups": "[{property: span, keep: 2}]",
    "groups[]": "{property: span, keep: 2}",
    "any_of": "[{last: 3}, {pushed: 2}]",
    "any_of[]": "{last: 3}",
    "all_of": "[{last: 3}, {pushed: 2}]",
    "all_of[]": "{last: 3}",
    "unless": "{tagged: scratch}",
}
"""What is written for a field, or for an item of one, where its name does not tell."""


def wrong(message: str, *at: str | int) -> PydanticCustomError:
    """The error that a validator raises; `at` is the field, relative to the value that is validated."""
    return PydanticCustomError("policy", "{message}", {"message": message, "at": at})


def all_wrong(problems: Sequence[Problem]) -> PydanticCustomError:
    """The error that the whole policy's validator raises; each problem has its whole path."""
    message = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    return PydanticCustomError("policies", "{message}", {"message": message, "problems": tuple(problems)})


def shown(value: Any) -> str:
    """A value as the author of a policy would recognise it, short enough for one line."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        flat = value if len(value) <= 60 else value[:57] + "..."
        return '"' + flat.encode("unicode_escape").decode() + '"' if not flat.isprintable() else f'"{flat}"'
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**30):
        return str(value)
    return f"a {type(value).__name__}"


def policy_error(
    error: ValidationError,
    source: str,
    *,
    keys: Mapping[str, Iterable[str]],
    line_of: Callable[[FieldPath], int | None],
) -> PolicyError:
    """Translates what pydantic found.

    Args:
      error: all that is wrong with the policy.
      source: the file, or what else the policy came from.
      keys: the known keys of each mapping, by the name of the field that holds it ("" for the policy itself).
      line_of: line of a field in the source, None where there is none.
    """
    problems: list[Problem] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "policies":
            found: Sequence[Problem] = detail.get("ctx", {})["problems"]
            problems += (Problem(problem.message, problem.at, line_of(problem.at)) for problem in found)
            continue
        at: FieldPath = (*detail["loc"], *detail.get("ctx", {}).get("at", ()))
        problems.append(Problem(_message(detail, at, keys), at, line_of(at)))
    problems.sort(key=lambda problem: problem.line or 0)
    return PolicyError(source, tuple(problems))


def _message(detail: ErrorDetails, at: FieldPath, keys: Mapping[str, Iterable[str]]) -> str:
    kind, came, limits = detail["type"], detail["input"], detail.get("ctx", {})
    key = str(at[-1]) if at else ""
    if kind == "policy":
        return limits["message"]
    if kind == "missing":
        return f"is missing; {_MISSING[key]}" if key in _MISSING else "is missing"
    if kind == "extra_forbidden":
        return _unknown_key(at, keys)
    if kind in ("enum", "literal_error"):
        choices = str(limits["expected"]).replace("'", "").replace(" or ", ", ")
        *most, last = choices.split(", ")
        return f"expected {', '.join(most)}{' or ' if most else ''}{last}, got {shown(came)}"
    if kind == "string_too_short":
        return "expected a text, got an empty one"
    if kind == "greater_than_equal":
        return f"expected at least {_number(limits['ge'])}, got {shown(came)}"
    if kind == "greater_than":
        return f"expected more than {_number(limits['gt'])}, got {shown(came)}"
    if kind == "less_than_equal":
        return f"expected at most {_number(limits['le'])}, got {shown(came)}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}{_such_as(kind, at)}, got {shown(came)}{_advice(kind, key, came)}"
    return f"{detail['msg']}, got {shown(came)}"


def _such_as(kind: str, at: FieldPath) -> str:
    if kind not in ("tuple_type", "dict_type", "model_type") or not at:
        return ""
    field = str(at[-1]) if isinstance(at[-1], str) else f"{at[-2]}[]"
    return f" such as {_SUCH_AS[field]}" if field in _SUCH_AS else ""


def _advice(kind: str, key: str, came: Any) -> str:
    if kind == "string_type" and isinstance(came, int | float):
        return "; put it in quotes"
    if kind == "int_type" and isinstance(came, str) and came.isdecimal():
        return "; remove the quotes"
    if kind == "tuple_type" and key == "ids" and isinstance(came, int):
        return f"; write [{came}]"
    return ""


def _unknown_key(at: FieldPath, keys: Mapping[str, Iterable[str]]) -> str:
    key = str(at[-1])
    holder = next((part for part in reversed(at[:-1]) if isinstance(part, str)), "")
    known = sorted(keys.get(holder, ()))
    close = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1, cutoff=0.75)
    return (
        f'unknown key; did you mean "{close[0]}"?' if close else f"unknown key; known are {', '.join(known)}"
    )


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
