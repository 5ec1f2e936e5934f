"""`apply`, `purge`, `gc` and `restore`: they act, and tell what became of each item."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.metrics import measured
from tfx_janitor.cli.options import (
    Approve,
    Format,
    MaxAge,
    Measure,
    Metrics,
    Now,
    OptionalPolicy,
    OutputFormat,
    Policy,
    Sizes,
    called,
    duration,
    is_id,
)
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.saying import say
from tfx_janitor.cli.site import opened, read_plan, read_policy
from tfx_janitor.cli.stopping import stoppable
from tfx_janitor.cli.usage import CommandInPlainWords
from tfx_janitor.errors import JanitorError, Refused, Stopped

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

    from tfx_janitor.deletion.act import Outcome
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.policy.file import Problem

_CHUNK = 1000
_STOPPING = "tfx-janitor.stopping"


class CommandThatActs(CommandInPlainWords):
    """A command that the first Ctrl-C or `kill` asks to end, from its start on."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        # To its end: what was done is told, too, before a wish to stop counts.
        ctx.meta[_STOPPING] = ctx.with_resource(stoppable())
        return super().invoke(ctx)


def apply(
    ctx: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A plan made by `plan --out`.")],
    approve: Approve = None,
    max_age: MaxAge = "1d",
    now: Now = None,
    metrics: Metrics = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Mark what a plan lets go, once.

    No byte is touched, and `restore` takes it back. A plan that was applied already is refused, and so is one
    that is older than --max-age.
    """
    from tfx_janitor.deletion.apply import apply as carry_out
    from tfx_janitor.deletion.once import check_fresh, check_unused

    with measured(ctx, "apply", metrics) as seen:
        most = duration(max_age)
        made = read_plan(plan)
        seen.summary = made.summary
        with at_work(ctx, "apply", format, now=now) as site:
            seen.site = site
            check_fresh(made, site.now_ms, most)
            check_unused(made, site.store)
            seen.outcomes = outcomes = carry_out(site, made, approved=approve)
            names = names_of(site.store, outcomes)
        marked = any(outcome.done == "marked" for outcome in outcomes)
        undo = f"undo: {shlex.join((*called(ctx, site.metadata), 'restore', '--plan', made.id))}"
        tell("apply", site, outcomes, names, format, plan_id=made.id, hints=[undo] if marked else [])


def purge(
    ctx: typer.Context,
    now: Now = None,
    policy: OptionalPolicy = None,
    metrics: Metrics = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Judge again what was marked, and delete what is due.

    Due is what was marked longer ago than the grace of the policy that marked it. What is needed again is
    rescued.
    """
    from tfx_janitor.deletion.purge import purge as carry_out

    with measured(ctx, "purge", metrics) as seen:
        rules = None if policy is None else read_policy(policy)
        with at_work(ctx, "purge", format, now=now) as site:
            seen.site = site
            seen.outcomes = outcomes = carry_out(site, policy=rules)
            names = names_of(site.store, outcomes)
            hints = [] if format is Format.JSON else _waiting(site)
        tell("purge", site, outcomes, names, format, hints=hints)


def gc(
    ctx: typer.Context,
    policy: Policy,
    approve: Approve = None,
    sizes: Measure = Sizes.DELETIONS,
    now: Now = None,
    metrics: Metrics = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Plan, apply and purge in one, for cron.

    A plan beyond a limit is not applied; what was marked before is purged when it is due all the same.
    """
    from tfx_janitor.deletion.gc import collect

    with measured(ctx, "gc", metrics) as seen:
        rules = read_policy(policy)
        with at_work(ctx, "gc", format, now=now) as site:
            seen.site = site
            collected = collect(site, rules, approved=approve, measure_all=sizes is Sizes.ALL)
            plan, seen.summary = collected.plan, collected.plan.summary
            seen.outcomes = outcomes = collected.outcomes
            names = names_of(site.store, outcomes)
            hints = [] if format is Format.JSON else _waiting(site)
        # Of a job in cron nobody reads the tables; what stands on standard error is mailed, or logged.
        for one in plan.cautions:
            say(f"{policy}: {one.field}: {one.message}", "warning", field=one.field)
        tell(
            "gc",
            site,
            outcomes,
            names,
            format,
            plan_id=plan.id,
            hints=hints,
            refused=collected.refused,
            cautions=plan.cautions,
        )


def restore(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID_OR_PATH",
            help="What is marked: artifacts, or directories that no artifact claims.",
        ),
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="PLAN_ID", help="All that this plan marked.")
    ] = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Take marks back, after verifying that payloads are whole."""
    from tfx_janitor.deletion import orphans
    from tfx_janitor.deletion.orphan_marks import spelled
    from tfx_janitor.deletion.restore import marked_by
    from tfx_janitor.deletion.restore import restore as carry_out

    if not names and plan is None:
        raise JanitorError("expected ids of artifacts, paths of directories, or --plan PLAN_ID; got neither")
    ids = [int(name) for name in names or () if is_id(name)]
    paths = [spelled(name) for name in names or () if not is_id(name)]
    with at_work(ctx, "restore", format) as site:
        if plan is not None:
            ids += marked_by(site, plan)
            paths += orphans.marked_by(site, plan)
        outcomes = [
            *(orphans.restore(site, paths) if paths else ()),
            *(carry_out(site, ids) if ids else ()),
        ]
        known = names_of(site.store, outcomes)
    restored = any(outcome.done == "restored" for outcome in outcomes)
    hint = "the next gc judges it again: pin what must stay, or change the policy"
    tell("restore", site, outcomes, known, format, plan_id=plan, hints=[hint] if restored else [])


def _waiting(site: Site) -> list[str]:
    """What is left to be purged, and when to come again."""
    from tfx_janitor.deletion.waiting import next_due
    from tfx_janitor.report.text import count
    from tfx_janitor.retention.timestamps import shown

    marks, due_ms = next_due(site.store, site.now_ms)
    if not marks:
        return []
    when = "the grace of all is over" if due_ms is None else f"the next is due {shown(due_ms)}"
    return [f"{count(marks, 'mark')} left; {when}"]


@contextlib.contextmanager
def at_work(ctx: typer.Context, act: str, format: Format, *, now: str | None = None) -> Iterator[Site]:
    """The site of an act, of a command that may be stopped.

    Whatever cuts it off, what it did until then is told.

    Raises:
      Stopped: somebody wished that before the act had begun.
    """
    site = None
    stopping = ctx.meta[_STOPPING]
    try:
        with opened(ctx, now=now, readonly=False, stopping=stopping) as site:
            if stopping():
                raise Stopped("stopped before it had begun; nothing was done")
            yield site
    except Exception as error:
        if site is not None and not site.account.empty:
            _show(act, site, site.account.outcomes, {}, format, because=error)
        raise


def names_of(store: MetadataStore, outcomes: Iterable[Outcome]) -> dict[int, str]:
    """The types of the artifacts that outcomes are of."""
    ids = sorted({outcome.artifact_id for outcome in outcomes if outcome.path is None})
    chunks = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
    return {row.id: row.type for chunk in chunks for row in store.get_artifacts_by_id(chunk)}


def tell(
    act: str,
    site: Site,
    outcomes: Sequence[Outcome],
    names: dict[int, str],
    format: Format,
    *,
    plan_id: str | None = None,
    hints: Sequence[str] = (),
    refused: Refused | None = None,
    cautions: Sequence[Problem] = (),
) -> None:
    """Tells what became of the items, and ends the command."""
    from tfx_janitor.deletion.act import NOT_BEGUN

    stopped = any(outcome.detail == NOT_BEGUN for outcome in outcomes)
    left = Stopped("stopped; the next run goes on with what was not begun") if stopped else None
    because = refused or left
    _show(
        act,
        site,
        outcomes,
        names,
        format,
        plan_id=plan_id,
        hints=hints,
        because=because,
        cautions=cautions,
    )
    if because is not None:
        raise because
    finish(all(outcome.well for outcome in outcomes))


def _show(
    act: str,
    site: Site,
    outcomes: Sequence[Outcome],
    names: dict[int, str],
    format: Format,
    *,
    plan_id: str | None = None,
    hints: Sequence[str] = (),
    because: Exception | None = None,
    cautions: Sequence[Problem] = (),
) -> None:
    """Shows what became of the items; `because` tells why that is not all."""
    from tfx_janitor.report.documents import outcomes_document
    from tfx_janitor.report.tables import outcome_summary, outcome_table

    if format is Format.JSON:
        refused = isinstance(because, Refused)
        print_json(
            outcomes_document(
                act,
                outcomes,
                metadata=site.metadata,
                now_ms=site.now_ms,
                plan_id=plan_id,
                refused=str(because) if refused else None,
                stopped=None if because is None or refused else str(because),
                cautions=cautions,
            )
        )
    elif outcomes:
        show(outcome_table(outcomes, names), "", outcome_summary(outcomes), *hints)
    elif because is None:
        show("nothing to do", *hints)
