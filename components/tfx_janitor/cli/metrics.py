"""`--metrics FILE`: what a run came to, for node-exporter's textfile collector, however it ended.

An act never fails because of its metrics. That they could not be written is said, and is exit code 1.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tfx_janitor.cli.exits import FINDINGS, code_of, writing
from tfx_janitor.cli.saying import say
from tfx_janitor.errors import JanitorError, Refused

if TYPE_CHECKING:
    from tfx_janitor.audit.audit import Audit
    from tfx_janitor.deletion.act import Outcome
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.deletion.waiting import Waiting
    from tfx_janitor.report.openmetrics import Run
    from tfx_janitor.retention.plan import Summary

_LIMIT = 1 << 20
"""Bytes of a file of metrics at most: one that is larger is none of ours."""


@dataclass
class Seen:
    """What a command came to know so far; it fills this in on its way.

    Attributes:
      site: where it works, once that is open.
      summary: totals of the plan.
      outcomes: what became of the items, once all is done; until then the site's account tells it.
      audited: what an audit found.
    """

    site: Site | None = None
    summary: Summary | None = None
    outcomes: Sequence[Outcome] | None = None
    audited: Audit | None = None

    @property
    def outcomes_so_far(self) -> Sequence[Outcome]:
        """What became of the items, whatever cut the command off."""
        if self.outcomes is not None:
            return self.outcomes
        return () if self.site is None else self.site.account.outcomes


@contextlib.contextmanager
def measured(
    ctx: typer.Context, command: str, path: str | None, *, pipeline: str | None = None
) -> Iterator[Seen]:
    """Writes the metrics of what the block does, if there is a path to write them to.

    Args:
      pipeline: the one that the command is restricted to, if any.

    Raises:
      Exit: with 1, if the block did well and its metrics could not be written.
    """
    seen = Seen()
    if path is None:
        yield seen
        return
    measuring = _Measuring(command, ctx.obj, pipeline, path, seen, time.monotonic())
    try:
        yield seen
        # That nobody reads what it prints belongs to how a command ends.
        with writing():
            sys.stdout.flush()
    except BaseException as error:
        measuring.write(error)
        raise
    if not measuring.write(None):
        raise typer.Exit(FINDINGS)


@dataclass(frozen=True)
class _Measuring:
    command: str
    metadata: str | None
    pipeline: str | None
    path: str
    seen: Seen
    began_s: float

    def write(self, error: BaseException | None) -> bool:
        """Writes the metrics of a run that ended by an error, if by any; says so if it cannot."""
        try:
            from tfx_janitor.report import file
            from tfx_janitor.report.openmetrics import exposition

            run = self._run(error, time.monotonic() - self.began_s)
            file.put(self.path, [exposition(run, _read(self.path))])
        # Whatever is wrong with the metrics: the act stands, and how it ended is what counts.
        except Exception as problem:
            told = problem.strerror if isinstance(problem, OSError) else str(problem)
            say(
                f"the metrics were not written to {self.path}: {told or repr(problem)}",
                "warning",
                command=self.command,
            )
            return False
        return True

    def _run(self, error: BaseException | None, duration_s: float) -> Run:
        from tfx_janitor.lineage.connection import name_of
        from tfx_janitor.report.openmetrics import Run

        seen = self.seen
        # A command that was carried out ends so whether it found something or not.
        complete = error is None or isinstance(error, typer.Exit)
        refused = isinstance(error, Refused)
        return Run(
            command=self.command,
            metadata=name_of(self.metadata) if seen.site is None else seen.site.metadata,
            pipeline=self.pipeline,
            ended_s=round(time.time(), 3),
            duration_s=round(duration_s, 3),
            exit_code=code_of(error),
            refused=refused,
            complete=complete,
            outcomes=seen.outcomes_so_far if self.command != "audit" else None,
            summary=seen.summary,
            waiting=_waiting(seen.site) if (complete or refused) and self.pipeline is None else None,
            findings=None if seen.audited is None else _findings(seen.audited),
        )


def _waiting(site: Site | None) -> Waiting | None:
    """What is marked in the store; nobody asks one that was lost, or for who wants the command to stop."""
    from tfx_janitor.deletion.waiting import waiting

    return None if site is None else waiting(site.store)


def _findings(audited: Audit) -> dict[tuple[str, ...], int]:
    """How many there are, by code and severity; what was looked for and not found is 0."""
    from tfx_janitor.audit.finding import CODES

    found = Counter(finding.code for finding in audited.findings)
    return {(code, kind.severity.value): found[code] for code, kind in CODES.items()}


def _read(path: str) -> str:
    """What the run before wrote there; "" if there is nothing yet.

    Raises:
      JanitorError: it is something else, which a slip such as `--metrics metadata.db` must not cost.
      OSError: it cannot be read.
    """
    from tfx_janitor.report.openmetrics import BEGINNING

    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        raise JanitorError("there is something else than a file")
    with open(path, "rb") as file:
        text = file.read(_LIMIT)
    if text and not text.startswith(BEGINNING.encode()):
        raise JanitorError("there is a file that holds no metrics of tfx-janitor; name another one")
    return text.decode(errors="replace")
