"""Amounts of bytes as people write them."""

from __future__ import annotations

import pytest

from tfx_janitor.policy.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512B", 512),
        ("10GB", 10**10),
        ("10 kB", 10_000),
        ("512MiB", 512 << 20),
        ("1.5gib", 3 << 29),
        ("1PB", 10**15),
    ],
)
def test_sizes(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10", "10G", "-1GB", "1iB", "GB", "1e9B", "10 G B"])
def test_texts_that_are_no_size(text: str):
    with pytest.raises(ValueError, match=r"^expected a number of bytes"):
        parse_size(text)
