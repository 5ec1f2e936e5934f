"""Pins: a person's word that an artifact must stay, as an MLMD Context that the artifact is attributed to.

Not a property of the artifact: a custom property on a LIVE artifact changes TFX's cache keys, and makes it
retrain and push again. MLMD cannot take an attribution back, so a pin that is released stays on record as
such.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfx_janitor.deletion import acts, pin_records
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage.read_api import PIN_CONTEXT_TYPE, read_pins
from tfx_janitor.lineage.snapshot import ArtifactState, Pin

if TYPE_CHECKING:
    from ml_metadata import MetadataStore


def pin(site: Site, artifact_id: int, reason: str, until_ms: int | None = None) -> Pin:
    """Pins an artifact.

    Args:
      until_ms: end of the pin, None for ever.

    Raises:
      JanitorError: no such artifact, it is gone, no reason, or an end that has passed.
    """
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    if not reason.strip():
        raise JanitorError(
            "expected a reason for the pin, got an empty one; who reads it later will want to know"
        )
    if until_ms is not None and until_ms <= site.now_ms:
        raise JanitorError("expected the pin to end in the future; leave --until out to pin for ever")
    found = site.store.get_artifacts_by_id([artifact_id])
    if not found:
        raise JanitorError(f"expected the id of an artifact in {site.metadata}, which has no {artifact_id}")
    if found[0].state == ArtifactState.DELETED:
        raise JanitorError(f"artifact {artifact_id} is DELETED: there is nothing left to pin")
    act = acts.begin(site, "pin", [Touch(artifact_id, "pin")], {"reason": reason, "until_ms": until_ms})
    type_id = site.store.put_context_type(mlmd.ContextType(name=PIN_CONTEXT_TYPE))
    context = mlmd.Context(type_id=type_id, name=pin_records.name(artifact_id, act))
    made = Pin(0, artifact_id, reason, site.actor, site.now_ms, until_ms)
    told = pin_records.values(artifact_id, reason, site.actor, site.now_ms, until_ms)
    for key, value in told.items():
        if isinstance(value, str):
            context.custom_properties[key].string_value = value
        else:
            context.custom_properties[key].int_value = value
    context_id = _put(site.store, context)
    attribution = mlmd.Attribution(artifact_id=artifact_id, context_id=context_id)
    site.store.put_attributions_and_associations([attribution], [])
    acts.end(site, act, [Outcome(artifact_id, "pinned", reason)])
    return dataclasses.replace(made, context_id=context_id)


def _put(store: MetadataStore, context: Any) -> int:
    """Writes a pin's context and returns its id."""
    from ml_metadata import errors

    try:
        return store.put_contexts([context])[0]
    except errors.AlreadyExistsError:
        # No other act's pin has its name: it was written by an attempt that went unanswered.
        written = store.get_context_by_type_and_name(PIN_CONTEXT_TYPE, context.name)
        if written is None:
            raise
        return written.id


def unpin(site: Site, artifact_id: int) -> list[Pin]:
    """Releases all pins that stand on an artifact, and returns them.

    Raises:
      JanitorError: none stands.
    """
    standing = [p for p in read_pins(site.store) if p.artifact_id == artifact_id and p.stands(site.now_ms)]
    if not standing:
        raise JanitorError(
            f"no pin stands on artifact {artifact_id} in {site.metadata}; `tfx-janitor pins` lists them"
        )
    pins = [p.context_id for p in standing]
    act = acts.begin(site, "unpin", [Touch(artifact_id, "unpin")], {"contexts": pins})
    contexts = site.store.get_contexts_by_id(pins)
    for context in contexts:
        context.custom_properties["released_ms"].int_value = site.now_ms
    site.store.put_contexts(contexts)
    acts.end(site, act, [Outcome(artifact_id, "unpinned", "; ".join(p.reason for p in standing))])
    return [dataclasses.replace(p, released_ms=site.now_ms) for p in standing]


def standing(site: Site) -> list[Pin]:
    """All pins that stand now, in the order in which they were set."""
    return [p for p in read_pins(site.store) if p.stands(site.now_ms)]
