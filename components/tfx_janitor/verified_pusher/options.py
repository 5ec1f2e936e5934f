"""The options of a push, checked alike at construction of the component and in the executor."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from tfx_janitor.payload import smoke
from tfx_janitor.payload.smoke import SmokeTest, SmokeTestError
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.durations import parse_duration
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import OptionError
from tfx_janitor.verified_pusher.serving import ModelServer
from tfx_janitor.verified_pusher.versions import Versioning

KEEP_VERSIONS = "keep_versions"
VERIFY = "verify"
SMOKE = "smoke"
ARCHIVE = "archive"
VERSIONING = "versioning"
MODEL_SERVERS = "model_servers"
AWAIT_SERVING = "await_serving"
_SERVERS = '{"address": "host:8500", "model_name": "inception"} or "host:8500/inception"'

SECTION = "tfx_janitor"
"""Key in a stock Pusher's `custom_config` under which the options stand."""

_NAMES = (KEEP_VERSIONS, VERIFY, SMOKE, ARCHIVE, VERSIONING, MODEL_SERVERS, AWAIT_SERVING)

_Choice = TypeVar("_Choice", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push.

    Attributes:
      level: how much to verify before a version becomes visible.
      keep_versions: how many of the newest versions stay in service; None keeps all.
      smoke_test: what the model is asked at level `smoke`.
      archive: what lies at the PushedModel's own URI.
      versioning: what a new version is numbered by.
      model_servers: those that watch the base directory: what one of them has loaded is not retired.
      await_serving: how long to wait until all of them serve the new version; None does not wait.
    """

    level: Level = Level.CHECKSUMS
    keep_versions: int | None = None
    smoke_test: SmokeTest = smoke.WARM_UP
    archive: Archive = Archive.LINK
    versioning: Versioning = Versioning.TIMESTAMP
    model_servers: tuple[ModelServer, ...] = ()
    await_serving: timedelta | None = None


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
    return _member(Level, VERIFY, value)


def checked_archive(value: object) -> Archive:
    """Returns the way of archiving of this name.

    Raises:
      OptionError: there is none of this name.
    """
    return _member(Archive, ARCHIVE, value)


def checked_versioning(value: object) -> Versioning:
    """Returns the way of numbering of this name.

    Raises:
      OptionError: there is none of this name.
    """
    return _member(Versioning, VERSIONING, value)


def _member(choices: type[_Choice], option: str, value: object) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        names = ", ".join(choice.value for choice in choices)
        raise OptionError(f"expected {option} to be one of {names}, got {value!r}") from None


def checked_smoke_test(value: object) -> SmokeTest:
    """Returns the smoke test that a mapping, or the JSON of one, describes.

    Raises:
      OptionError: it is not understood.
    """
    try:
        return SmokeTest.of(value)
    except SmokeTestError as error:
        raise OptionError(str(error)) from error


def checked_model_servers(value: object) -> tuple[ModelServer, ...]:
    """Returns the model servers that a list, or the JSON of one, names.

    Args:
      value: `[{"address": "host:port", "model_name": "inception"}]`, or `["host:port/inception"]`.

    Raises:
      OptionError: it is not understood.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise OptionError(f"expected {MODEL_SERVERS} to be a list such as {_SERVERS}, got {value!r}")
    return tuple(_model_server(one) for one in value)


def _model_server(value: object) -> ModelServer:
    if isinstance(value, Mapping) and set(value) == {"address", "model_name"}:
        address, name = value["address"], value["model_name"]
    else:
        address, _, name = value.rpartition("/") if isinstance(value, str) else ("", "", "")
    if isinstance(address, str) and ":" in address and isinstance(name, str) and name:
        if address.startswith(("http://", "https://")):
            raise OptionError(
                f"expected the gRPC port of a model server, host:8500, in {MODEL_SERVERS}, got {address!r}, "
                "the address of its REST API"
            )
        return ModelServer(address, name)
    raise OptionError(f"expected {MODEL_SERVERS} to hold entries such as {_SERVERS}, got {value!r}")


def checked_await_serving(value: object) -> timedelta | None:
    """Returns how long to wait for model servers: None, a number of seconds, or a duration such as `5m`.

    Raises:
      OptionError: it is neither, or not more than nothing.
    """
    if value is None:
        return None
    try:
        timeout = _span(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(
            f"expected {AWAIT_SERVING} to be seconds, or a duration such as 5m, got {value!r}: {error}"
        ) from None
    if isinstance(value, bool) or timeout <= timedelta(0):
        raise OptionError(f"expected {AWAIT_SERVING} to be longer than nothing, got {value!r}")
    return timeout


def _span(value: Any) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except ValueError:
        if not isinstance(value, str):
            raise
        return parse_duration(value)


def refuse_waiting_for_none(options: Mapping[str, Any]) -> None:
    """Refuses to wait for model servers that are not named.

    Raises:
      OptionError: there is a time to wait, and nobody to wait for.
    """
    if options.get(AWAIT_SERVING) is not None and not options.get(MODEL_SERVERS):
        raise OptionError(f"expected {MODEL_SERVERS} beside {AWAIT_SERVING}: whom to wait for; got none")


def level_of(options: Mapping[str, Any]) -> Level:
    """Returns the verification level that options mean: a smoke test alone says its own.

    Raises:
      OptionError: they do not go together, or there is no such level.
    """
    has_test = options.get(SMOKE) is not None
    verify = options.get(VERIFY)
    if verify is None:
        return Level.SMOKE if has_test else Level.CHECKSUMS
    level = checked_level(verify)
    if has_test and level is not Level.SMOKE:
        raise OptionError(
            f"expected {VERIFY}='smoke' beside {SMOKE}, got {level.value!r}; remove one of them"
        )
    return level


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
    unknown = sorted(set(options) - set(_NAMES))
    if unknown:
        raise OptionError(f"expected {', '.join(_NAMES)} in custom_config[{SECTION!r}], got {unknown[0]!r}")
    return dict(options)


def from_exec_properties(exec_properties: Mapping[str, Any]) -> PushOptions:
    """Reads the options of an execution: its own properties, else `custom_config`, else the defaults.

    Raises:
      OptionError: an option is not understood.
    """
    given = section(exec_properties.get("custom_config"))
    given.update({name: exec_properties[name] for name in _NAMES if exec_properties.get(name) is not None})
    refuse_waiting_for_none(given)
    smoke_test = given.get(SMOKE)
    return PushOptions(
        level=level_of(given),
        smoke_test=smoke.WARM_UP if smoke_test is None else checked_smoke_test(smoke_test),
        keep_versions=checked_keep_versions(given.get(KEEP_VERSIONS)),
        archive=checked_archive(given.get(ARCHIVE, Archive.LINK)),
        versioning=checked_versioning(given.get(VERSIONING, Versioning.TIMESTAMP)),
        model_servers=checked_model_servers(given.get(MODEL_SERVERS, ())),
        await_serving=checked_await_serving(given.get(AWAIT_SERVING)),
    )
