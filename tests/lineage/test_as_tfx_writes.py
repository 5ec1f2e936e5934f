"""What TFX itself writes into a store, as far as decisions rest on it: the snapshot of real pipelines.

makers   run 1    Train, Bless, a Resolver of the latest blessed model, the stock Pusher to a relative path
                  and then everything is pinned
makers   run 2    nothing new: everything from the cache
makers   run 3    a partial run from the Pusher on
users    run 1    imports the makers' model by its URI, and a directory that no pipeline made
users    run 2    imports the makers' model anew
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2

from tests.builders import History, keep_models, write_saved_model
from tfx_janitor.deletion import pins
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import EventKind, ExecutionState, Snapshot
from tfx_janitor.retention import holds
from tfx_janitor.retention.case import Case
from tfx_janitor.survey.crew import Threads
from tfx_janitor.survey.survey import make_plan

pytestmark = [pytest.mark.tfx, pytest.mark.e2e]

COMPLETE, CACHED = ExecutionState.COMPLETE, ExecutionState.CACHED


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """The store after all of these runs."""
    home = tmp_path_factory.mktemp("written")
    before = Path.cwd()
    os.chdir(home)  # the Pusher pushes to where it was started
    try:
        _run(home, "makers", _makers())
        for row in History(home).store.get_artifacts():
            pins.pin(History(home).site(), row.id, "audit")
        _run(home, "makers", _makers())
        _run(home, "makers", _makers(), partial=True)
        (model,) = History(home).store.get_artifacts_by_type("Model")
        foreign = write_saved_model(home / "foreign")
        _run(home, "users", _users(model.uri, foreign))
        _run(home, "users", _users(model.uri, foreign, reimport=True))
    finally:
        os.chdir(before)
    yield History(home)


def _run(home: Path, name: str, nodes: list[Any], *, partial: bool = False) -> None:
    from tfx.orchestration.pipeline import RunOptions
    from tfx.v1.dsl import Pipeline
    from tfx.v1.orchestration import LocalDagRunner
    from tfx.v1.orchestration.metadata import sqlite_metadata_connection_config

    pipeline = Pipeline(
        pipeline_name=name,
        pipeline_root=str(home / "pipelines" / name),
        components=nodes,
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(home / "metadata.db")),
    )
    options = RunOptions(from_nodes=["Pusher"]) if partial else None
    LocalDagRunner().run(pipeline, run_options=options)


def _makers() -> list[Any]:
    from tfx.v1.components import Pusher
    from tfx.v1.dsl import Channel, Resolver
    from tfx.v1.dsl.experimental import LatestBlessedModelStrategy
    from tfx.v1.proto import PushDestination  # pyright: ignore[reportAttributeAccessIssue]
    from tfx.v1.types.standard_artifacts import Model, ModelBlessing

    from tests.checkpoint_janitor.stages import Bless, Train

    trainer = Train(span=1)
    evaluator = Bless(model=trainer.outputs["model"])
    resolver = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("latest_blessed")
    resolver.add_upstream_node(evaluator)
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory="serving")),
    )
    return [trainer, evaluator, resolver, pusher]


def _users(uri: str, foreign: Path, *, reimport: bool = False) -> list[Any]:
    from tfx.v1.dsl import Importer
    from tfx.v1.types.standard_artifacts import Model

    return [
        Importer(source_uri=uri, artifact_type=Model, reimport=reimport).with_id("lent"),
        Importer(source_uri=str(foreign), artifact_type=Model).with_id("foreign"),
    ]


@pytest.fixture(scope="module")
def snapshot(history: History) -> Snapshot:
    return history.snapshot()


def executions(snapshot: Snapshot, node: str) -> list[int]:
    """Rows of a node's executions, the oldest first."""
    columns = snapshot.executions
    return [row for row in range(len(columns)) if columns.node_names[columns.node[row]] == node]


def states(snapshot: Snapshot, node: str) -> list[int]:
    return snapshot.executions.state[executions(snapshot, node)].tolist()


def kinds(snapshot: Snapshot, execution: int) -> set[int]:
    return set(snapshot.events.kind[snapshot.events_of_execution(execution)].tolist())


def test_a_model_is_its_trainers_whoever_takes_it_caches_it_or_imports_it(snapshot: Snapshot) -> None:
    model, foreign, anew = snapshot.rows_of_type("Model")
    assert (snapshot.pipeline_of(model), snapshot.node_of(model), snapshot.output_of(model)) == (
        "makers",
        "Train",
        "model",
    )
    assert snapshot.siblings(model, "ModelRun") == snapshot.rows_of_type("ModelRun")
    assert [snapshot.pipeline_of(row) for row in (foreign, anew)] == ["users", "users"]


