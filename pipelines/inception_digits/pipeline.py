"""The pipeline: examples, training, evaluation against what is blessed, verified push, clean-up."""

from __future__ import annotations

import tfx.v1 as tfx
from tensorflow_model_analysis.proto import config_pb2

from pipelines.inception_digits.data import LABEL
from tfx_janitor import CheckpointJanitor, RetentionPolicy, VerifiedPusher

LOWEST_ACCURACY = 0.9
LARGEST_LOSS = 0.02
"""A model is blessed from this accuracy on, unless it is worse than the blessed one by more than this."""


def create_pipeline(
    *,
    name: str,
    root: str,
    metadata_path: str,
    spans: str,
    serving: str,
    policy: RetentionPolicy,
    architecture: str = "compact",
    steps: int = 100,
    learning_rate: float = 0.003,
    keep_versions: int = 2,
    warm_start: bool = True,
    enable_cache: bool = True,
) -> tfx.dsl.Pipeline:
    """Builds the pipeline for one retraining on the newest span.

    Args:
      name: of the pipeline; models are compared with those of the same name only.
      root: directory of the pipeline's artifacts.
      metadata_path: sqlite file of ML Metadata.
      spans: directory with `span-<n>/` (see `data.write_span`).
      serving: base directory that a model server watches.
      policy: which models and checkpoints stay.
      architecture: see `model.ARCHITECTURES`.
      steps: training steps, each over `trainer.BATCH` digits.
      learning_rate: of the first step.
      keep_versions: how many pushed versions stay in `serving`.
      warm_start: whether training starts from the weights of the latest blessed model.
      enable_cache: whether TFX re-uses what an earlier run made of the same inputs.
    """
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(metadata_path)

    # The split goes by the hash of each record: a digit that once was in `eval` is there in every span, so no
    # model ever sees it in training, not even through the weights it starts from.
    example_gen = tfx.components.ImportExampleGen(
        input_base=spans,
        input_config=tfx.proto.Input(
            splits=[tfx.proto.Input.Split(name="arrived", pattern="span-{SPAN}/*.tfrecord")]
        ),
        output_config=tfx.proto.Output(
            split_config=tfx.proto.SplitConfig(
                splits=[
                    tfx.proto.SplitConfig.Split(name="train", hash_buckets=4),
                    tfx.proto.SplitConfig.Split(name="eval", hash_buckets=1),
                ]
            )
        ),
    )
    blessed = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")
    trainer = tfx.components.Trainer(
        run_fn="pipelines.inception_digits.trainer.run_fn",
        examples=example_gen.outputs["examples"],
        base_model=blessed.outputs["model"] if warm_start else None,
        train_args=tfx.proto.TrainArgs(num_steps=steps),
        eval_args=tfx.proto.EvalArgs(),
        custom_config={
            "architecture": architecture,
            "learning_rate": learning_rate,
            "checkpoint_every": max(1, steps // 5),
        },
    )
    evaluator = tfx.components.Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=blessed.outputs["model"],
        eval_config=_eval_config(),
    )
    pusher = VerifiedPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=serving)
        ),
        keep_versions=keep_versions,
    )
    janitor = CheckpointJanitor(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        pushed_model=pusher.outputs["pushed_model"],
        policy=policy,
        metadata_connection_config=metadata,
    )
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        metadata_connection_config=metadata,
        components=[example_gen, blessed, trainer, evaluator, pusher, janitor],
        enable_cache=enable_cache,
        beam_pipeline_args=[
            # Beam's default would look for a runner written in Go first, and download it where it can.
            "--runner=FnApiRunner",
            # Unless told where the workers get their packages from, TFX builds one of itself before each Beam
            # node, for seconds. This runner has its workers in the same process, and never asks.
            "--sdk_container_image=local",
        ],
    )


def _eval_config() -> config_pb2.EvalConfig:
    accuracy = config_pb2.MetricConfig(
        class_name="SparseCategoricalAccuracy",
        threshold=config_pb2.MetricThreshold(
            value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": LOWEST_ACCURACY}),
            change_threshold=config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -LARGEST_LOSS}
            ),
        ),
    )
    return config_pb2.EvalConfig(
        model_specs=[
            # Said outright, because TFMA would ask Keras otherwise, and Keras 3 loads no SavedModel.
            config_pb2.ModelSpec(model_type="tf_generic", signature_name="serving_default", label_key=LABEL)
        ],
        slicing_specs=[config_pb2.SlicingSpec()],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[accuracy])],
    )
