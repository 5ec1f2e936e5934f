"""A push that is done when the model servers say so; what they refuse is taken back.

A version can be whole and verified, and still be one that a server cannot load: an op that it was not built
with, more memory than it has. So servers may be waited for. If one refuses the new version, or time is over,
the version before is put back as a newer one, the refused one is taken out of service, and the push fails
with the server's words. Versions are retired only when the new one is served everywhere.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import push, retirement, rollback, serving
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.rollback import RollbackError
from tfx_janitor.verified_pusher.serving import Ask, ModelServer, ServerSilent, VersionStatus
from tfx_janitor.verified_pusher.staging import Corner

_INTERVAL_S = 0.5
"""Seconds between two questions to a server that has not loaded the version yet."""

_DEADLINE_S = 2.0
"""Seconds that a server has for an answer, while it will be asked again."""

_log = logging.getLogger(__name__)


class NotServed(PushError):
    """A model server refused the version that was pushed, or did not load it in time; it was taken back."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a version is not served.

    Attributes:
      words: what the servers say.
      final: whether one of them has given it up; else time is over.
    """

    words: str
    final: bool


def push_until_served(
    model_path: str,
    base_directory: str,
    *,
    source: Source,
    execution: Execution,
    now_ms: int,
    options: PushOptions,
    archive: str | None = None,
) -> Push:
    """Pushes a model, waits for the model servers if the options say so, and retires old versions.

    Args:
      model_path: the SavedModel, a local directory.
      base_directory: local directory that the model servers watch; made if missing.
      source: the artifact that `model_path` belongs to.
      execution: the MLMD execution on whose behalf this happens.
      now_ms: the time, milliseconds since the epoch.
      options: how to push, which servers there are, and how long to wait for them.
      archive: local directory for the archive, missing or empty; None for none.

    Raises:
      NotServed: a server did not load the new version, which was taken back.
      PushError: as from `push.push`.
    """
    in_use = serving.in_use_by_any(options.model_servers)
    done = push.push(
        model_path,
        base_directory,
        source=source,
        execution=execution,
        now_ms=now_ms,
        # What was served until now is needed until the new version is.
        options=options if options.await_serving is None else replace(options, keep_versions=None),
        archive=archive,
        in_use=in_use,
    )
    if options.await_serving is None:
        return done
    refusal = await_available(options.model_servers, done.version, timeout=options.await_serving)
    if refusal is not None:
        consequence = _take_back(done, refusal, execution=execution, now_ms=now_ms)
        raise NotServed(
            f"version {done.version} at {done.destination} is not served: {refusal.words}; {consequence}"
        )
    base = os.path.realpath(os.path.dirname(done.destination))
    with Corner(base).alone():
        retired = retirement.retire(base, options.keep_versions, pushed=done.version, in_use=in_use)
    return replace(done, retirement=retired)


def await_available(
    servers: Sequence[ModelServer],
    version: int,
    *,
    timeout: timedelta,
    ask: Ask | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Refusal | None:
    """Waits until every server serves a version.

    Returns:
      None as soon as all do. Else what one of them said when it refused the version; or, when time is over,
      what each that does not serve it said last.
    """
    ask = ask or _ask_once
    until = clock() + timeout.total_seconds()
    pending = list(servers)
    while True:
        said: dict[ModelServer, str] = {}
        for server in pending:
            try:
                answer = _Answer(ask(server), version)
            except ServerSilent as error:
                said[server] = str(error)
                continue
            if answer.refusal:
                return Refusal(f"model server {server} refused it: {answer.refusal}", final=True)
            if not answer.serves:
                said[server] = f"model server {server} {answer.progress}"
        pending = list(said)
        if not pending:
            return None
        left = until - clock()
        if left <= 0:
            waited = f"after {timeout.total_seconds():g} seconds"
            return Refusal(f"{waited} {'; '.join(said.values())}", final=False)
        sleep(min(_INTERVAL_S, left))


class _Answer:
    """What a server's answer means for one version."""

    def __init__(self, statuses: Sequence[VersionStatus], version: int) -> None:
        mine = next((status for status in statuses if status.version == version), None)
        self.progress = "does not know it yet" if mine is None else f"has it in state {mine.state}"
        self.refusal = mine.problem if mine is not None and mine.state == serving.END else ""
        # Where somebody has pushed a newer one since, this one is perhaps gone again, or was never looked at.
        overtaken = any(one.version > version and one.state == serving.AVAILABLE for one in statuses)
        self.serves = overtaken or (mine is not None and mine.state == serving.AVAILABLE)


def _take_back(done: Push, refusal: Refusal, *, execution: Execution, now_ms: int) -> str:
    """Puts the version before back and takes the one that was pushed out of service; says what came of it."""
    if not done.is_new and not refusal.final:
        return "it was there before this push, which made no new version, and it stays"
    base = os.path.realpath(os.path.dirname(done.destination))
    said = []
    try:
        # What was served before was proven when it was pushed; it need not be loaded once more.
        choice = rollback.choose(base, level=Level.CHECKSUMS)
        if choice.current == done.version:
            back = rollback.put_back(choice, execution=execution, now_ms=now_ms, level=Level.CHECKSUMS)
            said.append(f"version {back.version} serves again what version {choice.target.version} served")
        else:
            said.append(f"version {choice.current} was pushed meanwhile and stays")
    except RollbackError as error:
        said.append(str(error))
    except JanitorError as error:
        _log.exception("Could not put a version back in %s.", base)
        return f"it stays, for what was served before could not be put back: {error}"
    with Corner(base).alone():
        problem = retirement.withdraw(base, done.version)
    said.append(problem or f"version {done.version} was taken out of service")
    return ", ".join(said)


def _ask_once(server: ModelServer) -> Sequence[VersionStatus]:
    return serving.statuses(server, deadline_s=_DEADLINE_S, attempts=1)
