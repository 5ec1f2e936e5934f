"""The options that several commands share, each with its one help text."""

from __future__ import annotations

import enum
import shlex
from datetime import timedelta
from typing import Annotated, TypeVar

import typer

from tfx_janitor.cli.saying import NAME, in_json
from tfx_janitor.errors import JanitorError


class Format(str, enum.Enum):
    """How a command prints."""

    TABLE = "table"
    JSON = "json"


class LogFormat(str, enum.Enum):
    """How messages and logs are written to standard error."""

    TEXT = "text"
    JSON = "json"


class ExplanationFormat(str, enum.Enum):
    """How an explanation is printed."""

    TABLE = "table"
    TREE = "tree"
    JSON = "json"


class LineageFormat(str, enum.Enum):
    """How a lineage is printed."""

    TABLE = "table"
    JSON = "json"
    DOT = "dot"


class Sizes(str, enum.Enum):
    """What a plan measures."""

    DELETIONS = "deletions"
    ALL = "all"


class VerifyLevel(str, enum.Enum):
    """The levels of `payload.verification` for any payload, without importing it at start-up."""

    STRUCTURE = "structure"
    CHECKSUMS = "checksums"
    LOAD = "load"


class ModelLevel(str, enum.Enum):
    """The levels of `payload.verification`, with the one that only SavedModels have."""

    STRUCTURE = "structure"
    CHECKSUMS = "checksums"
    LOAD = "load"
    SMOKE = "smoke"


def _print_version(wanted: bool) -> None:
    if wanted:
        from tfx_janitor.version import VERSION

        print(f"tfx-janitor {VERSION}")
        raise typer.Exit


def _begin_to_log(ctx: typer.Context, wanted: LogFormat) -> LogFormat:
    # Here, not in a command: a command that does not exist is answered in this format, too.
    if wanted is LogFormat.JSON:
        ctx.with_resource(in_json())
    return wanted


def _not_empty(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("expected a reason, got an empty one; who reads it later will want to know")
    return reason


def moment_ms(value: str | None) -> int | None:
    """A time option in milliseconds; None where it was not given.

    Raises:
      JanitorError: neither an ISO 8601 date nor a time.
    """
    if value is None:
        return None
    from tfx_janitor.retention.timestamps import from_iso

    try:
        return from_iso(value.strip())
    except (ValueError, OverflowError):
        raise JanitorError(
            f"expected a date or time such as 2026-01-31 or 2026-01-31T10:00:00Z, got {value!r}"
        ) from None


def is_id(name: str) -> bool:
    """Whether a word that may be an artifact's id or a path is an id."""
    return name.isascii() and name.isdecimal()


def called(ctx: typer.Context, metadata: str) -> tuple[str, ...]:
    """How a command on the same store begins: what the environment names may be another one.

    Args:
      metadata: the store's URL, without password.
    """
    return (NAME, "--metadata", metadata) if _names_a_store(ctx) else (NAME,)


def completed(ctx: typer.Context, message: str) -> str:
    """A message whose commands, written `tfx-janitor history`, are on the same store as this one.

    Who raised it knows no command line, so it is completed where it is told. A URL that is not understood is
    left out: what stands in it may be a password.
    """
    if f"`{NAME} " not in message or not _names_a_store(ctx):
        return message
    from tfx_janitor.lineage.connection import StoreError, url_named

    try:
        program = called(ctx, url_named(ctx.find_root().obj))
    except (StoreError, ValueError):
        return message
    return message.replace(f"`{NAME} ", f"`{shlex.join(program)} ")


def _names_a_store(ctx: typer.Context) -> bool:
    """Whether an option does, and not the environment."""
    source = ctx.find_root().get_parameter_source("metadata")
    return source is not None and source.name == "COMMANDLINE"


def duration(value: str) -> timedelta:
    """An option that is a length of time.

    Raises:
      JanitorError: it is none.
    """
    from tfx_janitor.policy.durations import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise JanitorError(str(error)) from None


_Ids = TypeVar("_Ids", int, list[int])


def known_to_mlmd(ids: _Ids) -> _Ids:
    """Refuses an id, or several, that MLMD cannot have: its ids are signed numbers of 64 bits."""
    for one in [ids] if isinstance(ids, int) else ids:
        if one >= 1 << 63:
            raise typer.BadParameter(f"expected the id of something in the store, got {one}")
    return ids


Metadata = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="TFX_JANITOR_METADATA",
        help="The MLMD store of your pipelines, sqlite:///absolute/path.",
    ),
]
Logs = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        callback=_begin_to_log,
        is_eager=True,
        envvar="TFX_JANITOR_LOG",
        help="Messages on standard error: sentences, or one JSON object a line.",
    ),
]
Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
]
Policy = Annotated[
    str, typer.Option("--policy", metavar="FILE", help="What to keep: a policy in YAML or JSON (.json).")
]
OptionalPolicy = Annotated[
    str | None,
    typer.Option("--policy", metavar="FILE", help="Must let go too, besides the policy that marked."),
]
Now = Annotated[
    str | None,
    typer.Option("--now", metavar="TIME", help="The moment to judge at, instead of the clock's."),
]
Pipeline = Annotated[
    str | None,
    typer.Option("--pipeline", metavar="NAME", help="Govern only what this pipeline produced."),
]
OnlyPipeline = Annotated[
    str | None,
    typer.Option("--pipeline", metavar="NAME", help="Only what this pipeline produced, ran and serves."),
]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why; the history tells it.", callback=_not_empty),
]
Approve = Annotated[
    str | None,
    typer.Option("--approve", metavar="ID", help="Id of a plan beyond the limits, after looking at it."),
]
MaxAge = Annotated[
    str, typer.Option("--max-age", metavar="DURATION", help="How old the plan may be, such as 12h or 7d.")
]
Measure = Annotated[Sizes, typer.Option("--sizes", help="Which payloads to measure.")]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="FILE", help="Write what the run came to for Prometheus, however it ends."
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="Tables for people, or JSON alone.")]
Level = Annotated[ModelLevel, typer.Option("--level", help="How deep to look.")]
All = Annotated[bool, typer.Option("--all", help="List everything, however much it is.")]
