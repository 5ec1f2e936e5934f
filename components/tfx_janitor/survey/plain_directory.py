"""The same engine on a directory that no store knows: which of its checkpoints stay.

There is no lineage here, so nothing can tell which checkpoint somebody still needs: the newest whole one
always stays, whatever the rule says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import checkpoints
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import CheckpointRule
from tfx_janitor.retention.decide import judge_checkpoints
from tfx_janitor.retention.facts import CheckpointFact
from tfx_janitor.retention.plan import CheckpointDecision, Reason, Verdict
from tfx_janitor.retention.timestamps import to_ms
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Crew, Failed
from tfx_janitor.survey.survey import with_verdict

_NEWEST = "it always stays"
_BEING_WRITTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DirectoryPlan:
    """What a rule makes of one directory.

    Attributes:
      path: the directory, links resolved. Only this one is meant, and none below or beside it.
      decisions: series by series, the oldest first.
    """

    path: str
    decisions: tuple[CheckpointDecision, ...]

    @property
    def deletions(self) -> tuple[CheckpointDecision, ...]:
        """The checkpoints that go."""
        return tuple(d for d in self.decisions if d.verdict == "delete")

    @property
    def doubts(self) -> tuple[CheckpointDecision, ...]:
        """Damaged, incomplete or ambiguous: these are reported, and never deleted."""
        return tuple(d for d in self.decisions if d.verdict == "unknown")


def rule_of(
    *, last: int | None = None, every_n_steps: int | None = None, every_n_hours: float | None = None
) -> CheckpointRule:
    """The rule that command line options ask for.

    Raises:
      JanitorError: nothing is asked for, or a number that keeps nothing.
    """
    try:
        return CheckpointRule(last=last, every_n_steps=every_n_steps, every_n_hours=every_n_hours)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'rule'}: {e['msg']}" for e in error.errors())
        raise JanitorError(f"expected a rule for checkpoints, but {told}") from None


def plan_directory(path: str, rule: CheckpointRule, crew: Crew, level: Level) -> DirectoryPlan:
    """Judges the checkpoints of one directory; changes nothing.

    Those that would stay are verified. One found damaged stops counting, which may make an older one stay,
    which is then verified too. Those that would go are not read.

    Args:
      path: the directory, absolute or relative to the working directory.
      level: how deep to verify.

    Raises:
      JanitorError: no directory, one that cannot be listed, or the variables of a SavedModel; also if its
        `checkpoint` file cannot be read, for pruning would overwrite it.
    """
    directory = os.path.realpath(path)
    found = checkpoints.read_directory(directory)
    facts = [CheckpointFact("", look.candidate_of(c), c.bytes) for c in found.checkpoints]
    while True:
        decisions = judge_checkpoints(facts, [(None, rule)], newest_needed=_NEWEST)
        orders = _to_verify(directory, facts, decisions, level)
        if not orders:
            return DirectoryPlan(directory, tuple(decisions))
        answers = crew.run("verify checkpoints", look.verify_checkpoint, [order for _, order in orders])
        for (at, _), answer in zip(orders, answers, strict=True):
            facts[at] = with_verdict(facts[at], answer)


def plan_broken(path: str, crew: Crew, level: Level, *, now_ms: int) -> DirectoryPlan:
    """Lets go, of the checkpoints of one directory, those that cannot be restored from; changes nothing.

    One that was written within the last hour may still be being written, and stays in doubt.

    Args:
      path: the directory, absolute or relative to the working directory.
      level: how deep to verify.

    Raises:
      JanitorError: no directory, one that cannot be listed, or the variables of a SavedModel.
    """
    directory = os.path.realpath(path)
    found = checkpoints.list_checkpoints(directory)
    orders = [look.CheckpointOrder(directory, checkpoint.name, level) for checkpoint in found]
    answers = crew.run("verify checkpoints", look.verify_checkpoint, orders)
    decisions = []
    for checkpoint, answer in zip(found, answers, strict=True):
        verdict: Verdict = "unknown"
        if isinstance(answer, Failed):
            reason = Reason("unknown.checkpoint", answer.error)
        elif answer.whole:
            verdict, reason = "keep", Reason("keep.whole", answer.detail)
        elif now_ms - checkpoint.modified_ms < to_ms(_BEING_WRITTEN):
            reason = Reason("unknown.checkpoint", f"{answer.detail}; it may still be being written")
        else:
            verdict, reason = "delete", Reason("expire.broken", answer.detail)
        decisions.append(
            CheckpointDecision("", checkpoint.name, checkpoint.step, checkpoint.bytes, verdict, (reason,))
        )
    return DirectoryPlan(directory, tuple(decisions))


def _to_verify(
    directory: str, facts: Sequence[CheckpointFact], decisions: Sequence[CheckpointDecision], level: Level
) -> list[tuple[int, look.CheckpointOrder]]:
    staying = {decision.name for decision in decisions if decision.verdict == "keep"}
    return [
        (at, look.CheckpointOrder(directory, fact.candidate.name, level))
        for at, fact in enumerate(facts)
        if fact.candidate.restorable is None and fact.candidate.name in staying
    ]
