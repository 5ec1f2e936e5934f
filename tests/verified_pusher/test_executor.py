"""The executor on plain dictionaries of artifacts, as TFX tests its own."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import flip_bit
from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.errors import ModelRefused, OptionError, PushError

from .conftest import everything, version_names

pytestmark = pytest.mark.tfx


class Push:
    """One call of the executor: a blessed model by default; change what the test is about, then run it."""

    def __init__(self, model: Path, tmp_path: Path) -> None:
        from tfx.types import standard_artifacts

        self.base = tmp_path / "serving"
        self.model = standard_artifacts.Model()
        self.model.uri = str(tmp_path / "Trainer" / "model" / "7")
        self.model.id = 12
        Path(self.model.uri).mkdir(parents=True)
        model.rename(Path(self.model.uri) / "Format-Serving")
        self.model_blessing = standard_artifacts.ModelBlessing()
        self.model_blessing.set_int_custom_property("blessed", 1)
        self.pushed_model = standard_artifacts.PushedModel()
        self.pushed_model.uri = str(tmp_path / "Pusher" / "pushed_model" / "8")
        os.makedirs(self.pushed_model.uri)
        self.inputs = {"model": [self.model], "model_blessing": [self.model_blessing]}
        self.properties: dict[str, Any] = {
            "push_destination": json.dumps({"filesystem": {"base_directory": str(self.base)}}),
            "custom_config": "null",
        }

    @property
    def saved_model(self) -> Path:
        return Path(self.model.uri) / "Format-Serving"

    def run(self, executor: Any = None) -> Any:
        from tfx_janitor.verified_pusher.executor import Executor

        (executor or Executor()).Do(self.inputs, {"pushed_model": [self.pushed_model]}, self.properties)
        return self.pushed_model


@pytest.fixture
def push(model: Callable[[str], Path], tmp_path: Path) -> Push:
    return Push(model("cats"), tmp_path)


def test_a_blessed_model_is_pushed_archived_and_linked(push: Push) -> None:
    pushed = push.run()
    (name,) = version_names(push.base)
    version = push.base / name
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == name
    assert pushed.get_int_custom_property("source_model_id") == 12
    assert pushed.get_string_custom_property("source_model_uri") == push.model.uri
    assert pushed.get_string_custom_property("manifest") == str(version / manifest.NAME)
    assert pushed.get_string_custom_property("content_digest") == manifest.read(str(version)).content_digest
    assert pushed.get_string_custom_property("archive") == "link"
    assert not pushed.has_custom_property("retired_versions")
    assert not pushed.has_custom_property("retirement_problem")
    assert everything(Path(pushed.uri)) == everything(push.saved_model)
    assert manifest.check(str(version)) == ()


def test_the_manifest_names_the_execution_that_pushed(push: Push) -> None:
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.proto.orchestration import pipeline_pb2

    from tfx_janitor.verified_pusher.executor import Executor

    protos: Any = pipeline_pb2  # protobuf makes its classes at run time
    node = protos.PipelineNode()
    node.node_info.id = "Pusher"
    context = BaseExecutor.Context(
        unique_id="34",
        pipeline_node=node,
        pipeline_info=protos.PipelineInfo(id="digits"),
        pipeline_run_id="run-5",
    )
    pushed = push.run(Executor(context))
    written = manifest.read(pushed.get_string_custom_property("pushed_destination"))
    assert written.execution == manifest.Execution(34, "digits", "run-5", "Pusher")
    assert written.source == manifest.Source(push.model.uri, 12, "Model")


def test_a_push_that_fails_claims_nothing(push: Push) -> None:
    def fail_at_the_rename(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "rename":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return change()

    with effects.watched(fail_at_the_rename), pytest.raises(PushError, match="nothing became visible"):
        push.run()
    assert version_names(push.base) == []
    assert not push.pushed_model.has_custom_property("pushed")
    assert not push.pushed_model.has_custom_property("pushed_destination")


def test_what_a_lost_store_left_at_the_uri_of_the_output_is_set_aside(push: Push, caplog: Any) -> None:
    archive = Path(push.pushed_model.uri)
    for number in (1, 2):
        (archive / "assets").mkdir(exist_ok=True)
        (archive / "assets" / "vocabulary.txt").write_text(f"of another model {number}")
        assert push.run().get_int_custom_property("pushed") == 1
        aside = archive.with_name(f"{archive.name}.before-{number}")
        assert str(aside) in caplog.text
        assert (aside / "assets" / "vocabulary.txt").read_text() == f"of another model {number}"
        assert everything(archive) == everything(push.saved_model)


def test_a_version_is_numbered_by_the_execution_where_asked_for(push: Push) -> None:
    from tfx.dsl.components.base.base_executor import BaseExecutor

    from tfx_janitor.verified_pusher.executor import Executor

    push.properties["versioning"] = "execution_id"
    with pytest.raises(PushError, match="this orchestrator tells none"):
        push.run()
    assert not push.base.exists()
    push.run(Executor(BaseExecutor.Context(unique_id="34")))
    assert version_names(push.base) == ["34"]


def test_two_ways_to_number_versions_are_refused(push: Push) -> None:
    push.properties["versioning"] = "execution_id"
    filesystem = {"base_directory": str(push.base), "versioning": "UNIX_TIMESTAMP"}
    push.properties["push_destination"] = json.dumps({"filesystem": filesystem})
    with pytest.raises(OptionError, match="one way to number versions"):
        push.run()


def test_an_archive_may_be_left_out(push: Push) -> None:
    push.properties["custom_config"] = json.dumps({"tfx_janitor": {"archive": "none"}})
    pushed = push.run()
    assert pushed.get_string_custom_property("archive") == "none"
    assert os.listdir(pushed.uri) == []


@pytest.mark.parametrize("not_blessed", ["model_blessing", "infra_blessing"])
def test_a_model_that_is_not_blessed_is_not_pushed(push: Push, not_blessed: str) -> None:
    from tfx.types import standard_artifacts

    if not_blessed == "model_blessing":
        push.model_blessing.set_int_custom_property("blessed", 0)
    else:
        infra_blessing = standard_artifacts.InfraBlessing()
        infra_blessing.set_int_custom_property("blessed", 0)
        push.inputs["infra_blessing"] = [infra_blessing]
    pushed = push.run()
    assert pushed.get_int_custom_property("pushed") == 0
    assert not pushed.has_custom_property("pushed_version")
    assert not push.base.exists()


def test_a_model_with_both_blessings_is_pushed(push: Push) -> None:
    from tfx.types import standard_artifacts

    infra_blessing = standard_artifacts.InfraBlessing()
    infra_blessing.set_int_custom_property("blessed", 1)
    push.inputs["infra_blessing"] = [infra_blessing]
    pushed = push.run()
    assert pushed.get_int_custom_property("pushed") == 1
    # The model itself goes before the copy of it that an InfraValidator may have made.
    assert pushed.get_int_custom_property("source_model_id") == 12


def test_a_model_without_blessing_is_pushed_as_the_stock_pusher_does(push: Push) -> None:
    del push.inputs["model_blessing"]
    assert push.run().get_int_custom_property("pushed") == 1


def test_a_model_that_infra_validation_stamped_is_pushed(
    push: Push, model: Callable[[str], Path], tmp_path: Path
) -> None:
    from tfx.types import standard_artifacts

    infra_blessing = standard_artifacts.InfraBlessing()
    infra_blessing.uri = str(tmp_path / "blessing")
    infra_blessing.id = 21
    infra_blessing.set_int_custom_property("blessed", 1)
    infra_blessing.set_int_custom_property("has_model", 1)
    Path(infra_blessing.uri).mkdir()
    stamped = model("dogs").rename(tmp_path / "blessing" / "stamped_model")
    (stamped / "assets.extra").mkdir()
    (stamped / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"requests")
    push.inputs = {"infra_blessing": [infra_blessing]}

    pushed = push.run()
    assert everything(Path(pushed.uri)) == everything(stamped)
    assert pushed.get_int_custom_property("source_infra_blessing_id") == 21
    assert not pushed.has_custom_property("source_model_id")


def test_a_damaged_model_fails_the_component_and_is_not_marked_pushed(push: Push) -> None:
    flip_bit(next((push.saved_model / "variables").glob("*.data-*")), 100)
    with pytest.raises(ModelRefused, match="Nothing became visible"):
        push.run()
    assert version_names(push.base) == []
    assert not push.pushed_model.has_custom_property("pushed")


def test_a_model_that_is_not_there_fails_the_component(push: Push) -> None:
    push.model.uri += "-gone"
    with pytest.raises(ModelRefused, match="there is no model at"):
        push.run()


def test_versions_beyond_keep_versions_are_retired_and_recorded(
    push: Push, model: Callable[[str], Path], tmp_path: Path
) -> None:
    first = push.run().get_string_custom_property("pushed_version")
    later = Push(model("dogs"), tmp_path / "later")
    later.properties.update(push_destination=push.properties["push_destination"], keep_versions=1)
    pushed = later.run()
    assert pushed.get_string_custom_property("retired_versions") == first
    assert version_names(push.base) == [pushed.get_string_custom_property("pushed_version")]


def test_a_problem_with_retiring_is_recorded_and_the_push_stands(
    push: Push, model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx_janitor.deletion import remove

    first = push.run().get_string_custom_property("pushed_version")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(remove, "vanish", refuse)
    later = Push(model("dogs"), tmp_path / "later")
    later.properties.update(push_destination=push.properties["push_destination"], keep_versions=1)
    pushed = later.run()
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("retirement_problem") == f"could not retire {first}: not yours"


def test_a_destination_that_is_no_file_system_is_not_implemented(push: Push) -> None:
    push.properties["push_destination"] = "{}"
    with pytest.raises(NotImplementedError, match="Invalid push destination"):
        push.run()


def test_a_missing_destination_is_refused(push: Push) -> None:
    push.properties["push_destination"] = None
    with pytest.raises(PushError, match="push_destination"):
        push.run()


def test_a_wrong_option_fails_even_if_the_model_is_not_blessed(push: Push) -> None:
    push.model_blessing.set_int_custom_property("blessed", 0)
    push.properties["custom_config"] = json.dumps({"tfx_janitor": {"keep_versions": 0}})
    with pytest.raises(OptionError, match="keep_versions"):
        push.run()


def test_others_may_decide_what_and_whether_to_push(push: Push, model: Callable[[str], Path]) -> None:
    from tfx_janitor.verified_pusher.executor import Executor

    dogs = model("dogs")

    class PushDogs(Executor):
        def CheckBlessing(self, input_dict: Any) -> bool:
            return True

        def GetModelPath(self, input_dict: Any) -> str:
            return str(dogs)

    push.model_blessing.set_int_custom_property("blessed", 0)
    assert everything(Path(push.run(PushDogs()).uri)) == everything(dogs)
