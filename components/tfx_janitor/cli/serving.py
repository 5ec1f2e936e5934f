"""`rollback`, `withdraw` and `adopt`: what a person does about the versions that model servers watch."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfx_janitor.cli.acting import at_work, names_of, tell
from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format, Level, ModelLevel, Now, OutputFormat, Reason, called, moment_ms
from tfx_janitor.cli.printing import print_json, show
from tfx_janitor.cli.site import clock_ms, opened
from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.verified_pusher.push import Push
    from tfx_janitor.verified_pusher.rollback import Choice
    from tfx_janitor.verified_pusher.rollback_act import RecordedRollback


Base = Annotated[str, typer.Argument(metavar="BASE_DIR", help="The directory that the model server watches.")]


def rollback(
    ctx: typer.Context,
    base: Base,
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
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="Also take the version that was rolled back from out of service."),
    ] = False,
    level: Level = ModelLevel.CHECKSUMS,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Put a good version of before back into service.

    It becomes a new version, for servers serve the newest.
    With --metadata it is recorded there, and archives of versions that are no longer served are taken, too.
    """
    from tfx_janitor.payload.verification import Level as Depth
    from tfx_janitor.verified_pusher import rollback as rollbacks
    from tfx_janitor.verified_pusher.manifest import Execution

    base = _local(base)
    depth = Depth(level.value)
    if not ctx.obj:
        now_ms = moment_ms(now)
        choice = rollbacks.choose(base, level=depth, to=to)
        done = rollbacks.put_back(
            choice, execution=Execution(), now_ms=clock_ms() if now_ms is None else now_ms, level=depth
        )
        problem = _withdraw_unrecorded(choice) if withdraw else None
        # Without a store nobody knows of another copy of what went.
        undo = None if withdraw and problem is None else _undo(("tfx-janitor",), choice)
        _tell(choice, done, depth, format, recorded={}, withdrawn=withdraw, problem=problem, undo=undo)
        return
    from tfx_janitor.verified_pusher.errors import PushError
    from tfx_janitor.verified_pusher.rollback_act import roll_back

    problem, undoable = None, True
    with opened(ctx, now=now, readonly=False) as site:
        try:
            made = roll_back(site, base, level=depth, to=to)
        except PushError as error:  # it is recorded as failed, and no later run goes on with it
            made = error
        else:
            if withdraw:
                problem = _withdraw_recorded(site, base, made)
                undoable = problem is not None or _is_archived(site, made.choice)
    if isinstance(made, PushError):
        raise made
    recorded = {"metadata": site.metadata, "act": made.act_id, "pushed_model": made.pushed_model_id}
    undo = _undo(called(ctx, site.metadata), made.choice) if undoable else None
    _tell(
        made.choice,
        made.push,
        depth,
        format,
        recorded=recorded,
        withdrawn=withdraw,
        problem=problem,
        undo=undo,
    )


