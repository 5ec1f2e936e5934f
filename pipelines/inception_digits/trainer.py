"""Trains the digits network for TFX's Trainer: `run_fn='pipelines.inception_digits.trainer.run_fn'`."""

from __future__ import annotations

import os
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from pipelines.inception_digits import data
from pipelines.inception_digits.model import build

BATCH = 64
SEED = 7


def run_fn(fn_args: Any) -> None:
    """Resumes or warm-starts, trains `fn_args.train_steps` steps, exports a SavedModel.

    Args:
      fn_args: TFX's `FnArgs`. Its `custom_config` holds `architecture` (see `model.ARCHITECTURES`),
        `learning_rate` and `checkpoint_every` (steps).
    """
    config = fn_args.custom_config
    keras.utils.set_random_seed(SEED)
    training = Training(
        config["architecture"], config["learning_rate"], fn_args.train_steps, fn_args.model_run_dir
    )
    if not training.resume() and fn_args.base_model:
        training.warm_start(fn_args.base_model)
    training.run(files_of(fn_args), config["checkpoint_every"])
    export(training.model, fn_args.serving_model_dir)


class Training:
    """A network in training, whose whole state lives in the checkpoints of one directory.

    Args:
      architecture: see `model.ARCHITECTURES`.
      learning_rate: of Adam at the first step; it falls to zero along a cosine.
      steps: how many steps the whole training takes.
      directory: keeps every checkpoint that is ever written: thinning them out is the janitor's job.
    """

    def __init__(self, architecture: str, learning_rate: float, steps: int, directory: str):
        self.model = build(architecture)
        self._steps = steps
        schedule: Any = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        self._optimizer = keras.optimizers.Adam(schedule)
        # Keras makes the optimizer's variables at the first step, too late for a restore to find them.
        self._optimizer.build(self.model.trainable_variables)
        self.step = tf.Variable(tf.constant(0, tf.int64))
        self._checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self._optimizer, step=self.step)
        self._checkpoints = tf.train.CheckpointManager(
            self._checkpoint, os.path.join(directory, "checkpoints"), max_to_keep=None
        )

    def resume(self) -> bool:
        """Restores the newest checkpoint that can be restored; False, and nothing changed, if there is none.

        There is one when an orchestrator restarts a Trainer that died. It may have died while it wrote.
        """
        for path in reversed(self._checkpoints.checkpoints):
            try:
                self._checkpoint.restore(path).assert_consumed()
            except tf.errors.OpError as error:
                logging.warning("Cannot restore %s, trying the one before: %s", path, error)
            else:
                return True
        return False

    def warm_start(self, base_model: str) -> None:
        """Takes over the weights of a SavedModel that `export` wrote for the same architecture."""
        trained = tf.saved_model.load(base_model).weights
        for weight, value in zip(self.model.weights, trained, strict=True):
            weight.assign(value)

    def run(self, files: list[str], checkpoint_every: int) -> None:
        """Trains from the present step to the last, with checkpoints on the way and after the last."""
        start = int(self.step)
        # Skipping what is done: a resumed training sees the batches that an undisturbed one would have seen.
        batches = data.read(files, "GZIP").cache().shuffle(2048, seed=SEED).repeat().batch(BATCH)
        for images, labels in batches.skip(start).take(self._steps - start):
            self._train(images, labels)
            step = int(self.step)
            if step % checkpoint_every == 0 or step == self._steps:
                self._checkpoints.save(checkpoint_number=step)

    @tf.function
    def _train(self, images: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            probabilities = self.model(images, training=True)
            loss: Any = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.step.assign_add(1)


def export(model: keras.Model, directory: str) -> None:
    """Writes a SavedModel whose one signature `serving_default` serves TF Serving and TFX's Evaluator alike.

    It takes serialised tf.Examples, string [batch], and answers `probabilities`, float32 [batch, 10]. The
    weights are listed as `weights`: the next training can start from them without any Keras format.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(data.decode_images(examples), training=False)}

    exported: Any = tf.Module()
    exported.weights = list(model.weights)
    tf.saved_model.save(exported, directory, signatures={"serving_default": serve})


def files_of(fn_args: Any) -> list[str]:
    """The files with training examples, in an order that does not depend on the file system."""
    return sorted(file for pattern in fn_args.train_files for file in tf.io.gfile.glob(pattern))
