"""Whole SavedModels and checkpoints that TensorFlow wrote, and ways to damage them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def write_saved_model(path: Path) -> Path:
    """A small, whole SavedModel at a path that does not exist yet."""
    shutil.copytree(DATA / "saved_model", path, copy_function=shutil.copyfile)
    return path


def write_checkpoints(directory: Path, steps: Iterable[int], *, prefix: str = "ckpt") -> Path:
    """Whole checkpoints with a state file that lists them, the last one as the latest."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [f"{prefix}-{step}" for step in steps]
    for name in names:
        for source in (DATA / "checkpoint").iterdir():
            shutil.copyfile(source, directory / source.name.replace("ckpt", name, 1))
    if names:
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        (directory / "checkpoint").write_text("\n".join(lines) + "\n")
    return directory


def flip_bit(path: Path, at: int = -1) -> None:
    """Damages one bit of a file, by default of its last byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def damage_saved_model(payload: Path) -> Path:
    """Flips a bit in the tensors of a Model's SavedModel; the structure stays whole. Returns the file."""
    (shard,) = payload.rglob("variables.data-00000-of-00001")
    flip_bit(shard, 0)
    return shard


def damage_checkpoint(directory: Path, name: str) -> Path:
    """Flips a bit in the tensors of a checkpoint; the structure stays whole. Returns the file."""
    shard = directory / f"{name}.data-00000-of-00001"
    flip_bit(shard, 0)
    return shard
