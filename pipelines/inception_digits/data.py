"""Handwritten digits that arrive little by little, as TFRecords of PNG images.

The 1,797 digits that scikit-learn ships were written by 13 people, one after the other. Every fifth is held
out for the final check of what is served; the others arrive in the order in which they were written. Span n
holds all that has arrived before retraining n, as a growing table would.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

IMAGE = "image"
"""Feature with one PNG image, `IMAGE_SIZE` pixels square, one channel."""
LABEL = "label"
"""Feature with the digit that the image shows, 0 to 9."""
IMAGE_SIZE = 32
CLASSES = 10

HELD_OUT_EVERY = 5
FIRST_SPAN = 437
ARRIVALS = 200
"""Digits in the first span, and how many more each later one holds until all 1,437 are there."""


def write_span(directory: Path, span: int) -> int:
    """Writes `span-<n>/digits.tfrecord` with all digits that have arrived by retraining `span`, from 1 on.

    Returns:
      The number of digits in it. It stops growing when all have arrived.
    """
    if span < 1:
        raise ValueError(f"expected a span number from 1 on, got {span}")
    images, labels = _digits(held_out=False)
    size = min(len(labels), FIRST_SPAN + ARRIVALS * (span - 1))
    _write(directory / f"span-{span}" / "digits.tfrecord", images[:size], labels[:size])
    return size


def newest_span(directory: Path) -> int:
    """The number of the newest span in the directory, 0 when there is none."""
    spans = (re.fullmatch(r"span-(\d+)", path.name) for path in directory.glob("span-*"))
    return max((int(span[1]) for span in spans if span), default=0)


def write_held_out(path: Path) -> int:
    """Writes the digits that no span ever holds, and returns how many they are."""
    images, labels = _digits(held_out=True)
    _write(path, images, labels)
    return len(labels)


def read(files: str | Sequence[str], compression: Literal["", "GZIP"] = "") -> tf.data.Dataset:
    """Reads TFRecords into (image, label): float32 [IMAGE_SIZE, IMAGE_SIZE, 1] from 0 to 1, and int64 []."""
    label = {LABEL: tf.io.FixedLenFeature([], tf.int64)}

    def parse(examples: tf.Tensor) -> tuple[Any, Any]:
        return decode_images(examples), tf.io.parse_example(examples, label)[LABEL]

    records = tf.data.TFRecordDataset(files, compression_type=compression)
    return records.batch(256).map(parse).unbatch()


def decode_images(examples: tf.Tensor) -> Any:
    """Decodes serialised tf.Examples [batch] into images, float32 [batch, IMAGE_SIZE, IMAGE_SIZE, 1], 0 to 1.

    Training and serving both go through this function, so that the model sees the same pixels in both.
    """
    encoded = tf.io.parse_example(examples, {IMAGE: tf.io.FixedLenFeature([], tf.string)})[IMAGE]
    images = tf.map_fn(lambda png: tf.io.decode_png(png, channels=1), encoded, fn_output_signature=tf.uint8)
    return tf.reshape(tf.image.convert_image_dtype(images, tf.float32), [-1, IMAGE_SIZE, IMAGE_SIZE, 1])


def _digits(*, held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    digits: Any = load_digits()
    chosen = (np.arange(len(digits.target)) % HELD_OUT_EVERY == 0) == held_out
    return digits.images[chosen], digits.target[chosen]


def _write(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    # 8x8 pixels with 17 shades of grey each, enlarged as a scan would show them.
    enlarged = tf.image.resize(images[..., np.newaxis] / 16.0, [IMAGE_SIZE, IMAGE_SIZE], "bicubic")
    pixels = tf.image.convert_image_dtype(tf.clip_by_value(enlarged, 0.0, 1.0), tf.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in zip(pixels, labels, strict=True):
            png = tf.io.encode_png(image).numpy()
            features = {
                IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[png])),
                LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # ExampleGen splits by the hash of the bytes: the same digit must be the same bytes in every span.
            writer.write(example.SerializeToString(deterministic=True))
