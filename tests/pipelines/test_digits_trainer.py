from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402
import numpy as np  # noqa: E402

from pipelines.inception_digits import data, trainer  # noqa: E402
from pipelines.inception_digits.trainer import SEED, Training  # noqa: E402

pytestmark = pytest.mark.tfx


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The arguments, as TFX gives them, of a finished training of six steps with a checkpoint every two."""
    directory = tmp_path_factory.mktemp("training")
    data.write_span(directory / "arrived", 1)
    examples = directory / "examples.gz"
    with tf.io.TFRecordWriter(str(examples), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in tf.data.TFRecordDataset(str(directory / "arrived" / "span-1" / "digits.tfrecord")):
            writer.write(record.numpy())
    fn_args = SimpleNamespace(
        train_files=[str(directory / "examples*")],
        train_steps=6,
        custom_config={"architecture": "compact", "learning_rate": 0.003, "checkpoint_every": 2},
        base_model=None,
        model_run_dir=str(directory / "model_run"),
        serving_model_dir=str(directory / "model"),
    )
    trainer.run_fn(fn_args)
    return fn_args


@pytest.fixture
def crashed(trained: SimpleNamespace, tmp_path: Path) -> Path:
    """A model_run directory of its own, as a Trainer that died after its last step would leave it."""
    shutil.copytree(trained.model_run_dir, tmp_path / "model_run")
    return tmp_path / "model_run"


def flip_a_bit(model_run: Path, checkpoint: str) -> None:
    shard = model_run / "checkpoints" / f"{checkpoint}.data-00000-of-00001"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def resumed(model_run: Path) -> tuple[bool, Training]:
    training = Training("compact", 0.003, 6, str(model_run))
    return training.resume(), training


def test_every_checkpoint_stays_for_the_janitor_to_thin_out(trained: SimpleNamespace) -> None:
    written = {path.stem for path in (Path(trained.model_run_dir) / "checkpoints").glob("*.index")}
    assert written == {"ckpt-2", "ckpt-4", "ckpt-6"}


def test_training_resumes_from_the_newest_checkpoint(crashed: Path) -> None:
    found, training = resumed(crashed)
    assert found
    assert int(training.step) == 6


def test_training_resumes_from_the_newest_that_is_whole(crashed: Path) -> None:
    flip_a_bit(crashed, "ckpt-6")
    (crashed / "checkpoints" / "ckpt-4.index").unlink()
    found, training = resumed(crashed)
    assert found
    assert int(training.step) == 2


def test_training_starts_anew_when_every_checkpoint_is_damaged(crashed: Path) -> None:
    for checkpoint in ("ckpt-2", "ckpt-4", "ckpt-6"):
        flip_a_bit(crashed, checkpoint)
    keras.utils.set_random_seed(SEED)
    untouched = [np.array(weight) for weight in Training("compact", 0.003, 6, str(crashed)).model.weights]
    keras.utils.set_random_seed(SEED)
    found, training = resumed(crashed)
    assert not found
    assert int(training.step) == 0
    for weight, expected in zip(training.model.weights, untouched, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_resumed_training_ends_where_an_undisturbed_one_does(
    trained: SimpleNamespace, crashed: Path
) -> None:
    _, undisturbed = resumed(crashed)
    flip_a_bit(crashed, "ckpt-6")
    _, training = resumed(crashed)
    training.run(trainer.files_of(trained), checkpoint_every=2)
    assert int(training.step) == 6
    # Threads add up in any order, so weights differ a little; other batches make them differ far more.
    pairs = zip(training.model.trainable_weights, undisturbed.model.trainable_weights, strict=True)
    differences = np.concatenate([np.ravel(np.array(a) - np.array(b)) for a, b in pairs])
    assert np.abs(differences).mean() < 1e-4, np.abs(differences).mean()


def test_the_exported_model_serves_examples_and_starts_the_next_training(
    trained: SimpleNamespace, crashed: Path
) -> None:
    served = tf.saved_model.load(trained.serving_model_dir).signatures["serving_default"]
    records = list(tf.data.TFRecordDataset(trainer.files_of(trained), "GZIP").take(3).as_numpy_iterator())
    probabilities = served(tf.constant(records))["probabilities"]
    _, last = resumed(crashed)
    expected = last.model(data.decode_images(tf.constant(records)), training=False)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)

    next_training = Training("compact", 0.003, 6, str(crashed / "next"))
    next_training.warm_start(trained.serving_model_dir)
    for weight, expected in zip(next_training.model.weights, last.model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
