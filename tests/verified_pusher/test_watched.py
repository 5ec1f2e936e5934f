"""A model server in a process of its own watches a base directory, and loads with TensorFlow what it finds.

All the while a client asks it, without a pause. No request ever fails, and no version is ever refused.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.serving import keep_predicting, labelled_model, predict
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import rollback, serving
from tfx_janitor.verified_pusher.closed_loop import await_available, push_until_served
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.serving import ModelServer

from .conftest import version_names

pytestmark = pytest.mark.tfx

PATIENCE = timedelta(minutes=2)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base directory with one version, 1, which the stock Pusher pushed."""
    return labelled_model(tmp_path / "serving" / "1", "cats").parent


@pytest.fixture
def server(base: Path) -> Iterator[ModelServer]:
    command = [
        sys.executable,
        "-m",
        "tests.serving",
        base,
        "--model",
        "digits",
        "--tensorflow",
        "--poll",
        "0.05",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        yield ModelServer(process.stdout.readline().strip(), "digits")
        process.stdin.close()
    assert process.returncode == 0


def test_no_request_fails_and_no_version_is_refused(base: Path, server: ModelServer, tmp_path: Path) -> None:
    import tensorflow as tf

    def push(label: str) -> Push:
        model = labelled_model(tmp_path / "models" / label, label)
        return push_until_served(
            str(model),
            str(base),
            source=Source(str(model)),
            execution=Execution(),
            now_ms=0,
            options=PushOptions(keep_versions=2, model_servers=(server,), await_serving=PATIENCE),
        )

    def roll_back(to: int | None = None) -> Push:
        choice = rollback.choose(str(base), level=Level.CHECKSUMS, to=to)
        done = rollback.put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)
        assert await_available([server], done.version, timeout=PATIENCE, stands=lambda _: False) is None
        return done

    inputs = {"images": tf.make_tensor_proto([[1.0, 2.0, 3.0, 4.0]])}
    with keep_predicting(server.address, "digits", inputs=inputs) as answers:
        assert push("dogs").version == 2
        assert push("birds").retirement.retired == (1,)
        assert push("fish").retirement.retired == (2,)
        assert roll_back().version == 5
        assert roll_back(to=4).version == 6
        assert push("owls").retirement.problems == ()

    assert answers.failures == []
    assert answers.count > 20
    assert answers.versions == sorted(answers.versions), "it never served an older version after a newer one"
    assert answers.versions[0] == 1 and answers.versions[-1] == 7
    known = {one.version: one for one in serving.statuses(server)}
    assert [one.problem for one in known.values()] == [""] * 7
    assert known[7].state == serving.AVAILABLE
    (row,) = tf.make_ndarray(predict(server.address, "digits", inputs=inputs).outputs["outputs"])
    assert row.tolist() == [2.0, 4.0, 6.0, 8.0]
    assert "7" in version_names(base)
