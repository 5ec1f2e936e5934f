"""The manifest in every pushed version: what it consists of and where it came from.

It is written before the one rename that shows the version, so a version with a manifest is a whole version,
and can be checked years later without MLMD and without the model that it came from. Model servers ignore it.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tfx_janitor import effects
from tfx_janitor.payload.verification import Damage
from tfx_janitor.verified_pusher import content, versions
from tfx_janitor.verified_pusher.content import ContentFile
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ManifestError, ModelRefused

NAME = "tfx_janitor_manifest.json"
SCHEMA = "tfx-janitor/manifest/v1"


@dataclass(frozen=True, slots=True)
class Source:
    """The artifact that was pushed: URI, MLMD id and type (`Model` or `InfraBlessing`), as far as known."""

    uri: str
    artifact_id: int | None = None
    artifact_type: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """The MLMD execution that pushed, as far as known."""

    id: int | None = None
    pipeline: str | None = None
    run: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified before the version became visible: level, kind of model, number of tensors."""

    level: str
    kind: str
    tensors: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """That a version is one of before, put back into service.

    Attributes:
      version: number of the version whose content it has.
      instead_of: the newest version until then; None if there was none.
    """

    version: int
    instead_of: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One pushed version.

    Attributes:
      version: its number, which is also the name of its directory.
      created_at_ms: when it was pushed, milliseconds since the epoch.
      source: the artifact that it is a copy of.
      execution: who pushed it.
      verified: what was checked.
      files: every file of the model, sorted by path; the manifest itself is none of them.
      rollback: what it was put back from; None for a push.
    """

    version: int
    created_at_ms: int
    source: Source
    execution: Execution
    verified: Verified
    files: tuple[ContentFile, ...]
    rollback: Rollback | None = None

    @property
    def content_digest(self) -> str:
        """Digest over all files of the model, `blake3:<hex>`."""
        return content.content_digest(self.files)

    def to_json(self) -> str:
        """The text of the file: sorted keys, times in UTC as ISO 8601."""
        document = {
            "schema": SCHEMA,
            "version": self.version,
            "created_at": _iso(self.created_at_ms),
            "source": asdict(self.source),
            "execution": asdict(self.execution),
            "verified": asdict(self.verified),
            "content_digest": self.content_digest,
            "files": [asdict(file) for file in sorted(self.files)],
        }
        if self.rollback is not None:
            document["rollback"] = asdict(self.rollback)
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def write(directory: str, manifest: Manifest, unsynced: Unsynced) -> str:
    """Writes the manifest of a version that nobody sees yet; returns its path."""
    path = os.path.join(directory, NAME)
    descriptor = effects.create(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    try:
        effects.write(descriptor, manifest.to_json().encode("ascii"), path)
    finally:
        os.close(descriptor)
    unsynced.add(path, directory)
    return path


def read(directory: str) -> Manifest:
    """Reads the manifest of a version directory.

    Raises:
      ManifestError: there is none, or it cannot be understood, or its list of files is not the one that it
        was written with.
    """
    path = os.path.join(directory, NAME)
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        raise ManifestError(f"no manifest at {path}; the version was not pushed by VerifiedPusher") from None
    except (OSError, ValueError) as error:
        raise ManifestError(f"cannot read the manifest {path}: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ManifestError(
            f"expected schema {SCHEMA!r} in {path}, got {schema!r}; a newer tfx-janitor reads it"
        )
    try:
        manifest = _from_document(document)
        recorded = document["content_digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(
            f"cannot understand the manifest {path}: {error!r}; push the model again"
        ) from error
    if manifest.content_digest != recorded:
        raise ManifestError(
            f"the manifest {path} was changed: its files have digest {manifest.content_digest}, "
            f"it says {recorded}; push the model again"
        )
    return manifest


def check(directory: str) -> tuple[Damage, ...]:
    """Compares a version directory, byte for byte, with its manifest.

    Returns:
      What differs, sorted by file: missing, added, or changed files. Nothing means whole.

    Raises:
      ManifestError: there is no manifest to compare with.
      OSError: a file cannot be read.
    """
    manifest = read(directory)
    name = os.path.basename(os.path.normpath(directory))
    problems = []
    if versions.parse(name) not in (None, manifest.version):
        problems.append(Damage(NAME, f"belongs to version {manifest.version}, not to {name}"))
    try:
        found = {file.path: file for file in content.digest(content.scan(directory, without=(NAME,)))}
    except ModelRefused as error:
        return (*problems, Damage(".", str(error)))
    expected = {file.path: file for file in manifest.files}
    for path in sorted(found.keys() | expected.keys()):
        problem = _difference(expected.get(path), found.get(path))
        if problem is not None:
            problems.append(Damage(path, problem))
    return tuple(problems)


def _difference(expected: ContentFile | None, found: ContentFile | None) -> str | None:
    if found is None:
        return "is missing"
    if expected is None:
        return "was added after the push"
    if found.size != expected.size:
        return f"has {found.size} bytes, was pushed with {expected.size}"
    if found.blake3 != expected.blake3:
        return "has other bytes than it was pushed with"
    return None


def _from_document(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        version=int(document["version"]),
        created_at_ms=_milliseconds(document["created_at"]),
        source=Source(**document["source"]),
        execution=Execution(**document["execution"]),
        verified=Verified(**document["verified"]),
        files=tuple(sorted(ContentFile(**file) for file in document["files"])),
        rollback=Rollback(**document["rollback"]) if document.get("rollback") else None,
    )


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _iso(ms: int) -> str:
    moment = _EPOCH + datetime.timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(iso: str) -> int:
    moment = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    return (moment - _EPOCH) // datetime.timedelta(milliseconds=1)
