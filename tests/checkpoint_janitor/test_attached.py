"""Which policy a janitor obeys: one that it was given, or those that are attached to outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tfx.proto.orchestration import garbage_collection_policy_pb2

from tests.checkpoint_janitor.test_options import policy_over, sqlite
from tfx_janitor.checkpoint_janitor.options import OptionError, Options
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

pytestmark = pytest.mark.tfx

# The message is made when its module is imported; no type checker sees it.
_Message: Any = garbage_collection_policy_pb2
GarbageCollectionPolicy = _Message.GarbageCollectionPolicy
MODEL = ("Train", "model")


def newest(count: int) -> Any:
    return GarbageCollectionPolicy(keep_most_recently_published={"num_artifacts": count})


@pytest.fixture
def trainer() -> Any:
    from tests.checkpoint_janitor.stages import Train

    return Train(span=1)


def attach(node: Any, output: str, policy: Any) -> None:
    node.outputs[output]._garbage_collection_policy = policy


def janitor(tmp_path: Path, **given: Any) -> Any:
    from tfx_janitor import CheckpointJanitor

    return CheckpointJanitor(metadata_connection_config=sqlite(tmp_path), **given)


def rules(janitor: Any) -> dict[str, Any]:
    """What each rule of a janitor's policy keeps, by node and output."""
    policy = Options.from_parameters(janitor.exec_properties).policy.to_dict()
    return {f"{r['match']['node'][0]}.{r['match']['output'][0]}": r["keep"] for r in policy["rules"]}


def test_it_obeys_what_is_attached_to_its_inputs(tmp_path: Path, trainer: Any):
    attach(trainer, "model", newest(3))
    attach(trainer, "model_run", newest(5))
    only_model = janitor(tmp_path, model=trainer.outputs["model"])
    assert rules(only_model) == {"Train.model": {"last": 3}}
    both = janitor(tmp_path, model=trainer.outputs["model"], model_run=trainer.outputs["model_run"])
    assert rules(both) == {"Train.model": {"last": 3}, "Train.model_run": {"last": 5}}


def test_it_obeys_what_is_attached_to_any_output_of_nodes_that_it_comes_after(tmp_path: Path, trainer: Any):
    attach(trainer, "model_run", newest(5))
    named = trainer.with_id("second")
    assert rules(janitor(tmp_path, upstream_nodes=iter([named]))) == {"second.model_run": {"last": 5}}


def test_it_looks_into_a_union_of_outputs(tmp_path: Path, trainer: Any):
    from tfx.types import channel_utils

    from tests.checkpoint_janitor.stages import Train

    other = Train(span=2).with_id("other")
    attach(other, "model", newest(2))
    union = channel_utils.union([trainer.outputs["model"], other.outputs["model"]])
    assert rules(janitor(tmp_path, model=union)) == {"other.model": {"last": 2}}


def test_the_roots_are_left_to_the_run_or_given(tmp_path: Path, trainer: Any):
    attach(trainer, "model", newest(3))
    model = trainer.outputs["model"]
    left = Options.from_parameters(janitor(tmp_path, model=model).exec_properties).policy
    assert left.to_dict()["roots"] is None
    given = Options.from_parameters(janitor(tmp_path, model=model, roots=["/srv/tfx"]).exec_properties).policy
    assert given == RetentionPolicy.from_tfx({MODEL: newest(3)}, roots=["/srv/tfx"])


def test_without_any_policy_it_is_refused(tmp_path: Path, trainer: Any):
    with pytest.raises(OptionError, match="expected a policy, got none, and none is attached"):
        janitor(tmp_path, model=trainer.outputs["model"], upstream_nodes=[trainer])


@pytest.mark.parametrize(
    ("policy", "given", "message"),
    [
        (GarbageCollectionPolicy(), {}, "Train.model: says nothing"),
        (newest(0), {}, "Train.model.keep_most_recently_published.num_artifacts"),
        (newest(3), {"roots": []}, "expected at least one directory"),
        (newest(3), {"roots": ["/"]}, "the whole file system"),
    ],
)
def test_what_is_wrong_is_known_when_the_pipeline_is_written(
    tmp_path: Path, trainer: Any, policy: Any, given: dict[str, Any], message: str
):
    attach(trainer, "model", policy)
    with pytest.raises(PolicyError, match=message):
        janitor(tmp_path, model=trainer.outputs["model"], **given)


def test_a_policy_that_does_not_say_what_is_attached_is_refused(tmp_path: Path, trainer: Any):
    attach(trainer, "model", newest(3))
    with pytest.raises(OptionError, match="attached to output model of Train, got none like it"):
        janitor(tmp_path, model=trainer.outputs["model"], policy=policy_over(tmp_path))
    for count, match in ((2, None), (3, {"type": "ModelRun"})):
        weaker = RetentionPolicy.from_tfx({MODEL: newest(count)}, roots=[str(tmp_path)], match=match)
        with pytest.raises(OptionError, match="none like it"):
            janitor(tmp_path, model=trainer.outputs["model"], policy=weaker)


@pytest.mark.parametrize("count", [3, 0])
def test_a_policy_made_of_what_is_attached_may_say_more(tmp_path: Path, trainer: Any, count: int):
    attach(trainer, "model", newest(count))
    policy = RetentionPolicy.from_tfx(
        {("Evaluator", "evaluation"): newest(9), MODEL: newest(count)},
        roots=[str(tmp_path)],
        match={"pipeline": "inception"},
        unsafe_delete_all=True,
        grace="1d",
    )
    made = janitor(tmp_path, model=trainer.outputs["model"], policy=policy)
    assert Options.from_parameters(made.exec_properties).policy == policy


def test_roots_are_only_for_attached_policies(tmp_path: Path, trainer: Any):
    with pytest.raises(OptionError, match="expected no roots beside a policy"):
        janitor(tmp_path, model=trainer.outputs["model"], policy=policy_over(tmp_path), roots=["/srv"])


def test_attached_policies_are_not_for_the_whole_store(tmp_path: Path, trainer: Any):
    attach(trainer, "model", newest(3))
    with pytest.raises(OptionError, match="attached ones are for their own pipeline"):
        janitor(tmp_path, model=trainer.outputs["model"], whole_store=True)
