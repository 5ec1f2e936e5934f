"""Putting a version of before back into service, as a new and newest one.

Model servers serve the newest version, and versions are never reused; so a rollback is a push of what an
older version holds, proven as every push is. Whoever rolls back again goes further back in history, and never
to what was rolled back from: the manifest of a version that was put back says where it came from.

Needs no metadata store. One only adds archives of versions that are no longer served.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tfx_janitor.payload import saved_model
from tfx_janitor.payload.presence import why_no_directory
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import content, manifest, push, versions
from tfx_janitor.verified_pusher.errors import ManifestError, ModelRefused, PushError
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Rollback, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.pushed_models import PushedModel

_NAMED = 5


class RollbackError(PushError):
    """There is nothing to roll back to, or not to the version asked for; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A whole copy of a version of before.

    Attributes:
      version: its number.
      path: where the copy lies.
      archived: whether that is an archive, and not the version directory itself.
      content_digest: `blake3:<hex>` over its files, as they are now.
      source: the artifact that it was pushed from, as far as known.
    """

    version: int
    path: str
    archived: bool
    content_digest: str
    source: Source


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A version that was not taken, and why; `damaged` if somebody should look after it."""

    version: int
    why: str
    damaged: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be put back.

    Attributes:
      base: base directory, as it was spelled.
      current: the newest version, which it is put in place of; None if none is served.
      target: what is put back.
      passed_over: newer versions before the current one that were not taken, the newest first.
    """

    base: str
    current: int | None
    target: Target
    passed_over: tuple[PassedOver, ...]


def choose(
    base: str,
    *,
    level: Level,
    to: int | None = None,
    pushed_models: Sequence[PushedModel] = (),
    unloadable: Collection[int] = (),
) -> Choice:
    """Finds what to put back. Changes nothing.

    Args:
      base: base directory that a model server watches.
      level: how much of a version must verify.
      to: number of the version to put back; None for the newest one before the current one that is whole and
        holds something else.
      pushed_models: what a metadata store knows of this base directory.
      unloadable: numbers of versions that a model server could not load.

    Raises:
      RollbackError: no base directory, no such version, it is damaged, or none that could be taken.
    """
    history = _History(base, level, pushed_models, unloadable)
    if to is not None:
        return history.back_to(to)
    return history.back()


def put_back(choice: Choice, *, execution: Execution, now_ms: int, level: Level) -> push.Push:
    """Pushes what was chosen as the newest version.

    Args:
      choice: from `choose`; refused if another version has become the newest since.
      execution: the MLMD execution on whose behalf this happens.
      now_ms: the time, milliseconds since the epoch.
      level: how much to verify before it becomes visible.

    Raises:
      PushError: it could not be pushed; nothing became visible unless the message says so.
    """
    target = choice.target
    try:
        done = push.push(
            target.path,
            choice.base,
            source=target.source,
            execution=execution,
            now_ms=now_ms,
            options=PushOptions(level=level),
            rollback=Rollback(target.version, choice.current),
        )
    except PushError as error:
        if os.path.isdir(target.path):
            raise
        raise PushError(
            f"version {target.version} at {target.path} was to be put back, and was taken away meanwhile; "
            "roll back again"
        ) from error
    if not done.is_new:
        raise RollbackError(f"version {done.version} holds what was to be put back, since a moment ago")
    return done


@dataclass(frozen=True, slots=True)
class _Copy:
    """Where a version's content should lie, and the digests that were recorded of it, if any were."""

    path: str
    archived: bool
    digests: frozenset[str | None]


