"""`apply`, `purge`, `gc` and `restore`: they act, and tell what became of each item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Approve, Format, Now, OptionalPolicy, OutputFormat, Policy
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import opened, read_plan, read_policy
from tfx_janitor.errors import JanitorError, Refused

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

    from tfx_janitor.deletion.acts import Outcome
    from tfx_janitor.deletion.site import Site

_CHUNK = 1000


def apply(
    ctx: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A plan made by `plan --out`.")],
    approve: Approve = None,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Mark what a plan lets go.

    No byte is touched, and `restore` takes it back.
    """
    from tfx_janitor.deletion.apply import apply as carry_out

    made = read_plan(plan)
    with opened(ctx, now=now, readonly=False) as site:
        outcomes = carry_out(site, made, approved=approve)
        names = _names(site.store, outcomes)
    marked = any(outcome.done == "marked" for outcome in outcomes)
    undo = f"undo: tfx-janitor restore --plan {made.id}"
    _tell("apply", site, outcomes, names, format, plan_id=made.id, hints=[undo] if marked else [])


def purge(
    ctx: typer.Context, now: Now = None, policy: OptionalPolicy = None, format: OutputFormat = Format.TABLE
) -> None:
    """Judge again what was marked, and delete what is due.

    Due is what was marked longer ago than the grace of the policy that marked it. What is needed again is
    rescued.
    """
    from tfx_janitor.deletion.purge import purge as carry_out

    rules = None if policy is None else read_policy(policy)
    with opened(ctx, now=now, readonly=False) as site:
        outcomes = carry_out(site, policy=rules)
        names = _names(site.store, outcomes)
    _tell("purge", site, outcomes, names, format)


def gc(
    ctx: typer.Context,
    policy: Policy,
    approve: Approve = None,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Plan, apply and purge in one, for cron.

    A plan beyond a limit is not applied; what was marked before is purged when it is due all the same.
    """
    from tfx_janitor.deletion.gc import collect

    rules = read_policy(policy)
    with opened(ctx, now=now, readonly=False) as site:
        collected = collect(site, rules, approved=approve)
        names = _names(site.store, collected.outcomes)
    _tell("gc", site, collected.outcomes, names, format, plan_id=collected.plan.id, refused=collected.refused)


def restore(
    ctx: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID...", help="Artifacts that are marked.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="PLAN_ID", help="All that this plan marked.")
    ] = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Take marks back, after verifying that payloads are whole."""
    from tfx_janitor.deletion.restore import marked_by
    from tfx_janitor.deletion.restore import restore as carry_out

    if not ids and plan is None:
        raise JanitorError("expected ids of artifacts, or --plan PLAN_ID; got neither")
    with opened(ctx, readonly=False) as site:
        wanted = [*(ids or ()), *(marked_by(site, plan) if plan is not None else ())]
        outcomes = carry_out(site, wanted)
        names = _names(site.store, outcomes)
    restored = any(outcome.done == "restored" for outcome in outcomes)
    hint = "the next gc judges it again: pin what must stay, or change the policy"
    _tell("restore", site, outcomes, names, format, plan_id=plan, hints=[hint] if restored else [])


def _names(store: MetadataStore, outcomes: Iterable[Outcome]) -> dict[int, str]:
    ids = sorted({outcome.artifact_id for outcome in outcomes})
    chunks = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
    return {row.id: row.type for chunk in chunks for row in store.get_artifacts_by_id(chunk)}


def _tell(
    act: str,
    site: Site,
    outcomes: Sequence[Outcome],
    names: dict[int, str],
    format: Format,
    *,
    plan_id: str | None = None,
    hints: Sequence[str] = (),
    refused: Refused | None = None,
) -> None:
    from tfx_janitor.report.documents import outcomes_document
    from tfx_janitor.report.tables import outcome_summary, outcome_table

    if format is Format.JSON:
        print_json(
            outcomes_document(
                act,
                outcomes,
                metadata=site.metadata,
                now_ms=site.now_ms,
                plan_id=plan_id,
                refused=None if refused is None else str(refused),
            )
        )
    elif outcomes:
        show(outcome_table(outcomes, names), "", outcome_summary(outcomes), *hints)
    elif refused is None:
        show("nothing to do")
    if refused is not None:
        raise refused
    finish(all(outcome.well for outcome in outcomes))
