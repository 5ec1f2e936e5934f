"""What TFX's own LatestBlessedModelStrategy resolves in a store is held, whatever the history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ml_metadata.metadata_store import MetadataStore

from tests.proof.engine import snapshot_of
from tests.proof.histories import HISTORIES
from tests.proof.rows import History
from tests.proof.store import store_of
from tests.proof.story import NODES
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
    """Ids of the Models and ModelBlessings that a Resolver would hand on.

    Of each pipeline; of all that it made, or of what one node made, where it was given a producer.
    """
    from tfx.orchestration.portable.input_resolution.channel_resolver import resolve_single_channel
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.v1.dsl.experimental import LatestBlessedModelStrategy

    messages: Any = pipeline_pb2  # made when the module is imported; no type checker sees them
    handle: Any = SimpleNamespace(store=store)

    def seen(type_name: str, pipeline: str, node: str | None) -> Any:
        channel = messages.InputSpec.Channel()
        channel.artifact_query.type.name = type_name
        for context, name in (("pipeline", pipeline), ("node", node and f"{pipeline}.{node}")):
            if name is not None:
                query = channel.context_queries.add()
                query.type.name = context
                query.name.field_value.string_value = name
        return resolve_single_channel(handle, channel)

    for pipeline in (context.name for context in store.get_contexts_by_type("pipeline")):
        models, blessings = (
            [found for node in (None, *_makers(type_name)) if (found := seen(type_name, pipeline, node))]
            for type_name in ("Model", "ModelBlessing")
        )
        for model, blessing in product(models, blessings):
            given = {"model": list(model), "model_blessing": list(blessing)}
            resolved = LatestBlessedModelStrategy().resolve_artifacts(store, given) or {}
            yield from (artifact.id for artifacts in resolved.values() for artifact in artifacts)


def _makers(type_name: str) -> list[str]:
    return [name for name, node in NODES.items() if type_name in node.makes.values()]