class _History:
    """The versions of a base directory, and where copies of them lie."""

    def __init__(
        self, base: str, level: Level, pushed_models: Sequence[PushedModel], unloadable: Collection[int]
    ) -> None:
        self._base = base
        self._level = level
        self._pushed_models = pushed_models
        self._unloadable = unloadable
        self._names = {version.number: version.name for version in _served(base)}
        self._known = sorted({*self._names, *(one.version for one in pushed_models)})
        self._current = max(self._names, default=None)
        self._digest = None if self._current is None else _digest(self._path(self._current))

    def back_to(self, number: int) -> Choice:
        if number not in self._known:
            raise RollbackError(
                f"expected a version of {self._base}, got {number}; known are {_listed(self._known)}"
            )
        if number == self._current:
            raise RollbackError(f"version {number} is the newest in {self._base} already")
        examined = self._examine(number)
        if isinstance(examined, PassedOver):
            raise RollbackError(f"cannot roll back to version {number} in {self._base}: it {examined.why}")
        return Choice(self._base, self._current, examined, ())

    def back(self) -> Choice:
        passed_over: list[PassedOver] = []
        for number in _backwards(self._known, self._current, self._put_back_from):
            if (why := self._objection(number)) is not None:
                passed_over.append(PassedOver(number, f"{why}; --to takes it all the same", damaged=False))
                continue
            examined = self._examine_first(number)
            if isinstance(examined, Target):
                return Choice(self._base, self._current, examined, tuple(passed_over))
            passed_over.append(examined)
        said = "; ".join(f"version {one.version} {one.why}" for one in passed_over[:_NAMED])
        before = "" if self._current is None else f" before version {self._current}"
        raise RollbackError(
            f"nothing to roll back to in {self._base}: {said or f'there is no version{before}'}"
        )

    def _objection(self, number: int) -> str | None:
        """Why a version is not to be put back unless a person asks for just that one; None if nothing is."""
        if number in self._unloadable:
            return "could not be loaded by a model server"
        for one in self._pushed_models:
            if one.version == number and one.withdrawn is not None:
                return f"was taken out of service by a person: {one.withdrawn}"
            if one.version == number and one.unblessed:
                return "serves a Model that was not blessed"
        return None

    def _examine_first(self, number: int) -> Target | PassedOver:
        """Examines the push of what a version holds, and only if that is gone or damaged the version itself.

        It is the push that lineage knows; and a chain of versions put back from each other would keep each
        other from being retired.
        """
        first = number
        while (origin := self._put_back_from(first)) in self._names and origin < first:
            first = origin
        if first != number:
            examined = self._examine(first)
            if isinstance(examined, Target):
                return examined
        return self._examine(number)

    def _examine(self, number: int) -> Target | PassedOver:
        copies = tuple(self._copies(number))
        if not copies:
            return PassedOver(number, "is no longer served, and no archive of it is left", damaged=False)
        problems: list[str] = []
        for copy in copies:
            digest, problem = _look_at(copy, self._level)
            if digest is None:
                problems.append(f"is damaged at {copy.path}: {problem}")
            elif digest == self._digest:
                why = f"holds the same as version {self._current}, which is served already"
                return PassedOver(number, why, damaged=False)
            else:
                return Target(number, copy.path, copy.archived, digest, self._source(number, copy.path))
        return PassedOver(number, ", and ".join(problems), damaged=True)

    def _copies(self, number: int) -> Iterator[_Copy]:
        """Copies of a version, the served one first."""
        digests = {one.content_digest for one in self._pushed_models if one.version == number} - {None}
        if number in self._names:
            digests |= {self._recorded_digest(number)} - {None}
            yield _Copy(self._path(number), False, frozenset(digests))
        # The same content was perhaps pushed as another version, too: any copy of it is as good.
        for other in sorted(self._names.keys() - {number, self._current}, reverse=True):
            if self._recorded_digest(other) in digests:
                yield _Copy(self._path(other), False, frozenset(digests))
        same = (number, self._put_back_from(number))
        for one in self._pushed_models:
            wanted = one.version in same or one.content_digest in digests
            if wanted and one.archive is not None and os.path.isdir(one.archive):
                yield _Copy(one.archive, True, frozenset(digests))

    def _source(self, number: int, path: str) -> Source:
        """What a version was pushed from: by lineage, else by its manifest."""
        for one in self._pushed_models:
            if one.version == number and one.sources:
                return one.sources[0]
        recorded = _manifest(self._path(number)) if number in self._names else None
        return Source(path) if recorded is None else recorded.source

    def _put_back_from(self, number: int) -> int | None:
        recorded = _manifest(self._path(number)) if number in self._names else None
        if recorded is not None:
            return None if recorded.rollback is None else recorded.rollback.version
        return next((one.put_back for one in self._pushed_models if one.version == number), None)

    def _recorded_digest(self, number: int) -> str | None:
        recorded = _manifest(self._path(number))
        return None if recorded is None else recorded.content_digest

    def _path(self, number: int) -> str:
        return os.path.join(self._base, self._names[number])


def _served(base: str) -> tuple[versions.Version, ...]:
    if not os.path.isdir(base):
        raise RollbackError(
            f"expected a base directory that a model server watches, but {why_no_directory(base)}"
        )
    if saved_model.is_saved_model(base):
        raise RollbackError(
            f"expected a base directory, but {base} is a model itself; name the directory above it"
        )
    try:
        return versions.served(base)
    except OSError as error:
        raise RollbackError(f"cannot list {base}: {error.strerror}") from None


def _backwards(
    known: Iterable[int], current: int | None, put_back_from: Callable[[int], int | None]
) -> Iterator[int]:
    """Versions before the current one, back in history.

    From one that was put back history goes on where it came from: what lies between the two was rolled back
    from.
    """
    ordered = sorted(known)
    number = current
    while True:
        below = number
        if number is not None and (origin := put_back_from(number)) is not None:
            below = min(number, origin + 1)
        number = max((one for one in ordered if below is None or one < below), default=None)
        if number is None:
            return
        yield number


def _look_at(copy: _Copy, level: Level) -> tuple[str | None, str]:
    """Digest of a copy that is whole; or None, and what is wrong with it."""
    damages = saved_model.verify(copy.path, level).damages
    if damages:
        return None, str(damages[0])
    digest = _digest(copy.path)
    if digest is None:
        return None, "it cannot be read"
    if copy.digests and digest not in copy.digests:
        return None, "it holds other bytes than were pushed"
    return digest, ""


def _digest(path: str) -> str | None:
    """Digest over the files of a version as they are, whole or not; None if that cannot be told."""
    try:
        return content.content_digest(content.digest(content.scan(path, without=(manifest.NAME,))))
    except (OSError, ModelRefused):
        return None


def _manifest(path: str) -> Manifest | None:
    try:
        return manifest.read(path)
    except ManifestError:
        return None


def _listed(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[-_NAMED:])) or "none"
    return named if len(numbers) <= _NAMED else f"{named} and {len(numbers) - _NAMED} older ones"
