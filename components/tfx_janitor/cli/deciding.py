"""`plan` and `explain`: they decide and tell, and change nothing."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.options import (
    All,
    ExplanationFormat,
    Format,
    Measure,
    Now,
    OutputFormat,
    Pipeline,
    Policy,
    Sizes,
    called,
    moment_ms,
)
from tfx_janitor.cli.out_files import check_out
from tfx_janitor.cli.printing import print_json, print_pieces, show, show_tree
from tfx_janitor.cli.site import opened, read_policy
from tfx_janitor.errors import JanitorError, Refused

if TYPE_CHECKING:
    from tfx_janitor.deletion.act import Act
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.policy.schema import RetentionPolicy
    from tfx_janitor.retention.plan import Plan

_PLAN_BEGINS = b'{"schema": "tfx-janitor/plan/'


def plan(
    ctx: typer.Context,
    policy: Policy,
    now: Now = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="PLAN", help="Also write the plan here, for `apply`.")
    ] = None,
    sizes: Measure = Sizes.DELETIONS,
    pipeline: Pipeline = None,
    compare: Annotated[
        str | None,
        typer.Option("--compare", metavar="OLD", help="Tell only what differs from this other policy."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Tell what it would have deleted so far, and was used later.")
    ] = False,
    explain_policy: Annotated[
        bool,
        typer.Option(
            "--explain-policy",
            help="Put the policy into words, and show the smallest history in which it deletes something "
            "that was ever pushed. Needs no store.",
        ),
    ] = False,
    list_all: All = False,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Decide what would be kept and deleted, and why. Changes nothing.

    With --replay the policy is tried on the store's own history: what it would have deleted though it was
    used later is a finding. With --compare too, both policies are.
    """
    from tfx_janitor.cli import what_if
    from tfx_janitor.deletion import acts
    from tfx_janitor.deletion.marks import marked_checkpoints
    from tfx_janitor.report.plan_view import MOST, caution_lines, listing, plan_lines

    if explain_policy:
        if out is not None or compare is not None or replay:
            raise JanitorError("--explain-policy looks at one policy and nothing else; leave the rest out")
        what_if.tell_policy(read_policy(policy), format)
        return
    if compare == policy:
        raise JanitorError(f"expected another policy to compare {policy} with, got the same")
    policies = {path: read_policy(path) for path in (policy, compare) if path is not None}
    if out is not None:
        if replay:
            raise JanitorError("--replay makes no plan that --out could write; leave one of the two out")
        check_out(out, begins=_PLAN_BEGINS, what="plan")
    with opened(ctx, now=now, readonly=True, pipeline=pipeline) as site:
        snapshot = site.read()
        replays = what_if.replays(site, snapshot, policies) if replay else {}
        plans = {} if replay else what_if.plans(site, snapshot, policies, measure_all=sizes is Sizes.ALL)
        known = acts.read(site.store, damaged=True)
    if replay:
        what_if.tell_replays(replays, format, metadata=site.metadata, list_all=list_all)
        return
    made = plans[policy]
    if out is not None:
        _write(made, out)
    if compare is not None:
        what_if.tell_comparison(plans, format, list_all=list_all)
        return
    if format is Format.JSON:
        print_pieces(made.to_json(cautioning=True))
        return
    found = listing(made, None if list_all else MOST)
    next_step = _next_step(made, known, out, called(ctx, made.metadata))
    cautions = [*caution_lines(made.cautions), ""] if made.cautions else []
    show(*plan_lines(made, found, marked_checkpoints(known)), *cautions, *next_step)


def explain(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID_OR_PATH",
            help="An artifact's id, its URI, or any path inside what it left; or in a directory that no "
            "artifact claims.",
        ),
    ],
    policy: Policy,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Tell of an earlier moment, or of one to come."),
    ] = None,
    now: Now = None,
    format: Annotated[
        ExplanationFormat, typer.Option("--format", help="A list or a tree for people, or JSON alone.")
    ] = ExplanationFormat.TABLE,
) -> None:
    """Tell why an artifact stays, may go, or went.

    Shows the verdict, all reasons, what did not keep it, and the lineage path behind each. A path may lie
    deep inside a payload, or inside a version directory that is served. With --at the store is taken as it
    was at that moment; for one to come, as it is.
    """
    from tfx_janitor.deletion import acts, doubts
    from tfx_janitor.payload.verification import Level
    from tfx_janitor.report import explanation
    from tfx_janitor.report.explanation_text import explanation_lines
    from tfx_janitor.report.explanation_tree import explanation_tree
    from tfx_janitor.report.finding import NotFound
    from tfx_janitor.report.moment import Moment
    from tfx_janitor.retention.decide import decision_of
    from tfx_janitor.survey.survey import judge

    asked_ms = moment_ms(at)
    rules = read_policy(policy)
    with opened(ctx, now=now, readonly=True) as site:
        moment = Moment(site.read(), site.now_ms if asked_ms is None else asked_ms, site.now_ms)
        try:
            found = moment.find(name)
        except NotFound as error:
            present = asked_ms is None
            if present and rules.orphans is not None and _explain_orphan(site, rules, name, format):
                return
            _explain_removed(site, name, format, error, present=present)
            return
        artifact_id = int(moment.snapshot.artifacts.id[found.row])
        case = dataclasses.replace(site, now_ms=moment.at_ms).case(moment.snapshot, rules)
        doubted = doubts.read(site.store, until_ms=moment.at_ms)
        settlement = judge(case, site.crew, Level.STRUCTURE, doubted=doubted)
        decision = decision_of(settlement, found.row) if found.row in case.governed else None
        past = acts.read(site.store, artifact_id)
        answer = explanation.explain(settlement, found, decision, past, moment)
    if format is ExplanationFormat.JSON:
        print_json(answer.to_dict())
    elif format is ExplanationFormat.TREE:
        show_tree(explanation_tree(answer))
    else:
        show(*explanation_lines(answer))


