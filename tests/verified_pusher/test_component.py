from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

from tfx_janitor.verified_pusher.errors import OptionError

pytestmark = pytest.mark.tfx


def _destination() -> Any:
    from tfx.v1 import proto

    return proto.PushDestination(filesystem=proto.PushDestination.Filesystem(base_directory="/srv/serving"))


def _pusher(**arguments: Any) -> Any:
    from tfx import types
    from tfx.types import standard_artifacts

    from tfx_janitor.verified_pusher import VerifiedPusher

    given = {"model": types.Channel(type=standard_artifacts.Model), "push_destination": _destination()}
    return VerifiedPusher(**{**given, **arguments})


def test_it_takes_all_that_the_stock_pusher_takes_in_the_same_order() -> None:
    from tfx.components import Pusher

    from tfx_janitor.verified_pusher import VerifiedPusher

    stock = list(inspect.signature(Pusher.__init__).parameters)
    assert list(inspect.signature(VerifiedPusher.__init__).parameters)[: len(stock)] == stock


def test_it_has_the_output_of_the_stock_pusher() -> None:
    pusher = _pusher()
    assert list(pusher.outputs) == ["pushed_model"]
    assert pusher.outputs["pushed_model"].type_name == "PushedModel"


def test_options_become_parameters_of_the_execution() -> None:
    pusher = _pusher(
        keep_versions=3, verify="load", archive="copy", versioning="execution_id", custom_config={"mine": 1}
    )
    properties = pusher.exec_properties
    assert (properties["keep_versions"], properties["verify"]) == (3, "load")
    assert (properties["archive"], properties["versioning"]) == ("copy", "execution_id")
    assert properties["custom_config"] == '{"mine": 1}'
    assert properties["push_destination"] is not None


def test_a_smoke_test_becomes_json() -> None:
    properties = _pusher(smoke={"examples": [[1, 2]], "bounds": {"y": [0, None]}}).exec_properties
    assert (properties["smoke"], properties["verify"]) == (
        '{"bounds": {"y": [0, null]}, "examples": [[1, 2]]}',
        None,
    )
    assert _pusher(smoke="{}", verify="smoke").exec_properties["smoke"] == "{}"


def test_model_servers_become_json_and_the_time_to_wait_seconds() -> None:
    properties = _pusher(model_servers=["one:8500/digits"], await_serving="5m").exec_properties
    assert properties["model_servers"] == '[{"address": "one:8500", "model_name": "digits"}]'
    assert properties["await_serving"] == "300.0"


def test_options_may_be_known_only_when_the_pipeline_runs() -> None:
    from tfx.orchestration.data_types import RuntimeParameter

    keep = RuntimeParameter("keep-versions", int)
    destination = RuntimeParameter("push-destination", str)
    smoke = RuntimeParameter("smoke", str)
    servers = RuntimeParameter("model-servers", str)
    properties = _pusher(
        keep_versions=keep,
        push_destination=destination,
        smoke=smoke,
        model_servers=servers,
        await_serving="5m",
    ).exec_properties
    assert properties["keep_versions"] is keep
    assert properties["model_servers"] is servers
    assert properties["smoke"] is smoke
    assert properties["push_destination"] is destination


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"keep_versions": 0}, "keep_versions"),
        ({"keep_versions": "3"}, "keep_versions"),
        ({"keep_versions": True}, "keep_versions"),
        ({"verify": "checksum"}, "structure, checksums, load"),
        ({"archive": "hardlink"}, "link, copy, none"),
        ({"custom_config": {"tfx_janitor": {"versioning": "id"}}}, "timestamp, execution_id"),
        ({"custom_config": {"tfx_janitor": {"archive": "copy"}}, "archive": "copy"}, "archive once"),
        ({"custom_config": {"tfx_janitor": {"keep": 3}}}, "custom_config"),
        ({"custom_config": {"tfx_janitor": {"keep_versions": 0}}}, "keep_versions"),
        ({"custom_config": {"tfx_janitor": {"verify": "all"}}}, "verify"),
        ({"custom_config": {"tfx_janitor": {"keep_versions": 3}}, "keep_versions": 3}, "keep_versions once"),
        ({"smoke": {"min": 0}}, "got 'min'"),
        ({"smoke": {"examples": [b"1"]}}, "can be written as JSON"),
        ({"smoke": {}, "verify": "load"}, "verify='smoke' beside smoke"),
        ({"smoke": {}, "custom_config": {"tfx_janitor": {"smoke": {}}}}, "smoke once"),
        ({"smoke": {}, "custom_config": {"tfx_janitor": {"verify": "load"}}}, "beside smoke"),
        ({"custom_config": {"tfx_janitor": {"smoke": 3}}}, "expected a smoke test"),
        ({"model_servers": ["one"]}, "host:8500/inception"),
        ({"await_serving": "5m"}, "expected model_servers beside await_serving"),
        ({"await_serving": "soon", "model_servers": ["one:8500/digits"]}, "a duration such as 5m"),
        ({"custom_config": {"tfx_janitor": {"await_serving": 5}}}, "expected model_servers beside"),
        ({"model": None}, "model or infra_blessing"),
        ({"push_destination": None}, "push_destination is required"),
    ],
)
def test_wrong_arguments_are_refused_at_construction(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        _pusher(**arguments)


def test_an_option_error_is_one_of_ours() -> None:
    with pytest.raises(OptionError):
        _pusher(keep_versions=0)


def test_asking_for_the_push_alone_imports_no_tfx() -> None:
    code = (
        "import sys, tfx_janitor.verified_pusher.push, tfx_janitor.verified_pusher.manifest;"
        "print([name for name in ('tfx', 'tensorflow', 'apache_beam') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
        == "[]\n"
    )
