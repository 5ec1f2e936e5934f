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
    properties = _pusher(keep_versions=3, verify="load", custom_config={"mine": 1}).exec_properties
    assert (properties["keep_versions"], properties["verify"]) == (3, "load")
    assert properties["custom_config"] == '{"mine": 1}'
    assert properties["push_destination"] is not None


def test_options_may_be_known_only_when_the_pipeline_runs() -> None:
    from tfx.orchestration.data_types import RuntimeParameter

    keep = RuntimeParameter("keep-versions", int)
    destination = RuntimeParameter("push-destination", str)
    properties = _pusher(keep_versions=keep, push_destination=destination).exec_properties
    assert properties["keep_versions"] is keep
    assert properties["push_destination"] is destination


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"keep_versions": 0}, "keep_versions"),
        ({"keep_versions": "3"}, "keep_versions"),
        ({"keep_versions": True}, "keep_versions"),
        ({"verify": "checksum"}, "structure, checksums, load"),
        ({"custom_config": {"tfx_janitor": {"keep": 3}}}, "custom_config"),
        ({"custom_config": {"tfx_janitor": {"keep_versions": 0}}}, "keep_versions"),
        ({"custom_config": {"tfx_janitor": {"verify": "all"}}}, "verify"),
        ({"custom_config": {"tfx_janitor": {"keep_versions": 3}}, "keep_versions": 3}, "keep_versions once"),
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
