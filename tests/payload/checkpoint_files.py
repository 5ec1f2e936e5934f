"""Files that look like checkpoints, and what is found of them."""

from __future__ import annotations

from pathlib import Path

from tfx_janitor.payload.checkpoints import Checkpoint, read_directory, verify
from tfx_janitor.payload.verification import Damage, Level


def touch(directory: Path, *names: str, data: bytes = b"x") -> Path:
    for name in names:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return directory


def named(directory: Path) -> dict[str, Checkpoint]:
    return {checkpoint.name: checkpoint for checkpoint in read_directory(str(directory)).checkpoints}


def tensorflow(name: str, shards: int = 1) -> list[str]:
    return [f"{name}.index", *(f"{name}.data-{n:05d}-of-{shards:05d}" for n in range(shards))]


def damages(directory: Path, name: str, level: Level = Level.CHECKSUMS) -> tuple[Damage, ...]:
    return verify(str(directory), named(directory)[name], level).damages
