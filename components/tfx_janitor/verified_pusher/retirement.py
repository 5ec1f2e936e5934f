"""Taking old versions out of service, each at once and as a whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from tfx_janitor.deletion import remove
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place
from tfx_janitor.verified_pusher import versions
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
    try:
        surplus = versions.surplus(versions.served(base), keep, pushed=pushed, in_use=in_use)
    except Exception as error:
        # `in_use` may ask a server and fail in any way; not knowing what is loaded, all of it stays.
        _log.warning("Could not tell which versions in %s may be retired.", base, exc_info=True)
        return Retirement((), (*problems, f"could not tell which versions may be retired: {error}"))
    for version in surplus:
        problem = _vanish(base, version)
        if problem is None:
            retired.append(version.number)
            _log.info("Retired version %s in %s.", version.name, base)
        else:
            problems.append(problem)
    return Retirement(tuple(retired), tuple(problems))


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
