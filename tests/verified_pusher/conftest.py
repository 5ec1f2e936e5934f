"""Real SavedModels, written by TensorFlow once per session, and a place to push them to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import flip_bit
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push, push

from .small_models import NOON_MS

Models = Callable[[str], Path]
"""Gives a copy of a model by its name: the fixture `model`."""
Pushes = Callable[..., Push]
"""Pushes to the base directory: the fixture `push_to`."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SavedModels by name; not to be changed, copies of them may be."""
    import tensorflow as tf

    class Classifier(tf.Module):
        def __init__(self, weight: float, rows: int, vocabulary: str) -> None:
            super().__init__()
            self.weights = [
                tf.Variable(tf.fill([rows, 256], weight * n), name=f"layer{n}") for n in (1, 2, 3)
            ]
            self.vocabulary = tf.saved_model.Asset(vocabulary)

        @tf.function(input_signature=[tf.TensorSpec([None, 256], tf.float32)])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"scores": tf.matmul(x, self.weights[0], transpose_b=True)}

    directory = tmp_path_factory.mktemp("exported")
    vocabulary = directory / "vocabulary.txt"
    vocabulary.write_text("cat\ndog\n")

    def export(name: str, weight: float, rows: int, shard_bytes: int | None = None) -> Path:
        model = Classifier(weight, rows, str(vocabulary))
        options = tf.saved_model.SaveOptions()
        if shard_bytes is not None:
            options.experimental_sharding_callback = tf.train.experimental.MaxShardSizePolicy(shard_bytes)
        tf.saved_model.save(
            model, str(directory / name), signatures={"serving_default": model.serve}, options=options
        )
        return directory / name

    return {
        "cats": export("cats", 1.0, rows=8),
        "dogs": export("dogs", 2.0, rows=8),
        "birds": export("birds", 3.0, rows=8),
        "sharded": export("sharded", 4.0, rows=8, shard_bytes=5000),
        "large": export("large", 5.0, rows=16_384),
    }


@pytest.fixture
def model(exported: dict[str, Path], tmp_path: Path) -> Models:
    """Gives a copy of a model that the test may damage."""

    def copy(name: str) -> Path:
        target = tmp_path / "models" / f"{name}-{len(list(tmp_path.glob('models/*')))}"
        shutil.copytree(exported[name], target)
        return target

    return copy


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base directory that no push has made yet."""
    return tmp_path / "serving"


@pytest.fixture
def push_to(base: Path) -> Pushes:
    """Pushes with what a test does not care about filled in."""

    def run(
        model_path: Path, *, now_ms: int = NOON_MS, options: PushOptions | None = None, **others: object
    ) -> Push:
        return push(
            str(model_path),
            str(base),
            source=Source(str(model_path), 12, "Model"),
            execution=Execution(34, "digits", "run-5", "Pusher"),
            now_ms=now_ms,
            options=options or PushOptions(),
            **others,  # type: ignore[arg-type]
        )

    return run


def version_names(base: Path) -> list[str]:
    """What a model server sees in a base directory: everything with a numeric name."""
    return sorted(name for name in os.listdir(base) if name.isdecimal()) if base.exists() else []


def everything(directory: Path) -> dict[str, bytes | None]:
    """Every path below a directory with its bytes, None for directories."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def files_of(version: Path | str) -> dict[str, bytes | None]:
    """Every path of a version with its bytes, without the manifest."""
    return {name: data for name, data in everything(Path(version)).items() if name != manifest.NAME}


def only_the_corner(base: Path) -> bool:
    """Whether nothing but the pushers' own corner is in the base directory, and nothing is staged there."""
    corner = base / ".tfx-janitor-push"
    return os.listdir(base) == [corner.name] and os.listdir(corner / "staging") == []


def flipped_bit(path: Path) -> None:
    """Damages the tensors of a model; its structure stays whole."""
    flip_bit(next((path / "variables").glob("*.data-*")), 100)
