"""`history`: what the janitor did, as the store remembers it, and whether it remembers it as it was."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format, OutputFormat, is_id
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import opened, read_plan
from tfx_janitor.errors import JanitorError

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def history(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="ID_OR_PATH",
            help="Tell of this artifact alone, or of this directory that no artifact claims.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest N acts.")] = 20,
    verify: Annotated[
        bool, typer.Option("--verify", help="Tell whether an act, a plan or a pin was altered or taken away.")
    ] = False,
    head: Annotated[
        list[str] | None,
        typer.Option("--head", metavar="HASH", help="With --verify: noted before, and must still be there."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="PLAN", help="With --verify: a plan's file, as it was applied."),
    ] = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Tell who deleted, restored, pinned or rescued what, and when.

    The newest acts come first.
    """
    if verify:
        if name is not None:
            raise JanitorError(
                "expected --verify without ID_OR_PATH: acts are verified all together, or not at all"
            )
        _verify(ctx, head or [], plan, format)
    elif head or plan is not None:
        raise JanitorError("expected --verify beside --head and --plan, which say what to verify")
    else:
        _tell(ctx, name, limit, format)


def _tell(ctx: typer.Context, name: str | None, limit: int, format: Format) -> None:
    from tfx_janitor.deletion import acts
    from tfx_janitor.deletion.orphan_marks import names_path, spelled
    from tfx_janitor.report.documents import history_document
    from tfx_janitor.report.records import act_lines
    from tfx_janitor.report.text import count

    artifact = int(name) if name is not None and is_id(name) else None
    path = spelled(name) if name is not None and artifact is None else None
    with opened(ctx, readonly=True) as site:
        if artifact is not None and not site.store.get_artifacts_by_id([artifact]):
            raise JanitorError(f"expected the id of an artifact, but the store has no artifact {artifact}")
        found = acts.read(site.store, artifact)
    if path is not None:
        found = [act for act in found if names_path(act, path)]
        if not found:
            raise JanitorError(f"expected an artifact's id or the path of an act, but no act names {path}")
    newest = found[::-1][:limit]
    if format is Format.JSON:
        print_json(history_document(newest, metadata=site.metadata))
        return
    show(*act_lines(newest, artifact, path) if newest else ["no acts"])
    if len(found) > limit:
        show(f"{count(len(found) - limit, 'older act')}; --limit shows more")


def _verify(ctx: typer.Context, noted: list[str], plan: str | None, format: Format) -> None:
    from tfx_janitor.deletion.history import verify
    from tfx_janitor.report.documents import history_verification_document
    from tfx_janitor.report.records import history_verification_lines
    from tfx_janitor.retention.plan import Plan, PlanError

    for digest in noted:
        if not _HASH.fullmatch(digest):
            raise JanitorError(f"expected a head's hash, sha256: and 64 hexadecimal digits, got {digest!r}")
    applied: Plan | PlanError | None = None
    try:
        applied = None if plan is None else read_plan(plan)
    except PlanError as error:  # what `apply` refuses is here what was asked for
        applied = error
    with opened(ctx, readonly=True) as site:
        verified = verify(site.store, noted=noted, plan=applied)
    if format is Format.JSON:
        plan_id = applied.id if isinstance(applied, Plan) else None
        print_json(history_verification_document(verified, metadata=site.metadata, plan_id=plan_id))
    else:
        show(*history_verification_lines(verified))
    finish(not verified.findings)
