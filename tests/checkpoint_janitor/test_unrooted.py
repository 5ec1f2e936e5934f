"""A policy that gets its roots when the pipeline runs, and where a pipeline's root is read off."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tfx.proto.orchestration import garbage_collection_policy_pb2

from tfx_janitor.checkpoint_janitor.unrooted import UnrootedPolicy, pipeline_root
from tfx_janitor.errors import JanitorError
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

# The message is made when its module is imported; no type checker sees it.
_Message: Any = garbage_collection_policy_pb2
KEEP_THREE = _Message.GarbageCollectionPolicy(keep_most_recently_published={"num_artifacts": 3})
ATTACHED = {("Trainer", "model"): KEEP_THREE}
UNROOTED = UnrootedPolicy.from_tfx(ATTACHED)


def test_a_root_makes_it_the_policy_that_it_would_have_been():
    rooted = UNROOTED.rooted_in("/srv/pipelines/inception")
    assert rooted == RetentionPolicy.from_tfx(ATTACHED, roots=["/srv/pipelines/inception"])


def test_it_comes_back_from_its_own_dict_which_is_no_policy_yet():
    mapping = UNROOTED.to_dict()
    assert mapping["roots"] is None
    assert UnrootedPolicy.from_dict(mapping, source="test") == UNROOTED
    with pytest.raises(PolicyError, match="roots"):
        RetentionPolicy.from_dict(mapping)


def test_what_is_wrong_with_it_is_known_before_the_root_is():
    with pytest.raises(PolicyError, match="num_artifacts"):
        UnrootedPolicy.from_tfx(
            {
                ("Trainer", "model"): _Message.GarbageCollectionPolicy(
                    keep_most_recently_published={"num_artifacts": 0}
                )
            }
        )


@pytest.mark.parametrize("root", ["/", "gs://bucket"])
def test_a_pipeline_root_that_is_everything_is_refused(root: str):
    with pytest.raises(PolicyError, match="the pipeline root: roots"):
        UNROOTED.rooted_in(root)


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("/srv/tfx/inception/Janitor/plan/7", "/srv/tfx/inception"),
        ("/srv/tfx/inception/Janitor/plan/7/", "/srv/tfx/inception"),
        ("gs://bucket/tfx/Janitor/plan/7", "gs://bucket/tfx"),
        ("/Janitor/plan/7", "/"),
    ],
)
def test_the_root_is_above_node_output_and_execution(uri: str, root: str):
    assert pipeline_root(uri, node="Janitor", output="plan", execution=7) == root
    assert pipeline_root(uri, node=None, output="plan", execution=7) == root


@pytest.mark.parametrize(
    "uri",
    [
        "/srv/tfx/inception/Janitor/plan/8",
        "/srv/tfx/inception/Janitor/report/7",
        "/srv/tfx/inception/Trainer/plan/7",
        "/srv/tfx/inception/Janitor/plan/7/0",
        "/plan/7",
        "gs://plan/7",
    ],
)
def test_an_output_that_lies_elsewhere_tells_no_root(uri: str):
    with pytest.raises(JanitorError, match=re.escape(f"/Janitor/plan/7, got {uri}; tell CheckpointJanitor")):
        pipeline_root(uri, node="Janitor", output="plan", execution=7)


def test_an_output_without_a_place_tells_no_root():
    with pytest.raises(JanitorError, match="inception/Janitor/plan/7"):
        pipeline_root("inception/Janitor/plan/7", node="Janitor", output="plan", execution=7)
