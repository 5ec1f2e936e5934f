"""`history`: what the janitor did, as the store remembers it."""

from __future__ import annotations

from typing import Annotated

import typer

from tfx_janitor.cli.options import Format, OutputFormat
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import opened
from tfx_janitor.errors import JanitorError


def history(
    ctx: typer.Context,
    artifact: Annotated[int | None, typer.Argument(metavar="ID", help="Tell of this artifact alone.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest N acts.")] = 20,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Tell who deleted, restored, pinned or rescued what, and when.

    The newest acts come first.
    """
    from tfx_janitor.deletion import acts
    from tfx_janitor.report.documents import history_document
    from tfx_janitor.report.records import act_lines
    from tfx_janitor.report.text import count

    with opened(ctx, readonly=True) as site:
        if artifact is not None and not site.store.get_artifacts_by_id([artifact]):
            raise JanitorError(f"expected the id of an artifact, but the store has no artifact {artifact}")
        found = acts.read(site.store, artifact)
    newest = found[::-1][:limit]
    if format is Format.JSON:
        print_json(history_document(newest, metadata=site.metadata))
        return
    show(*act_lines(newest, artifact) if newest else ["no acts"])
    if len(found) > limit:
        show(f"{count(len(found) - limit, 'older act')}; --limit shows more")
