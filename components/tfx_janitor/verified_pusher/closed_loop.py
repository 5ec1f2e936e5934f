"""A push that is done when the model servers say so; what they refuse is taken back.

A version can be whole and verified, and still be one that a server cannot load: an op that it was not built
with, more memory than it has. So servers may be waited for. If one refuses the new version, or time is over,
the version before is put back as a newer one, the refused one is taken out of service, and the push fails
with the server's words. Versions are retired only when the new one is served everywhere.

What a server serves is not taken from it where nothing can be put back, nor if it was there before the push.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import push, retirement, rollback, serving, versions
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.retirement import Retirement
from tfx_janitor.verified_pusher.rollback import Choice, RollbackError, Target
from tfx_janitor.verified_pusher.serving import Ask, ModelServer, ServerSilent, VersionStatus
from tfx_janitor.verified_pusher.staging import Corner
from tfx_janitor.verified_pusher.versions import Version

_INTERVAL_S = 0.5
"""Seconds between two questions to a server that has not loaded the version yet."""

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
    base = os.path.realpath(os.path.dirname(done.destination))
    refusal = await_available(
        options.model_servers,
        done.version,
        timeout=options.await_serving,
        stands=lambda version: version in _standing(base),
    )
    if refusal is not None:
        consequence = _take_back(base, done, refusal, options, execution=execution, now_ms=now_ms)
        raise NotServed(
            f"version {done.version} at {done.destination} is not served: {refusal.words}; {consequence}"
        )
    try:
        with Corner(base).alone():
            retired = retirement.retire(base, options.keep_versions, pushed=done.version, in_use=in_use)
    except OSError as error:  # the version is served all the same
        _log.warning("Could not retire anything in %s.", base, exc_info=True)
        retired = Retirement((), (f"could not lock {base}: {error}",))
    return replace(done, retirement=retired)


def await_available(
    servers: Sequence[ModelServer],
    version: int,
    *,
    timeout: timedelta,
    stands: Callable[[int], bool],
    ask: Ask | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Refusal | None:
    """Waits until every server serves a version, or one that somebody has pushed since.

    Args:
      servers: whom to wait for.
      version: its number.
      timeout: how long to wait.
      stands: whether the base directory has a version of this number. A server that watches another one may
        serve any number, and has not been overtaken by it.
      ask: asks a server once.
      clock: seconds, from any start.
      sleep: waits so many seconds.

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
                answer = _Answer(ask(server), version, stands)
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

    def __init__(
        self, statuses: Sequence[VersionStatus], version: int, stands: Callable[[int], bool]
    ) -> None:
        mine = next((status for status in statuses if status.version == version), None)
        self.progress = "does not know it yet" if mine is None else f"has it in state {mine.state}"
        self.refusal = mine.problem if mine is not None and mine.refused else ""
        # Where somebody has pushed a newer one since, this one is perhaps gone again, or was never looked at.
        overtaken = any(
            one.version > version and one.state == serving.AVAILABLE and stands(one.version)
            for one in statuses
        )
        self.serves = overtaken or (mine is not None and mine.state == serving.AVAILABLE)


def _take_back(
    base: str, done: Push, refusal: Refusal, options: PushOptions, *, execution: Execution, now_ms: int
) -> str:
    """Puts the version before back and takes the one that was pushed out of service; says what came of it."""
    servers = options.model_servers
    if not done.is_new:
        stays = "it was there before this push, which made no new version, and it stays"
        if not refusal.final:
            return stays
        if (server := _served_by(servers, done.version)) is not None:
            return f"{stays}: model server {server} serves it"
    try:
        said = [_put_back_before(base, done.version, servers, execution=execution, now_ms=now_ms)]
    except RollbackError as error:
        if (server := _served_by(servers, done.version)) is not None:
            return f"{error}; it stays, for model server {server} serves it"
        said = [str(error)]
    except JanitorError as error:
        _log.exception("Could not put a version back in %s.", base)
        return f"it stays, for what was served before could not be put back: {error}"
    try:
        with Corner(base).alone():
            said.append(_take_out(base, done.version, options))
    except OSError as error:
        said.append(f"version {done.version} could not be taken out of service: {error}")
    return ", ".join(said)


def _take_out(base: str, refused: int, options: PushOptions) -> str:
    """Takes what was refused out of service, and repeats of what was put back; says what came of it."""
    problem = retirement.withdraw(base, refused)
    if options.keep_versions is not None:
        retirement.retire_repeats(base, in_use=serving.in_use_by_any(options.model_servers))
    return problem or f"version {refused} was taken out of service"


def _put_back_before(
    base: str, refused: int, servers: Sequence[ModelServer], *, execution: Execution, now_ms: int
) -> str:
    """Puts back what was served before the refused version, unless somebody has pushed since; says which.

    If that fails, on a full disk perhaps, and servers find the very same once the refused version is gone, it
    is left at that.

    Raises:
      RollbackError: nothing was served before that could be put back.
      JanitorError: it could not be pushed.
    """
    choice: Choice | None = None
    try:
        # What was served before was proven when it was pushed; it need not be loaded once more.
        choice = rollback.choose(base, level=Level.CHECKSUMS, unloadable=_unloadable(servers))
        if choice.current == refused:
            back = rollback.put_back(choice, execution=execution, now_ms=now_ms, level=Level.CHECKSUMS)
            return f"version {back.version} serves again what version {choice.target.version} served"
    except JanitorError as error:
        if max(_standing(base), default=refused) == refused:
            if choice is None or not _is_next_below(base, refused, choice.target):
                raise
            return f"version {choice.target.version} is left to the servers, but was not put back: {error}"
    return f"version {max(_standing(base), default=refused)} was pushed meanwhile and stays"


def _is_next_below(base: str, refused: int, target: Target) -> bool:
    """Whether what was to be put back, or a repeat of it, is the newest version but the refused one."""
    standing = _standing(base)
    below = max((number for number in standing if number < refused), default=None)
    return below is not None and target.version in (below, retirement.put_back_from(base, standing[below]))


def _standing(base: str) -> dict[int, Version]:
    """The versions in a base directory by number; none while it cannot be read."""
    with contextlib.suppress(OSError):
        return {version.number: version for version in versions.served(base)}
    return {}


def _told(servers: Sequence[ModelServer]) -> Iterator[tuple[ModelServer, VersionStatus]]:
    """What those of the servers say that answer."""
    for server in servers:
        with contextlib.suppress(ServerSilent):
            yield from ((server, status) for status in serving.statuses(server))


def _served_by(servers: Sequence[ModelServer], version: int) -> ModelServer | None:
    """One of the servers that says that it serves a version."""
    said = (
        server for server, one in _told(servers) if (one.version, one.state) == (version, serving.AVAILABLE)
    )
    return next(said, None)


def _unloadable(servers: Sequence[ModelServer]) -> set[int]:
    """Numbers of the versions that one of the servers says it could not load."""
    return {one.version for _, one in _told(servers) if one.refused}


def _ask_once(server: ModelServer) -> Sequence[VersionStatus]:
    return serving.statuses(server, attempts=1)
