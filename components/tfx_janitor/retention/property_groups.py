"""`groups`: what TFX's collector called KeepPropertyValueGroups, with exactly its semantics.

Each grouping splits every group that the ones before it left, and goes on with the groups of the largest (or
smallest) values. What has no value comes last: it stays only where there are fewer values than are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_janitor.lineage.snapshot import Value
from tfx_janitor.policy.keep import Grouping
from tfx_janitor.retention.case import Case, Group
from tfx_janitor.retention.judgement import Judgement

MIXED_TYPES = "unknown.mixed-types"


def groups(case: Case, group: Group, groupings: Sequence[Grouping]) -> Judgement:
    """Keeps what no grouping leaves behind."""
    parts: list[list[int]] = [list(range(len(group.rows)))]
    dropped: dict[int, str] = {}
    values: dict[int, list[str]] = {at: [] for at in parts[0]}
    for grouping in groupings:
        value_of = {at: _value(case, group.rows[at], grouping.property) for part in parts for at in part}
        types = sorted({type(value).__name__ for value in value_of.values() if value is not None})
        if len(types) > 1:
            detail = f"values of {grouping.property} have different types: {', '.join(types)}"
            return Judgement(
                kept=[False] * len(group.rows),
                explain=lambda _, detail=detail: detail,
                unknown=dict.fromkeys(range(len(group.rows)), MIXED_TYPES),
            )
        left: list[list[int]] = []
        for part in parts:
            by_value: dict[Value | None, list[int]] = {}
            for at in part:
                by_value.setdefault(value_of[at], []).append(at)
                values[at].append(f"{grouping.property} {_shown(value_of[at])}")
            staying = _staying(by_value, grouping)
            left += [by_value[value] for value in staying]
            for value in by_value.keys() - set(staying):
                dropped.update(dict.fromkeys(by_value[value], _why_not(value, grouping, staying)))
        parts = left
    staying_members = {at for part in parts for at in part}

    def explain(at: int) -> str:
        return dropped[at] if at in dropped else ", ".join(values[at])

    return Judgement([at in staying_members for at in range(len(group.rows))], explain)


def _staying(by_value: Mapping[Value | None, Sequence[int]], grouping: Grouping) -> list[Value | None]:
    if grouping.keep is None:
        return list(by_value)
    known: list[Any] = [value for value in by_value if value is not None]
    staying: list[Value | None] = sorted(known, reverse=grouping.order == "largest")[: grouping.keep]
    if None in by_value and len(staying) < grouping.keep:
        staying.append(None)
    return staying


def _value(case: Case, row: int, name: str) -> Value | None:
    value = case.snapshot.property(row, name)
    # NaN has no place in any order.
    return None if isinstance(value, float) and math.isnan(value) else value


def _why_not(value: Value | None, grouping: Grouping, staying: Sequence[Value | None]) -> str:
    stay = ", ".join(map(_shown, staying))
    missed = (
        f"the {grouping.order}, which is {stay}"
        if grouping.keep == 1
        else f"among the {grouping.order} {grouping.keep}: {stay}"
    )
    return f"{grouping.property} {_shown(value)} is not {missed}"


def _shown(value: Value | None) -> str:
    return "missing" if value is None else str(value)
