"""Refuses a plan that deletes more than its policy allows without a person's word."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tfx_janitor.errors import JanitorError, Refused
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Orphan, Plan


@dataclass(frozen=True, slots=True)
class Unmarked:
    """What a plan lets go and is not marked yet: how much of it.

    Attributes:
      bytes: of all three together.
    """

    artifacts: int
    checkpoints: int
    directories: int
    bytes: int

    @property
    def items(self) -> int:
        """All that a mark would be put on."""
        return self.artifacts + self.checkpoints + self.directories


def unmarked(
    plan: Plan, waiting: Collection[tuple[int, str, str]], waiting_orphans: Collection[Orphan]
) -> Unmarked:
    """Counts what applying the plan would mark.

    Args:
      plan: all verdicts.
      waiting: checkpoints that are marked already: artifact id, directory and name of each.
      waiting_orphans: directories that no artifact claims, as they were marked already.
    """
    artifacts = checkpoints = size = 0
    for decision in plan.decisions:
        if decision.verdict == "delete" and decision.state == ArtifactState.LIVE.name:
            artifacts += 1
            size += decision.bytes or 0
        elif decision.verdict != "delete":
            new = [c for c in decision.prunes if (decision.artifact_id, c.directory, c.name) not in waiting]
            checkpoints += len(new)
            size += sum(checkpoint.bytes for checkpoint in new)
    marked = {orphan.content for orphan in waiting_orphans}
    left = [orphan for orphan in plan.abandoned if orphan.content not in marked]
    return Unmarked(artifacts, checkpoints, len(left), size + sum(orphan.bytes or 0 for orphan in left))


def check(
    plan: Plan,
    approved: str | None,
    waiting: Collection[tuple[int, str, str]] = (),
    waiting_orphans: Collection[Orphan] = (),
) -> None:
    """Lets a plan pass, or not.

    What is marked already was weighed when it was marked, and does not count: the marks that wait for their
    grace would fill up any limit.

    Args:
      plan: all verdicts.
      approved: the id that a person approved, if any.
      waiting: checkpoints that are marked already: artifact id, directory and name of each.
      waiting_orphans: directories that no artifact claims, as they were marked already.

    Raises:
      Refused: the plan is beyond a limit of its policy and was not approved.
      JanitorError: another plan was approved.
    """
    if approved is not None:
        if approved != plan.id:
            raise JanitorError(
                f"expected the id of this plan, {plan.id}, to be approved, got {approved}; something changed "
                "since that plan was made: look at the new one before approving it"
            )
        return
    limits = RetentionPolicy.from_record(plan.policy, source="the plan's policy").limits
    new = unmarked(plan, waiting, waiting_orphans)
    beyond = []
    if limits.max_fraction is not None and new.artifacts > limits.max_fraction * plan.summary.artifacts:
        share = f"{new.artifacts} of {plan.summary.artifacts} artifacts"
        beyond.append(f"{share} is more than max_fraction {limits.max_fraction:g}")
    if limits.max_items is not None and new.items > limits.max_items:
        kinds = "artifacts, checkpoints and directories" if new.directories else "artifacts and checkpoints"
        beyond.append(f"{new.items} {kinds} are more than max_items {limits.max_items}")
    if limits.max_bytes is not None and new.bytes > limits.max_bytes:
        beyond.append(f"{new.bytes} bytes are more than max_bytes {limits.max_bytes}")
    if beyond:
        raise Refused(f"{'; '.join(beyond)}; if that is right, approve it by its id: --approve {plan.id}")
