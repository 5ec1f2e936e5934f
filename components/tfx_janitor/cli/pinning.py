"""`pin`, `unpin` and `pins`: a person's word that an artifact must stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tfx_janitor.cli.options import Format, OutputFormat, known_to_mlmd, moment_ms
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import opened

if TYPE_CHECKING:
    from tfx_janitor.lineage.snapshot import Pin

Artifact = Annotated[int, typer.Argument(metavar="ID", help="The artifact's id.", callback=known_to_mlmd)]


def pin(
    ctx: typer.Context,
    artifact: Artifact,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it must stay.")],
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="When the pin ends; never, if not given.")
    ] = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Hold an artifact, whatever a policy says."""
    from tfx_janitor.deletion.pins import pin as carry_out

    until_ms = moment_ms(until)
    with opened(ctx, readonly=False) as site:
        made = carry_out(site, artifact, reason, until_ms)
    _tell("pinned", [made], site.metadata, format)


def unpin(ctx: typer.Context, artifact: Artifact, format: OutputFormat = Format.TABLE) -> None:
    """Release all pins on an artifact."""
    from tfx_janitor.deletion.pins import unpin as carry_out

    with opened(ctx, readonly=False) as site:
        released = carry_out(site, artifact)
    _tell("released", released, site.metadata, format)


def pins(
    ctx: typer.Context,
    list_all: Annotated[
        bool, typer.Option("--all", help="Also pins that were released or have ended.")
    ] = False,
    format: OutputFormat = Format.TABLE,
) -> None:
    """List the pins that stand."""
    from tfx_janitor.lineage.read_api import read_pins

    with opened(ctx, readonly=True) as site:
        found = [p for p in read_pins(site.store) if list_all or p.stands(site.now_ms)]
    if not found and format is Format.TABLE:
        show("no pins")
    else:
        _tell("", found, site.metadata, format)


def _tell(done: str, found: Sequence[Pin], metadata: str, format: Format) -> None:
    from tfx_janitor.report.documents import pins_document
    from tfx_janitor.report.records import pin_table

    if format is Format.JSON:
        print_json(pins_document(found, metadata=metadata))
        return
    show(*[f"{done}:"] if done else [], pin_table(found))
