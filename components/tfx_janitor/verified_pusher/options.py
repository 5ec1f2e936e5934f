"""The options of a push, checked alike at construction of the component and in the executor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher.errors import OptionError

KEEP_VERSIONS = "keep_versions"
VERIFY = "verify"
SECTION = "tfx_janitor"
"""Key in a stock Pusher's `custom_config` under which the options stand."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push.

    Attributes:
      level: how much to verify before a version becomes visible.
      keep_versions: how many of the newest versions stay in service; None keeps all.
    """

    level: Level = Level.CHECKSUMS
    keep_versions: int | None = None


def checked_keep_versions(value: object) -> int | None:
    """Returns the value if it is None or a whole number of at least 1.

    Raises:
      OptionError: it is not.
    """
    if value is None or (type(value) is int and value >= 1):
        return value
    raise OptionError(
        f"expected keep_versions to be a whole number of at least 1, or None to keep all, got {value!r}"
    )


def checked_level(value: object) -> Level:
    """Returns the verification level of this name.

    Raises:
      OptionError: there is none of this name.
    """
    try:
        return Level(value)
    except ValueError:
        names = ", ".join(level.value for level in Level)
        raise OptionError(f"expected verify to be one of {names}, got {value!r}") from None


def section(custom_config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Returns the options that stand in a `custom_config`, a mapping or the JSON that TFX makes of it.

    Raises:
      OptionError: they are not understood.
    """
    if isinstance(custom_config, str):
        try:
            custom_config = json.loads(custom_config)
        except ValueError as error:
            raise OptionError(f"expected custom_config to be JSON, got {custom_config!r}: {error}") from error
    options = custom_config.get(SECTION) if isinstance(custom_config, Mapping) else None
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise OptionError(f"expected custom_config[{SECTION!r}] to be a mapping of options, got {options!r}")
    unknown = sorted(set(options) - {KEEP_VERSIONS, VERIFY})
    if unknown:
        raise OptionError(
            f"expected {KEEP_VERSIONS!r} or {VERIFY!r} in custom_config[{SECTION!r}], got {unknown[0]!r}"
        )
    return dict(options)


def from_exec_properties(exec_properties: Mapping[str, Any]) -> PushOptions:
    """Reads the options of an execution: its own properties, else `custom_config`, else the defaults.

    Raises:
      OptionError: an option is not understood.
    """
    given = section(exec_properties.get("custom_config"))
    given.update(
        {key: exec_properties[key] for key in (KEEP_VERSIONS, VERIFY) if exec_properties.get(key) is not None}
    )
    return PushOptions(
        level=checked_level(given.get(VERIFY, Level.CHECKSUMS)),
        keep_versions=checked_keep_versions(given.get(KEEP_VERSIONS)),
    )
