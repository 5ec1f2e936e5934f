"""What stands in a base directory now, as far as names and manifests tell; no byte of a model is read."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tfx_janitor.payload.places import Place
from tfx_janitor.verified_pusher import manifest, versions
from tfx_janitor.verified_pusher.errors import ManifestError


@dataclass(frozen=True, slots=True)
class Standing:
    """A version that stands in the base directory now.

    Attributes:
      name: of its directory.
      number: that a model server reads in the name.
      digest: of its content when it was pushed. This and what follows is from its manifest; None without one.
      source_id: MLMD id of the artifact that it is a copy of.
      pushed_ms: when it was pushed.
      puts_back: number of the earlier version that a rollback put back as this one.
    """

    name: str
    number: int
    digest: str | None = None
    source_id: int | None = None
    pushed_ms: int | None = None
    puts_back: int | None = None


def standing_in(base: Place) -> list[Standing] | None:
    """The versions that a model server would find, the lowest number first; none in a directory that is gone.

    None if nobody can look into it from here: it is in a bucket, or not ours to read.
    """
    if not base.local:
        return None
    try:
        served = versions.served(base.path)
    except FileNotFoundError:
        return []
    except OSError:
        return None
    return [_standing(base, version) for version in served]


def _standing(base: Place, version: versions.Version) -> Standing:
    try:
        pushed = manifest.read(os.path.join(base.path, version.name))
    except ManifestError:
        return Standing(version.name, version.number)
    return Standing(
        version.name,
        version.number,
        digest=pushed.content_digest,
        source_id=pushed.source.artifact_id,
        pushed_ms=pushed.created_at_ms,
        puts_back=None if pushed.rollback is None else pushed.rollback.version,
    )
