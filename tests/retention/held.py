"""What holds say of a history in memory, under a policy that keeps everything by its rules."""

from __future__ import annotations

from tests.retention.pure_histories import FIRST_ARTIFACT, PureHistory, keep, spelled
from tfx_janitor.retention.case import Case
from tfx_janitor.retention.holds import Held

RULES = [keep(["Model", "ModelRun", "ModelBlessing", "PushedModel"], last=9)]
ACT = "tfx_janitor.act.purge"


def said(held: Held) -> dict[int, list[str]]:
    """What a hold says, by artifact id, in its order."""
    reasons: dict[int, list[str]] = {}
    for row, reason in held:
        reasons.setdefault(row + FIRST_ARTIFACT, []).append(spelled(reason))
    return reasons


def judged(past: PureHistory, **fields) -> Case:
    return past.case(rules=RULES, **fields)
