"""Whole pipelines with a janitor at their end, on LocalDagRunner and on BeamDagRunner, in one store.

other      runs 1-2   no janitor
inception  runs 1-3   a new span each
inception  run 4      nothing new: everything from the cache
inception  run 5      a new span, and a node that fails without stopping the pipeline
inception  run 6      nothing new, on BeamDagRunner
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_metadata
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.proto.orchestration import garbage_collection_policy_pb2

from tests.builders import History, keep_models, prune_checkpoints
from tests.checkpoint_janitor.conftest import BEAM_ARGS
from tfx_janitor.deletion.purge import purge
from tfx_janitor.policy.schema import RetentionPolicy

pytestmark = [pytest.mark.tfx, pytest.mark.e2e]


@dataclass(frozen=True)
class Seen:
    """The store and the disk after one run, by pipeline where it says so.

    Attributes:
      models: states of the pipeline's Models, the oldest first.
      present: whether their payloads are there.
      checkpoints: steps of the checkpoints in each of its ModelRuns.
      executions: states of the last execution of each of its nodes.
      report: properties of the newest JanitorReport.
    """

    models: Mapping[str, list[str]]
    present: Mapping[str, list[bool]]
    checkpoints: Mapping[str, list[list[int]]]
    executions: Mapping[str, Mapping[str, str]]
    report: Mapping[str, Any]


class Place:
    """One store, and the pipelines that share it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._database = home / "metadata.db"

    def run(
        self,
        name: str,
        span: int,
        *,
        janitor: bool = True,
        fail: bool = False,
        beam: bool = False,
        attached: Any = None,
    ) -> Seen:
        """Runs it once; a policy that is `attached` to Train's output `model` is all that its janitor has."""
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
        from tfx.v1.dsl import Channel, Pipeline, Resolver
        from tfx.v1.dsl.experimental import LatestArtifactStrategy
        from tfx.v1.orchestration import LocalDagRunner
        from tfx.v1.orchestration.metadata import sqlite_metadata_connection_config
        from tfx.v1.types.standard_artifacts import HyperParameters

        from tests.checkpoint_janitor.stages import Bless, Push, Train
        from tfx_janitor import CheckpointJanitor

        root = self._home / "pipelines" / name
        config = sqlite_metadata_connection_config(str(self._database))
        trainer = Train(span=span)
        trainer.outputs["model"]._garbage_collection_policy = attached
        evaluator = Bless(model=trainer.outputs["model"])
        pusher = Push(model=trainer.outputs["model"], base=str(self._home / "serving" / name))
        nodes: list[Any] = [trainer, evaluator, pusher]
        if fail:
            # There are none, so its inputs do not resolve: it fails, and LocalDagRunner goes on all the same.
            nothing = Channel(type=HyperParameters)
            nodes.append(Resolver(strategy_class=LatestArtifactStrategy, nothing=nothing).with_id("resolver"))
        if janitor:
            policy = {
                "version": 1,
                "roots": [str(self._home / "pipelines")],
                "min_age": "0s",
                "grace": "0s",
                "limits": {"max_fraction": None},
                "rules": [keep_models(last=2), prune_checkpoints(last=1)],
            }
            nodes.append(
                CheckpointJanitor(
                    model=trainer.outputs["model"],
                    model_run=trainer.outputs["model_run"],
                    model_blessing=evaluator.outputs["blessing"],
                    pushed_model=pusher.outputs["pushed_model"],
                    upstream_nodes=nodes[3:],
                    policy=None if attached else RetentionPolicy.from_dict(policy),
                    metadata_connection_config=config,
                )
            )
        runner = BeamDagRunner() if beam else LocalDagRunner()
        runner.run(
            Pipeline(
                pipeline_name=name,
                pipeline_root=str(root),
                components=nodes,
                enable_cache=True,
                metadata_connection_config=config,
                beam_pipeline_args=BEAM_ARGS,
            )
        )
        return self.look()

    def look(self) -> Seen:
        config = mlmd.ConnectionConfig()
        config.sqlite.filename_uri = str(self._database)
        config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
        store = ml_metadata.MetadataStore(config)
        names = [context.name for context in store.get_contexts_by_type("pipeline")]
        own = {
            name: [
                artifact
                for artifact in store.get_artifacts()
                if Path(artifact.uri).is_relative_to(self._home / "pipelines" / name)
            ]
            for name in names
        }
        models = {name: [a for a in found if a.type == "Model"] for name, found in own.items()}
        runs = {name: [a for a in found if a.type == "ModelRun"] for name, found in own.items()}
        reports = store.get_artifacts_by_type("JanitorReport") if "inception" in names else []
        return Seen(
            models={n: [mlmd.Artifact.State.Name(a.state) for a in found] for n, found in models.items()},
            present={n: [Path(a.uri).exists() for a in found] for n, found in models.items()},
            checkpoints={n: [_steps(Path(a.uri)) for a in found] for n, found in runs.items()},
            executions={name: _last_executions(store, name) for name in names},
            report=_values(reports[-1]) if reports else {},
        )


def _steps(directory: Path) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in directory.glob("*.index"))


