"""CheckpointJanitor: put it at the end of a pipeline, and it cleans up after it."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_component, base_node, executor_spec
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_janitor.checkpoint_janitor import executor, options
from tfx_janitor.checkpoint_janitor.artifacts import JanitorPlan, JanitorReport
from tfx_janitor.checkpoint_janitor.attached import attached_to, policy_in_force
from tfx_janitor.policy.schema import RetentionPolicy

RUN = "pipeline_run"
_RUN_ID = "pipeline-run-id"  # the name of the runtime parameter that every runner fills in


class CheckpointJanitorSpec(ComponentSpec):
    """Inputs say only what the janitor comes after; so all are optional."""

    PARAMETERS = {  # noqa: RUF012 - TFX declares it so
        options.POLICY: ExecutionParameter(type=str),
        options.METADATA: ExecutionParameter(type=str),
        options.WHOLE_STORE: ExecutionParameter(type=int),
        options.FAIL_PIPELINE: ExecutionParameter(type=int),
        options.HTML: ExecutionParameter(type=int),
        RUN: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model, optional=True),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        executor.PLAN: ChannelParameter(type=JanitorPlan),
        executor.REPORT: ChannelParameter(type=JanitorReport),
    }


class CheckpointJanitor(base_beam_component.BaseBeamComponent):
    """Deletes the SavedModels and checkpoints that a pipeline no longer needs, at the end of each run.

    It judges everything that the pipeline ever produced by MLMD lineage and a policy, marks what may go, and
    purges what it marked a grace ago. Nothing that the present run produced or consumed is touched; if the
    run had failures, nothing at all is. Measuring, verifying and deleting are Beam transforms on the
    pipeline's own runner. TFX never takes its result from the cache.

    Example:
        janitor = CheckpointJanitor(
            model=trainer.outputs["model"],
            model_run=trainer.outputs["model_run"],
            pushed_model=pusher.outputs["pushed_model"],
            policy=RetentionPolicy.from_yaml("janitor.yaml"),
            metadata_connection_config=metadata_connection_config,
        )

    Its outputs are `plan`, a JanitorPlan, and `report`, a JanitorReport. A failure of the janitor fails its
    node only if it is asked to; it is always in the log and in the report's `status` and `reason`.
    """

    SPEC_CLASS = CheckpointJanitorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        policy: RetentionPolicy | None = None,
        metadata_connection_config: metadata_store_pb2.ConnectionConfig,
        model: types.BaseChannel | None = None,
        model_run: types.BaseChannel | None = None,
        model_blessing: types.BaseChannel | None = None,
        pushed_model: types.BaseChannel | None = None,
        upstream_nodes: Iterable[base_node.BaseNode] = (),
        roots: Sequence[str] | None = None,
        whole_store: bool = False,
        fail_pipeline: bool = False,
        html: bool = True,
    ) -> None:
        """Constructs a CheckpointJanitor.

        Give it the outputs of all nodes that it should come after, or the nodes themselves: one that comes
        later still finds everything that it needs, but the janitor does not know whether it will fail.

        Without a policy it obeys the GarbageCollectionPolicy that the authors of those nodes attached to the
        outputs that it is given, as TFX's own collector once did, with the safe defaults of a RetentionPolicy
        for all else. `RetentionPolicy.from_tfx` makes the same with other values. Attach policies, and give
        nodes their ids, before the janitor is constructed. A policy that is given beside attached ones must
        have the rules that `from_tfx` makes of them: neither loses silently to the other.

        Args:
          policy: what to keep. None: what the attached ones keep.
          metadata_connection_config: the one that the pipeline has. It becomes an execution parameter, which
            MLMD stores and TFX logs; so it must not hold a password.
          model: channel of `standard_artifacts.Model`, usually from a Trainer.
          model_run: channel of `standard_artifacts.ModelRun`, usually from a Trainer.
          model_blessing: channel of `standard_artifacts.ModelBlessing`, usually from an Evaluator.
          pushed_model: channel of `standard_artifacts.PushedModel`, usually from a VerifiedPusher or Pusher.
          upstream_nodes: nodes to come after that have none of these outputs. Policies attached to any of
            their outputs count.
          roots: of attached policies: only payloads strictly inside these may ever be deleted. None: the
            pipeline root, as it is when the pipeline runs.
          whole_store: judges what all pipelines of the store produced, instead of its own only.
          fail_pipeline: fails when the janitor fails, refuses, or fails on an item.
          html: leaves `report.html` in the report, a page for a browser as `tfx-janitor report` makes it.

        Raises:
          OptionError: an option is not understood, there is no policy or two that do not agree, or the
            connection config holds a password.
          PolicyError: an attached policy cannot be converted, or roots are none.
          StoreError: the connection config names a store that cannot be opened from here.
        """
        nodes = list(upstream_nodes)
        channels = [given for given in (model, model_run, model_blessing, pushed_model) if given is not None]
        if policy is None and whole_store:
            raise options.OptionError(
                "expected a policy beside whole_store, got none: attached ones are for their own pipeline; "
                "pass policy=RetentionPolicy.from_yaml(path)"
            )
        in_force = policy_in_force(policy, attached_to(channels, nodes), roots)
        given = options.Options(in_force, metadata_connection_config, whole_store, fail_pipeline, html)
        run_id = data_types.RuntimeParameter(_RUN_ID, str)
        outputs = {
            executor.PLAN: types.Channel(type=JanitorPlan),
            executor.REPORT: types.Channel(type=JanitorReport),
        }
        spec = CheckpointJanitorSpec(
            model=model,
            model_run=model_run,
            model_blessing=model_blessing,
            pushed_model=pushed_model,
            # A parameter that differs in every run keeps TFX from taking the run before for this one.
            **{RUN: run_id},
            **given.to_parameters(),
            **outputs,
        )
        super().__init__(spec=spec)
        self.add_upstream_nodes(nodes)
        if getattr(builtins, "__IPYTHON__", False):
            # TFX asks nobody for visualizations of types that are not its own.
            from tfx_janitor.checkpoint_janitor import notebook

            notebook.register()
