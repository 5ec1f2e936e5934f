"""What TFX's own LatestBlessedModelStrategy resolves in a store is held, whatever the history."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ml_metadata.metadata_store import MetadataStore

from tests.proof.engine import snapshot_of
from tests.proof.histories import HISTORIES, History
from tests.proof.store import store_of
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention import holds
from tfx_janitor.retention.case import Case

pytestmark = pytest.mark.tfx

POLICY = RetentionPolicy.from_dict(
    {"version": 1, "roots": ["/r"], "rules": [{"name": "m", "match": {"type": "Model"}, "keep": {"last": 1}}]}
)


def test_what_tfx_resolves_as_the_latest_blessed_model_is_held() -> None:
    resolved: set[int] = set()

    @settings(max_examples=400, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(HISTORIES)
    def held_if_resolved(history: History) -> None:
        for row in history["artifacts"].values():
            # MLMD 1.16 fails to write NaN into sqlite.
            row["properties"] = {name: value for name, value in row["properties"].items() if value == value}
        case = Case(snapshot_of(history), POLICY, history["now"])
        held = {int(case.snapshot.artifacts.id[row]) for row, _ in holds.latest_blessed(case)}
        found = set(_latest_blessed(store_of(history)))
        resolved.update(found)
        assert found <= held

    held_if_resolved()
    assert resolved, "none of the histories had a blessed model"


def _latest_blessed(store: MetadataStore) -> Iterator[int]:
    """Ids of the Models and ModelBlessings that a Resolver of each pipeline would hand on."""
    from tfx.orchestration.portable.input_resolution.channel_resolver import resolve_single_channel
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.v1.dsl.experimental import LatestBlessedModelStrategy

    messages: Any = pipeline_pb2  # made when the module is imported; no type checker sees them
    handle: Any = SimpleNamespace(store=store)
    for pipeline in store.get_contexts_by_type("pipeline"):
        given = {}
        for key, type_name in (("model", "Model"), ("model_blessing", "ModelBlessing")):
            channel = messages.InputSpec.Channel()
            channel.artifact_query.type.name = type_name
            query = channel.context_queries.add()
            query.type.name = "pipeline"
            query.name.field_value.string_value = pipeline.name
            given[key] = resolve_single_channel(handle, channel)
        resolved = LatestBlessedModelStrategy().resolve_artifacts(store, given) or {}
        yield from (artifact.id for artifacts in resolved.values() for artifact in artifacts)
