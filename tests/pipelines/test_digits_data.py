from __future__ import annotations

from pathlib import Path

import pytest

tf = pytest.importorskip("tensorflow")
from pipelines.inception_digits import data  # noqa: E402

pytestmark = pytest.mark.tfx


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("arrived")
    for span in (1, 2, 6, 7):
        data.write_span(directory, span)
    return directory


def records(path: Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def span(directory: Path, number: int) -> list[bytes]:
    return records(directory / f"span-{number}" / "digits.tfrecord")


def image_of(record: bytes) -> bytes:
    return tf.train.Example.FromString(record).features.feature[data.IMAGE].bytes_list.value[0]


def test_a_later_span_begins_with_the_very_bytes_of_an_earlier_one(arrived: Path) -> None:
    first, second = span(arrived, 1), span(arrived, 2)
    assert len(second) == len(first) + data.ARRIVALS
    assert second[: len(first)] == first


def test_all_digits_but_the_held_out_arrive_and_then_no_more(arrived: Path) -> None:
    assert len(span(arrived, 6)) == 1437
    assert span(arrived, 7) == span(arrived, 6)


def test_no_held_out_image_ever_arrives(arrived: Path, tmp_path: Path) -> None:
    assert data.write_held_out(tmp_path / "held_out.tfrecord") == 360
    held_out = {image_of(record) for record in records(tmp_path / "held_out.tfrecord")}
    assert len(held_out) == 360
    assert held_out.isdisjoint(image_of(record) for record in span(arrived, 7))


def test_images_are_read_back_as_they_were_drawn(arrived: Path) -> None:
    images, labels = next(iter(data.read(str(arrived / "span-1" / "digits.tfrecord")).batch(200)))
    assert images.shape == (200, data.IMAGE_SIZE, data.IMAGE_SIZE, 1)
    assert (float(tf.reduce_min(images)), float(tf.reduce_max(images))) == (0.0, 1.0)
    assert set(labels.numpy()) == set(range(data.CLASSES))


def test_the_newest_span_is_the_one_with_the_largest_number(tmp_path: Path) -> None:
    assert data.newest_span(tmp_path) == 0
    for name in ("span-9", "span-10", "span-new", "notes"):
        (tmp_path / name).mkdir()
    assert data.newest_span(tmp_path) == 10


def test_spans_count_from_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 1 on, got 0"):
        data.write_span(tmp_path, 0)
