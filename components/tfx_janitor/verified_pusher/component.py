"""VerifiedPusher: takes what the stock Pusher takes, and can replace it line for line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import Enum
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.placeholder.placeholder_base import Placeholder
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto.pusher_pb2 import PushDestination  # pyright: ignore[reportAttributeAccessIssue]
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ExecutionParameter
from tfx.utils import json_utils

from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import executor, options
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import OptionError
from tfx_janitor.verified_pusher.versions import Versioning


class VerifiedPusherSpec(standard_component_specs.PusherSpec):
    """The stock Pusher's inputs, parameters and output, and some parameters more."""

    PARAMETERS = {  # noqa: RUF012 - TFX declares it so
        **standard_component_specs.PusherSpec.PARAMETERS,
        options.KEEP_VERSIONS: ExecutionParameter(type=int, optional=True),
        options.VERIFY: ExecutionParameter(type=str, optional=True),
        options.SMOKE: ExecutionParameter(type=str, optional=True),
        options.ARCHIVE: ExecutionParameter(type=str, optional=True),
        options.VERSIONING: ExecutionParameter(type=str, optional=True),
        options.MODEL_SERVERS: ExecutionParameter(type=str, optional=True),
        options.AWAIT_SERVING: ExecutionParameter(type=str, optional=True),
    }


class VerifiedPusher(base_component.BaseComponent):
    """Pushes a blessed model to a directory that a model server watches, and nothing but a whole model.

    Unlike the stock Pusher it refuses an empty, incomplete or damaged model, shows a version only when all of
    it is there and verified, never gives one number to two models, and writes down in the version and in MLMD
    what was pushed.

    Example:
        pusher = VerifiedPusher(
            model=trainer.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
            push_destination=PushDestination(
                filesystem=PushDestination.Filesystem(base_directory="/srv/serving/inception")
            ),
            keep_versions=3,
        )

    Its output is `pushed_model`, a `standard_artifacts.PushedModel`, as that of the stock Pusher.
    """

    SPEC_CLASS = VerifiedPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel | None = None,
        model_blessing: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        push_destination: PushDestination | RuntimeParameter | Placeholder | None = None,
        custom_config: dict[str, Any] | None = None,
        custom_executor_spec: executor_spec.ExecutorSpec | None = None,
        *,
        keep_versions: int | RuntimeParameter | Placeholder | None = None,
        verify: str | Level | RuntimeParameter | Placeholder | None = None,
        smoke: dict[str, Any] | str | RuntimeParameter | Placeholder | None = None,
        archive: str | Archive | RuntimeParameter | Placeholder | None = None,
        versioning: str | Versioning | RuntimeParameter | Placeholder | None = None,
        model_servers: Sequence[Mapping[str, str] | str] | str | RuntimeParameter | Placeholder | None = None,
        await_serving: str | float | RuntimeParameter | Placeholder | None = None,
    ) -> None:
        """Constructs a VerifiedPusher.

        Args:
          model: channel of `standard_artifacts.Model`, usually from a Trainer.
          model_blessing: channel of `standard_artifacts.ModelBlessing`, usually from an Evaluator.
          infra_blessing: channel of `standard_artifacts.InfraBlessing`, usually from an InfraValidator.
          push_destination: where to push; a `filesystem.base_directory` on a local file system.
          custom_config: kept for custom executors. The options below may also stand here, under
            `tfx_janitor`, where a stock Pusher with our executor has them.
          custom_executor_spec: as for the stock Pusher.
          keep_versions: how many of the newest versions stay in service; older ones are retired after the new
            one is verified and visible. None keeps all.
          verify: what is verified before a version becomes visible: `structure`, `checksums` (the default:
            every tensor), `load` (TensorFlow loads it, too), or `smoke` (it answers requests, too).
          smoke: what the model is asked, and the bounds of its answers, as the attributes of
            `payload.smoke.SmokeTest` in a dict or in JSON; implies `verify="smoke"`. Without it, the level
            `smoke` asks what the warm-up requests ask that the model brings, and nothing else.
          archive: what lies at the PushedModel's own URI: `link` (the default: the files of the served
            version under second names, which cost nothing; a copy where the file system cannot), `copy`
            (files of its own), or `none`.
          versioning: what a new version is numbered by: `timestamp` (the default), or `execution_id`, the id
            of the MLMD execution; the next number above all others where that is not the highest.
          model_servers: TensorFlow Servings that watch the base directory, such as
            `[{"address": "host:8500", "model_name": "inception"}]` or `["host:8500/inception"]`, or the JSON
            of it. A version that one of them has loaded is not retired, nor any while one does not answer.
          await_serving: how long to wait, after the push, until all of them serve the new version: seconds,
            or a duration such as `5m`. If one refuses it, or time is over, the version before is put back,
            and the component fails with the server's words. None does not wait.

        Raises:
          OptionError: an option is not understood, or given twice.
          ValueError: there is neither model nor infra_blessing, or no push_destination.
        """
        if push_destination is None and not custom_executor_spec:
            raise ValueError(
                "push_destination is required unless a custom_executor_spec is supplied that does not "
                "require it."
            )
        if model is None and infra_blessing is None:
            raise ValueError(
                "Either one of model or infra_blessing channel should be given. An infra_blessing in place "
                "of a model must come from an InfraValidator with RequestSpec.make_warmup = True."
            )
        configured = options.section(custom_config)
        spec = VerifiedPusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=push_destination,
            custom_config=json_utils.dumps(custom_config),
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            keep_versions=_keep_versions(keep_versions, configured),
            verify=_choice(options.VERIFY, options.checked_level, verify, configured),
            smoke=_smoke(smoke, verify, configured),
            archive=_choice(options.ARCHIVE, options.checked_archive, archive, configured),
            versioning=_choice(options.VERSIONING, options.checked_versioning, versioning, configured),
            model_servers=_model_servers(model_servers, configured),
            await_serving=_await_serving(await_serving, model_servers, configured),
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)


