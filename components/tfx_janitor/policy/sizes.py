"""Amounts of bytes as people write them: `10GB`, `512MiB`."""

from __future__ import annotations

import re
from fractions import Fraction

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kmgtp]?)(i?)b", re.ASCII | re.IGNORECASE)
_EXPONENT = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}

PATTERN = r"^[0-9]+(\.[0-9]+)?([kKmMgGtTpP]i?)?[bB]$"
"""Regular expression of the spelling, for JSON schemas. `parse_size` also allows a blank before the unit."""


def parse_size(text: str) -> int:
    """Reads a size in bytes.

    Args:
      text: a number and a unit: `B`, the decimal `kB MB GB TB PB` (powers of 1000) or the binary
        `KiB MiB GiB TiB PiB` (powers of 1024), in any case. A bare `10G` is refused: tools disagree on it.

    Returns:
      Bytes, rounded down.

    Raises:
      ValueError: the text is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or (found[3] and not found[2]):
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ValueError(
            f'expected a number of bytes, or a size such as 10GB or 512MiB (powers of 1024), got "{shown}"'
        )
    base = 1024 if found[3] else 1000
    return int(Fraction(found[1]) * base ** _EXPONENT[found[2].lower()])
