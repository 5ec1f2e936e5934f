"""Plan, apply and purge in one, as cron and the pipeline component run it."""

from __future__ import annotations

from dataclasses import dataclass

from tfx_janitor.deletion import doubts
from tfx_janitor.deletion.act import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import Refused
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.plan import Plan
from tfx_janitor.survey.survey import make_plan


@dataclass(frozen=True)
class Collected:
    """What one collection decided and did.

    Attributes:
      refused: why nothing was marked: the plan is beyond a limit and nobody approved it. What earlier
        collections marked is purged all the same, or a limit once hit would stop everything for ever.
    """

    plan: Plan
    applied: tuple[Outcome, ...]
    purged: tuple[Outcome, ...]
    refused: Refused | None = None

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All outcomes, marks first."""
        return (*self.applied, *self.purged)


def collect(
    site: Site, policy: RetentionPolicy, *, approved: str | None = None, measure_all: bool = False
) -> Collected:
    """Plans, marks, and purges what is due, including what earlier collections marked.

    Args:
      approved: id of the plan, if a person approved that it goes beyond the limits.
      measure_all: measures every governed payload, not only what would be deleted. Sizes are part of a plan's
        id.

    Raises:
      JanitorError: another plan was approved than the one that is made now, or the policy asks for payloads
        to be loaded, and there is no TensorFlow; nothing was done.
      Stopped: somebody wanted to stop while this was looking; the site's account tells what was done before.
    """
    plan = make_plan(
        site.case(site.read(), policy),
        site.scouts,
        metadata=site.metadata,
        created_ms=site.now_ms,
        measure_all=measure_all,
        doubted=doubts.read(site.store),
    )
    refused = None
    applied: list[Outcome] = []
    try:
        applied = apply(site, plan, approved=approved)
    except Refused as refusal:
        refused = refusal
    purged = purge(site, policy=policy)
    return Collected(plan, tuple(applied), tuple(purged), refused)
