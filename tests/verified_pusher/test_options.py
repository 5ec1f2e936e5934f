from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tfx_janitor.payload.smoke import SmokeTest
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import options
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import OptionError
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.serving import ModelServer
from tfx_janitor.verified_pusher.versions import Versioning


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


@pytest.mark.parametrize("smoke", ['{"bounds": {"y": [0, 1]}}', {"bounds": {"y": [0, 1]}}])
@pytest.mark.parametrize("verify", [None, "smoke"])
def test_a_smoke_test_says_its_level_itself(smoke: Any, verify: str | None) -> None:
    expected = PushOptions(Level.SMOKE, smoke_test=SmokeTest(bounds={"y": (0, 1)}))
    assert options.from_exec_properties({"smoke": smoke, "verify": verify}) == expected
    in_config = {"custom_config": {"tfx_janitor": {"smoke": smoke, "verify": verify}}}
    assert options.from_exec_properties(in_config) == expected


def test_the_level_smoke_alone_asks_what_the_warm_up_requests_ask() -> None:
    assert options.from_exec_properties({"verify": "smoke"}) == PushOptions(Level.SMOKE)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"smoke": "{}", "verify": "load"}, "verify='smoke' beside smoke, got 'load'"),
        ({"smoke": "{"}, "expected a smoke test as JSON"),
        ({"smoke": {"min": 0}}, "'examples', 'signature' or 'bounds'"),
        ({"custom_config": {"tfx_janitor": {"smoke": {}}}, "verify": "structure"}, "beside smoke"),
    ],
)
def test_a_smoke_test_that_is_not_understood_is_refused(given: Any, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        options.from_exec_properties(given)


@pytest.mark.parametrize(
    "servers",
    [
        [{"address": "one:8500", "model_name": "digits"}, "unix:///run/two/digits"],
        '[{"address": "one:8500", "model_name": "digits"}, "unix:///run/two/digits"]',
    ],
)
@pytest.mark.parametrize("timeout", ["5m", 300, "300", "300.0"])
def test_model_servers_that_are_waited_for(servers: Any, timeout: Any) -> None:
    expected = PushOptions(
        model_servers=(ModelServer("one:8500", "digits"), ModelServer("unix:///run/two", "digits")),
        await_serving=timedelta(minutes=5),
    )
    given = {"model_servers": servers, "await_serving": timeout}
    assert options.from_exec_properties(given) == expected
    assert options.from_exec_properties({"custom_config": {"tfx_janitor": given}}) == expected


def test_a_single_model_server_needs_no_list() -> None:
    expected = (ModelServer("one:8500", "digits"),)
    assert options.from_exec_properties({"model_servers": "one:8500/digits"}).model_servers == expected


@pytest.mark.parametrize("value", [5, {}, [5], ["one/digits"], ["one:8500"], [{"address": "one:8500"}], ""])
def test_model_servers_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="host:8500/inception"):
        options.checked_model_servers(value)


def test_the_rest_api_of_a_model_server_is_refused() -> None:
    with pytest.raises(OptionError, match=r"expected the gRPC port of a model server, host:8500"):
        options.checked_model_servers(["http://serving:8501/v1/models/inception"])


@pytest.mark.parametrize("value", [0, -1, True, "soon", "nan", float("inf"), [], "5 minutes"])
def test_a_time_to_wait_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(OptionError, match="await_serving"):
        options.checked_await_serving(value)


@pytest.mark.parametrize("servers", [None, [], ()])
def test_waiting_for_nobody_is_refused(servers: Any) -> None:
    with pytest.raises(OptionError, match="expected model_servers beside await_serving"):
        options.from_exec_properties({"await_serving": "5m", "model_servers": servers})


def test_archive_and_versioning_are_chosen_by_name() -> None:
    given = {"archive": "copy", "custom_config": json.dumps({"tfx_janitor": {"versioning": "execution_id"}})}
    chosen = options.from_exec_properties(given)
    assert (chosen.archive, chosen.versioning) == (Archive.COPY, Versioning.EXECUTION_ID)


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="archive to be one of link, copy, none, got 'hardlink'"):
        options.checked_archive("hardlink")
    with pytest.raises(OptionError, match="versioning to be one of timestamp, execution_id, got 1"):
        options.checked_versioning(1)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, [3]])
def test_keep_versions_that_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match="keep_versions"):
        options.checked_keep_versions(value)


@pytest.mark.parametrize("value", ["checksum", "", None, 1])
def test_an_unknown_level_is_refused_with_the_known_ones(value: object) -> None:
    with pytest.raises(OptionError, match="structure, checksums, load, smoke"):
        options.checked_level(value)


@pytest.mark.parametrize(
    "config",
    ["{", {"tfx_janitor": 3}, {"tfx_janitor": {"keep_version": 3}}, {"tfx_janitor": "keep_versions"}],
)
def test_a_custom_config_that_is_not_understood_is_refused(config: Any) -> None:
    with pytest.raises(OptionError, match="custom_config"):
        options.section(config)
