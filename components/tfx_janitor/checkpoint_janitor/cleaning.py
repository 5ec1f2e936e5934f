"""One janitor's run on its own pipeline: collects, or refuses and only plans."""

from __future__ import annotations

from tfx_janitor.checkpoint_janitor.own_run import OwnRun
from tfx_janitor.checkpoint_janitor.report import Report
from tfx_janitor.deletion import doubts
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.site import Site
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.survey import make_plan


def clean(site: Site, policy: RetentionPolicy, own: OwnRun) -> Report:
    """Plans, marks and purges; only plans if the own run had failures, and marks nothing beyond a limit.

    Returns:
      The report. It carries the plan in any case, so that a person can look, and approve.
    """
    if own.troubles:
        # A run that failed half-way is when somebody may need the older models and checkpoints.
        reason = f"its own run had failures, so nothing was deleted: {'; '.join(own.troubles)}"
        case = site.case(site.read(), policy)
        plan = make_plan(
            case,
            site.scouts,
            metadata=site.metadata,
            created_ms=site.now_ms,
            doubted=doubts.read(site.store),
        )
        return Report(site.actor, site.now_ms, "refused", reason, plan)
    done = collect(site, policy)
    status, reason = ("done", "") if done.refused is None else ("refused", str(done.refused))
    return Report(site.actor, site.now_ms, status, reason, done.plan, done.outcomes)
