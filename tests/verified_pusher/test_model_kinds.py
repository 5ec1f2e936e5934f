"""Every kind of SavedModel, and every place where TFX keeps one, is pushed with all its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders import write_saved_model
from tests.payload import warming
from tfx_janitor.payload import requests
from tfx_janitor.payload.smoke import SmokeTest
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.errors import ModelRefused
from tfx_janitor.verified_pusher.options import PushOptions

from .conftest import everything, version_names

pytestmark = pytest.mark.tfx

EXAMPLES = {
    "of TensorFlow 2": [[1.0, 2.0, 3.0, 4.0]],
    "with extra assets": [[1.0, 2.0, 3.0, 4.0]],
    "in shards": [[1.0] * 256],
    "of an estimator": [[1.0, 2.0]],
    "as text": [[1.0, 2.0]],
    "of several graphs": [[1.0, 2.0]],
}
"""What each kind of model is asked; their files are told apart in `test_the_kinds_are_what_they_say`."""


@pytest.fixture(scope="module")
def kinds(exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import tensorflow as tf

    v1: Any = tf.compat.v1
    directory = tmp_path_factory.mktemp("kinds")
    found = {
        "of TensorFlow 2": write_saved_model(directory / "tf2"),
        "with extra assets": write_saved_model(directory / "extra"),
        "in shards": exported["sharded"],
    }
    warming.write(found["with extra assets"], warming.predict(images=np.ones([2, 4], np.float32)))
    (found["with extra assets"] / "assets.extra" / "nested").mkdir()
    (found["with extra assets"] / "assets.extra" / "nested" / "card.json").write_text("{}")
    with tf.Graph().as_default(), v1.Session() as session:
        weights = v1.get_variable("weights", initializer=tf.constant([1.0, 2.0]))
        x = v1.placeholder(tf.float32, [None, 2])
        session.run(v1.global_variables_initializer())
        signatures = {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": x * weights})}
        for name, as_text, more in (
            ("of an estimator", False, ()),
            ("as text", True, ()),
            ("of several graphs", False, (["train"], ["serve", "tpu"])),
        ):
            found[name] = directory / name
            builder = v1.saved_model.builder.SavedModelBuilder(str(found[name]))
            builder.add_meta_graph_and_variables(session, ["serve"], signatures)
            for tags in more:
                builder.add_meta_graph(tags, signatures)
            builder.save(as_text=as_text)
    return found


def test_the_kinds_are_what_they_say(kinds: dict[str, Path]) -> None:
    files = {name: set(everything(path)) for name, path in kinds.items()}
    assert files.keys() == EXAMPLES.keys()
    assert files["of TensorFlow 2"] >= {"saved_model.pb", "fingerprint.pb", "assets/vocabulary.txt"}
    assert files["with extra assets"] >= {"assets.extra/tf_serving_warmup_requests"}
    assert len([file for file in files["in shards"] if ".data-" in file]) > 1
    assert "fingerprint.pb" not in files["of an estimator"]
    assert files["as text"] >= {"saved_model.pbtxt"} and "saved_model.pb" not in files["as text"]


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_is_pushed_whole_at_every_level(
    kinds: dict[str, Path], push_to: Callable[..., Any], tmp_path: Path, kind: str, level: Level
) -> None:
    options = PushOptions(level, smoke_test=SmokeTest(EXAMPLES[kind]))
    done = push_to(kinds[kind], options=options, archive=str(tmp_path / "archive"))
    content = everything(Path(done.destination))
    assert content.pop(manifest.NAME) is not None
    assert content == everything(kinds[kind]) == everything(tmp_path / "archive")
    assert manifest.read(done.destination).verified.level == level.value
    assert manifest.check(done.destination) == ()


class TestWhereTfxKeepsModels:
    """Each place is found as the stock executor finds it, and the model in it is pushed."""

    @pytest.mark.parametrize(
        ("tfx_version", "below"),
        [
            ("1.16.0", "Format-Serving"),
            ("1.16.0", "Format-Serving/export/exporter/1700000000"),
            ("0.21.4", "serving_model_dir"),
            ("0.21.4", "serving_model_dir/export/exporter/1580000000"),
            (None, "serving_model_dir/export/exporter/1580000000"),
        ],
    )
    def test_a_trainer_s(self, tmp_path: Path, tfx_version: str | None, below: str) -> None:
        from ml_metadata.proto import metadata_store_pb2
        from tfx.types import standard_artifacts

        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "Trainer" / "model" / "7")
        model.id = 12
        # As an artifact that was read from the store, with the version of TFX that made it.
        model.mlmd_artifact.state = metadata_store_pb2.Artifact.LIVE
        if tfx_version is not None:
            model.set_string_custom_property("tfx_version", tfx_version)
        source = Path(model.uri) / below
        source.parent.mkdir(parents=True)
        write_saved_model(source)
        self._is_pushed({"model": [model]}, source, tmp_path)

    def test_an_infra_validator_s_with_the_warm_up_requests_that_it_makes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blessing = _validated(_parsing_model(tmp_path / "model" / "7"), tmp_path, monkeypatch)
        source = Path(blessing.uri) / "stamped_model"
        assert (source / requests.FILE).stat().st_size > 0
        inputs = {"infra_blessing": [blessing]}
        smoke = {"bounds": {"total": [6, 6]}}
        pushed = self._is_pushed(inputs, source, tmp_path, smoke=json.dumps(smoke))
        assert pushed.get_int_custom_property("source_infra_blessing_id") == 21

    def _is_pushed(self, inputs: Any, source: Path, tmp_path: Path, **properties: Any) -> Any:
        from tfx.components.pusher import executor as stock
        from tfx.types import standard_artifacts

        from tfx_janitor.verified_pusher.executor import Executor

        assert stock.Executor().GetModelPath(inputs) == str(source)
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "Pusher" / "pushed_model" / "9")
        destination = json.dumps({"filesystem": {"base_directory": str(tmp_path / "serving")}})
        Executor().Do(inputs, {"pushed_model": [pushed]}, {"push_destination": destination, **properties})
        content = everything(Path(pushed.get_string_custom_property("pushed_destination")))
        del content[manifest.NAME]
        assert content == everything(source) == everything(Path(pushed.uri))
        return pushed


def _parsing_model(artifact: Path) -> Any:
    """A Model artifact whose model takes serialized examples and adds up what is in them."""
    import tensorflow as tf
    from tfx.types import standard_artifacts

    class Adder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, examples: Any) -> Any:
            features: Any = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([3], tf.float32)})
            return {"total": tf.reduce_sum(features["x"], axis=1)}

    adder = Adder()
    tf.saved_model.save(adder, str(artifact / "Format-Serving"), {"serving_default": adder.serve})
    model = standard_artifacts.Model()
    model.uri = str(artifact)
    return model


def _validated(model: Any, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The InfraBlessing that TFX's InfraValidator makes; that a model server takes the model is assumed."""
    from tfx.components.infra_validator import executor
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(directory / "examples" / "6"), '["eval"]'
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    split = Path(examples.uri) / "Split-eval"
    split.mkdir(parents=True)
    record = warming.example(x=[1.0, 2.0, 3.0]).SerializeToString()
    warming.write_records(split / "data_tfrecord-00000-of-00001.gz", record, record)
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri, blessing.id = str(directory / "InfraValidator" / "blessing" / "8"), 21
    Path(blessing.uri).mkdir(parents=True)
    monkeypatch.setattr(executor.Executor, "_ValidateWithRetry", lambda *_, **__: True)
    context = BaseExecutor.Context(tmp_dir=str(directory / "tmp"), unique_id="8")
    executor.Executor(context).Do(
        {"model": [model], "examples": [examples]},
        {"blessing": [blessing]},
        {
            "serving_spec": '{"tensorflow_serving": {"tags": ["latest"]}, "local_docker": {}}',
            "request_spec": '{"tensorflow_serving": {}, "num_examples": 2, "make_warmup": true}',
            "validation_spec": "{}",
        },
    )
    return blessing


