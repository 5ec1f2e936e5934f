"""`report`: one page with all that there is to know of a store. It changes nothing."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.options import Now, Pipeline, Policy, VerifyLevel
from tfx_janitor.cli.printing import show
from tfx_janitor.cli.site import opened, read_policy
from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.lineage.snapshot import Snapshot
    from tfx_janitor.payload.places import Place
    from tfx_janitor.payload.verification import Level
    from tfx_janitor.policy.schema import RetentionPolicy
    from tfx_janitor.report.page.contents import Contents
    from tfx_janitor.report.page.growth import Growth
    from tfx_janitor.report.served import Timeline

MOMENTS = 60
"""Ends of runs at which the policy is replayed for the curve of growth."""

MOST_BASES = 20
"""Serving directories on the page: those of the policy, then those with the most pushes."""


def report(
    ctx: typer.Context,
    policy: Policy,
    out: Annotated[str, typer.Option("--out", metavar="FILE.html", help="Where to write the page.")],
    level: Annotated[
        VerifyLevel, typer.Option("--verify", help="How deep to verify payloads.")
    ] = VerifyLevel.STRUCTURE,
    replay: Annotated[
        bool,
        typer.Option("--replay/--no-replay", help="Show what the policy would have kept of the past."),
    ] = True,
    pipeline: Pipeline = None,
    now: Now = None,
) -> None:
    """Write all that is to be seen as one page for a browser.

    Totals, growth, findings, decisions with their lineage, what was served, and the history of acts, in one
    file that asks nothing of any network. Nothing is changed.
    """
    from tfx_janitor.payload.verification import Level
    from tfx_janitor.report.page.rendering import render
    from tfx_janitor.report.text import size

    rules = read_policy(policy)
    _refuse_to_overwrite(out)
    with opened(ctx, now=now, readonly=True, pipeline=pipeline) as site:
        contents = _gather(site, rules, policy, Level(level.value), replaying=replay)
    page = render(contents).encode()
    try:
        with open(out, "wb") as file:
            file.write(page)
    except OSError as error:
        raise JanitorError(f"the page cannot be written to {out}: {error.strerror}") from None
    show(f"{out}: {size(len(page))}; open it in a browser")


def _gather(
    site: Site, policy: RetentionPolicy, policy_file: str, level: Level, *, replaying: bool
) -> Contents:
    from tfx_janitor.audit.audit import audit
    from tfx_janitor.deletion import acts
    from tfx_janitor.lineage.read_api import read_parameters
    from tfx_janitor.report.lineage_references import all_references
    from tfx_janitor.report.page.contents import Contents
    from tfx_janitor.survey.one_look import OneLook
    from tfx_janitor.survey.survey import make_plan

    # Plan, audit and replay ask the same of many payloads.
    site = dataclasses.replace(site, crew=OneLook(site.crew))
    snapshot = site.read()
    plan = make_plan(
        site.case(snapshot, policy),
        site.crew,
        metadata=site.metadata,
        created_ms=site.now_ms,
        measure_all=True,
    )
    contents = Contents(
        snapshot=snapshot,
        plan=plan,
        policy=policy,
        policy_file=policy_file,
        references=all_references(snapshot, read_parameters(site.store, snapshot.executions.id.tolist())),
        audited=audit(site, policy, level, snapshot=snapshot),
        acts=acts.read(site.store, damaged=True),
        timelines=list(_timelines(site, snapshot, policy)),
    )
    sizes = {row: decision.bytes or 0 for row, decision in contents.decisions.items()}
    return dataclasses.replace(contents, growth=_growth(site, contents, sizes, replaying=replaying))


def _growth(site: Site, contents: Contents, sizes: dict[int, int], *, replaying: bool) -> Growth | None:
    from tfx_janitor.lineage.timeline import as_of
    from tfx_janitor.rehearsal.replay import replay
    from tfx_janitor.report.page.growth import growth
    from tfx_janitor.survey.past import look_back

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
            most=MOMENTS,
            progress=site.progress,
        )
    return growth(site.case(contents.snapshot, policy), sizes, contents.acts, replayed)


def _timelines(site: Site, snapshot: Snapshot, policy: RetentionPolicy) -> Iterator[Timeline]:
    from tfx_janitor.report.finding import NotFound
    from tfx_janitor.report.served import timeline
    from tfx_janitor.verified_pusher.standing import standing_in

    for base in list(dict.fromkeys(_bases(snapshot, policy)))[:MOST_BASES]:
        try:
            yield timeline(snapshot, base, standing_in(base), metadata=site.metadata)
        except NotFound:
            continue


def _bases(snapshot: Snapshot, policy: RetentionPolicy) -> Iterator[Place]:
    """Directories that are served: those of the policy, then those that were pushed to, most often first."""
    from tfx_janitor.payload.places import PlaceError
    from tfx_janitor.report.served import base_of

    pushed: Counter[str] = Counter()
    for row in snapshot.rows_of_type("PushedModel"):
        destination = snapshot.property(row, "pushed_destination")
        if snapshot.property(row, "pushed") == 1 and destination:
            pushed[os.path.dirname(str(destination).rstrip("/"))] += 1
    for name in (*policy.serving, *(name for name, _ in pushed.most_common())):
        try:
            yield base_of(name)
        except PlaceError:
            continue


def _refuse_to_overwrite(out: str) -> None:
    """A slip such as `--out metadata.db` must not cost anything but a message."""
    from tfx_janitor.report.page.rendering import BEGINNING

    try:
        if not os.path.isfile(out) or os.path.getsize(out) == 0:
            return
        with open(out, "rb") as file:
            begins = file.read(len(BEGINNING))
    except OSError as error:
        raise JanitorError(f"{out} cannot be looked at: {error.strerror}") from None
    if begins != BEGINNING.encode():
        raise JanitorError(
            f"{out} exists and is no page of `tfx-janitor report`; name another file for --out"
        )
