"""Plan, apply and purge in one, as cron and the pipeline component run it."""

from __future__ import annotations

from dataclasses import dataclass

from tfx_janitor.deletion.acts import Outcome
from tfx_janitor.deletion.apply import apply
from tfx_janitor.deletion.purge import purge
from tfx_janitor.deletion.site import Site
from tfx_janitor.retention.plan import Plan
from tfx_janitor.retention.policy import RetentionPolicy
from tfx_janitor.survey.survey import make_plan


@dataclass(frozen=True)
class Collected:
    """What one collection decided and did."""

    plan: Plan
    applied: tuple[Outcome, ...]
    purged: tuple[Outcome, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """All outcomes, marks first."""
        return (*self.applied, *self.purged)


def collect(site: Site, policy: RetentionPolicy, *, approved: str | None = None) -> Collected:
    """Plans, marks, and purges what is due, including what earlier runs marked.

    Raises:
      Refused: the plan is beyond a limit; nothing was marked or purged.
    """
    plan = make_plan(
        site.case(site.read(), policy), site.crew, metadata=site.metadata, created_ms=site.now_ms
    )
    applied = apply(site, plan, approved=approved)
    purged = purge(site, policy=policy)
    return Collected(plan, tuple(applied), tuple(purged))
