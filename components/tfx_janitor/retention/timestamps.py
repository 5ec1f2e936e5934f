"""MLMD's milliseconds since the epoch, as people and JSON write them: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def moment(moment_ms: int) -> datetime:
    """A moment in UTC. What no calendar has, such as a damaged row's, is taken for its first or last one."""
    return _EPOCH + timedelta(milliseconds=min(max(moment_ms, _FIRST_MS), _LAST_MS))


def to_iso(moment_ms: int) -> str:
    """`0` -> `1970-01-01T00:00:00.000Z`."""
    return moment(moment_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """The inverse of `to_iso`; a time without zone is taken as UTC.

    Raises:
      ValueError: not an ISO 8601 date or time.
    """
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if read.tzinfo is None:
        read = read.replace(tzinfo=timezone.utc)
    return round((read - _EPOCH) / timedelta(milliseconds=1))


def to_ms(duration: timedelta) -> int:
    """A duration in whole milliseconds."""
    return round(duration / timedelta(milliseconds=1))


def shown(moment_ms: int) -> str:
    """A moment as a detail shows it: `2026-11-22 10:36:19 UTC`."""
    return moment(moment_ms).strftime("%Y-%m-%d %H:%M:%S UTC")
