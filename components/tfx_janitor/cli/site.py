"""Opens the place where a command works: the store, the clock, the actor, the progress bar."""

from __future__ import annotations

import contextlib
import difflib
import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tfx_janitor.cli.exits import answer_of_store
from tfx_janitor.cli.options import moment_ms
from tfx_janitor.cli.progress import Bar, progress_bar
from tfx_janitor.errors import JanitorError, Stopped

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

    from tfx_janitor.deletion.site import Site
    from tfx_janitor.policy.schema import RetentionPolicy
    from tfx_janitor.retention.plan import Plan
    from tfx_janitor.survey.crew import Threads

_LISTED = 10
"""Names of pipelines that a message lists at most; a store may have thousands."""


@contextlib.contextmanager
def opened(
    ctx: typer.Context,
    *,
    now: str | None = None,
    readonly: bool,
    pipeline: str | None = None,
    stopping: Callable[[], bool] | None = None,
) -> Iterator[Site]:
    """The site of a command.

    Args:
      ctx: holds the metadata URL.
      now: time option; None takes the clock.
      readonly: opens the store without the power to write.
      pipeline: governs only what this pipeline produced.
      stopping: tells whether somebody wants the command to stop, if anybody can.

    Raises:
      JanitorError: no store, one that does not open, no such pipeline in it, or no time.
      Stopped: the store was lost, or something else foreseen went wrong, when something had been done.
    """
    now_ms = moment_ms(now)
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.lineage.connection import open_url

    store, url = open_url(ctx.obj, readonly=readonly)
    if pipeline is not None:
        _check_pipeline(store, pipeline)
    with working() as (crew, bar):
        site = Site(
            store=store,
            metadata=url,
            actor=_actor(),
            now_ms=clock_ms() if now_ms is None else now_ms,
            crew=crew,
            only_pipeline=pipeline,
            progress=bar,
            stopping=stopping,
        )
        try:
            yield site
        except Exception as error:
            words = str(error) if isinstance(error, JanitorError) else answer_of_store(error)
            if site.account.empty or words is None or isinstance(error, Stopped):
                raise
            act = "" if site.account.under_way is None else f"act {site.account.under_way} was cut off, and "
            raise Stopped(f"{words}; {act}the next run goes on") from None


def _check_pipeline(store: MetadataStore, name: str) -> None:
    """A slip of the pen is no pipeline in which all is well."""
    if store.get_context_by_type_and_name("pipeline", name) is not None:
        return
    known = sorted(context.name for context in store.get_contexts_by_type("pipeline"))
    listed = ", ".join(known) or "none"
    if len(known) > _LISTED:
        nearest = difflib.get_close_matches(name, known, _LISTED, cutoff=0)
        listed = f"{len(known):,}, the nearest are {', '.join(nearest)}"
    raise JanitorError(f"expected a pipeline of the store, got {name!r}; it has {listed}")


@contextlib.contextmanager
def working() -> Iterator[tuple[Threads, Bar]]:
    """Threads whose progress is shown while the block runs."""
    from tfx_janitor.survey.crew import Threads

    with progress_bar() as bar:
        yield Threads(progress=bar), bar


def read_policy(path: str) -> RetentionPolicy:
    """The policy in a file: JSON by its ending, else YAML.

    Raises:
      PolicyError: names file, line and field of all that is wrong.
    """
    from tfx_janitor.policy.schema import RetentionPolicy

    read = RetentionPolicy.from_json if path.endswith(".json") else RetentionPolicy.from_yaml
    return read(path)


def read_plan(path: str) -> Plan:
    """The plan in a file.

    Raises:
      PlanError: not a plan, or changed since it was made.
      JanitorError: no file that can be read.
    """
    from tfx_janitor.retention.plan import Plan

    try:
        return Plan.from_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise JanitorError(f"expected a plan made by `tfx-janitor plan --out`, but {path}: {why}") from None


def clock_ms() -> int:
    """The clock's reading: asked once for each command."""
    return time.time_ns() // 1_000_000


def _actor() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without an account
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
