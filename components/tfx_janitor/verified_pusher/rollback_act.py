"""A rollback as lineage: an act of the janitor, with a PushedModel for the version that it made.

The act has the Model as input and the PushedModel as output, so that the Model behind what is served is held,
as it is behind every push. Neither sits in a context of a pipeline: nothing that TFX resolves or caches
changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Act, Outcome, Touch
from tfx_janitor.deletion.site import Site
from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest, pushed_models, rollback, versions
from tfx_janitor.verified_pusher.errors import ManifestError
from tfx_janitor.verified_pusher.manifest import Execution, Manifest
from tfx_janitor.verified_pusher.push import Push
from tfx_janitor.verified_pusher.pushed_models import PushedModel
from tfx_janitor.verified_pusher.rollback import Choice


@dataclass(frozen=True, slots=True)
class RecordedRollback:
    """A rollback that a metadata store knows: MLMD ids of its act and of the PushedModel that it made."""

    choice: Choice
    push: Push
    act_id: int
    pushed_model_id: int


def roll_back(site: Site, base: str, *, level: Level, to: int | None = None) -> RecordedRollback:
    """Puts a version of before back into service, and records it.

    It is recorded as begun before anything becomes visible. What an earlier rollback, cut off since, has made
    visible but not recorded is recorded first.

    Args:
      site: the store must be open for writing.
      base: base directory that a model server watches.
      level: how much must verify, before it is chosen and before it becomes visible.
      to: number of the version to put back; None for the newest good one before the current one.

    Raises:
      RollbackError: there is nothing to roll back to; nothing was changed.
      PushError: it could not be pushed; the act says so, too.
    """
    real = os.path.realpath(base)
    for act, version, directory in _interrupted(site, real):
        _record(site, act.id, act.touches, version, directory)
    known = pushed_models.of_base(site.store, real)
    choice = _as_known_here(site, known, rollback.choose(base, level=level, to=to, pushed_models=known))
    act_id, touches = _begin(site, real, choice, known, level)
    try:
        done = rollback.put_back(choice, execution=Execution(id=act_id), now_ms=site.now_ms, level=level)
    except JanitorError as error:
        failed = [Outcome(touch.artifact_id, "failed", str(error)) for touch in touches]
        acts.end(site, act_id, failed or [Outcome(0, "failed", str(error), path=real)])
        raise
    made = _record(site, act_id, touches, manifest.read(done.destination), done.destination)
    return RecordedRollback(choice, done, act_id, made)


def _begin(
    site: Site, base: str, choice: Choice, known: Sequence[PushedModel], level: Level
) -> tuple[int, list[Touch]]:
    target = choice.target
    behind = [one for one in known if one.version == target.version]
    touches = [Touch(one.artifact_id, "put back") for one in behind]
    touches += [Touch(one.artifact_id, "replace") for one in known if one.version == choice.current]
    sources = {source.artifact_id for one in behind for source in one.sources} | {target.source.artifact_id}
    touches += [Touch(artifact_id, "serve") for artifact_id in sources if artifact_id is not None]
    details = {
        "base": base,
        "version": target.version,
        "instead_of": choice.current,
        "path": target.path,
        "content_digest": target.content_digest,
        "level": level.value,
    }
    return acts.begin(site, "rollback", touches, details), touches


def _as_known_here(site: Site, known: Iterable[PushedModel], choice: Choice) -> Choice:
    """Takes the id of the source away if it is none of this store: a manifest may tell of another one's."""
    target = choice.target
    by_lineage = {source for one in known if one.version == target.version for source in one.sources}
    try:
        pushed_ms = manifest.read(target.path).created_at_ms
    except ManifestError:
        pushed_ms = site.now_ms
    if target.source in by_lineage or pushed_models.is_known(site.store, target.source, pushed_ms=pushed_ms):
        return choice
    return replace(choice, target=replace(target, source=replace(target.source, artifact_id=None)))


def _interrupted(site: Site, base: str) -> Iterator[tuple[Act, Manifest, str]]:
    """Acts that were cut off after their version had become visible, with its manifest and directory."""
    cut_off = {
        act.id: act
        for act in acts.read(site.store, kinds=("rollback",), damaged=True)
        if not act.ended and act.details.get("base") == base
    }
    for version in versions.served(base) if cut_off else ():
        directory = os.path.join(base, version.name)
        try:
            found = manifest.read(directory)
        except ManifestError:
            continue
        if found.rollback is not None and found.execution.id in cut_off:
            yield cut_off[found.execution.id], found, directory


def _record(site: Site, act_id: int, touches: Iterable[Touch], version: Manifest, directory: str) -> int:
    """Writes the PushedModel of a version that was put back, and ends the act; returns its MLMD id."""
    assert version.rollback is not None, "what a rollback pushed says so"
    made = pushed_models.record(site, act_id, "rollback", _properties(version, directory))
    became = {
        "put back": ("put back", f"version {version.rollback.version} as version {version.version}"),
        "replace": ("replaced", f"version {version.rollback.instead_of} by version {version.version}"),
        "serve": ("served", f"as version {version.version}"),
    }
    outcomes = [Outcome(touch.artifact_id, *became[touch.what]) for touch in touches]
    outcomes.append(Outcome(made, "pushed", f"version {version.version} at {directory}"))
    acts.end(site, act_id, outcomes)
    return made


def _properties(version: Manifest, directory: str) -> dict[str, int | str]:
    """Custom properties of a PushedModel, as our Pusher gives them, and the version of before."""
    source = version.source
    given: dict[str, int | str | None] = {
        "pushed": 1,
        "pushed_destination": directory,
        "pushed_version": str(version.version),
        "content_digest": version.content_digest,
        "manifest": os.path.join(directory, manifest.NAME),
        "source_model_uri": source.uri,
        "source_model_id" if source.artifact_type == "Model" else "source_infra_blessing_id": (
            source.artifact_id
        ),
        pushed_models.PUT_BACK: None if version.rollback is None else version.rollback.version,
    }
    return {name: value for name, value in given.items() if value is not None}
