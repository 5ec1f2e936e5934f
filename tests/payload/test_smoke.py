from __future__ import annotations

import json
from typing import Any

import pytest

from tfx_janitor.payload import smoke
from tfx_janitor.payload.smoke import SmokeTest, SmokeTestError


def test_without_examples_the_warm_up_requests_are_asked() -> None:
    assert SmokeTest.of({}) == smoke.WARM_UP == SmokeTest(None, "serving_default", {})


def test_a_mapping_and_its_json_mean_the_same() -> None:
    given = {
        "examples": [{"x": [1, 2]}],
        "signature": "classify",
        "bounds": {"scores": [0, 1], "loss": [None, 2.5]},
    }
    expected = SmokeTest([{"x": [1, 2]}], "classify", {"scores": (0, 1), "loss": (None, 2.5)})
    assert SmokeTest.of(given) == SmokeTest.of(json.dumps(given)) == expected


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (3, "expected a smoke test such as"),
        ("{", "expected a smoke test as JSON"),
        ("[]", "expected a smoke test such as"),
        ({"min": 0}, "'examples', 'signature' or 'bounds' in a smoke test, got 'min'"),
        ({"examples": 3}, "examples of a smoke test as a path"),
        ({"examples": []}, "examples of a smoke test as a path"),
        ({"examples": ""}, "examples of a smoke test as a path"),
        ({"examples": [1], "signature": ""}, "the name of a signature"),
        ({"signature": "classify"}, "expected examples for the signature 'classify'"),
        ({"bounds": [0, 1]}, "bounds of a smoke test by output"),
        ({"bounds": {"y": 1}}, "bounds of the output 'y'"),
        ({"bounds": {"y": [1, 0]}}, "bounds of the output 'y'"),
        ({"bounds": {"y": [0, True]}}, "bounds of the output 'y'"),
        ({"bounds": {"y": [0, float("nan")]}}, "bounds of the output 'y'"),
        ({"bounds": {"y": [0, 1, 2]}}, "bounds of the output 'y'"),
        ({"bounds": {"y": [0, 10**400]}}, "bounds of the output 'y'"),
    ],
)
def test_what_is_not_understood_is_refused(given: Any, complaint: str) -> None:
    with pytest.raises(SmokeTestError, match=complaint):
        SmokeTest.of(given)
