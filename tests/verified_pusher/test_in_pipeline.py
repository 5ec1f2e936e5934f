"""Real pipelines: Importer, VerifiedPusher, and the stock Pusher with our executor, on LocalDagRunner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.builders import flip_bit
from tests.payload import warming
from tfx_janitor.verified_pusher import manifest

from .conftest import everything, version_names
from .running import Pipeline, artifact_of, ours_in_stock, verified

pytestmark = pytest.mark.tfx


def test_both_ways_push_the_model_and_record_where_it_came_from(
    model: Callable[[str], Path], tmp_path: Path
) -> None:
    artifact = artifact_of(model("cats"), tmp_path / "exported" / "cats")
    pipeline = Pipeline(tmp_path)
    pushers = (
        verified(tmp_path / "serving", keep_versions=2),
        ours_in_stock(
            tmp_path / "serving-by-stock", custom_config={"tfx_janitor": {"verify": "structure"}, "mine": 1}
        ),
    )
    for _ in range(2):  # the second time, TFX finds the pushes in its cache
        pipeline.run(artifact, *pushers, cache=True)

    (imported,) = pipeline.store.get_artifacts_by_type("Model")
    pushed_models = pipeline.store.get_artifacts_by_type("PushedModel")
    assert len(pushed_models) == 2
    executions = {e.id: e for e in pipeline.store.get_executions() if "Pusher" in e.type}
    levels = []
    for pushed, linked in zip(pushed_models, pipeline.pushed(), strict=True):
        destination = Path(linked["pushed_destination"])
        written = manifest.read(str(destination))
        assert version_names(destination.parent) == [linked["pushed_version"]]
        assert linked["source_model_id"] == imported.id
        assert linked["source_model_uri"] == str(artifact)
        assert linked["content_digest"] == written.content_digest
        assert linked["manifest"] == str(destination / manifest.NAME)
        assert everything(Path(pushed.uri)) == everything(artifact / "Format-Serving")
        assert manifest.check(str(destination)) == ()
        assert written.source == manifest.Source(str(artifact), imported.id, "Model")
        assert (written.execution.pipeline, bool(written.execution.run)) == ("digits", True)
        assert written.execution.node in ("VerifiedPusher", "Pusher")
        assert written.execution.id in executions
        levels.append(written.verified.level)
    assert sorted(levels) == ["checksums", "structure"]


def test_a_damaged_model_fails_its_node_and_stays_invisible(
    model: Callable[[str], Path], tmp_path: Path
) -> None:
    artifact = artifact_of(model("cats"), tmp_path / "exported" / "cats")
    flip_bit(next((artifact / "Format-Serving" / "variables").glob("*.data-*")), 100)
    pipeline = Pipeline(tmp_path)
    with pytest.raises(Exception, match="refused to push"):
        pipeline.run(artifact, verified(tmp_path / "serving"))

    (execution,) = [e for e in pipeline.store.get_executions() if "Pusher" in e.type]
    assert execution.last_known_state == type(execution).FAILED
    assert pipeline.pushed() == []
    assert version_names(tmp_path / "serving") == []


def test_a_model_that_fails_its_smoke_test_stays_invisible(
    model: Callable[[str], Path], tmp_path: Path
) -> None:
    artifact = artifact_of(model("cats"), tmp_path / "exported" / "cats")
    warming.write(artifact / "Format-Serving", warming.predict(x=np.ones([1, 256], np.float32)))
    pipeline = Pipeline(tmp_path)
    for greatest in (255, 256):
        pusher = verified(tmp_path / "serving", smoke={"bounds": {"scores": [0, greatest]}})
        if greatest == 255:
            with pytest.raises(Exception, match="answers warm-up request 1 with 256"):
                pipeline.run(artifact, pusher)
            assert version_names(tmp_path / "serving") == []
        else:
            pipeline.run(artifact, pusher)
    (pushed,) = pipeline.pushed()
    assert version_names(tmp_path / "serving") == [pushed["pushed_version"]]
    assert manifest.read(pushed["pushed_destination"]).verified.level == "smoke"
