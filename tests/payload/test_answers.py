"""Smoke tests of a real SavedModel whose signatures each go wrong in a way of their own."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfx_janitor.payload import loading, requests, saved_model
from tfx_janitor.payload.recognise import verify_payload
from tfx_janitor.payload.smoke import SmokeTest, SmokeTestError
from tfx_janitor.payload.verification import Damage, Level

from . import warming
from .warming import classify, example, infer, predict, regress, session_run

pytestmark = pytest.mark.tfx

Oracle = Callable[[], Path]


@pytest.fixture(scope="module")
def written_oracle(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    class Oracle(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable([1.0, 2.0])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def score(self, x: Any) -> Any:
            return {"scores": tf.sigmoid(x * self.weights), "labels": tf.fill([tf.shape(x)[0]], "cat")}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def logarithm(self, x: Any) -> Any:
            return {"y": tf.math.log(x), "x": tf.identity(x)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def half(self, x: Any) -> Any:
            return {"y": tf.cast(tf.math.log(x), tf.bfloat16)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def imaginary(self, x: Any) -> Any:
            return {"y": tf.complex(x, tf.math.log(x))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def strict(self, x: Any) -> Any:
            with tf.control_dependencies([tf.debugging.assert_positive(x, message="only good news")]):
                return {"y": tf.identity(x)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def parse(self, examples: Any) -> Any:
            features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
            return {"y": tf.math.log(tf.io.parse_example(examples, features)["x"])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int64)])
        def add(self, a: Any, b: Any) -> Any:
            return {"sum": a + b}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.uint8)])
        def darken(self, pixels: Any) -> Any:
            return {"pixels": pixels // 2}

    directory = tmp_path_factory.mktemp("oracle") / "written"
    oracle = Oracle()
    signatures = {
        "serving_default": oracle.score,
        "logarithm": oracle.logarithm,
        "half": oracle.half,
        "imaginary": oracle.imaginary,
        "strict": oracle.strict,
        "parse": oracle.parse,
        "add": oracle.add,
        "darken": oracle.darken,
    }
    tf.saved_model.save(oracle, str(directory), signatures=signatures)
    return directory


@pytest.fixture
def oracle(written_oracle: Path, tmp_path: Path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(written_oracle, tmp_path / "oracle"))


def verdict(model: Path, **test: Any) -> str:
    """What the smoke test finds, "" if nothing."""
    found = saved_model.verify(str(model), Level.SMOKE, SmokeTest.of(test))
    return "; ".join(map(str, found.damages))


class TestWarmUpRequests:
    def test_that_are_answered_well_are_no_damage(self, oracle: Path) -> None:
        x = np.ones([3, 2], np.float32)
        warming.write(
            oracle,
            predict(x=x),
            predict("serving_default", ("labels",), x=x),
            predict("logarithm", ("x",), x=np.array([-1], np.float32)),
            predict("add", a=np.array([1]), b=np.array([2])),
            classify("parse", example(x=[1.0]), example(x=[2.0])),
            classify("parse", example(), context=example(x=[1.0])),
            regress("parse", example(x=[1.0])),
            infer(("parse", "parse"), example(x=[1.0])),
        )
        assert verdict(oracle) == ""

    def test_a_model_without_any_has_nothing_to_be_asked(self, oracle: Path) -> None:
        nothing = "is missing or empty, and no examples were given: there is nothing to ask the model"
        assert verdict(oracle) == f"{requests.FILE} {nothing}"
        warming.write(oracle)
        assert verdict(oracle) == f"{requests.FILE} {nothing}"

    def test_are_asked_beside_examples_too_as_a_model_server_will(self, oracle: Path) -> None:
        warming.write(oracle, regress("parse", example(x=[-1.0])))
        assert verdict(oracle, examples=[[1, 2]]).endswith("warm-up request 1 with NaN in its output y")

    @pytest.mark.parametrize(
        ("log", "finding"),
        [
            (lambda: predict("gone", x=1), "has no signature gone for warm-up request 2, but add, darken"),
            (
                lambda: predict(x=np.ones([1, 3], np.float32)),
                "takes float32 (None, 2) as x, but warm-up request 2 gives float32 (1, 3)",
            ),
            (
                lambda: predict(x=np.ones([1, 2])),
                "takes float32 (None, 2) as x, but warm-up request 2 gives float64 (1, 2)",
            ),
            (
                lambda: predict("add", a=np.array([1]), c=np.array([1])),
                "takes a, b in its signature add, but warm-up request 2 gives a, c",
            ),
            (
                lambda: predict(outputs=("scores", "odds"), x=np.ones([1, 2], np.float32)),
                "does not give odds to warm-up request 2, but labels, scores",
            ),
            (lambda: classify("parse", example(y=[1.0])), "does not answer warm-up request 2: InvalidArg"),
            (
                lambda: classify("add", example(x=[1.0])),
                "takes a, b in its signature add, but warm-up request 2 gives one input without a name",
            ),
            (
                lambda: regress("parse", example(x=[-1.0])),
                "answers warm-up request 2 with NaN in its output y",
            ),
        ],
        ids=["signature", "shape", "type", "inputs", "outputs", "example", "single", "nan"],
    )
    def test_that_do_not_fit_the_model_are_a_damage(
        self, oracle: Path, log: Callable[[], Any], finding: str
    ) -> None:
        warming.write(oracle, predict(x=np.ones([1, 2], np.float32)), log())
        assert verdict(oracle).startswith(f"the payload {finding}")

    @pytest.mark.parametrize(
        ("log", "finding"),
        [
            (lambda: b"\xff", "holds request 1, which cannot be read: DecodeError"),
            (lambda: b"", "holds request 1, which is no request at all; expected a predict, classify"),
            (session_run, "holds request 1, which is session_run_log; expected a predict, classify"),
        ],
        ids=["garbage", "empty", "session-run"],
    )
    def test_that_are_not_understood_are_a_damage_of_their_file(
        self, oracle: Path, log: Callable[[], Any], finding: str
    ) -> None:
        warming.write(oracle, log())
        assert verdict(oracle).startswith(f"{requests.FILE} {finding}")

    def test_that_are_cut_off_are_a_damage_of_their_file(self, oracle: Path) -> None:
        file = warming.write(oracle, predict(x=np.ones([1, 2], np.float32)))
        file.write_bytes(file.read_bytes()[:-3])
        assert verdict(oracle).startswith(f"{requests.FILE} cannot be read: DataLossError")

    def test_that_are_more_than_a_model_server_takes_are_a_damage_of_their_file(self, oracle: Path) -> None:
        warming.write(oracle, *[predict(x=np.ones([1, 2], np.float32))] * 1001)
        assert verdict(oracle) == f"{requests.FILE} holds more than 1,000 requests; no model server takes it"


class TestExamples:
    @pytest.mark.parametrize(
        "examples",
        [
            {"x": [[1, 2], [3, 4]]},
            [{"x": [1, 2]}, {"x": [3, 4]}],
            [[1, 2], [3, 4]],
        ],
        ids=["columns", "rows", "bare-rows"],
    )
    def test_are_given_here_or_in_a_json_file(self, oracle: Path, tmp_path: Path, examples: Any) -> None:
        file = tmp_path / "examples.json"
        file.write_text(json.dumps(examples))
        for given in (examples, str(file)):
            assert verdict(oracle, examples=given) == ""
            assert verdict(oracle, examples=given, bounds={"scores": [0, 0.5]}).startswith(
                "the payload answers the batch of examples with 0.99"
            )

    def test_are_serialized_in_a_tfrecord_file_as_tfx_keeps_them(self, oracle: Path, tmp_path: Path) -> None:
        records = [example(x=[value]).SerializeToString() for value in (1.0, 2.0)]
        for name in ("data_tfrecord-00000-of-00001.gz", "data.tfrecord"):
            file = warming.write_records(tmp_path / name, *records)
            test = {"examples": str(file), "signature": "parse"}
            assert verdict(oracle, **test) == ""
            assert verdict(oracle, **test, bounds={"y": [None, 0.5]}).endswith(
                "which is more than 0.5 in its output y"
            )

    def test_hold_bytes_as_base64(self, oracle: Path) -> None:
        coded = base64.b64encode(example(x=[-1.0]).SerializeToString()).decode()
        for examples in ([{"b64": coded}], [{"examples": {"b64": coded}}], {"examples": [{"b64": coded}]}):
            assert verdict(oracle, examples=examples, signature="parse") == (
                "the payload answers the batch of examples with NaN in its output y"
            )

    @pytest.mark.parametrize(
        ("signature", "examples", "finding"),
        [
            ("logarithm", [0.0], "answers the batch of examples with an infinite number in its output y"),
            ("logarithm", [-1.0, 1.0], "answers the batch of examples with NaN in its output y"),
            ("half", [0.0], "answers the batch of examples with an infinite number in its output y"),
            ("imaginary", [-1.0], "answers the batch of examples with NaN in its output y"),
            ("strict", [-1.0], "does not answer the batch of examples: InvalidArgumentError: "),
            (
                "add",
                {"a": [1.5], "b": [1]},
                "takes int64 (None,) as a, but the batch of examples gives something else",
            ),
            (
                "add",
                [1],
                "takes a, b in its signature add, but the batch of examples gives one input without a name",
            ),
            ("darken", [255, 256], "takes uint8 (None,) as pixels, but the batch of examples gives 256"),
            ("darken", [[-1]], "takes uint8 (None,) as pixels, but the batch of examples gives -1"),
            ("serving", [1.0], "has no signature serving for the batch of examples, but add, darken,"),
        ],
    )
    def test_that_are_not_answered_well_are_a_damage(
        self, oracle: Path, signature: str, examples: Any, finding: str
    ) -> None:
        found = verdict(oracle, examples=examples, signature=signature)
        assert found.startswith(f"the payload {finding}")

    @pytest.mark.parametrize(
        ("name", "content", "complaint"),
        [
            ("none.json", None, "none.json, but it is missing"),
            ("bad.json", b"[1,", "as JSON if it ends in .json"),
            ("empty.json", b"[]", "as rows or columns"),
            ("uneven.json", b'[{"x": 1}, {"y": 1}]', "same inputs, but number 2"),
            ("mixed.json", b'[1, {"y": 1}]', "same inputs, but number 1"),
            ("odd.json", b'{"x": [{"b64": "?"}]}', "expected base64"),
            ("none.tfrecord", None, "none.tfrecord, but it is missing"),
            ("empty.tfrecord", b"", "empty.tfrecord, but it holds none"),
            ("bad.tfrecord", b"not records at all", "else as TFRecords: DataLossError"),
        ],
    )
    def test_that_cannot_be_read_are_no_fault_of_the_model(
        self, oracle: Path, tmp_path: Path, name: str, content: bytes | None, complaint: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SmokeTestError, match=complaint):
            verdict(oracle, examples=str(tmp_path / name))


class TestBounds:
    def test_hold_for_every_number_of_an_output(self, oracle: Path) -> None:
        examples = {"a": [1, 2], "b": [3, 5]}
        test = {"examples": examples, "signature": "add"}
        assert verdict(oracle, **test, bounds={"sum": [4, 7]}) == ""
        assert verdict(oracle, **test, bounds={"sum": [5, None]}) == (
            "the payload answers the batch of examples with 4, which is less than 5 in its output sum"
        )

    def test_of_what_is_no_number_or_no_output_are_never_met(self, oracle: Path) -> None:
        assert "string, which has no bounds, in its output labels" in verdict(
            oracle, examples=[[1, 2]], bounds={"labels": [0, 1]}
        )
        assert verdict(oracle, examples=[[1, 2]], bounds={"odds": [0, 1]}) == (
            "the payload has bounds for odds, but it answers with labels, scores"
        )


def test_a_model_without_signatures_answers_nobody(tf: Any, tmp_path: Path) -> None:
    mute = tf.Module()
    mute.weight = tf.Variable(1.0)
    tf.saved_model.save(mute, str(tmp_path / "mute"))
    found = verdict(tmp_path / "mute", examples=[1.0])
    assert found == "the payload has no signature serving_default for the batch of examples, but none"


def test_a_damaged_model_is_not_even_asked(oracle: Path) -> None:
    (oracle / "variables" / "variables.index").unlink()
    assert verdict(oracle, examples="/no/such/file").startswith("variables/variables.index is missing")


def test_of_several_graphs_the_one_for_serving_is_loaded_and_asked(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, loaded, restore = copy("several_graphs"), [], loading.restore
    monkeypatch.setattr(loading, "restore", lambda *given: (loaded.append(given[-1]), restore(*given))[1])
    assert saved_model.verify(str(model), Level.LOAD).whole
    assert loaded == [("serve",)]
    assert verdict(model, examples=[[1.0, 2.0]], bounds={"y": [1, 4]}) == ""


def test_a_model_that_no_server_would_load_is_refused(copy: Callable[[str], Path]) -> None:
    model = copy("for_training")
    assert saved_model.verify(str(model), Level.LOAD).whole
    found = verdict(model, examples=[[1.0, 2.0]])
    assert (
        found
        == "the payload has no graph with the one tag serve, which is what model servers load, but train"
    )


def test_an_older_model_answers_too(copy: Callable[[str], Path]) -> None:
    assert verdict(copy("several_graphs"), examples={"x": [[1.0, 2.0]]}) == ""


def test_a_model_for_evaluation_is_only_loaded(
    copy: Callable[[str], Path], oracle: Path, tmp_path: Path
) -> None:
    artifact = tmp_path / "model" / "7"
    artifact.mkdir(parents=True)
    oracle.rename(artifact / "Format-Serving")
    copy("for_training").rename(artifact / "Format-TFMA")
    served, evaluated = verify_payload(str(artifact), Level.SMOKE, SmokeTest([[1, 2]]))
    assert (served.level, evaluated.level) == (Level.SMOKE, Level.LOAD)
    assert served.damages == evaluated.damages == ()


def test_checkpoints_have_nothing_to_answer(copy: Callable[[str], Path]) -> None:
    for found in verify_payload(str(copy("sharded")), Level.SMOKE):
        assert found.whole


def test_what_does_not_load_says_so_and_is_not_asked(oracle: Path) -> None:
    graph = oracle / "saved_model.pb"
    (oracle / "fingerprint.pb").unlink()
    graph.write_bytes(graph.read_bytes().replace(b"StatefulPartitionedCall", b"StatefulPartitionedCull"))
    found = saved_model.verify(str(oracle), Level.SMOKE, SmokeTest([[1, 2]]))
    assert [damage.file for damage in found.damages] == ["."]
    assert isinstance(found.damages[0], Damage)
    assert "is not loaded by TensorFlow" in found.damages[0].problem
