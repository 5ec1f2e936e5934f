"""Refuses a plan that deletes more than its policy allows without a person's word."""

from __future__ import annotations

from tfx_janitor.errors import JanitorError, Refused
from tfx_janitor.retention.plan import Plan
from tfx_janitor.retention.policy import RetentionPolicy


def check(plan: Plan, approved: str | None) -> None:
    """Lets a plan pass, or not.

    Args:
      approved: the id that a person approved, if any.

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
    limits = RetentionPolicy.from_dict(plan.policy, source="the plan's policy").limits
    summary = plan.summary
    items = summary.delete + summary.checkpoints_delete
    beyond = []
    if limits.max_fraction is not None and summary.delete > limits.max_fraction * summary.artifacts:
        share = f"{summary.delete} of {summary.artifacts} artifacts"
        beyond.append(f"{share} is more than max_fraction {limits.max_fraction:g}")
    if limits.max_items is not None and items > limits.max_items:
        beyond.append(f"{items} artifacts and checkpoints are more than max_items {limits.max_items}")
    if limits.max_bytes is not None and summary.bytes_reclaimable > limits.max_bytes:
        beyond.append(f"{summary.bytes_reclaimable} bytes are more than max_bytes {limits.max_bytes}")
    if beyond:
        raise Refused(f"{'; '.join(beyond)}; if that is right, approve it by its id: --approve {plan.id}")
