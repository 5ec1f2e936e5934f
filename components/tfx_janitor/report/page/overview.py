"""All that there is to know of a store at one moment, gathered for its page; it changes nothing."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator

from tfx_janitor.audit.audit import audit
from tfx_janitor.deletion import acts
from tfx_janitor.deletion.doubts import doubted
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.read_api import read_parameters
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.lineage.timeline import as_of
from tfx_janitor.payload.places import Place, PlaceError
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.rehearsal.replay import replay
from tfx_janitor.report.finding import NotFound
from tfx_janitor.report.lineage_references import all_references
from tfx_janitor.report.page.contents import Contents
from tfx_janitor.report.page.growth import Growth, growth
from tfx_janitor.report.served import Timeline, base_of, timeline
from tfx_janitor.survey.one_look import OneLook
from tfx_janitor.survey.past import look_back
from tfx_janitor.survey.survey import make_plan
from tfx_janitor.verified_pusher.standing import standing_in

MOST_ENDS, FEWEST_ENDS = 60, 12
"""Ends of runs at which the policy is replayed for the curve of growth."""

REPLAYED_ARTIFACTS = 1_200_000
"""Artifacts that all of those together may have to judge: about a minute on one core."""

MOST_BASES = 20
"""Serving directories on the page: those of the policy, then those with the most pushes."""


def overview(
    site: Site, policy: RetentionPolicy, policy_file: str, level: Level, *, replaying: bool
) -> Contents:
    """Reads the store, decides, audits, and looks back.

    Args:
      policy_file: the policy as commands name it.
      level: how thoroughly to verify payloads for the findings.
      replaying: finds out what the policy would have left of the past, which takes the most time.
    """
    # Plan, audit and replay ask the same of many payloads.
    site = dataclasses.replace(site, crew=OneLook(site.crew))
    snapshot, known = site.read(), acts.read(site.store, damaged=True)
    plan = make_plan(
        site.case(snapshot, policy),
        site.crew,
        metadata=site.metadata,
        created_ms=site.now_ms,
        measure_all=True,
        doubted=doubted(known),
    )
    contents = Contents(
        snapshot=snapshot,
        plan=plan,
        policy=policy,
        policy_file=policy_file,
        references=all_references(snapshot, read_parameters(site.store, snapshot.executions.id.tolist())),
        audited=audit(site, policy, level, snapshot=snapshot),
        acts=known,
        timelines=list(_timelines(site, snapshot, policy)),
    )
    sizes = {row: decision.bytes or 0 for row, decision in contents.decisions.items()}
    return dataclasses.replace(contents, growth=_growth(site, contents, sizes, replaying=replaying))


def _growth(site: Site, contents: Contents, sizes: dict[int, int], *, replaying: bool) -> Growth | None:
    replayed, policy = None, contents.policy
    history = as_of(contents.snapshot, site.now_ms)
    if replaying and len(history.artifacts):
        past = look_back(site.case(history, policy), site.crew)
        replayed = replay(
            history,
            policy,
            past,
            now_ms=site.now_ms,
            only_pipeline=site.only_pipeline,
            most=replayed_ends(len(history.artifacts)),
            progress=site.progress,
        )
    return growth(site.case(contents.snapshot, policy), sizes, contents.acts, replayed)


def replayed_ends(artifacts: int) -> int:
    """At how many ends of runs a store is replayed: fewer where each takes longer."""
    return min(MOST_ENDS, max(FEWEST_ENDS, REPLAYED_ARTIFACTS // max(artifacts, 1)))


def _timelines(site: Site, snapshot: Snapshot, policy: RetentionPolicy) -> Iterator[Timeline]:
    for base in list(dict.fromkeys(_bases(site, snapshot, policy)))[:MOST_BASES]:
        try:
            yield timeline(snapshot, base, standing_in(base), metadata=site.metadata)
        except NotFound:
            continue


def _bases(site: Site, snapshot: Snapshot, policy: RetentionPolicy) -> Iterator[Place]:
    """Directories that are served: those of the policy, then those that were pushed to, most often first."""
    pushed: Counter[str] = Counter()
    for row in snapshot.rows_of_type("PushedModel"):
        if site.only_pipeline not in (None, snapshot.pipeline_of(row)):
            continue
        destination = snapshot.property(row, "pushed_destination")
        if snapshot.property(row, "pushed") == 1 and destination:
            pushed[os.path.dirname(str(destination).rstrip("/"))] += 1
    for name in (*policy.serving, *(name for name, _ in pushed.most_common())):
        try:
            yield base_of(name)
        except PlaceError:
            continue
