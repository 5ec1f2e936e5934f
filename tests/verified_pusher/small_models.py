"""Small whole SavedModels, made without TensorFlow, and what must hold of a base directory at any time."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from collections.abc import Container
from pathlib import Path

from tfx_janitor.deletion import remove
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import content, manifest, versions
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push, push
from tfx_janitor.verified_pusher.staging import Corner

NOON_MS = 1_700_000_000_000
"""A time to push at, milliseconds since the epoch."""

_DATA = Path(__file__).parents[1] / "data" / "saved_model"


def make_model(path: Path, vocabulary: str) -> Path:
    """A model that differs from others by the words in its asset."""
    shutil.copytree(_DATA, path)
    (path / "assets" / "vocabulary.txt").write_text(vocabulary)
    return path


def push_small(
    model: Path, base: Path, *, options: PushOptions | None = None, archive: Path | None = None
) -> Push:
    return push(
        str(model),
        str(base),
        source=Source(str(model)),
        execution=Execution(),
        now_ms=NOON_MS,
        options=options or PushOptions(),
        archive=None if archive is None else str(archive),
    )


def content_of(model: Path | str) -> str:
    """Digest over all files of a model or a version."""
    return content.content_digest(content.digest(content.scan(str(model), without=(manifest.NAME,))))


def standing(base: Path) -> list[int]:
    """Numbers of the versions that a model server sees, oldest first."""
    return [version.number for version in versions.served(str(base))] if base.exists() else []


def problems(base: Path, known: Container[str], *, looked_at: Container[int] = ()) -> list[str]:
    """What is wrong with the versions of a base directory.

    Args:
      known: the contents that any model ever pushed has.
      looked_at: numbers of versions that need no other look.
    """
    found: list[str] = []
    for number in standing(base):
        version = str(base / str(number))
        if number in looked_at:
            continue
        found += [f"{number}: {damage}" for damage in manifest.check(version)]
        found += [f"{number}: {damage}" for damage in saved_model.verify(version, Level.CHECKSUMS).damages]
        if content_of(version) not in known:
            found.append(f"{number}: is no model that was ever pushed")
    return found


def leftovers(base: Path) -> list[str]:
    """What pushes left behind, and locks that somebody still has."""
    corner = Corner(str(base))
    found = [str(path) for path in base.rglob(remove.TRASH)]
    found += [os.path.join(corner.staging, name) for name in os.listdir(corner.staging)]
    found += [str(path) for path in Path(corner.path).iterdir() if path.name.endswith(versions.FRESH)]
    for lock in itertools.chain([Path(corner.path, "lock")], Path(corner.locks).iterdir()):
        with open(lock) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(f"{lock} is locked")
    return found
