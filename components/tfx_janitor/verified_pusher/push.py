"""The push: prove a model, then show it to model servers, whole and at once.

    scan          refuse what is no model before anything is touched
    stage         copy every file into a place that no model server looks at
    prove         verify the copy at the level asked for, right behind the copying; compare with the original
                  what no checksum of the model's own proves
    archive       give it a second place, at the PushedModel's own URI
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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tfx_janitor.payload import places, saved_model
from tfx_janitor.payload.saved_model import Structure
from tfx_janitor.payload.verification import Damage, Level, Verification
from tfx_janitor.verified_pusher import content, copying, manifest, rename, retirement, versions
from tfx_janitor.verified_pusher.content import ContentFile, FoundFile, Tree
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ManifestError, ModelRefused, PushError
from tfx_janitor.verified_pusher.growing import GrowingFiles
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Rollback, Source, Verified
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
      content_digest: digest over the files of the model, `blake3:<hex>`.
      manifest: path of its manifest; None if the same model stood there already, pushed by somebody else.
      is_new: False if the newest version held just this model already and no other was made.
      archived: how the archive was made.
      retirement: the versions that were taken out of service, and problems with that.
    """

    version: int
    destination: str
    content_digest: str
    manifest: str | None
    is_new: bool
    archived: Archive
    retirement: Retirement


