"""Version directories of a base directory: which there are, which comes next, which are too many."""

from __future__ import annotations

import enum
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfx_janitor import effects
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import PushError

HIGHEST = 2**63 - 1
"""Model servers keep a version in 64 bits with a sign."""

FRESH = ".new"
"""What the name of a record ends in before it takes the place of the old one."""

# What TensorFlow Serving takes for a version: a name that as a whole is an integer, and not negative.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)[ \t\n\v\f\r]*", re.ASCII)


class Versioning(str, enum.Enum):
    """What a new version is numbered by.

    TIMESTAMP: seconds since the epoch, as the stock Pusher numbers.
    EXECUTION_ID: id of the MLMD execution that pushes, so that a version says who made it.
    """

    TIMESTAMP = "timestamp"
    EXECUTION_ID = "execution_id"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version: its number, and the name of its directory (`007` is a name of 7)."""

    number: int
    name: str


def parse(name: str) -> int | None:
    """Returns the version number that a model server reads in a directory name, or None."""
    match = _NUMBER.fullmatch(name)
    if match is None or int(match[1]) > HIGHEST:
        return None
    return int(match[1])


def taken(base: str) -> tuple[Version, ...]:
    """All names in the base directory that mean a version, oldest first, whatever lies behind them."""
    numbered = ((parse(name), name) for name in os.listdir(base))
    return tuple(sorted(Version(number, name) for number, name in numbered if number is not None))


def served(base: str) -> tuple[Version, ...]:
    """The versions that are directories, or links to one, oldest first: what a model server may load."""
    return tuple(version for version in taken(base) if os.path.isdir(os.path.join(base, version.name)))


def wanted(versioning: Versioning, *, now_ms: int, execution_id: int | None) -> int:
    """Returns the number that a new version is to have, if that is higher than all others.

    Args:
      now_ms: the time, milliseconds since the epoch.
      execution_id: the MLMD execution that pushes, if it is known.

    Raises:
      PushError: the execution is not known, and is asked for.
    """
    if versioning is Versioning.TIMESTAMP:
        return now_ms // 1000
    if execution_id is None:
        raise PushError(
            "expected the id of the MLMD execution to number the version by, and this orchestrator tells "
            f"none; push with versioning={Versioning.TIMESTAMP.value!r}"
        )
    return execution_id


def following(number: int, used: Iterable[int]) -> int:
    """Returns the number of the next version: the wanted one, or the next above all others.

    Above every number that was ever used, so that neither two pushes in one second, nor a clock that goes
    back, nor the executions of another metadata store make a new model look old or use a number again.

    Args:
      number: the wanted one.
      used: every number that is or was in use.

    Raises:
      PushError: the numbers are used up.
    """
    number = max([number, 1, *(one + 1 for one in used)])
    if number > HIGHEST:
        raise PushError(f"no version number is left above {HIGHEST}, the highest that a model server reads")
    return number


def surplus(
    versions: Iterable[Version], keep: int, *, pushed: int, in_use: Callable[[int], bool]
) -> tuple[Version, ...]:
    """The versions beyond the newest `keep`, oldest first; never the one just pushed, never one in use.

    Args:
      versions: what stands in the base directory.
      keep: how many of the newest stay, at least 1.
      pushed: number of the version that was just pushed.
      in_use: whether a model server has the version of this number loaded.
    """
    beyond = sorted(versions)[:-keep]
    return tuple(one for one in beyond if one.number != pushed and not in_use(one.number))


def read_highest(record: str) -> int:
    """Returns the highest number ever used according to the record file, 0 without one.

    Args:
      record: `<base>/<corner>/versions.json`.

    Raises:
      PushError: the record cannot be understood; guessing could reuse a number. It says what to do.
    """
    try:
        with open(record, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return 0
    try:
        highest = json.loads(text)["highest"]
    except (ValueError, TypeError, KeyError):
        highest = None
    if type(highest) is not int or highest < 0:
        base = os.path.dirname(os.path.dirname(record))
        standing = max((version.number for version in taken(base)), default=0)
        mend = f"echo {shlex.quote(json.dumps({'highest': standing}))} > {shlex.quote(record)}"
        raise PushError(
            f'expected {{"highest": <number>}} in {record}, got {text[:80]!r}, and no push may guess which '
            f"numbers were used. The highest that stands in {base} is {standing}; "
            f"`tfx-janitor lineage --served {shlex.quote(base)}` tells whether a higher one was pushed and "
            f"retired. If none was: {mend} (else with that number)"
        )
    return highest


def write_highest(record: str, number: int, unsynced: Unsynced) -> None:
    """Writes the record file, at once; call it before the number becomes visible.

    Args:
      unsynced: what was noted there, and the content of the record, is on disk when this returns; the name of
        the record is noted instead.
    """
    fresh = f"{record}{FRESH}"
    descriptor = effects.create(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    try:
        effects.write(descriptor, (json.dumps({"highest": number}) + "\n").encode("ascii"), fresh)
    finally:
        os.close(descriptor)
    unsynced.add(fresh)
    unsynced.sync()
    effects.rename(fresh, record)
    unsynced.add(os.path.dirname(record))
