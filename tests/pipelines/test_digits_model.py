from __future__ import annotations

import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402
import numpy as np  # noqa: E402

from pipelines.inception_digits import model  # noqa: E402

pytestmark = pytest.mark.tfx


def test_an_inception_block_lays_four_branches_side_by_side() -> None:
    inputs = keras.Input([8, 8, 12])
    outputs = model.inception_block(inputs, 16, reduce=6, project=5)
    assert outputs.shape == (None, 8, 8, 16 + 16 + 16 + 5)


def test_the_branches_see_one_three_five_and_three_pixels() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input([9, 9, 1])
    block = keras.Model(inputs, model.inception_block(inputs, 4, reduce=4, project=4))
    dark = np.zeros([1, 9, 9, 1], np.float32)
    spot = dark.copy()
    spot[0, 4, 4, 0] = 1.0
    lit = np.abs(block(spot, training=False) - block(dark, training=False))[0] > 0
    widths = [lit[:, :, branch : branch + 4].any(axis=(0, 2)).sum() for branch in range(0, 16, 4)]
    assert widths == [1, 3, 5, 3]


@pytest.mark.parametrize(("architecture", "parameters"), [("compact", 9e4), ("inception_v3", 2.2e7)])
def test_both_networks_take_the_same_images_and_answer_probabilities(
    architecture: str, parameters: float
) -> None:
    network = model.build(architecture)
    assert network.input_shape == (None, 32, 32, 1)
    assert network.output_shape == (None, 10)
    assert network.count_params() == pytest.approx(parameters, rel=0.05)
    probabilities = network(tf.zeros([2, 32, 32, 1]), training=False)
    np.testing.assert_allclose(tf.reduce_sum(probabilities, axis=1), [1.0, 1.0], rtol=1e-5)


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="compact, inception_v3, got 'resnet'"):
        model.build("resnet")
