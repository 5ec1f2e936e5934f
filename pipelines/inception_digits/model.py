"""Two Inception networks for small grey images: a compact one, and the full InceptionV3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from pipelines.inception_digits.data import CLASSES, IMAGE_SIZE

# The library's momentum of 0.99 needs some 500 steps before the moving averages mean anything.
_MOMENTUM = 0.9


def build(architecture: str) -> keras.Model:
    """Builds a classifier from images [batch, 32, 32, 1], 0 to 1, to probabilities [batch, 10].

    Raises:
      ValueError: the architecture is not one of `ARCHITECTURES`.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"expected an architecture out of {', '.join(ARCHITECTURES)}, got {architecture!r}")
    return ARCHITECTURES[architecture]()


def compact() -> keras.Model:
    """Three Inception blocks, 0.1 million parameters: learns the digits in seconds on two CPU cores."""
    images = keras.Input([IMAGE_SIZE, IMAGE_SIZE, 1])
    x = convolution(images, 16, 3, strides=2)
    x = convolution(x, 32, 3, strides=2)
    x = inception_block(x, 16, reduce=16, project=16)
    x = inception_block(x, 24, reduce=24, project=24)
    x = layers.MaxPooling2D(2)(x)
    x = inception_block(x, 40, reduce=32, project=40)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2, seed=1)(x)
    return keras.Model(images, layers.Dense(CLASSES, activation="softmax")(x), name="compact_inception")


def inception_v3() -> keras.Model:
    """InceptionV3 as Keras ships it, untrained, at its smallest input of 75 by 75: 22 million parameters."""
    images = keras.Input([IMAGE_SIZE, IMAGE_SIZE, 1])
    x = layers.Resizing(75, 75)(images)
    x = layers.Concatenate()([x, x, x])
    x = layers.Rescaling(2.0, offset=-1.0)(x)
    untrained: Any = None
    backbone = keras.applications.InceptionV3(
        include_top=False, weights=untrained, input_shape=(75, 75, 3), pooling="avg"
    )
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return keras.Model(images, layers.Dense(CLASSES, activation="softmax")(backbone(x)), name="inception_v3")


def inception_block(x: Any, filters: int, *, reduce: int, project: int) -> Any:
    """One Inception block: four views of the same pixels, side by side.

    Branches: 1x1; 3x3; two 3x3 that see 5x5 for less; 3x3 pooling. The wide ones first reduce the channels by
    a 1x1 convolution. (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", fig. 5.)

    Args:
      x: [batch, height, width, channels].
      filters: channels of each of the three convolution branches.
      reduce: channels between the 1x1 reduction and the wide convolutions.
      project: channels of the pooling branch.

    Returns:
      [batch, height, width, 3 * filters + project].
    """
    one = convolution(x, filters, 1)
    three = convolution(convolution(x, reduce, 1), filters, 3)
    five = convolution(convolution(convolution(x, reduce, 1), filters, 3), filters, 3)
    pooled = convolution(layers.MaxPooling2D(3, strides=1, padding="same")(x), project, 1)
    return layers.Concatenate()([one, three, five, pooled])


def convolution(x: Any, filters: int, size: int, strides: int = 1) -> Any:
    """Convolution, batch normalisation, ReLU, as everywhere in InceptionV3."""
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))


ARCHITECTURES: dict[str, Callable[[], keras.Model]] = {"compact": compact, "inception_v3": inception_v3}
