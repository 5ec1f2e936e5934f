"""Rollbacks beside real pipelines: what TFX and its metadata make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serving import ModelServer as StandIn
from tests.serving import label_of, labelled_model, predict, unservable
from tfx_janitor.deletion import history
from tfx_janitor.deletion.site import Site
from tfx_janitor.payload.verification import Level
from tfx_janitor.survey.crew import Threads
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.manifest import Rollback
from tfx_janitor.verified_pusher.rollback_act import roll_back

from .conftest import version_names
from .running import Pipeline, artifact_of, verified

pytestmark = pytest.mark.tfx


def exported(tmp_path: Path, label: str) -> Path:
    return artifact_of(labelled_model(tmp_path / "models" / label, label), tmp_path / "exported" / label)


def pushes(pipeline: Pipeline) -> list[Any]:
    """Executions of the pusher, oldest first."""
    found = [one for one in pipeline.store.get_executions() if "VerifiedPusher" in one.type]
    return sorted(found, key=lambda one: one.id)


def test_a_rollback_changes_nothing_that_tfx_resolves_or_caches(tmp_path: Path) -> None:
    base, pipeline = tmp_path / "serving", Pipeline(tmp_path)
    cats, dogs = exported(tmp_path, "cats"), exported(tmp_path, "dogs")
    for artifact in (cats, dogs):
        pipeline.run(artifact, verified(base), cache=True)
    store = pipeline.store
    models = {model.uri: model.id for model in store.get_artifacts_by_type("Model")}
    (context,) = store.get_contexts_by_type("pipeline")
    before = {artifact.id for artifact in store.get_artifacts_by_context(context.id)}

    site = Site(store, "sqlite", "tester@here", 1_700_000_000_000, Threads(1))
    done = roll_back(site, str(base), level=Level.CHECKSUMS)

    row = store.get_artifacts_by_id([done.pushed_model_id])[0]
    assert row.custom_properties["source_model_id"].int_value == models[str(cats)]
    assert {artifact.id for artifact in store.get_artifacts_by_context(context.id)} == before
    assert history.verify(store).findings == ()
    pipeline.run(dogs, verified(base), cache=True)
    assert pushes(pipeline)[-1].last_known_state == pushes(pipeline)[-1].CACHED
    assert version_names(base)[-1] == str(done.push.version)


def test_a_refused_version_fails_its_node_and_the_version_before_is_served(tmp_path: Path) -> None:
    base, pipeline = tmp_path / "serving", Pipeline(tmp_path)
    cats, dogs = exported(tmp_path, "cats"), exported(tmp_path, "dogs")
    unservable(dogs / "Format-Serving", "no such op: Foo")
    with StandIn(base) as server:
        pusher = verified(base, model_servers=[f"{server.address}/inception"], await_serving="1m")
        pipeline.run(cats, pusher)
        with pytest.raises(Exception, match="refused it: no such op: Foo"):
            pipeline.run(dogs, pusher)
        assert label_of(predict(server.address)) == "cats"

    (pushed,) = pipeline.pushed()
    failed = pushes(pipeline)[-1]
    assert failed.last_known_state == failed.FAILED
    good, again = version_names(base)
    assert pushed["pushed_version"] == good
    recorded = manifest.read(str(base / again))
    assert recorded.rollback == Rollback(int(good), int(again) - 1)
    assert recorded.execution.id == failed.id
    assert recorded.source.artifact_id == pushed["source_model_id"]
