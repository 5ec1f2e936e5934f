"""What storage says, as values: the other half of a case, looked up before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfx_janitor.payload.places import Place
from tfx_janitor.retention.pruning import Candidate


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether one payload is whole, and in words what was checked or what is damaged."""

    whole: bool
    detail: str


@dataclass(frozen=True, slots=True)
class CheckpointFact:
    """One checkpoint in a directory of a ModelRun's payload.

    Attributes:
      directory: relative to the payload; "" is the payload itself.
      candidate: what retention ranks.
      bytes: apparent size.
    """

    directory: str
    candidate: Candidate
    bytes: int


@dataclass(frozen=True)
class Evidence:
    """What the words of a policy ask storage, by artifact row; looked up only where a word needs it.

    Attributes:
      metrics: metrics in the payloads of ModelEvaluations, by name.
      unreadable: ModelEvaluations whose payload could not be read, and why.
      bytes: apparent sizes of the members of groups that have a budget.
    """

    metrics: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    unreadable: Mapping[int, str] = field(default_factory=dict)
    bytes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StorageFacts:
    """Facts by artifact row; a row without an entry was not looked at.

    Attributes:
      roots: the policy's roots, links resolved.
      places: where a payload really lies, links resolved.
      not_understood: why a URI has no place here: malformed, or a scheme without a handler.
      destinations: where PushedModels are served: those `pushed_destination`s that are not proven gone.
      unseen: those of them that nobody could see: the base directory is not there, or may not be searched.
      verified: SavedModels of those Models whose wholeness matters.
      checkpoints: of those ModelRuns that a rule prunes.
      unreadable: payloads that could not be looked into, and why.
      bytes: apparent sizes of payloads.
    """

    roots: tuple[Place, ...] = ()
    places: Mapping[int, Place] = field(default_factory=dict)
    not_understood: Mapping[int, str] = field(default_factory=dict)
    destinations: Mapping[int, Place] = field(default_factory=dict)
    unseen: frozenset[int] = frozenset()
    verified: Mapping[int, Verified] = field(default_factory=dict)
    checkpoints: Mapping[int, tuple[CheckpointFact, ...]] = field(default_factory=dict)
    unreadable: Mapping[int, str] = field(default_factory=dict)
    bytes: Mapping[int, int] = field(default_factory=dict)
