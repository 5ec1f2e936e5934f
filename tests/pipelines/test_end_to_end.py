"""The digits pipeline, whole: three retrainings under each orchestrator, and what a rerun finds afterwards.

What deletion must not change: the cache still hits, resolvers still resolve, nothing is pushed twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.cli.conftest import Call, call  # noqa: F401
from tests.page.conftest import Visit, browser, visit  # noqa: F401
from tests.page.test_large_store import MOST_BYTES, MOST_SECONDS

pytestmark = [pytest.mark.tfx, pytest.mark.e2e]

NAME = "digits"
RULES = [
    {"name": "models", "match": {"type": "Model"}, "keep": {"last": 1}},
    {"name": "checkpoints", "match": {"type": "ModelRun"}, "keep": {"last": 2}, "checkpoints": {"last": 1}},
    {"name": "pushed", "match": {"type": "PushedModel"}, "keep": {"last": 1}},
]


@dataclass(frozen=True)
class Place:
    """One store, one serving directory, and the runs made there."""

    home: Path
    beam: bool
    enable_cache: bool

    def run(self, span: int) -> None:
        """Runs the pipeline on all digits up to a span."""
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
        from tfx.v1.orchestration import LocalDagRunner

        from pipelines.inception_digits import data
        from pipelines.inception_digits.pipeline import create_pipeline
        from tfx_janitor import RetentionPolicy

        if data.newest_span(self.home / "spans") < span:
            data.write_span(self.home / "spans", span)
        pipeline = create_pipeline(
            name=NAME,
            root=str(self.home / "pipelines" / NAME),
            metadata_path=str(self.home / "metadata.db"),
            spans=str(self.home / "spans"),
            serving=str(self.home / "serving"),
            policy=RetentionPolicy.from_dict(self.policy),
            steps=60,
            keep_versions=1,
            # With a warm start a rerun is a new training: it starts from what the last one made.
            warm_start=not self.enable_cache,
            enable_cache=self.enable_cache,
        )
        (BeamDagRunner() if self.beam else LocalDagRunner()).run(pipeline)

    @property
    def policy(self) -> dict[str, Any]:
        """What stays; everything else goes at once."""
        return {
            "version": 1,
            "roots": [str(self.home / "pipelines")],
            "min_age": "0s",
            "grace": "0s",
            "rules": RULES,
        }

    @property
    def store(self) -> ml_metadata.MetadataStore:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self.home / "metadata.db")
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
        return ml_metadata.MetadataStore(config)

    def artifacts(self, type_name: str) -> list[mlmd.Artifact]:
        return sorted(self.store.get_artifacts_by_type(type_name), key=lambda artifact: artifact.id)

    def states(self, type_name: str) -> list[str]:
        return [mlmd.Artifact.State.Name(artifact.state) for artifact in self.artifacts(type_name)]

    def last(self, node: str) -> mlmd.Execution:
        """The last execution of a node."""
        context = self.store.get_context_by_type_and_name("node", f"{NAME}.{node}")
        assert context is not None, f"{node} never ran"
        return max(self.store.get_executions_by_context(context.id), key=lambda execution: execution.id)

    def last_states(self) -> dict[str, str]:
        nodes = ("ImportExampleGen", "Trainer", "Evaluator", "VerifiedPusher", "CheckpointJanitor")
        return {node: mlmd.Execution.State.Name(self.last(node).last_known_state) for node in nodes}

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.home / "serving").iterdir() if path.name.isdecimal())


@pytest.fixture(
    scope="module",
    params=[(False, True), (False, False), (True, True)],
    ids=["local", "local without cache", "beam"],
)
def place(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three retrainings, each with new digits."""
    beam, enable_cache = request.param
    place = Place(tmp_path_factory.mktemp("place"), beam, enable_cache)
    for span in (1, 2, 3):
        place.run(span)
    return place


def test_the_first_model_is_gone_and_what_is_live_has_its_bytes(place: Place) -> None:
    assert place.states("Model") == [
        "DELETED",
        "LIVE",
        "LIVE",
    ]  # the third run warm-starts from or compares with the second
    assert place.states("ModelRun")[-1] == "LIVE"
    for type_name in ("Model", "ModelRun", "PushedModel"):
        for artifact in place.artifacts(type_name):
            assert Path(artifact.uri).exists() == (artifact.state == mlmd.Artifact.LIVE), artifact.uri


def test_checkpoints_are_pruned_in_what_is_kept(place: Place) -> None:
    directories = [Path(artifact.uri) / "checkpoints" for artifact in place.artifacts("ModelRun")]
    counts = [len(list(directory.glob("*.index"))) for directory in directories if directory.exists()]
    assert counts[-1] == 5  # the last run's own: its run was not over
    assert set(counts[:-1]) == {1}


def test_what_is_served_loads(place: Place) -> None:
    import tensorflow as tf

    (version,) = place.versions
    loaded: Any = tf.saved_model.load(str(place.home / "serving" / version))
    assert "serving_default" in loaded.signatures


def test_the_report_opens_in_a_browser_and_names_the_model_that_is_served(
    place: Place,
    call: Call,  # noqa: F811
    visit: Callable[..., Visit],  # noqa: F811
    tmp_path: Path,
) -> None:
    policy, out = tmp_path / "janitor.json", tmp_path / "report.html"
    policy.write_text(json.dumps(place.policy))
    url = f"sqlite:///{place.home / 'metadata.db'}"
    answer = call("--metadata", url, "report", "--policy", policy, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    assert out.stat().st_size < MOST_BYTES

    # The quickest of three: other processes may want the processor, too.
    assert min(visit().open(out) for _ in range(3)) < MOST_SECONDS
    one = visit()
    one.open(out)
    (version,) = place.versions
    (model,) = one.page.locator("#serving tbody tr", has_text=version).all()
    assert model.locator("td").all_inner_texts()[3:5] == ["serving", str(place.artifacts("Model")[-1].id)]
    model.locator("a").click()
    one.page.wait_for_selector("dialog[open] .graph svg")
    drawn = one.page.locator(".graph svg text:not(.sub)").all_text_contents()
    assert {name.split()[0] for name in drawn} >= {"Examples", "Trainer", "Model", "VerifiedPusher"}
    assert one.violations() == []


def test_a_rerun_resolves_hits_the_cache_and_pushes_nothing_twice(place: Place) -> None:
    served = place.versions
    newest = place.artifacts("Model")[-1]
    place.run(3)

    resolver = place.last("LatestBlessedModel")
    resolved = place.store.get_events_by_execution_ids([resolver.id])
    assert resolver.last_known_state == mlmd.Execution.COMPLETE
    assert newest.id in {event.artifact_id for event in resolved}
    assert place.last_states()["CheckpointJanitor"] == "COMPLETE"
    if not place.enable_cache:
        assert place.states("Model") == ["DELETED", "DELETED", "LIVE", "LIVE"]
        return
    # The baseline is the newest model now, so the Evaluator judged anew, and blessed the same model again.
    assert place.last_states()["Trainer"] == "CACHED"
    assert place.versions == served

    place.run(3)
    assert place.last_states() == {
        "ImportExampleGen": "CACHED",
        "Trainer": "CACHED",
        "Evaluator": "CACHED",
        "VerifiedPusher": "CACHED",
        "CheckpointJanitor": "COMPLETE",
    }
    assert place.versions == served
    assert place.states("Model")[-1] == "LIVE"
