"""Orbax step directories: recognised by the metadata that Orbax leaves in them.

Orbax writes a step under a temporary name and renames it when it is complete, so a step directory with its
plain name was complete once. What lies in its array files (OCDBT, Zarr) is not checked here: neither their
indexes nor their checksums are read.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping

from tfx_janitor.payload import filesystem
from tfx_janitor.payload.verification import Damage, Level

_NAME = re.compile(r"(?:(.+)_)?([0-9]+)", re.DOTALL)
_TEMPORARY = re.compile(r"(.+)\.orbax-checkpoint-tmp(?:-.*)?", re.DOTALL)

_JSON_METADATA = ("_CHECKPOINT_METADATA", "_METADATA")
_ITEM_MARKS = ("_METADATA", "manifest.ocdbt")
_STEP_MARKS = (*_JSON_METADATA, "manifest.ocdbt", "commit_success.txt")
_FLAX = "checkpoint"
_TENSORFLOW_STATE = re.compile(rb"\s*(model_checkpoint_path|all_model_checkpoint|last_preserved)")
_METADATA_LIMIT = 1 << 28


def split_name(name: str) -> tuple[str, int | None, bool] | None:
    """Prefix, step and whether it is temporary, of a name as steps have them; None if it is another name."""
    temporary = _TEMPORARY.fullmatch(name)
    match = _NAME.fullmatch(temporary[1] if temporary else name)
    if match:
        return match[1] or "", int(match[2]), bool(temporary)
    return (temporary[1], None, True) if temporary else None


def is_step(path: str) -> bool:
    """Whether a directory holds what Orbax leaves in a step, itself or in one of its items.

    A directory of steps is not a step, though it may have a number for its name as the payloads of TFX have:
    what lies below it is named as steps are, and items are not.
    """
    try:
        here = filesystem.entries(path)
        if any(mark in here for mark in _STEP_MARKS) or _is_flax(path, here):
            return True
        items = [
            name for name, status in here.items() if stat.S_ISDIR(status.st_mode) and split_name(name) is None
        ]
        return any(
            mark in filesystem.entries(os.path.join(path, item)) for item in items for mark in _ITEM_MARKS
        )
    except filesystem.ReadError:
        return False


def verify(path: str, level: Level) -> Iterator[Damage]:
    """What is wrong with one step directory: unfinished, metadata missing or unreadable, files empty.

    Args:
      path: the step directory.
      level: makes no difference, for no checksums are read.
    """
    del level
    name = os.path.basename(path)
    parts = split_name(name)
    if parts is not None and parts[2]:
        yield Damage(".", "was never finished: it still has its temporary name")
    elif not is_step(path):
        yield Damage(".", f"has none of the files that Orbax finishes a step with ({', '.join(_STEP_MARKS)})")
    try:
        for entry in filesystem.walk(path):
            if any(_TEMPORARY.fullmatch(part) for part in entry.name.split("/")):
                yield Damage(entry.name, "belongs to an item that was never finished")
            elif not stat.S_ISREG(entry.status.st_mode):
                yield Damage(entry.name, f"is {filesystem.kind(entry.status.st_mode)}, not a file")
            elif not entry.status.st_size:
                yield Damage(entry.name, "is empty")
            elif os.path.basename(entry.name) in _JSON_METADATA:
                yield from _metadata(path, entry.name)
    except OSError as error:
        yield Damage(".", filesystem.reason(error))


def _is_flax(path: str, names: Mapping[str, os.stat_result]) -> bool:
    """Whether the `checkpoint` in a directory is Flax's single file, not TensorFlow's state file."""
    if _FLAX not in names or any(name.endswith(".index") for name in names):
        return False
    with filesystem.opened(os.path.join(path, _FLAX)) as (descriptor, size):
        return size > 0 and not _TENSORFLOW_STATE.match(os.pread(descriptor, 64, 0))


def _metadata(path: str, name: str) -> Iterator[Damage]:
    try:
        json.loads(filesystem.read(os.path.join(path, name), _METADATA_LIMIT))
    except filesystem.ReadError as error:
        yield Damage(name, str(error))
    except (ValueError, RecursionError):
        yield Damage(name, "is not valid JSON")