@dataclass(frozen=True, slots=True)
class _Proven:
    """A staged model that was verified, and is what the model was."""

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
    rollback: Rollback | None = None,
) -> Push:
    """Pushes a SavedModel as the newest version of a base directory, or finds that it is that already.

    Args:
      model_path: the SavedModel, a local directory.
      base_directory: local directory that a model server watches; made if missing.
      source: the artifact that `model_path` belongs to.
      execution: the MLMD execution on whose behalf this happens.
      now_ms: the time, milliseconds since the epoch.
      options: how much to verify, how to archive, how to number, how many versions to keep.
      archive: local directory for the archive, missing or empty; None for none.
      in_use: whether a model server has the version of this number loaded, which then is not retired.
      rollback: says which version is put back instead of which; refused if that is no longer the newest.

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
    # What is put back takes the next number, for nobody need know here what others are numbered by.
    wanted = (
        0
        if rollback is not None
        else versions.wanted(options.versioning, now_ms=now_ms, execution_id=execution.id)
    )
    unsynced = Unsynced()
    try:
        tree, structure = _scan_source(model)
        with stage(corner, unsynced) as staged:
            proven = _prove(model, tree, structure, staged, options, unsynced)
            archived = Archive.NONE
            if archive_path is not None:
                archived = _archive(proven, archive_path, options.archive, unsynced)
            with corner.alone():
                described = Manifest(
                    wanted, now_ms, source, execution, proven.verified, proven.files, rollback
                )
                version, is_new = _publish(corner, proven.path, described, unsynced)
                _make_durable(os.path.join(corner.base, version.name), unsynced)
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
        archived=archived,
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


def _scan_source(model: str) -> tuple[Tree, Structure | None]:
    """Lists a model and looks at its structure, unless links forbid that."""
    if not os.path.isdir(model):
        raise ModelRefused(
            f"there is no model at {model}; nothing was pushed. Check that the Trainer exported one"
        )
    tree = _list(model)
    # For verification a link is damage; in the copy it is a file, and the copy is what is verified then.
    if tree.has_links:
        return tree, None
    # Structure alone is cheap and catches what should not even be copied.
    structure = saved_model.look(model)
    _refuse_damaged(model, structure.verification(model))
    return tree, structure


def _list(model: str) -> Tree:
    # A version that is pushed again brings the manifest of its first push, which is not part of the model.
    return content.scan(model, without=(manifest.NAME,))


def _prove(
    model: str,
    tree: Tree,
    structure: Structure | None,
    staged: str,
    options: PushOptions,
    unsynced: Unsynced,
) -> _Proven:
    """Copies a model, and proves that the copy is whole and is the model.

    What the model's own checksums prove is verified and digested in the copy, while that grows. Of all else
    the original is digested meanwhile, and the copy compared with it.
    """
    level = options.level
    rest, followed = tree.split(
        () if structure is None or level is Level.STRUCTURE else structure.checksummed
    )
    growing = GrowingFiles(os.path.join(staged, file.path) for file in followed)
    with ThreadPoolExecutor(2, thread_name_prefix="push") as crew:
        copying.lay_out(tree, followed, staged, unsynced)
        comparing = None
        with growing:
            if structure is not None and followed:
                comparing = crew.submit(saved_model.compare, staged, structure, growing.read)
            digesting = crew.submit(content.digest, rest)
            copying.fill(followed, staged, growing.grew)
        # The largest files come first: the disk has them to write while the others are copied and compared.
        copying.copy(rest.files, staged, unsynced)
        copying.refuse_changed(tree, _list(model))
        files = digesting.result()
        copying.read_back(staged, files, unread=followed)
        compared = None if comparing is None else comparing.result()
    digests = _digests(followed, staged, growing)
    if digests is None or (compared is not None and compared.damages):
        # Is it the disk that is to blame, or the model? And if the copy is the model, was it read badly once?
        digests = tuple(content.digest_file(file) for file in followed)
        copying.read_back(staged, (*files, *digests))
        compared = None
    if compared is None:
        verification = saved_model.verify(staged, level, options.smoke_test)
    else:
        # Everything that the structure was read from is now known to be the same in the copy.
        verification = saved_model.conclude(staged, compared, level, options.smoke_test)
    _refuse_damaged(model, verification)
    verified = Verified(level.value, verification.kind, verification.tensors)
    return _Proven(staged, tuple(sorted((*files, *digests))), verified)


def _digests(
    followed: tuple[FoundFile, ...], staged: str, growing: GrowingFiles
) -> tuple[ContentFile, ...] | None:
    """What was read of the copy while it grew; None if some of it was not."""
    taken = [
        (file.path, file.size, growing.digest(os.path.join(staged, file.path), file.size))
        for file in followed
    ]
    whole = tuple(ContentFile(path, size, digest) for path, size, digest in taken if digest is not None)
    return whole if len(whole) == len(followed) else None


def _refuse_damaged(model: str, verification: Verification) -> None:
    if not verification.whole:
        raise ModelRefused(
            f"refused to push {model}, which fails its verification ({verification.kind}, level "
            f"{verification.level}): {_sentence(verification.damages)}. "
            "Nothing became visible; export a model that passes"
        )


def _sentence(damages: Sequence[Damage]) -> str:
    named = "; ".join(map(str, damages[:_NAMED_DAMAGES]))
    left = len(damages) - _NAMED_DAMAGES
    return f"{named}; and {left} more" if left > 0 else named


def _archive(proven: _Proven, archive: str, way: Archive, unsynced: Unsynced) -> Archive:
    way = copying.archive(content.scan(proven.path), archive, way, unsynced)
    if way is Archive.COPY:
        unsynced.sync()
        copying.read_back(archive, proven.files)
    return way


def _publish(
    corner: Corner, staged: str, described: Manifest, unsynced: Unsynced
) -> tuple[versions.Version, bool]:
    """Makes the staged model visible, unless it is the newest version already; call it while `alone`.

    Args:
      described: its manifest, with the number that it is to have if that is higher than all others.
    """
    served = versions.served(corner.base)
    _refuse_overtaken(corner.base, described.rollback, served[-1].number if served else None)
    if served and _holds(os.path.join(corner.base, served[-1].name), described.files):
        _log.info("The newest version in %s, %s, is this model already.", corner.base, served[-1].name)
        _note_all(corner.base, served[-1], unsynced)
        return served[-1], False
    for _ in range(_ATTEMPTS):
        used = [version.number for version in versions.taken(corner.base)]
        number = versions.following(described.version, [*used, versions.read_highest(corner.record)])
        manifest.write(staged, replace(described, version=number), unsynced)
        # Recorded before it is used: a crash in between costs a number, the other order could use one twice.
        # From here on the model, its manifest and the record are on disk.
        versions.write_highest(corner.record, number, unsynced)
        target = os.path.join(corner.base, str(number))
        try:
            rename.to_free_name(staged, target)
        except FileExistsError:
            # Somebody who knows no lock, such as a stock Pusher, took the number just now.
            continue
        unsynced.add(corner.base)
        _log.info("Pushed version %d to %s.", number, target)
        return versions.Version(number, str(number)), True
    raise PushError(
        f"another program in {corner.base} took {_ATTEMPTS} version numbers in a row; stop it first"
    )


def _refuse_overtaken(base: str, rollback: Rollback | None, newest: int | None) -> None:
    if rollback is not None and newest != rollback.instead_of:
        raise PushError(
            f"expected version {rollback.instead_of} to be the newest in {base}, but {newest} is: "
            "somebody pushed meanwhile; look at it, and roll back again if that is still wanted"
        )


def _note_all(base: str, version: versions.Version, unsynced: Unsynced) -> None:
    """Notes a version that stood there already: who made it may have died, or may put nothing on disk."""
    path = os.path.join(base, version.name)
    tree = content.scan(path)
    unsynced.add(base, path, *(os.path.join(path, directory) for directory in tree.directories))
    unsynced.add(*(file.real_path for file in tree.files))


def _make_durable(version: str, unsynced: Unsynced) -> None:
    try:
        unsynced.sync()
    except OSError as error:
        raise PushError(
            f"{version} is visible and whole, but it or its archive may not survive a power cut: {error}. "
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