def test_a_pin_costs_no_cache_hit(snapshot: Snapshot) -> None:
    assert {pin.artifact_id for pin in snapshot.pins} == {1, 2, 3, 4}
    for node in ("Train", "Bless", "Pusher"):
        assert states(snapshot, node)[:2] == [COMPLETE, CACHED]


def test_a_cache_hit_and_a_partial_run_record_the_earlier_artifact_as_output(snapshot: Snapshot) -> None:
    (blessing,) = snapshot.rows_of_type("ModelBlessing")
    assert states(snapshot, "Bless") == [COMPLETE, CACHED, CACHED]
    made, hit, taken_over = executions(snapshot, "Bless")
    for execution in (made, hit, taken_over):
        assert snapshot.artifacts_of(execution, (EventKind.OUTPUT,)) == [blessing]
    assert kinds(snapshot, hit) == {EventKind.INPUT, EventKind.OUTPUT}
    assert kinds(snapshot, taken_over) == {EventKind.OUTPUT}  # a partial run tells no inputs


def test_a_resolver_finds_and_makes_nothing(snapshot: Snapshot) -> None:
    resolved, *_ = executions(snapshot, "latest_blessed")
    found = snapshot.artifacts_of(resolved, (EventKind.INTERNAL_OUTPUT,))
    assert {snapshot.type_of(row) for row in found} == {"Model", "ModelBlessing"}
    assert kinds(snapshot, resolved) == {EventKind.INTERNAL_OUTPUT}
    assert snapshot.executions.state[resolved] == COMPLETE


def test_what_an_importer_reused_imported_or_imported_anew_is_external(
    history: History, snapshot: Snapshot
) -> None:
    model, foreign, anew = snapshot.rows_of_type("Model")
    assert [snapshot.property(row, "is_external") for row in (model, foreign, anew)] == [0, 1, 1]
    assert snapshot.artifacts.uri[model] == snapshot.artifacts.uri[anew]
    case = Case(snapshot, history.policy(), history.now_ms)
    assert {row for row, _ in holds.external(case)} == {model, foreign, anew}


def test_the_stock_pusher_records_its_directory_as_it_was_given(history: History, snapshot: Snapshot) -> None:
    (pushed, *_) = snapshot.rows_of_type("PushedModel")
    destination = str(snapshot.property(pushed, "pushed_destination"))
    assert Path(destination).parent == Path("serving")
    assert (history.home / destination / "saved_model.pb").is_file()
    case = history.case(history.policy(rules=[keep_models(last=1)]))
    plan = make_plan(case, Threads(2), metadata=history.url, created_ms=0)
    model = snapshot.rows_of_type("Model")[0]
    (decision,) = (d for d in plan.decisions if d.artifact_id == snapshot.artifacts.id[model])
    assert "hold.served" in [reason.code for reason in decision.reasons]


def test_json_values_are_read_as_what_they_hold(tmp_path: Path) -> None:
    from tfx.v1.types.standard_artifacts import Model

    model = Model()
    model.uri = "/m"
    for name, value in {"accuracy": 0.5, "tags": "golden", "shape": [1, 2], "of": {"a": 1}}.items():
        model.set_json_value_custom_property(name, value)
    store = History(tmp_path).store
    row = model.mlmd_artifact
    row.type_id = store.put_artifact_type(model.artifact_type)
    store.put_artifacts([row])
    read = read_api.read(store)
    assert (read.property(0, "accuracy"), read.property(0, "tags")) == (0.5, "golden")
    assert isinstance(read.property(0, "shape"), str)
    assert isinstance(read.property(0, "of"), str)


def test_a_launcher_that_starts_puts_its_copy_over_what_became_of_it_meanwhile(tmp_path: Path) -> None:
    from tfx.orchestration.portable import execution_publish_utils
    from tfx.types.artifact_utils import deserialize_artifact

    history = History(tmp_path)
    model = history.pipeline().run().train().model
    copy = deserialize_artifact(history.store.get_artifact_type("Model"), history.row(model))
    history.set_state(model, "DELETED")
    handle: Any = SimpleNamespace(store=history.store)
    execution_publish_utils.register_execution(
        handle,
        execution_type=metadata_store_pb2.ExecutionType(name="late.Evaluator"),
        contexts=[],
        input_artifacts={"model": [copy]},
    )
    assert history.state(model) == "LIVE"  # hence: mark, wait, judge again, and audit for it afterwards