def _explain_orphan(site: Site, rules: RetentionPolicy, name: str, format: ExplanationFormat) -> bool:
    """Tells of a directory that no artifact claims; False if the name leads into none."""
    from tfx_janitor.deletion import acts
    from tfx_janitor.deletion.orphan_marks import names_path, spelled
    from tfx_janitor.report import orphans
    from tfx_janitor.survey.orphans import find_orphans

    path = spelled(name)
    search = find_orphans(site.case(site.read(), rules), site.crew)
    found = () if search is None else search.orphans
    orphan = next((o for o in found if path == o.path or path.startswith(f"{o.path}/")), None)
    if orphan is None:
        return False
    past = [act for act in acts.read(site.store) if names_path(act, orphan.path)]
    if format is ExplanationFormat.JSON:
        print_json(orphans.explanation_document(orphan, past, now_ms=site.now_ms))
    else:
        show(*orphans.explanation_lines(orphan, past))
    return True


def _explain_removed(
    site: Site, name: str, format: ExplanationFormat, error: JanitorError, *, present: bool
) -> None:
    """Tells of a directory that no artifact claimed, and that a purge removed.

    Args:
      error: what is to be said of a path that leads nowhere.
      present: whether the present is asked for.

    Raises:
      JanitorError: no act dealt with it, or it was not removed; or another moment is asked for.
    """
    from tfx_janitor.deletion import acts
    from tfx_janitor.deletion.orphan_marks import names_path, spelled
    from tfx_janitor.report import orphans
    from tfx_janitor.retention.plan import Orphan

    path, known = spelled(name), acts.read(site.store)
    records = (record for act in known for record in act.details.get("orphans", ()))
    around = [o for o in map(Orphan.from_dict, records) if path == o.path or path.startswith(f"{o.path}/")]
    if not around:
        raise error
    orphan = around[-1]
    past = [act for act in known if names_path(act, orphan.path)]
    removed = orphans.removal(orphan.path, past)
    if removed is None or not present or os.path.lexists(orphan.path):
        told = shlex.join(("tfx-janitor", "history", orphan.path))
        raise JanitorError(f"{error}; `{told}` tells what was done to the directory that no artifact claimed")
    if format is ExplanationFormat.JSON:
        print_json(orphans.explanation_document(orphan, past, removed, now_ms=site.now_ms))
    else:
        show(*orphans.explanation_lines(orphan, past, removed))


def _write(plan: Plan, out: str) -> None:
    from tfx_janitor.report import file

    try:
        file.put(out, plan.to_json())
    except OSError as error:
        raise JanitorError(f"the plan cannot be written to {out}: {error.strerror}") from None


def _next_step(plan: Plan, known: Sequence[Act], out: str | None, program: Sequence[str]) -> list[str]:
    from tfx_janitor.deletion.limits import check, unmarked
    from tfx_janitor.deletion.marks import marked_checkpoints
    from tfx_janitor.deletion.orphan_marks import orphan_marks

    if not plan.summary.delete and not plan.summary.checkpoints_delete and not plan.abandoned:
        return []
    waiting, directories = marked_checkpoints(known), [mark.orphan for mark in orphan_marks(known)]
    if not unmarked(plan, waiting, directories).items:
        purge = shlex.join((*program, "purge"))
        return [f"all of it is marked already; next, when the grace is over: {purge}"]
    try:
        check(plan, None, waiting, directories)
    except Refused as refused:
        return [f"apply will refuse it: {refused}"]
    if out is None:
        return [f"next: write it down with --out PLAN, then {shlex.join((*program, 'apply', 'PLAN'))}"]
    return [f"next: {shlex.join((*program, 'apply', out))}"]
