from __future__ import annotations

import json
from typing import Any

import pytest

from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import options
from tfx_janitor.verified_pusher.errors import OptionError
from tfx_janitor.verified_pusher.options import PushOptions


def test_without_options_tensors_are_verified_and_every_version_is_kept() -> None:
    assert options.from_exec_properties({"custom_config": "null"}) == PushOptions(Level.CHECKSUMS, None)


def test_options_are_properties_of_the_execution() -> None:
    given = {"keep_versions": 3, "verify": "structure", "custom_config": None}
    assert options.from_exec_properties(given) == PushOptions(Level.STRUCTURE, 3)


def test_a_stock_pusher_hands_them_over_in_its_custom_config() -> None:
    given = {
        "custom_config": json.dumps(
            {"ai_platform": {}, "tfx_janitor": {"keep_versions": 3, "verify": "load"}}
        )
    }
    assert options.from_exec_properties(given) == PushOptions(Level.LOAD, 3)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, [3]])
def test_keep_versions_that_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="keep_versions"):
        options.checked_keep_versions(value)


@pytest.mark.parametrize("value", ["checksum", "", None, 1])
def test_an_unknown_level_is_refused_with_the_known_ones(value: object) -> None:
    with pytest.raises(OptionError, match="structure, checksums, load"):
        options.checked_level(value)


@pytest.mark.parametrize(
    "config",
    ["{", {"tfx_janitor": 3}, {"tfx_janitor": {"keep_version": 3}}, {"tfx_janitor": "keep_versions"}],
)
def test_a_custom_config_that_is_not_understood_is_refused(config: Any) -> None:
    with pytest.raises(OptionError, match="custom_config"):
        options.section(config)
