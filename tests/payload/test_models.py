from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfx_janitor.payload import models
from tfx_janitor.payload.recognise import verify_payload
from tfx_janitor.payload.verification import Level

from .damaging import flip

Copy = Callable[[str], Path]

pytestmark = pytest.mark.tfx


@pytest.fixture(params=["", "Format-Serving", "serving_model_dir"])
def artifact(copy: Copy, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A Model's payload whose model is a Keras archive, and the directory in it that holds that."""
    payload = tmp_path / "model" / "7"
    held = payload / request.param
    held.parent.mkdir(parents=True, exist_ok=True)
    copy("keras").rename(held)
    (held / "weights.05.weights.h5").unlink()
    return payload, held


def test_an_archive_is_a_model_where_there_is_no_saved_model(artifact: tuple[Path, Path]) -> None:
    payload, held = artifact
    (found,) = models.verify(str(payload), Level.CHECKSUMS)
    assert (found.path, found.kind, found.whole) == (str(held / "model-12.keras"), "Keras model", True)
    assert found.bytes == (held / "model-12.keras").stat().st_size


def test_an_archive_that_is_damaged_is_found(artifact: tuple[Path, Path]) -> None:
    payload, held = artifact
    archive = held / "model-12.keras"
    flip(archive, archive.stat().st_size // 2)
    (found,) = models.verify(str(payload), Level.CHECKSUMS)
    assert not found.whole


def test_beside_a_saved_model_no_archive_is_asked_for(artifact: tuple[Path, Path], copy: Copy) -> None:
    payload, held = artifact
    copy("classifier").rename(payload / "Format-TFMA")
    found = models.verify(str(payload), Level.STRUCTURE)
    assert {one.kind for one in found} == {"SavedModel"}
    assert [one.path for one in found if not one.whole] == ([] if held == payload else [str(held)])


def test_an_emptied_model_stays_damaged_whatever_lies_beside_it(copy: Copy, tmp_path: Path) -> None:
    copy("keras").rename(tmp_path / "model")
    (tmp_path / "model" / "Format-Serving").mkdir()
    (found,) = models.verify(str(tmp_path / "model"), Level.STRUCTURE)
    assert (found.path, found.whole) == (str(tmp_path / "model" / "Format-Serving"), False)


def test_weights_alone_are_no_model(artifact: tuple[Path, Path], copy: Copy) -> None:
    payload, held = artifact
    (held / "model-12.keras").rename(held / "x.weights.h5")
    assert not any(one.whole for one in models.verify(str(payload), Level.STRUCTURE))


def test_nothing_is_no_model(tmp_path: Path) -> None:
    assert models.verify(str(tmp_path), Level.STRUCTURE) == ()
    assert models.verify(str(tmp_path / "gone"), Level.STRUCTURE) == ()


def test_whoever_verifies_a_path_is_told_of_the_archive_alone(artifact: tuple[Path, Path]) -> None:
    payload, _ = artifact
    (found,) = verify_payload(str(payload), Level.CHECKSUMS)
    assert (found.kind, found.whole) == ("Keras checkpoint", True)
