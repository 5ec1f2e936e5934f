"""Taking old versions out of service, each at once and as a whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tfx_janitor.deletion import remove
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.places import Place
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest, versions
from tfx_janitor.verified_pusher.errors import ManifestError
from tfx_janitor.verified_pusher.versions import Version

_LABEL = "retired-"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retirement:
    """Numbers of the versions that were retired, oldest first, and why others that should be were not."""

    retired: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


def loaded_by_nobody(_number: int) -> bool:
    """The answer to `in_use` where no model server can be asked."""
    return False


def retire(base: str, keep: int | None, *, pushed: int, in_use: Callable[[int], bool]) -> Retirement:
    """Retires the versions beyond the newest `keep`; to be called while the base directory is locked.

    Never raises for what it cannot retire: the push that it follows is done, and the next one catches up.
    Nothing goes while the newest version, which stays, is not whole. Nor does a version that one which stays
    was put back from: lineage knows the model behind the two by the older one, for certain. What is no model,
    such as the part of one that a stock Pusher left when it was killed, does not count among those that stay.

    Args:
      base: base directory, an absolute path without links.
      keep: how many of the newest versions stay, at least 1; None keeps all, finishing only what was begun.
      pushed: number of the version that was just pushed.
      in_use: whether a model server has the version of this number loaded; such a version stays.
    """
    problems = _finish_interrupted(base)
    if keep is None:
        return Retirement((), tuple(problems))
    try:
        standing = versions.served(base)
        surplus = versions.surplus(_countable(base, standing, keep), keep, pushed=pushed, in_use=in_use)
    except Exception as error:
        # `in_use` may ask a server and fail in any way; not knowing what is loaded, all of it stays.
        _log.warning("Could not tell which versions in %s may be retired.", base, exc_info=True)
        return Retirement((), (*problems, f"could not tell which versions may be retired: {error}"))
    origins = _origins(base, standing, [version for version in standing if version not in surplus])
    surplus = tuple(version for version in surplus if version.number not in origins)
    if surplus and (problem := _damage(base, standing[-1])) is not None:
        _log.warning("Retired nothing in %s: %s.", base, problem)
        return Retirement((), (*problems, f"retired nothing: {problem}"))
    retired, left = _vanish_all(base, surplus)
    return Retirement(retired, (*problems, *left))


def retire_repeats(base: str, *, in_use: Callable[[int], bool]) -> Retirement:
    """Retires what was put back before from where the newest version was put back from, and holds the same.

    Else a pipeline whose every push is refused would fill the disk with copies of the last version that was
    not. Nothing else goes. To be called while the base directory is locked; it raises no more than `retire`.

    Args:
      base: base directory, an absolute path without links.
      in_use: whether a model server has the version of this number loaded; such a version stays.
    """
    try:
        standing = versions.served(base)
        origin = put_back_from(base, standing[-1]) if standing else None
        if origin is None:
            return Retirement()
        repeats = [
            version
            for version in standing[:-1]
            if put_back_from(base, version) == origin and not in_use(version.number)
        ]
    except Exception as error:
        _log.warning("Could not tell which versions in %s may be retired.", base, exc_info=True)
        return Retirement((), (f"could not tell which versions may be retired: {error}",))
    return Retirement(*_vanish_all(base, repeats))


def withdraw(base: str, number: int) -> str | None:
    """Takes one version out of service, be it the newest; to be called while the base directory is locked.

    Args:
      base: base directory, an absolute path without links.
      number: of the version; it need not be there.

    Returns:
      Why it could not be done; None if it was.
    """
    problems = [_vanish(base, version) for version in versions.served(base) if version.number == number]
    return next((problem for problem in problems if problem is not None), None)


def _countable(base: str, standing: Sequence[Version], keep: int) -> list[Version]:
    """The versions without those that are no model, as far as they are not older than all that stay."""
    whole: list[Version] = []
    for version in reversed(standing):
        if len(whole) < keep and _is_model(base, version):
            whole.append(version)
    if len(whole) < keep:
        return whole
    return [version for version in standing if version in whole or version < whole[-1]]


def _is_model(base: str, version: Version) -> bool:
    path = os.path.join(base, version.name)
    try:
        manifest.read(path)
    except ManifestError:  # pushed by somebody else
        return saved_model.verify(path, Level.STRUCTURE).whole
    return True


def put_back_from(base: str, version: Version) -> int | None:
    """Number of the version that one was put back from; None for a push, by whomever."""
    try:
        rollback = manifest.read(os.path.join(base, version.name)).rollback
    except ManifestError:  # pushed by somebody else, who puts nothing back
        return None
    return None if rollback is None else rollback.version


def _origins(base: str, standing: Iterable[Version], staying: Iterable[Version]) -> set[int]:
    """Numbers of the versions that those which stay were put back from, step by step to the first."""
    known = {version.number: version for version in standing}
    origins: set[int] = set()
    following = [version.number for version in staying]
    while following:
        version = known.get(following.pop())
        origin = None if version is None else put_back_from(base, version)
        if origin is not None and origin not in origins:
            origins.add(origin)
            following.append(origin)
    return origins


def _damage(base: str, version: Version) -> str | None:
    """What is wrong with a version; None if it is whole."""
    damages = saved_model.verify(os.path.join(base, version.name), Level.CHECKSUMS).damages
    return f"version {version.name}, the newest, is damaged: {damages[0]}" if damages else None


def _vanish_all(base: str, going: Iterable[Version]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Numbers of the versions that went, and why others did not."""
    retired: list[int] = []
    problems: list[str] = []
    for version in going:
        problem = _vanish(base, version)
        if problem is None:
            retired.append(version.number)
            _log.info("Retired version %s in %s.", version.name, base)
        else:
            problems.append(problem)
    return tuple(retired), tuple(problems)


def _vanish(base: str, version: Version) -> str | None:
    path = os.path.join(base, version.name)
    try:
        remove.vanish(path, f"{_LABEL}{version.number}", roots=[Place("file", base)])
    except (OSError, JanitorError) as error:
        _log.warning("Could not retire %s.", path, exc_info=True)
        return f"could not retire {version.name}: {error}"
    return None


def _finish_interrupted(base: str) -> list[str]:
    problems: list[str] = []
    for label in _interrupted(base):
        try:
            remove.finish(os.path.join(base, label), label, roots=[Place("file", base)])
        except (OSError, JanitorError) as error:
            _log.warning("Could not finish the removal of %s in %s.", label, base, exc_info=True)
            problems.append(f"could not finish the removal of {label}: {error}")
    return problems


def _interrupted(base: str) -> list[str]:
    """Labels in the trash of removals that were cut short; of an empty trash one that finds nothing there."""
    try:
        names = os.listdir(os.path.join(base, remove.TRASH))
    except OSError:  # no trash, or not ours to read: nothing of ours to finish
        return []
    # It is empty where one was struck before anything was put into it, or after all of it was gone.
    found = {name.partition("~")[0] for name in names if name.startswith(_LABEL)}
    return sorted(found) if names else [_LABEL]
