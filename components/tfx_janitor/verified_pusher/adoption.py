"""Lineage for a version that has none: somebody copied it there, or its push died before it was recorded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.payload import places, saved_model
from tfx_janitor.payload.places import PlaceError
from tfx_janitor.payload.presence import why_no_directory
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import content, manifest, pushed_models, versions
from tfx_janitor.verified_pusher.content import ContentFile, Tree
from tfx_janitor.verified_pusher.errors import ManifestError, ModelRefused, PushError
from tfx_janitor.verified_pusher.manifest import Source
from tfx_janitor.verified_pusher.versions import Version

_MODEL = "Model"


class AdoptionError(PushError):
    """A version that cannot be taken into the lineage; nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was recorded: MLMD ids of the act and of the PushedModel; and the Model behind it, if any."""

    version: int
    act_id: int
    pushed_model_id: int
    source: Source | None


def adopt(site: Site, base: str, number: int, *, reason: str) -> Adopted:
    """Records a PushedModel for a version that stands in a base directory.

    The Model that it came from is the one that its manifest names, else one with just its files. From then on
    the janitor holds that Model while the version stands.

    Raises:
      AdoptionError: there is no such version, it is not whole, or the lineage knows it already.
    """
    real = os.path.realpath(base)
    version = standing(real, number)
    if any(known.version == number for known in pushed_models.of_base(site.store, real)):
        raise AdoptionError(f"version {number} in {base} has its PushedModel in {site.metadata} already")
    path = os.path.join(real, version.name)
    verification = saved_model.verify(path, Level.CHECKSUMS)
    if not verification.whole:
        raise AdoptionError(
            f"version {number} in {base} is not whole: {verification.damages[0]}; take it out of service "
            "with `tfx-janitor withdraw`"
        )
    try:
        files = content.digest(_listing(path))
    except (OSError, ModelRefused) as error:
        raise AdoptionError(f"version {number} in {base} cannot be read: {error}") from error
    source = _source(site, path, files)
    touches = [] if source is None or source.artifact_id is None else [Touch(source.artifact_id, "serve")]
    act_id = acts.begin(site, "mend", touches, {"reason": reason, "base": real, "version": number})
    properties: dict[str, int | str] = {
        "pushed": 1,
        "pushed_destination": path,
        "pushed_version": str(number),
        "content_digest": content.content_digest(files),
    }
    if source is not None:
        properties["source_model_uri"] = source.uri
        if source.artifact_id is not None and source.artifact_type == _MODEL:
            properties["source_model_id"] = source.artifact_id
    made = pushed_models.record(site, act_id, "mend", properties)
    outcomes = [Outcome(touch.artifact_id, "served", f"as version {number}") for touch in touches]
    acts.end(site, act_id, [*outcomes, Outcome(made, "adopted", f"version {number} at {path}")])
    return Adopted(number, act_id, made, source)


def standing(base: str, number: int) -> Version:
    """The version of a number in a base directory.

    Raises:
      AdoptionError: there is none, or no such directory.
    """
    if not os.path.isdir(base):
        raise AdoptionError(
            f"expected a base directory that a model server watches, but {why_no_directory(base)}"
        )
    try:
        served = versions.served(base)
    except OSError as error:
        raise AdoptionError(f"cannot list {base}: {error.strerror}") from None
    found = next((version for version in served if version.number == number), None)
    if found is None:
        known = ", ".join(version.name for version in served) or "none"
        raise AdoptionError(f"expected a version of {base}, got {number}; there are {known}")
    return found


def _source(site: Site, path: str, files: Sequence[ContentFile]) -> Source | None:
    """The Model that a version is a copy of, if the store has one."""
    models = [row for row in site.store.get_artifacts_by_type(_MODEL) if row.state != ArtifactState.DELETED]
    with contextlib.suppress(ManifestError):
        pushed = manifest.read(path)
        live = any(row.id == pushed.source.artifact_id for row in models)
        if live and pushed_models.is_known(site.store, pushed.source, pushed_ms=pushed.created_at_ms):
            return pushed.source
    wanted = [(file.path, file.size) for file in files]
    for row in reversed(models):
        for tree in _trees(row.uri):
            listed = [(file.path, file.size) for file in tree.files]
            if listed == wanted and content.digest(tree) == tuple(files):
                return Source(row.uri, row.id, _MODEL)
    return None


def _trees(uri: str) -> Iterator[Tree]:
    """The SavedModels of a Model, listed; none if they cannot be."""
    try:
        for model in saved_model.find(places.resolve(uri).path):
            yield _listing(model)
    except (PlaceError, OSError, ModelRefused):
        return


def _listing(path: str) -> Tree:
    return content.scan(path, without=(manifest.NAME,))
