"""`rollback`: puts a version of before back into service."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format, Level, ModelLevel, Now, OutputFormat, moment_ms
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import clock_ms, opened

if TYPE_CHECKING:
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.verified_pusher.push import Push
    from tfx_janitor.verified_pusher.rollback import Choice


def rollback(
    ctx: typer.Context,
    base: Annotated[
        str, typer.Argument(metavar="BASE_DIR", help="The directory that the model server watches.")
    ],
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            min=0,
            help="What to put back; the newest whole version before the current one with another content, "
            "if not given.",
        ),
    ] = None,
    level: Level = ModelLevel.CHECKSUMS,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Put a previous good version back into service, as a new version.

    With --metadata it is recorded there, and archives of versions that are no longer served are taken, too.
    """
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.verified_pusher import rollback as rollbacks
    from tfx_janitor.verified_pusher.manifest import Execution

    depth = Depth(level.value)
    if not ctx.obj:
        now_ms = moment_ms(now)
        choice = rollbacks.choose(base, level=depth, to=to)
        done = rollbacks.put_back(
            choice, execution=Execution(), now_ms=clock_ms() if now_ms is None else now_ms, level=depth
        )
        _tell(choice, done, depth, format, recorded={})
        return
    from tfx_janitor.verified_pusher.rollback_act import roll_back

    with opened(ctx, now=now, readonly=False) as site:
        made = roll_back(site, base, level=depth, to=to)
    recorded = {"metadata": site.metadata, "act": made.act_id, "pushed_model": made.pushed_model_id}
    _tell(made.choice, made.push, depth, format, recorded=recorded)


def _tell(choice: Choice, done: Push, level: Depth, format: Format, *, recorded: dict[str, Any]) -> None:
    damaged = [one for one in choice.passed_over if one.damaged]
    if format is Format.JSON:
        print_json(_document(choice, done, level, recorded))
    else:
        _show(choice, done, level, recorded)
    finish(not damaged)


def _document(choice: Choice, done: Push, level: Depth, recorded: dict[str, Any]) -> dict[str, Any]:
    target = choice.target
    return {
        "schema": "tfx-janitor/rollback/v1",
        "base": choice.base,
        "version": done.version,
        "destination": done.destination,
        "content_digest": done.content_digest,
        "put_back": {"version": target.version, "path": target.path, "archived": target.archived},
        "instead_of": choice.current,
        "source": {
            "artifact_id": target.source.artifact_id,
            "artifact_type": target.source.artifact_type,
            "uri": target.source.uri,
        },
        "level": level.value,
        "passed_over": [
            {"version": one.version, "why": one.why, "damaged": one.damaged} for one in choice.passed_over
        ],
        "metadata": recorded.get("metadata"),
        "act": recorded.get("act"),
        "pushed_model": recorded.get("pushed_model"),
    }


def _show(choice: Choice, done: Push, level: Depth, recorded: dict[str, Any]) -> None:
    from tfx_janitor.report.text import text

    target = choice.target
    instead = "" if choice.current is None else f", instead of version {choice.current}"
    copy = "its archive" if target.archived else "version"
    lines = [
        text(f"version {done.version} serves what version {target.version} served{instead}"),
        text(f"  {done.destination}", "dim"),
        text(f"  from {copy} {target.path}, verified: {level.value}", "dim"),
    ]
    if target.source.artifact_id is not None:
        lines.append(text(f"  {target.source.artifact_type} {target.source.artifact_id}", "dim"))
    lines += [text(f"  passed over version {one.version}: it {one.why}") for one in choice.passed_over]
    if recorded:
        lines.append(text(f"recorded as act {recorded['act']}, PushedModel {recorded['pushed_model']}"))
    if choice.current is not None:
        lines.append(text(f"undo: tfx-janitor rollback {shlex.quote(choice.base)} --to {choice.current}"))
    show(*lines)
