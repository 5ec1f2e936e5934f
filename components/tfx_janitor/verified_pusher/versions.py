"""Version directories of a base directory: which there are, which comes next, which are too many."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfx_janitor.verified_pusher.copying import sync_directory
from tfx_janitor.verified_pusher.errors import PushError

HIGHEST = 2**63 - 1
"""Model servers keep a version in 64 bits with a sign."""

# What TensorFlow Serving takes for a version: a name that as a whole is an integer, and not negative.
_NUMBER = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)[ \t\n\v\f\r]*", re.ASCII)


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


def following(now_ms: int, used: Iterable[int]) -> int:
    """Returns the number of the next version.

    Seconds since the epoch, as the stock Pusher numbers; but above every number that was ever used, so that
    neither two pushes in one second nor a clock that goes back makes a new model look old or reuses a number.

    Args:
      now_ms: the time, milliseconds since the epoch.
      used: every number that is or was in use.

    Raises:
      PushError: the numbers are used up.
    """
    number = max([now_ms // 1000, 1, *(one + 1 for one in used)])
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

    Raises:
      PushError: the record cannot be understood; guessing could reuse a number.
    """
    try:
        with open(record, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return 0
    try:
        highest = json.loads(text)["highest"]
    except (ValueError, TypeError, KeyError):
        highest = None
    if type(highest) is not int or highest < 0:
        raise PushError(
            f'expected {{"highest": <number>}} in {record}, got {text[:80]!r}; '
            "write the highest version number ever pushed there"
        )
    return highest


def write_highest(record: str, number: int) -> None:
    """Writes the record file atomically and durably; call it before the number becomes visible."""
    fresh = f"{record}.new"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(json.dumps({"highest": number}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, record)
    sync_directory(os.path.dirname(record))
