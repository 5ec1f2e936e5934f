"""SavedModels and checkpoints that TensorFlow itself has written, made once per session."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STEPS = (1, 2, 3, 10, 11, 12, 100)


@pytest.fixture(scope="session")
def tf() -> Any:
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow


@pytest.fixture(scope="session")
def written(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one sub-directory per kind of payload. Never write into it: take a `copy`."""
    root = tmp_path_factory.mktemp("written")
    _saved_models(tf, root)
    _managed_checkpoints(tf, root)
    _graph_checkpoints(tf, root)
    _raw_checkpoints(tf, root)
    _keras_files(tf, root)
    return root


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies one of the written payloads to where a test may damage it."""

    def copied(name: str) -> Path:
        return Path(shutil.copytree(written / name, tmp_path / name))

    return copied


def _saved_models(tf: Any, root: Path) -> None:
    vocabulary = root / "vocabulary.txt"
    vocabulary.write_text("zero\none\n")

    class Classifier(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(tf.random.stateless_normal([40, 3], seed=[1, 2]))
            self.bias = tf.Variable([1.0, 2.0, 3.0])
            self.labels = tf.Variable(["a", "b" * 300, ""])
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(vocabulary),
                    tf.string,
                    tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                -1,
            )

        @tf.function(input_signature=[tf.TensorSpec([None, 40])])
        def __call__(self, x: Any) -> Any:
            return x @ self.weights + self.bias

    class Doubler(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None])])
        def __call__(self, x: Any) -> Any:
            return x * 2

    tf.saved_model.save(Classifier(), str(root / "classifier"))
    tf.saved_model.save(Doubler(), str(root / "doubler"))

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("weights", initializer=tf.constant([1.0, 2.0]))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(root / "estimator"), {"x": weights}, {"y": weights * 2})
        builder = v1.saved_model.builder.SavedModelBuilder(str(root / "estimator_as_text"))
        builder.add_meta_graph_and_variables(session, ["serve"])
        builder.save(as_text=True)
    with tf.Graph().as_default(), v1.Session() as session:
        constant = tf.constant([1.0])
        v1.saved_model.simple_save(session, str(root / "frozen"), {"x": constant}, {"y": constant * 2})
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("weights", initializer=tf.constant([1.0, 2.0]))
        x = v1.placeholder(tf.float32, [None, 2])
        session.run(v1.global_variables_initializer())
        signatures = {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": x * weights})}
        builder = v1.saved_model.builder.SavedModelBuilder(str(root / "several_graphs"))
        builder.add_meta_graph_and_variables(session, ["train"], signatures)
        builder.add_meta_graph(["serve", "tpu"], signatures)
        builder.add_meta_graph(["serve"], signatures)
        builder.save()
        builder = v1.saved_model.builder.SavedModelBuilder(str(root / "for_training"))
        builder.add_meta_graph_and_variables(session, ["train"], signatures)
        builder.save()


def _managed_checkpoints(tf: Any, root: Path) -> None:
    iterator = iter(tf.data.Dataset.range(10).shuffle(5, seed=1).batch(2))
    next(iterator)
    checkpoint = tf.train.Checkpoint(weights=tf.Variable([1.0, 2.0, 3.0]), iterator=iterator)
    manager = tf.train.CheckpointManager(checkpoint, str(root / "managed"), max_to_keep=None)
    for step in STEPS:
        manager.save(checkpoint_number=step)


def _graph_checkpoints(tf: Any, root: Path) -> None:
    v1 = tf.compat.v1
    (root / "sliced").mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("rows", shape=[10, 3], partitioner=v1.fixed_size_partitioner(3))
        v1.get_variable("columns", shape=[2, 200], partitioner=v1.fixed_size_partitioner(2, axis=1))
        v1.get_variable("plain", initializer=tf.constant([1.0, 2.0]))
        v1.get_variable("empty", shape=[0, 3])
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(root / "sliced" / "model"), global_step=7)
    (root / "sharded").mkdir()
    with tf.Graph().as_default(), v1.Session(config=v1.ConfigProto(device_count={"CPU": 3})) as session:
        for device in range(3):
            with tf.device(f"/cpu:{device}"):
                v1.get_variable(f"weights_{device}", shape=[50 + device])
        session.run(v1.global_variables_initializer())
        v1.train.Saver(sharded=True).save(session, str(root / "sharded" / "model"), global_step=5)


def _raw_checkpoints(tf: Any, root: Path) -> None:
    (root / "kinds").mkdir()
    tensors = {
        "bfloat16": tf.constant([1.0, 2.0], tf.bfloat16),
        "bool": tf.constant([True, False]),
        "complex": tf.constant([1 + 2j]),
        "empty": tf.zeros([0, 2]),
        "half": tf.constant([1.0], tf.half),
        "int64": tf.constant([[1, -2]], tf.int64),
        "list": tf.raw_ops.TensorListFromTensor(tensor=tf.constant([[1.0, 2.0]]), element_shape=[2]),
        "long strings": tf.constant(["x" * n for n in (0, 1, 127, 128, 16383, 16384, 1_100_000)]),
        "many strings": tf.constant([str(n) * (n % 90) for n in range(3000)]),
        "no strings": tf.zeros([0], tf.string),
        "scalar": tf.constant(3, tf.uint8),
        "string": tf.constant("word"),
        # Larger than the window through which shards are read.
        "wide": tf.random.stateless_uniform([300_000], seed=[3, 4]),
    }
    # Enough keys for several blocks in the index.
    tensors |= {f"layer/{n:03d}/with/a/name/of/some/length": tf.constant([float(n)]) for n in range(200)}
    tf.raw_ops.SaveV2(
        prefix=str(root / "kinds" / "all"),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def _keras_files(tf: Any, root: Path) -> None:
    (root / "keras").mkdir()
    model = tf.keras.Sequential([tf.keras.Input([3]), tf.keras.layers.Dense(2)])
    model.save(root / "keras" / "model-12.keras")
    model.save_weights(root / "keras" / "weights.05.weights.h5")