class TestASmokeTest:
    """Whatever goes wrong with it, nothing becomes visible."""

    @pytest.fixture
    def model(self, kinds: dict[str, Path], tmp_path: Path) -> Path:
        return Path(shutil.copytree(kinds["of TensorFlow 2"], tmp_path / "model"))

    @pytest.mark.parametrize(
        ("smoke", "complaint"),
        [
            ({}, "warmup_requests is missing or empty, and no examples were given"),
            ({"examples": [[1, 2]]}, r"takes float32 \(None, 4\) as images"),
            ({"examples": [[1e39] * 4]}, "NaN in its output outputs"),
            ({"examples": [[1, 2, 3, 4]], "bounds": {"outputs": [0, 7]}}, "8, which is more than 7"),
            ({"examples": [[1, 2, 3, 4]], "signature": "classify"}, "has no signature classify"),
        ],
    )
    def test_that_fails_refuses_the_model(
        self, model: Path, push_to: Callable[..., Any], base: Path, smoke: Any, complaint: str
    ) -> None:
        with pytest.raises(ModelRefused, match=complaint):
            push_to(model, options=PushOptions(Level.SMOKE, smoke_test=SmokeTest.of(smoke)))
        assert version_names(base) == []

    def test_of_warm_up_requests_that_do_not_fit_refuses_the_model(
        self, model: Path, push_to: Callable[..., Any], base: Path
    ) -> None:
        warming.write(model, warming.predict(images=np.ones([1, 5], np.float32)))
        with pytest.raises(ModelRefused, match="warm-up request 1 gives"):
            push_to(model, options=PushOptions(Level.SMOKE))
        assert version_names(base) == []

    def test_whose_examples_are_gone_pushes_nothing(
        self, model: Path, push_to: Callable[..., Any], base: Path, tmp_path: Path
    ) -> None:
        from tfx_janitor.payload.smoke import SmokeTestError

        options = PushOptions(Level.SMOKE, smoke_test=SmokeTest(str(tmp_path / "gone.json")))
        with pytest.raises(SmokeTestError, match="it is missing"):
            push_to(model, options=options)
        assert version_names(base) == []
