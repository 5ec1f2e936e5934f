"""`discard`, `forget` and `close`: what a person does about an audit's findings."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tfx_janitor.cli.acting import at_work, names_of, tell
from tfx_janitor.cli.options import Format, Now, OutputFormat, Policy, Reason, called, known_to_mlmd
from tfx_janitor.cli.site import read_policy

Artifacts = Annotated[
    list[int], typer.Argument(metavar="ID", help="Artifacts, by their ids.", callback=known_to_mlmd)
]
Executions = Annotated[
    list[int], typer.Argument(metavar="EXECUTION", help="Executions, by their ids.", callback=known_to_mlmd)
]


def discard(
    ctx: typer.Context,
    ids: Artifacts,
    reason: Reason,
    policy: Policy,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Mark artifacts for deletion, whatever the policy keeps.

    From now on TFX neither resolves nor caches them, so that the next run makes new ones. They are purged
    after the grace of the policy, once no hold holds them; `restore` takes it back.
    """
    from tfx_janitor.deletion.mending import discard as carry_out

    rules = read_policy(policy)
    with at_work(ctx, "discard", format, now=now) as site:
        outcomes = carry_out(site, rules, ids, reason)
        names = names_of(site.store, outcomes)
    marked = [str(outcome.artifact_id) for outcome in outcomes if outcome.done == "marked"]
    undo = f"undo: {shlex.join((*called(ctx, site.metadata), 'restore', *marked))}"
    tell("discard", site, outcomes, names, format, hints=[undo] if marked else [])


def forget(
    ctx: typer.Context,
    ids: Artifacts,
    reason: Reason,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Call artifacts DELETED that have no payload of their own.

    Nothing lies there any more, or another artifact has the very same payload and keeps it. No byte is
    touched. TFX no longer resolves or caches them.
    """
    from tfx_janitor.deletion.mending import forget as carry_out

    with at_work(ctx, "forget", format, now=now) as site:
        outcomes = carry_out(site, ids, reason)
        names = names_of(site.store, outcomes)
    tell("forget", site, outcomes, names, format)


def close(
    ctx: typer.Context,
    ids: Executions,
    reason: Reason,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Call executions FAILED that died without saying so.

    They hold nothing any more. Make sure that they are dead: what they write afterwards may be deleted under
    them.
    """
    from tfx_janitor.deletion.mending import close as carry_out

    with at_work(ctx, "close", format, now=now) as site:
        outcomes = carry_out(site, ids, reason)
        names = names_of(site.store, outcomes)
    tell("close", site, outcomes, names, format)
