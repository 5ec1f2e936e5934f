"""The push: prove a model, then show it to model servers, whole and at once.

    scan          refuse what is no model before anything is touched
    stage         copy every file once while digesting it, into a place that no model server looks at
    prove         read the copy back; verify it at the level asked for
    archive       copy it to the PushedModel's own URI
    publish       under the lock of the base directory: number it, write the manifest, rename it once
    retire        under the same lock: take versions beyond `keep_versions` out of service

The archive comes before the rename: a push that dies between the two has left an archive that nobody refers
to, not a served model without its record. What dies after the rename, before the orchestrator has recorded
the execution, is found again by the manifest, and the next push of the same model uses that version.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfx_janitor.payload import places, saved_model
from tfx_janitor.payload.verification import Damage, Level, Verification
from tfx_janitor.verified_pusher import content, copying, manifest, rename, retirement, versions
from tfx_janitor.verified_pusher.content import ContentFile, Tree
from tfx_janitor.verified_pusher.errors import ManifestError, ModelRefused, PushError
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Source, Verified
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.retirement import Retirement
from tfx_janitor.verified_pusher.staging import Corner, stage

_NAMED_DAMAGES = 5
_ATTEMPTS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Push:
    """What a push came to.

    Attributes:
      version: number of the version that now serves the model.
      destination: directory of that version, as the base directory was spelled.
      content_digest: digest over the files of the model, `sha256:<hex>`.
      manifest: path of its manifest; None if the same model stood there already, pushed by somebody else.
      is_new: False if the newest version held just this model already and no other was made.
      retirement: the versions that were taken out of service, and problems with that.
    """

    version: int
    destination: str
    content_digest: str
    manifest: str | None
    is_new: bool
    retirement: Retirement


@dataclass(frozen=True, slots=True)
class _Proven:
    """A staged model that was read back and verified."""

    path: str
    files: tuple[ContentFile, ...]
    verified: Verified


def push(
    model_path: str,
    base_directory: str,
    *,
    source: Source,
    execution: Execution,
    now_ms: int,
    options: PushOptions,
    archive: str | None = None,
    in_use: Callable[[int], bool] = retirement.loaded_by_nobody,
) -> Push:
    """Pushes a SavedModel as the newest version of a base directory, or finds that it is that already.

    Args:
      model_path: the SavedModel, a local directory.
      base_directory: local directory that a model server watches; made if missing.
      source: the artifact that `model_path` belongs to.
      execution: the MLMD execution on whose behalf this happens.
      now_ms: the time, milliseconds since the epoch.
      options: how much to verify, how many versions to keep.
      archive: local directory for a second copy, missing or empty; None for none.
      in_use: whether a model server has the version of this number loaded, which then is not retired.

    Returns:
      The version that serves the model now.

    Raises:
      ModelRefused: the model is empty, incomplete, damaged or not faithfully copyable; nothing is visible.
      PushError: a place is not usable, or the file system failed; nothing is visible unless the message says.
    """
    model = _local(model_path, "model")
    base = _local(base_directory, "base directory")
    corner = Corner(os.path.realpath(base))
    archive_path = None if archive is None else _local(archive, "archive")
    for place in (corner.base, archive_path):
        if place is not None:
            _refuse_inside_model(model, place)
    try:
        tree = _scan_source(model)
        with stage(corner) as staged:
            proven = _prove(model, staged, copying.copy(tree, staged), options.level)
            if archive_path is not None:
                _archive(proven, archive_path)
            with corner.alone():
                version, is_new = _publish(corner, proven, source, execution, now_ms)
                retired = retirement.retire(
                    corner.base, options.keep_versions, pushed=version.number, in_use=in_use
                )
    except OSError as error:
        raise PushError(f"could not push {model} to {base}: {error}; nothing became visible") from error
    destination = os.path.join(base, version.name)
    recorded = os.path.join(destination, manifest.NAME)
    return Push(
        version=version.number,
        destination=destination,
        content_digest=content.content_digest(proven.files),
        manifest=recorded if os.path.isfile(recorded) else None,
        is_new=is_new,
        retirement=retired,
    )


def _local(uri: str, what: str) -> str:
    """Returns the absolute path of a local directory, spelled as it was given where that is unambiguous."""
    if not uri:
        raise PushError(f"expected a directory as {what}, got an empty string")
    # Not abspath: after a link it folds `..` to another place than the kernel, and the stock Pusher, would.
    absolute = uri if "://" in uri else os.path.join(os.getcwd(), uri)
    place = places.parse(absolute)
    if not place.local:
        raise PushError(
            f"expected a local directory as {what}, got {uri}; only local file systems are served"
        )
    real = places.resolve(absolute).path
    return place.path if os.path.realpath(place.path) == real else real


def _refuse_inside_model(model: str, place: str) -> None:
    inner, outer = places.resolve(place), places.resolve(model)
    if inner == outer or outer.contains(inner):
        raise PushError(f"expected to push to a place outside the model, but {place} lies in {model}")


def _scan_source(model: str) -> Tree:
    if not os.path.isdir(model):
        raise ModelRefused(
            f"there is no model at {model}; nothing was pushed. Check that the Trainer exported one"
        )
    # A version that is pushed again brings the manifest of its first push, which is not part of the model.
    tree = content.scan(model, without=(manifest.NAME,))
    # Structure alone is cheap and catches what should not even be copied. For verification a link is damage;
    # in the copy it is a file, and the copy is what is verified in any case.
    if not tree.has_links:
        _refuse_damaged(model, saved_model.verify(model, Level.STRUCTURE))
    return tree


def _prove(model: str, staged: str, files: tuple[ContentFile, ...], level: Level) -> _Proven:
    copying.read_back(staged, files)
    verification = saved_model.verify(staged, level)
    _refuse_damaged(model, verification)
    return _Proven(staged, files, Verified(level.value, verification.kind, verification.tensors))


def _refuse_damaged(model: str, verification: Verification) -> None:
    if not verification.whole:
        raise ModelRefused(
            f"refused to push {model}, which is not a whole {verification.kind}: "
            f"{_sentence(verification.damages)}. Nothing became visible; export the model anew"
        )


def _sentence(damages: Sequence[Damage]) -> str:
    named = "; ".join(map(str, damages[:_NAMED_DAMAGES]))
    left = len(damages) - _NAMED_DAMAGES
    return f"{named}; and {left} more" if left > 0 else named


def _archive(proven: _Proven, archive: str) -> None:
    copying.copy(content.scan(proven.path), archive)
    copying.read_back(archive, proven.files)


def _publish(
    corner: Corner, proven: _Proven, source: Source, execution: Execution, now_ms: int
) -> tuple[versions.Version, bool]:
    """Makes the staged model visible, unless it is the newest version already; call it while `alone`."""
    served = versions.served(corner.base)
    if served and _holds(os.path.join(corner.base, served[-1].name), proven.files):
        _log.info("The newest version in %s, %s, is this model already.", corner.base, served[-1].name)
        return served[-1], False
    for _ in range(_ATTEMPTS):
        used = [version.number for version in versions.taken(corner.base)]
        number = versions.following(now_ms, [*used, versions.read_highest(corner.record)])
        # Recorded before it is used: a crash in between costs a number, the other order could use one twice.
        versions.write_highest(corner.record, number)
        manifest.write(
            proven.path, Manifest(number, now_ms, source, execution, proven.verified, proven.files)
        )
        target = os.path.join(corner.base, str(number))
        try:
            rename.to_free_name(proven.path, target)
        except FileExistsError:
            # Somebody who knows no lock, such as a stock Pusher, took the number just now.
            continue
        _make_durable(corner, target)
        _log.info("Pushed version %d to %s.", number, target)
        return versions.Version(number, str(number)), True
    raise PushError(
        f"another program in {corner.base} took {_ATTEMPTS} version numbers in a row; stop it first"
    )


def _make_durable(corner: Corner, target: str) -> None:
    try:
        copying.sync_directory(corner.base)
        copying.sync_directory(target)
    except OSError as error:
        raise PushError(
            f"{target} is visible and whole, but may not survive a power cut: {error}. "
            "Check the disk and push again"
        ) from error


def _holds(version: str, files: tuple[ContentFile, ...]) -> bool:
    """Whether a version directory, by whomever pushed, holds just these files now.

    Its manifest can only say no: bytes on a disk may have changed since it was written. In doubt the answer
    is no, and the model becomes a new version.
    """
    try:
        if manifest.read(version).content_digest != content.content_digest(files):
            return False
    except ManifestError:
        _log.debug("No manifest to compare with in %s.", version)
    try:
        tree = content.scan(version, without=(manifest.NAME,))
        if [(file.path, file.size) for file in tree.files] != [(file.path, file.size) for file in files]:
            return False
        return content.digest(tree) == files
    except (OSError, ModelRefused):
        _log.warning("Could not compare the model with %s; it becomes a new version.", version, exc_info=True)
        return False
