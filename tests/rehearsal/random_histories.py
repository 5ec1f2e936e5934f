"""Histories of one pipeline in which runs come at any time, pushed and blessed or not."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tfx_janitor.payload.places import parse
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.adverse import NEWEST_MS
from tfx_janitor.rehearsal.imagined import PUSHABLE, Names, Run, imagine, row_of, storage
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.facts import Evidence
from tfx_janitor.retention.settle import nominate, settle

HOUR_MS = 3_600_000
LATER_MS = NEWEST_MS + 1000 * 24 * HOUR_MS

_GAPS = st.sampled_from([0, 1, 20, 24, 24 * 7, 24 * 40])


@st.composite
def histories(draw: st.DrawFn, least: int, most: int) -> list[Run]:
    """From so many to so many runs, the oldest first."""
    length = draw(st.integers(least, most))
    gaps = draw(st.lists(_GAPS, min_size=length, max_size=length))
    flags = draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=length, max_size=length))
    tags = draw(st.lists(st.sampled_from(["", "golden", "silver"]), min_size=length, max_size=length))
    return [
        Run(
            NEWEST_MS - sum(gaps[number + 1 :]) * HOUR_MS,
            pushed,
            blessed,
            metrics={"accuracy": gaps[number]},
            properties={"tags": tag} if tag else {},
        )
        for number, ((pushed, blessed), tag) in enumerate(zip(flags, tags, strict=True))
    ]


def deletions(policy: RetentionPolicy, runs: Sequence[Run], now_ms: int = LATER_MS) -> dict[str, list[int]]:
    """Per type, numbers of the runs whose artifact is deleted."""
    root = parse("/srv")
    snapshot = imagine(runs, Names(), root)
    sizes = Evidence(bytes=dict.fromkeys(range(len(snapshot.artifacts)), 10))
    case = Case(snapshot, policy, now_ms, evidence=sizes)
    deleted = settle(nominate(case), storage(runs, Names(), root, [root])).deletions
    return {
        name: [number for number in range(len(runs)) if row_of(number, name) in deleted] for name in PUSHABLE
    }
