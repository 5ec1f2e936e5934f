"""Taking old versions out of service, each at once and as a whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
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
    was put back from: lineage knows the model behind the two by the older one, for certain.

    Args:
      base: base directory, an absolute path without links.
      keep: how many of the newest versions stay, at least 1; None keeps all, finishing only what was begun.
      pushed: number of the version that was just pushed.
      in_use: whether a model server has the version of this number loaded; such a version stays.
    """
    retired: list[int] = []
    problems = _finish_interrupted(base)
    if keep is None:
        return Retirement((), tuple(problems))
    standing = versions.served(base)
    try:
        surplus = versions.surplus(standing, keep, pushed=pushed, in_use=in_use)
    except Exception as error:
        # `in_use` may ask a server and fail in any way; not knowing what is loaded, all of it stays.
        _log.warning("Could not tell which versions in %s may be retired.", base, exc_info=True)
        return Retirement((), (*problems, f"could not tell which versions may be retired: {error}"))
    origins = _origins(base, [version for version in standing if version not in surplus])
    surplus = tuple(version for version in surplus if version.number not in origins)
    if surplus and (problem := _damage(base, standing[-1])) is not None:
        _log.warning("Retired nothing in %s: %s.", base, problem)
        return Retirement((), (*problems, f"retired nothing: {problem}"))
    for version in surplus:
        problem = _vanish(base, version)
        if problem is None:
            retired.append(version.number)
            _log.info("Retired version %s in %s.", version.name, base)
        else:
            problems.append(problem)
    return Retirement(tuple(retired), tuple(problems))


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


def _origins(base: str, staying: Iterable[Version]) -> set[int]:
    """Numbers of the versions that those which stay were put back from, step by step to the first."""
    names = {version.number: version.name for version in versions.served(base)}
    origins: set[int] = set()
    following = [version.number for version in staying]
    while following:
        name = names.get(following.pop())
        if name is None:
            continue
        try:
            rollback = manifest.read(os.path.join(base, name)).rollback
        except ManifestError:  # pushed by somebody else, who puts nothing back
            continue
        if rollback is not None and rollback.version not in origins:
            origins.add(rollback.version)
            following.append(rollback.version)
    return origins


def _damage(base: str, version: Version) -> str | None:
    """What is wrong with a version; None if it is whole."""
    damages = saved_model.verify(os.path.join(base, version.name), Level.CHECKSUMS).damages
    return f"version {version.name}, the newest, is damaged: {damages[0]}" if damages else None


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
    try:
        names = os.listdir(os.path.join(base, remove.TRASH))
    except OSError:  # no trash, or not ours to read: nothing of ours to finish
        return []
    return sorted({name.partition("~")[0] for name in names if name.startswith(_LABEL)})
