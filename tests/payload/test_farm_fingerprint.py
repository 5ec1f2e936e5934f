from __future__ import annotations

import random

import pytest

from tfx_janitor.payload import farm_fingerprint


def test_known_values() -> None:
    assert farm_fingerprint.fingerprint64(b"") == 0x9AE16A3B2F90404F
    assert farm_fingerprint.fingerprint64(b"a") == 12917804110809363939


def test_native_and_slow_agree_at_every_length() -> None:
    source = random.Random(1)
    for length in [*range(330), 1000, 4096, 5001]:
        data = source.randbytes(length)
        assert farm_fingerprint.fingerprint64(data) == farm_fingerprint.fingerprint64_slowly(data)


@pytest.mark.tfx
def test_equals_the_fingerprint_of_tensorflow(tf) -> None:
    for data in (b"", b"abc", bytes(range(256)) * 3):
        buckets = 1 << 62
        (bucket,) = tf.strings.to_hash_bucket_fast([data], buckets).numpy()
        assert farm_fingerprint.fingerprint64(data) % buckets == bucket


def test_works_without_the_native_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farm_fingerprint, "_native", lambda: None)
    assert farm_fingerprint.fingerprint64(b"a") == 12917804110809363939
