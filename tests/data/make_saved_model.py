"""Makes the SavedModel and the checkpoint that the tests copy: real ones, by TensorFlow, a few kB each.

    python tests/data/make_saved_model.py

The model doubles its input and adds a bias: two variables, one signature, one asset. Run it again only when a
newer TensorFlow writes something else into its files.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import tensorflow as tf

DATA = Path(__file__).parent


class Doubling(tf.Module):
    def __init__(self, vocabulary: str) -> None:
        super().__init__()
        self.weight = tf.Variable(tf.eye(4) * 2.0, name="weight")
        self.bias = tf.Variable(tf.zeros(4), name="bias")
        self.vocabulary = tf.saved_model.Asset(vocabulary)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="images")])
    def serve(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": images @ self.weight + self.bias}


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary = Path(scratch, "vocabulary.txt")
        vocabulary.write_text("zero\none\n")
        model = Doubling(str(vocabulary))
        for name in ("saved_model", "checkpoint"):
            shutil.rmtree(DATA / name, ignore_errors=True)
        tf.saved_model.save(model, str(DATA / "saved_model"), signatures={"serving_default": model.serve})
    checkpoint = tf.train.Checkpoint(weight=model.weight, bias=model.bias, step=tf.Variable(tf.constant(1)))
    checkpoint.write(str(DATA / "checkpoint" / "ckpt"))


if __name__ == "__main__":
    main()