def _keep_versions(value: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.KEEP_VERSIONS, value, configured)
    options.checked_keep_versions(configured.get(options.KEEP_VERSIONS))
    return value if _known_later(value) else options.checked_keep_versions(value)


def _choice(name: str, checked: Callable[[object], Enum], value: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(name, value, configured)
    if name in configured:
        checked(configured[name])
    return value if value is None or _known_later(value) else checked(value).value


def _smoke(value: Any, verify: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.SMOKE, value, configured)
    if options.SMOKE in configured:
        options.checked_smoke_test(configured[options.SMOKE])
    known = {
        name: given
        for name, given in ((options.VERIFY, verify), (options.SMOKE, value))
        if given is not None and not _known_later(given)
    }
    options.level_of({**configured, **known})
    return _as_json(value) if options.SMOKE in known else value


def _model_servers(value: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.MODEL_SERVERS, value, configured)
    options.checked_model_servers(configured.get(options.MODEL_SERVERS, ()))
    if value is None or _known_later(value):
        return value
    return json.dumps([asdict(server) for server in options.checked_model_servers(value)], sort_keys=True)


def _await_serving(value: Any, model_servers: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.AWAIT_SERVING, value, configured)
    options.checked_await_serving(configured.get(options.AWAIT_SERVING))
    options.refuse_waiting_for_none(
        {
            options.AWAIT_SERVING: configured.get(options.AWAIT_SERVING, value),
            options.MODEL_SERVERS: configured.get(options.MODEL_SERVERS, model_servers),
        }
    )
    if _known_later(value) or (timeout := options.checked_await_serving(value)) is None:
        return value
    return str(timeout.total_seconds())


def _as_json(value: Any) -> str:
    options.checked_smoke_test(value)
    try:
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    except TypeError as error:
        raise OptionError(
            f'expected a smoke test that can be written as JSON: {error}; bytes are {{"b64": "..."}}'
        ) from error


def _refuse_twice(name: str, value: object, configured: dict[str, Any]) -> None:
    if value is not None and name in configured:
        raise OptionError(
            f"expected {name} once, got it as argument and in custom_config[{options.SECTION!r}]; remove one"
        )


def _known_later(value: object) -> bool:
    return isinstance(value, (RuntimeParameter, Placeholder))
