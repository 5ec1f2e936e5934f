"""The page that a janitor leaves: its pipeline as it is when everything is done."""

from __future__ import annotations

import dataclasses

from tfx_janitor.deletion.site import Site
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads


def page_of(site: Site, policy: RetentionPolicy, policy_file: str, now_ms: int) -> str:
    """The page as HTML. It costs no replay, reads no tensor, and takes no workers from the pipeline.

    Args:
      site: where the janitor was at work.
      policy_file: the policy as the commands on the page name it.
      now_ms: the clock's reading, after the last act.
    """
    # Not on the way of a pipeline that is only being written.
    from tfx_janitor.report.page.overview import overview
    from tfx_janitor.report.page.rendering import render

    # To start a Beam pipeline for every look would take longer than all looks.
    site = dataclasses.replace(site, now_ms=now_ms, crew=Threads())
    return render(overview(site, policy, policy_file, Level.STRUCTURE, replaying=False))
