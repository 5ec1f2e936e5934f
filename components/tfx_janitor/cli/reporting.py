"""`report`: one page with all that there is to know of a store. It changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from tfx_janitor.cli.options import Now, Pipeline, Policy, VerifyLevel
from tfx_janitor.cli.out_files import check_out
from tfx_janitor.cli.printing import show
from tfx_janitor.cli.site import opened, read_policy
from tfx_janitor.errors import JanitorError


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
    from tfx_janitor.report import file
    from tfx_janitor.report.page.overview import overview
    from tfx_janitor.report.page.rendering import BEGINNING, render
    from tfx_janitor.report.text import size

    rules = read_policy(policy)
    check_out(out, begins=BEGINNING.encode(), what="page of `tfx-janitor report`")
    with opened(ctx, now=now, readonly=True, pipeline=pipeline) as site:
        contents = overview(site, rules, policy, Level(level.value), replaying=replay)
    page = render(contents)
    try:
        file.put(out, [page])
    except OSError as error:
        raise JanitorError(f"the page cannot be written to {out}: {error.strerror}") from None
    show(f"{out}: {size(len(page.encode()))}; open it in a browser")
