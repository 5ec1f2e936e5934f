"""How a CheckpointJanitor stands in a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.checkpoint_janitor.test_options import policy_over, sqlite

pytestmark = pytest.mark.tfx


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {"policy": policy_over(tmp_path), "metadata_connection_config": sqlite(tmp_path)}


def compiled(*nodes: Any) -> Any:
    """The intermediate representation that all runners work from: pipeline nodes by id."""
    from tfx.dsl.compiler import compiler
    from tfx.v1.dsl import Pipeline

    made = Pipeline(pipeline_name="inception", pipeline_root="/pipelines/inception", components=list(nodes))
    ir = compiler.Compiler().compile(made)
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}


def test_it_is_a_public_name():
    import tfx_janitor
    from tfx_janitor.checkpoint_janitor.component import CheckpointJanitor

    assert tfx_janitor.CheckpointJanitor is CheckpointJanitor


def test_it_compiles_and_is_never_taken_from_the_cache(given: dict[str, Any]):
    from tests.checkpoint_janitor.stages import Bless, Push, Train
    from tfx_janitor import CheckpointJanitor
    from tfx_janitor.checkpoint_janitor.options import Options

    trainer = Train(span=1)
    evaluator = Bless(model=trainer.outputs["model"])
    pusher = Push(model=trainer.outputs["model"], base="/serving")
    janitor = CheckpointJanitor(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        model_blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        **given,
    )
    node = compiled(trainer, evaluator, pusher, janitor)["CheckpointJanitor"]
    assert set(node.upstream_nodes) == {"Train", "Bless", "Push"}
    assert node.parameters.parameters["pipeline_run"].runtime_parameter.name == "pipeline-run-id"
    assert set(node.outputs.outputs) == {"plan", "report"}
    parameters = {
        name: value.field_value.string_value or value.field_value.int_value
        for name, value in node.parameters.parameters.items()
    }
    assert Options.from_parameters(parameters) == Options(
        given["policy"], given["metadata_connection_config"]
    )


def test_it_comes_after_the_nodes_that_it_is_given(given: dict[str, Any]):
    from tests.checkpoint_janitor.stages import Train
    from tfx_janitor import CheckpointJanitor

    first, second = Train(span=1).with_id("first"), Train(span=1).with_id("second")
    janitor = CheckpointJanitor(**given, upstream_nodes=[first])
    janitor.add_upstream_node(second)
    assert set(compiled(janitor, second, first)["CheckpointJanitor"].upstream_nodes) == {"first", "second"}


def test_its_artifact_types_are_found_by_their_names():
    from tfx_janitor.checkpoint_janitor import JanitorPlan, JanitorReport

    assert (JanitorPlan.TYPE_NAME, JanitorReport.TYPE_NAME) == ("JanitorPlan", "JanitorReport")


def test_a_password_is_refused_when_the_pipeline_is_written(given: dict[str, Any]):
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    from tfx_janitor import CheckpointJanitor
    from tfx_janitor.checkpoint_janitor.options import OptionError

    given["metadata_connection_config"] = mlmd.ConnectionConfig(
        mysql={"host": "db", "user": "tfx", "password": "s3cret"}
    )
    with pytest.raises(OptionError, match=r"without mysql\.password"):
        CheckpointJanitor(**given)


def test_it_takes_beam_arguments_of_its_own(given: dict[str, Any]):
    from tfx_janitor import CheckpointJanitor

    janitor = CheckpointJanitor(**given).with_beam_pipeline_args(["--runner=FnApiRunner"])
    assert "--runner=FnApiRunner" in janitor.executor_spec.encode().SerializeToString().decode("latin-1")
