"""Lengths of time as people write them: `30m`, `36h`, `7d`, `2w`, `1d12h`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_CANONICAL_UNITS = ("d", "h", "m", "s", "ms")
_PARTS = re.compile(r"(?:[0-9]+ ?(?:ms|[wdhms]) ?)+", re.ASCII)
_PART = re.compile(r"([0-9]+) ?(ms|[wdhms])", re.ASCII)
_BARE_NUMBER = re.compile(r"[0-9]+", re.ASCII)

PATTERN = r"^(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
"""Regular expression of the spelling, for JSON schemas; `parse_duration` also allows blanks."""

EXAMPLES = "30m, 36h, 7d, 2w or 1d12h"


def parse_duration(text: str) -> timedelta:
    """Reads a duration.

    Args:
      text: whole numbers with units, the largest first, each unit once: weeks `w`, days `d`, hours `h`,
        minutes `m`, seconds `s`, milliseconds `ms`. A day is 24 hours; there are no months or years.

    Returns:
      The duration, never negative.

    Raises:
      ValueError: the text is no duration; the message says what was expected, what came, and what to do.
    """
    tidy = " ".join(text.split())
    if not _PARTS.fullmatch(tidy):
        raise ValueError(_complaint(tidy, text))
    parts = _PART.findall(tidy)
    units = [unit for _, unit in parts]
    if units != sorted(set(units), key=list(_UNITS_MS).index):
        raise ValueError(
            f'expected each unit once and the largest first, as in 1d12h, got "{_clip(text)}"; '
            "put the parts in order"
        )
    try:
        return timedelta(milliseconds=sum(int(number) * _UNITS_MS[unit] for number, unit in parts))
    except (OverflowError, ValueError):  # ValueError: int() refuses thousands of digits
        raise ValueError(f'expected a duration below 1,000,000,000 days, got "{_clip(text)}"') from None


def format_duration(duration: timedelta) -> str:
    """The one canonical spelling: days, hours, minutes, seconds, milliseconds, without the zero ones.

    `parse_duration` reads it back to the same value.

    Raises:
      ValueError: the duration is negative, or finer than a millisecond.
    """
    rest, finer = divmod(duration, timedelta(milliseconds=1))
    if rest < 0 or finer:
        raise ValueError(f"expected a duration of zero or more whole milliseconds, got {duration!r}")
    parts: list[str] = []
    for unit in _CANONICAL_UNITS:
        number, rest = divmod(rest, _UNITS_MS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def _complaint(tidy: str, text: str) -> str:
    if not tidy:
        return f"expected a duration such as {EXAMPLES}, got an empty text"
    came = f'expected a duration such as {EXAMPLES}, got "{_clip(text)}"'
    if tidy.startswith("-"):
        return f"{came}; durations count from zero up"
    if _BARE_NUMBER.fullmatch(tidy):
        return f'{came} without a unit; write "{_clip(tidy)}d" for days'
    if "." in tidy:
        return f"{came}; the numbers are whole: write 90m for one and a half hours"
    return f"{came}; the units are w, d, h, m (minutes), s and ms"


def _clip(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