def _last_executions(store: ml_metadata.MetadataStore, pipeline: str) -> dict[str, str]:
    found = {}
    for node in store.get_contexts_by_type("node"):
        if node.name.startswith(f"{pipeline}."):
            last = max(store.get_executions_by_context(node.id), key=lambda execution: execution.id)
            found[node.name.removeprefix(f"{pipeline}.")] = mlmd.Execution.State.Name(last.last_known_state)
    return found


def _values(artifact: mlmd.Artifact) -> dict[str, Any]:
    values = {name: getattr(v, str(v.WhichOneof("value"))) for name, v in artifact.properties.items()}
    return {**values, "uri": artifact.uri}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What was seen after each run."""
    place = Place(tmp_path_factory.mktemp("place"))
    for span in (1, 2):
        place.run("other", span, janitor=False)
    return {
        "first": place.run("inception", 1),
        "second": place.run("inception", 2),
        "third": place.run("inception", 3),
        "cached": place.run("inception", 3),
        "failing": place.run("inception", 4, fail=True),
        "beam": place.run("inception", 4, beam=True),
    }


def test_old_models_are_deleted_and_their_bytes_are_gone(runs: dict[str, Seen]):
    assert runs["second"].models["inception"] == ["LIVE", "LIVE"]
    assert runs["third"].models["inception"] == ["DELETED", "LIVE", "LIVE"]
    assert runs["third"].present["inception"] == [False, True, True]
    assert (runs["third"].report["purged"], runs["third"].report["status"]) == (1, "done")
    assert runs["third"].report["bytes_freed"] > 0


def test_checkpoints_of_earlier_runs_are_pruned_to_the_newest(runs: dict[str, Seen]):
    assert runs["first"].checkpoints["inception"] == [[100, 101, 102]]
    assert runs["third"].checkpoints["inception"] == [[102], [202], [300, 301, 302]]


def test_the_next_run_with_cache_still_hits_and_the_janitor_runs_all_the_same(runs: dict[str, Seen]):
    cached = runs["cached"].executions["inception"]
    assert cached == {"Train": "CACHED", "Bless": "CACHED", "Push": "CACHED", "CheckpointJanitor": "COMPLETE"}
    assert runs["cached"].models["inception"] == runs["third"].models["inception"]
    assert runs["cached"].report["uri"] != runs["third"].report["uri"]
    assert runs["cached"].report["status"] == "done"


def test_after_a_failed_node_in_its_own_run_it_deletes_nothing(runs: dict[str, Seen]):
    failing = runs["failing"]
    assert failing.executions["inception"]["resolver"] == "FAILED"
    assert failing.executions["inception"]["CheckpointJanitor"] == "COMPLETE"
    assert failing.models["inception"] == ["DELETED", "LIVE", "LIVE", "LIVE"]
    assert failing.checkpoints["inception"] == [[102], [202], [300, 301, 302], [400, 401, 402]]
    assert failing.report["status"] == "refused" and "resolver is FAILED" in failing.report["reason"]
    report = json.loads(Path(failing.report["uri"], "report.json").read_text())
    assert report["status"] == "refused" and report["outcomes"] == []


def test_on_beam_dag_runner_it_does_the_same(runs: dict[str, Seen]):
    beam = runs["beam"]
    assert beam.executions["inception"]["Train"] == "CACHED"
    assert beam.models["inception"] == ["DELETED", "DELETED", "LIVE", "LIVE"]
    assert beam.present["inception"] == [False, False, True, True]
    assert beam.checkpoints["inception"][2:] == [[302], [400, 401, 402]]
    assert (beam.report["status"], beam.report["purged"], beam.report["failed"]) == ("done", 1, 0)


def test_another_pipeline_in_the_same_store_is_left_alone(runs: dict[str, Seen]):
    beam = runs["beam"]
    assert beam.models["other"] == ["LIVE", "LIVE"] and beam.present["other"] == [True, True]
    assert beam.checkpoints["other"] == [[100, 101, 102], [200, 201, 202]]


def test_what_the_author_of_a_node_attached_to_its_output_is_obeyed(tmp_path: Path):
    # The message is made when its module is imported; no type checker sees it.
    message: Any = garbage_collection_policy_pb2
    newest = message.GarbageCollectionPolicy(keep_most_recently_published={"num_artifacts": 1})
    place, history = Place(tmp_path), History(tmp_path)
    place.run("inception", 1, attached=newest)
    (first,) = history.store.get_artifacts_by_type("Model")
    history.backdate(first.id, days=30)
    history.backdate_runs(days=30)

    seen = place.run("inception", 2, attached=newest)
    assert (seen.report["status"], seen.report["marked"]) == ("done", 1)
    assert seen.models["inception"] == ["MARKED_FOR_DELETION", "LIVE"]
    assert seen.present["inception"] == [True, True]
    assert seen.checkpoints["inception"] == [[100, 101, 102], [200, 201, 202]]

    # The default grace.
    purge(history.site(now_ms=history.later(days=6.9)))
    assert place.look().present["inception"] == [True, True]
    purge(history.site(now_ms=history.later(days=7.1)))
    assert place.look().models["inception"] == ["DELETED", "LIVE"]
    assert place.look().present["inception"] == [False, True]
