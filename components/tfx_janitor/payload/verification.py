"""What a verification looks at and what it finds: plain values, shared by every kind of payload."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(str, enum.Enum):
    """How deep a verification looks; each level includes those before it.

    STRUCTURE: the right files are there, indexes are readable and sizes agree with them. Reads no tensors.
    CHECKSUMS: every checksum that the payload's format carries is checked against the bytes.
    LOAD: TensorFlow loads it as well (takes seconds, and imports TensorFlow).
    SMOKE: a SavedModel answers requests, too, as it would in a model server. Nothing else has answers to
      give, and is only loaded.
    """

    STRUCTURE = "structure"
    CHECKSUMS = "checksums"
    LOAD = "load"
    SMOKE = "smoke"

    def __str__(self) -> str:
        return self.value

    @property
    def loads(self) -> bool:
        """Whether TensorFlow loads the payload."""
        return self in (Level.LOAD, Level.SMOKE)


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a payload.

    Attributes:
      file: path relative to the payload, "." for the payload as a whole.
      problem: what is wrong, as the end of a sentence: "is missing", "has 3 bytes too many".
      tensor: key of the tensor that is affected, when it is one.
    """

    file: str
    problem: str
    tensor: str | None = None

    def __str__(self) -> str:
        subject = "the payload" if self.file == "." else self.file
        return f"{subject} {self.problem}" + (f" (tensor {self.tensor})" if self.tensor is not None else "")


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of verifying one SavedModel or one checkpoint.

    Attributes:
      path: the payload that was verified. A SavedModel's or Orbax step's directory, a Keras file, or a TF
        checkpoint's prefix such as "/run/ckpt-100".
      kind: "SavedModel", "Keras model", "TF checkpoint", "Keras checkpoint" or "Orbax checkpoint".
      level: how deep was looked.
      damages: everything found wrong; empty if the payload is whole.
      files: number of files of the payload.
      bytes: their apparent size together.
      tensors: number of tensors that the payload's index lists, 0 where there is no such index.
    """

    path: str
    kind: str
    level: Level
    damages: tuple[Damage, ...]
    files: int
    bytes: int
    tensors: int

    @property
    def whole(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.damages