def withdraw(
    ctx: typer.Context,
    base: Base,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=0, help="What goes.")],
    reason: Reason,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server", metavar="HOST:PORT/MODEL", help="A model server that must not have it loaded."
        ),
    ] = None,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Take one version out of service that is not the newest.

    It disappears in one rename, and its bytes are deleted.
    """
    from tfx_janitor.verified_pusher.options import checked_model_servers
    from tfx_janitor.verified_pusher.serving import in_use_by_any
    from tfx_janitor.verified_pusher.withdrawal import withdraw as carry_out

    base = _local(base)
    in_use = in_use_by_any(checked_model_servers(server or ()))
    with at_work(ctx, "withdraw", format, now=now) as site:
        outcomes = carry_out(site, base, version, reason=reason, in_use=in_use)
        names = names_of(site.store, outcomes)
    tell("withdraw", site, outcomes, names, format)


def adopt(
    ctx: typer.Context,
    base: Base,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=0, help="What no lineage tells of.")],
    reason: Reason,
    now: Now = None,
    format: OutputFormat = Format.TABLE,
) -> None:
    """Record a PushedModel for a version that has none.

    The Model that it is a copy of is found by its manifest or its bytes, and is held from then on.
    """
    from tfx_janitor.report.text import text
    from tfx_janitor.verified_pusher.adoption import adopt as carry_out

    base = _local(base)
    with opened(ctx, now=now, readonly=False) as site:
        done = carry_out(site, base, version, reason=reason)
    source = None if done.source is None else done.source.artifact_id
    if format is Format.JSON:
        print_json(
            {
                "schema": "tfx-janitor/adoption/v1",
                "metadata": site.metadata,
                "version": done.version,
                "act": done.act_id,
                "pushed_model": done.pushed_model_id,
                "source_artifact_id": source,
            }
        )
        return
    behind = "no Model in the store is what it serves" if source is None else f"it serves Model {source}"
    show(
        text(f"version {done.version} is PushedModel {done.pushed_model_id} now, by act {done.act_id}"),
        text(f"  {behind}", "dim"),
    )


def _local(base: str) -> str:
    """The whole path of a base directory that may be spelled as the Pushers take it, `file:///srv/serving`."""
    from pathlib import Path

    from tfx_janitor.payload import places

    if "://" not in base:
        # `..` stays: after a link it leads elsewhere.
        return str(Path.cwd() / base) if base else base
    place = places.parse(base)
    if not place.local:
        raise JanitorError(f"expected a local directory that a model server watches, got {base}")
    return place.path


def _withdraw_recorded(site: Site, base: str, made: RecordedRollback) -> str | None:
    """Takes what was rolled back from out of service; why it could not be done, None if it was."""
    from tfx_janitor.verified_pusher.withdrawal import withdraw as take_out

    if made.choice.current is None:
        return None
    reason = f"rolled back by act {made.act_id}"
    try:
        # That servers have it loaded is why it goes: they load what was put back.
        outcomes = take_out(site, base, made.choice.current, reason=reason, in_use=lambda _: False)
    except JanitorError as error:  # the rollback is done all the same, and must be told
        return str(error)
    return next((outcome.detail for outcome in outcomes if not outcome.well), None)


def _is_archived(site: Site, choice: Choice) -> bool:
    """Whether a copy of what was rolled back from is left, though it is out of service."""
    import os

    from tfx_janitor.verified_pusher import pushed_models

    known = pushed_models.of_base(site.store, os.path.realpath(choice.base))
    archives = [one.archive for one in known if one.version == choice.current and one.archive is not None]
    return any(map(os.path.isdir, archives))


def _withdraw_unrecorded(choice: Choice) -> str | None:
    import os

    from tfx_janitor.verified_pusher.retirement import withdraw as take_out
    from tfx_janitor.verified_pusher.staging import Corner

    if choice.current is None:
        return None
    real = os.path.realpath(choice.base)
    with Corner(real).alone():
        return take_out(real, choice.current)


def _undo(program: Sequence[str], choice: Choice) -> str:
    return shlex.join((*program, "rollback", choice.base, "--to", str(choice.current)))


def _tell(
    choice: Choice,
    done: Push,
    level: Depth,
    format: Format,
    *,
    recorded: dict[str, Any],
    withdrawn: bool,
    problem: str | None,
    undo: str | None,
) -> None:
    damaged = [one for one in choice.passed_over if one.damaged]
    gone = choice.current if withdrawn and problem is None else None
    if format is Format.JSON:
        document = _document(choice, done, level, recorded)
        print_json({**document, "withdrawn": gone, "problem": problem})
    else:
        _show(choice, done, level, recorded, gone, undo)
        if problem is not None:
            show(f"version {choice.current} is still in service: {problem}")
    finish(not damaged and problem is None)


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


def _show(
    choice: Choice, done: Push, level: Depth, recorded: dict[str, Any], gone: int | None, undo: str | None
) -> None:
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
    if gone is not None:
        lines.append(text(f"version {gone} is out of service"))
    if undo is not None and choice.current is not None:
        lines.append(text(f"undo: {undo}"))
    show(*lines)
