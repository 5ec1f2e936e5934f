"""What a metadata store knows of the versions of one base directory: its PushedModels.

Also of versions that are no longer served: the archive at a PushedModel's own URI outlives them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Kind
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import ACT_TYPE_PREFIX, INPUTS, OUTPUTS, ArtifactState, EventKind
from tfx_janitor.payload import places
from tfx_janitor.payload.places import PlaceError
from tfx_janitor.verified_pusher import content, versions
from tfx_janitor.verified_pusher.manifest import Source

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

TYPE = "PushedModel"

PUT_BACK = "put_back_version"
"""Custom property of what a rollback pushed: the version whose content it has."""

WITHDRAW, WITHDRAWN = "withdraw", "withdrawn"
"""What an act is about to do to the PushedModel whose version it takes out of service, and what it did."""

_SOURCES = ("Model", "InfraBlessing")
_BLESSING = "ModelBlessing"


@dataclass(frozen=True, slots=True)
class PushedModel:
    """One PushedModel, whoever pushed it.

    Attributes:
      artifact_id: its MLMD id.
      version: number of the version that it was pushed as.
      archive: where its own copy lies, if it is still there; None if it has none, or not on a local disk.
      content_digest: `blake3:<hex>` over its files; None where the stock Pusher pushed it, or its digest is
        of another kind.
      sources: what it was made from: Models first, then InfraBlessings, the newest of each first.
      put_back: the version of before that it was put back from; None for a push.
      unblessed: whether an evaluation looked at the Model behind it, and none blessed it.
      withdrawn: the reason why a person took its version out of service, or wanted to; None if nobody did.
    """

    artifact_id: int
    version: int
    archive: str | None
    content_digest: str | None
    sources: tuple[Source, ...]
    put_back: int | None
    unblessed: bool = False
    withdrawn: str | None = None


def of_base(store: MetadataStore, base: str) -> tuple[PushedModel, ...]:
    """Reads the PushedModels of a base directory, the newest first. Cost: linear in all PushedModels.

    Args:
      store: an open MLMD store; reading mode is enough.
      base: base directory, an absolute path without links.
    """
    found: list[tuple[Any, int]] = []
    for row in store.get_artifacts_by_type(TYPE):
        values = row.custom_properties
        if values["pushed"].int_value == 1:
            number = _version_in(base, values["pushed_destination"].string_value)
            found += [] if number is None else [(row, number)]
    sources = _sources(store, [row.id for row, _ in found])
    refused = _refused(store)
    withdrawn = _withdrawn(store, base)
    return tuple(
        PushedModel(
            artifact_id=row.id,
            version=number,
            archive=_archive(row.uri, base),
            content_digest=_digest(row.custom_properties["content_digest"].string_value),
            sources=sources.get(row.id, ()),
            put_back=row.custom_properties[PUT_BACK].int_value or None,
            unblessed=any(source.artifact_id in refused for source in sources.get(row.id, ())),
            withdrawn=withdrawn.get(number),
        )
        for row, number in sorted(found, key=lambda pair: pair[0].id, reverse=True)
    )


def _digest(recorded: str) -> str | None:
    # Of another kind it would differ from that of the very same content.
    return recorded if recorded.startswith(content.DIGEST_KIND) else None


def _version_in(base: str, destination: str) -> int | None:
    """The version that a destination is in a base directory, None if it lies elsewhere."""
    directory, name = os.path.split(destination.rstrip("/"))
    try:
        # Only the directory is resolved: a version may itself be a link.
        return versions.parse(name) if places.resolve(directory).path == base else None
    except PlaceError:
        return None


def _archive(uri: str, base: str) -> str | None:
    try:
        place = places.resolve(uri)
    except PlaceError:
        return None
    # What a rollback pushed has no archive of its own: its payload is the version itself.
    is_version = os.path.dirname(place.path) == base
    return place.path if place.local and not is_version else None


def _sources(store: MetadataStore, artifact_ids: Sequence[int]) -> dict[int, tuple[Source, ...]]:
    """By PushedModel, the Models and InfraBlessings that went into the executions that made it."""
    made_by = _ends(store.get_events_by_artifact_ids(artifact_ids) if artifact_ids else (), OUTPUTS)
    executions = sorted({execution for _, execution in made_by})
    given = _ends(store.get_events_by_execution_ids(executions) if executions else (), INPUTS)
    rows = store.get_artifacts_by_id(sorted({artifact for artifact, _ in given})) if given else ()
    sources = {row.id: Source(row.uri, row.id, row.type) for row in rows if row.type in _SOURCES}
    found: dict[int, tuple[Source, ...]] = {}
    for artifact_id in artifact_ids:
        makers = {execution for artifact, execution in made_by if artifact == artifact_id}
        into = {artifact for artifact, execution in given if execution in makers}
        found[artifact_id] = tuple(
            sorted((sources[one] for one in into & sources.keys()), key=_models_first_newest_first)
        )
    return found


def _refused(store: MetadataStore) -> set[int]:
    """Models that evaluations looked at, and none blessed."""
    verdicts: dict[int, set[bool]] = {}
    for row in store.get_artifacts_by_type(_BLESSING):
        values = row.custom_properties
        judged, blessed = values["current_model_id"].int_value, values["blessed"].int_value == 1
        verdicts.setdefault(judged, set()).add(blessed)
    return {model for model, said in verdicts.items() if model and True not in said}


def _withdrawn(store: MetadataStore, base: str) -> dict[int, str]:
    """By number, why a person took versions of a base directory out of service, or wanted to.

    A version may have been withdrawn while its push, which is recorded later, waited for model servers.
    """
    return {
        int(act.details["version"]): str(act.details["reason"])
        for act in acts.read(store, kinds=("mend",), damaged=True)
        if act.details.get("base") == base
        and (
            any(touch.what == WITHDRAW for touch in act.touches)
            or any(outcome.done == WITHDRAWN for outcome in act.outcomes)
        )
    }


def is_known(store: MetadataStore, source: Source, *, pushed_ms: int) -> bool:
    """Whether what a manifest says that a version was pushed from is an artifact of this store.

    A store that was lost and begun anew gives the same ids and URIs once more, to artifacts made later.

    Args:
      pushed_ms: when it was pushed, milliseconds since the epoch.
    """
    rows = () if source.artifact_id is None else store.get_artifacts_by_id([source.artifact_id])
    return any(
        (row.uri, row.type) == (source.uri, source.artifact_type) and row.create_time_since_epoch <= pushed_ms
        for row in rows
    )


def _ends(events: Iterable[Any], kinds: Sequence[int]) -> set[tuple[int, int]]:
    return {(event.artifact_id, event.execution_id) for event in events if event.type in kinds}


def _models_first_newest_first(source: Source) -> tuple[bool, int]:
    return source.artifact_type != _SOURCES[0], -(source.artifact_id or 0)


def record(site: Site, act_id: int, kind: Kind, properties: Mapping[str, int | str]) -> int:
    """Writes the PushedModel that an act made, with its event, in one transaction.

    Args:
      act_id: MLMD id of the act, which makes one at most.
      kind: of the act.
      properties: custom properties, as our Pusher gives them.

    Returns:
      Its MLMD id.
    """
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    artifact = mlmd.Artifact(
        type_id=_type_id(site.store),
        name=f"{ACT_TYPE_PREFIX}{kind}:{act_id}",
        # Not an archive of its own: the version itself. While it stands, it is held.
        uri=str(properties["pushed_destination"]),
        state=int(ArtifactState.LIVE),  # pyright: ignore[reportArgumentType]
    )
    for name, value in properties.items():
        if isinstance(value, int):
            artifact.custom_properties[name].int_value = value
        else:
            artifact.custom_properties[name].string_value = value
    event = mlmd.Event(
        execution_id=act_id,
        type=int(EventKind.OUTPUT),  # pyright: ignore[reportArgumentType]
        milliseconds_since_epoch=site.now_ms,
    )
    event.path.steps.add().key = "pushed_model"
    event.path.steps.add().index = 0
    try:
        return site.store.put_lineage_subgraph([], [artifact], [], [(None, 0, event)])[1][0]
    except errors.AlreadyExistsError:
        # No other act's PushedModel has its name: it was written by an attempt that went unanswered.
        written = site.store.get_artifact_by_type_and_name(TYPE, artifact.name)
        if written is None:
            raise
        return written.id


def _type_id(store: Any) -> int:
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    try:
        return store.get_artifact_type(TYPE).id
    except errors.NotFoundError:
        return store.put_artifact_type(mlmd.ArtifactType(name=TYPE))
