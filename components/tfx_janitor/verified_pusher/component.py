"""VerifiedPusher: takes what the stock Pusher takes, and can replace it line for line."""

from __future__ import annotations

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
from tfx_janitor.verified_pusher.errors import OptionError


class VerifiedPusherSpec(standard_component_specs.PusherSpec):
    """The stock Pusher's inputs, parameters and output, and two parameters more."""

    PARAMETERS = {  # noqa: RUF012 - TFX declares it so
        **standard_component_specs.PusherSpec.PARAMETERS,
        options.KEEP_VERSIONS: ExecutionParameter(type=int, optional=True),
        options.VERIFY: ExecutionParameter(type=str, optional=True),
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
    ) -> None:
        """Constructs a VerifiedPusher.

        Args:
          model: channel of `standard_artifacts.Model`, usually from a Trainer.
          model_blessing: channel of `standard_artifacts.ModelBlessing`, usually from an Evaluator.
          infra_blessing: channel of `standard_artifacts.InfraBlessing`, usually from an InfraValidator.
          push_destination: where to push; a `filesystem.base_directory` on a local file system.
          custom_config: kept for custom executors. The two options below may also stand here, below
            `tfx_janitor`, where a stock Pusher with our executor has them.
          custom_executor_spec: as for the stock Pusher.
          keep_versions: how many of the newest versions stay in service; older ones are retired after the new
            one is verified and visible. None keeps all.
          verify: what is verified before a version becomes visible: `structure`, `checksums` (the default:
            every tensor), or `load` (TensorFlow loads it, too).

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
            verify=_verify(verify, configured),
        )
        super().__init__(spec=spec, custom_executor_spec=custom_executor_spec)


def _keep_versions(value: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.KEEP_VERSIONS, value, configured)
    options.checked_keep_versions(configured.get(options.KEEP_VERSIONS))
    return value if _known_later(value) else options.checked_keep_versions(value)


def _verify(value: Any, configured: dict[str, Any]) -> Any:
    _refuse_twice(options.VERIFY, value, configured)
    if options.VERIFY in configured:
        options.checked_level(configured[options.VERIFY])
    return value if value is None or _known_later(value) else options.checked_level(value).value


def _refuse_twice(name: str, value: object, configured: dict[str, Any]) -> None:
    if value is not None and name in configured:
        raise OptionError(
            f"expected {name} once, got it as argument and in custom_config[{options.SECTION!r}]; remove one"
        )


def _known_later(value: object) -> bool:
    return isinstance(value, (RuntimeParameter, Placeholder))
