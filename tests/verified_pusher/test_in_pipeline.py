"""Real pipelines: Importer, VerifiedPusher, and the stock Pusher with our executor, on LocalDagRunner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor.verified_pusher import manifest

from .conftest import everything, flip_bit, version_names

pytestmark = pytest.mark.tfx


def _destination(base: Path) -> Any:
    from tfx.v1 import proto

    return proto.PushDestination(filesystem=proto.PushDestination.Filesystem(base_directory=str(base)))


def _run(directory: Path, artifact: Path, *, stock: bool) -> None:
    from tfx.components import Pusher
    from tfx.dsl.components.base import executor_spec
    from tfx.dsl.components.common.importer import Importer
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner
    from tfx.types import standard_artifacts

    from tfx_janitor import verified_pusher

    importer = Importer(source_uri=str(artifact), artifact_type=standard_artifacts.Model).with_id("model")
    model = importer.outputs["result"]
    nodes: list[Any] = [
        importer,
        verified_pusher.VerifiedPusher(
            model=model, push_destination=_destination(directory / "serving"), keep_versions=2
        ),
    ]
    if stock:
        nodes.append(
            Pusher(
                model=model,
                push_destination=_destination(directory / "serving-by-stock"),
                custom_config={"tfx_janitor": {"verify": "structure"}},
                custom_executor_spec=executor_spec.ExecutorClassSpec(verified_pusher.executor.Executor),
            )
        )
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="digits",
            pipeline_root=str(directory / "root"),
            components=nodes,
            enable_cache=True,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(
                str(directory / "metadata.db")
            ),
        )
    )


def _store(directory: Path) -> Any:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from tfx.orchestration import metadata

    return MetadataStore(metadata.sqlite_metadata_connection_config(str(directory / "metadata.db")))


def _artifact(directory: Path, saved_model: Path) -> Path:
    artifact = directory / "exported" / saved_model.name
    artifact.mkdir(parents=True)
    saved_model.rename(artifact / "Format-Serving")
    return artifact


def test_both_ways_push_the_model_and_record_where_it_came_from(
    model: Callable[[str], Path], tmp_path: Path
) -> None:
    artifact = _artifact(tmp_path, model("cats"))
    for _ in range(2):  # the second time, TFX finds the pushes in its cache
        _run(tmp_path, artifact, stock=True)

    store = _store(tmp_path)
    (imported,) = store.get_artifacts_by_type("Model")
    pushed_models = store.get_artifacts_by_type("PushedModel")
    assert len(pushed_models) == 2
    executions = {e.id: e for e in store.get_executions() if "Pusher" in e.type}
    levels = []
    for pushed in pushed_models:
        linked = pushed.custom_properties
        destination = Path(linked["pushed_destination"].string_value)
        written = manifest.read(str(destination))
        assert version_names(destination.parent) == [linked["pushed_version"].string_value]
        assert linked["pushed"].int_value == 1
        assert linked["source_model_id"].int_value == imported.id
        assert linked["source_model_uri"].string_value == str(artifact)
        assert linked["content_digest"].string_value == written.content_digest
        assert linked["manifest"].string_value == str(destination / manifest.NAME)
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
    artifact = _artifact(tmp_path, model("cats"))
    flip_bit(next((artifact / "Format-Serving" / "variables").glob("*.data-*")), 100)
    with pytest.raises(Exception, match="refused to push"):
        _run(tmp_path, artifact, stock=False)

    store = _store(tmp_path)
    (execution,) = [e for e in store.get_executions() if "Pusher" in e.type]
    assert execution.last_known_state == type(execution).FAILED
    assert [a for a in store.get_artifacts_by_type("PushedModel") if "pushed" in a.custom_properties] == []
    assert version_names(tmp_path / "serving") == []
