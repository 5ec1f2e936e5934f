"""One rule of a policy: which artifacts it governs, how it groups them, and what stays.

What the words of `Keep` mean for a group of artifacts stands in `keeps`, what those of `CheckpointRule` mean
for a directory in `pruning`. A new word is one field here and one entry there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from tfx_janitor.retention import policy_fields as fields
from tfx_janitor.retention.policy_errors import wrong
from tfx_janitor.retention.policy_fields import GROUPS, PROPERTY

_DATA_TYPES = frozenset(
    {"Examples", "ExampleAnomalies", "ExampleStatistics", "ExampleValidationMetrics", "ExamplesDiff"}
    | {"Schema", "TransformCache", "TransformGraph", "ModelEvaluation", "HyperParameters", "TunerResults"}
)
"""TFX's own types that nothing ever blesses or pushes."""


class Part(BaseModel):
    """A mapping of the policy: immutable, and without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class _Words(Part):
    """A mapping in which a key is either said, with a value, or not said at all."""

    @field_validator("*", mode="before")
    @classmethod
    def _said(cls, value: object, info: ValidationInfo) -> object:
        # In a file `last:` with nothing behind it is an accident that would silently keep nothing. In Python
        # `Keep(last=None)` is how a caller passes on an option that was not given.
        if value is None and info.context == "file":
            raise wrong("expected a value, got nothing (null); give one or remove the key")
        return value

    @model_serializer(mode="wrap")
    def _only_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class Match(_Words):
    """Which artifacts a rule governs: those that fit all that is said here.

    Patterns are shell-like and case-sensitive: `*`, `?`, `[abc]`; a literal `[` is written `[[]`. Of several
    patterns one must fit. The pattern `*` alone also fits what has no value.
    """

    type: fields.Texts = ("*",)
    """Artifact type, such as Model, ModelRun, PushedModel, Examples."""
    pipeline: fields.Texts = ("*",)
    """Pipeline of the execution that produced the artifact."""
    node: fields.Texts = ("*",)
    """Node id of that execution, such as Trainer."""
    output: fields.Texts = ("*",)
    """Output key of that node, such as model."""
    properties: Mapping[str, fields.Property] = Field(default_factory=dict)
    """Properties or custom properties that the artifact must have with exactly these values."""

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not self.model_fields_set:
            raise wrong('expected something to match, got nothing; write type: "*" to govern every artifact')
        return self

    def matches(
        self,
        type: str,
        pipeline: str | None,
        node: str | None,
        output: str | None,
        properties: Mapping[str, object],
    ) -> bool:
        """Whether an artifact fits; None stands for a value that it does not have."""
        return (
            _fits(self.type, type)
            and _fits(self.pipeline, pipeline)
            and _fits(self.node, node)
            and _fits(self.output, output)
            and all(key in properties and properties[key] == value for key, value in self.properties.items())
        )


class Keep(_Words):
    """What a rule keeps of each group; an artifact stays if any of these words keeps it.

    Each word is one field here and one entry in `keeps`.
    """

    last: fields.Count | None = None
    """The newest N."""
    first: fields.Count | None = None
    """The oldest N."""
    within: fields.PositiveDuration | None = None
    """All that are at most this much older than the newest of the group, however long ago that was."""
    newer_than: fields.PositiveDuration | None = None
    """All that are younger than this, measured from now."""
    blessed: fields.Count | None = None
    """The newest N that are blessed."""
    pushed: fields.Count | None = None
    """The newest N that were pushed."""
    tagged: fields.Tags | None = None
    """All that carry one of these tags."""
    ids: fields.Ids | None = None
    """The artifacts with these MLMD ids."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return all(getattr(self, word) is None for word in type(self).model_fields)


class CheckpointRule(_Words):
    """Which checkpoints stay inside a ModelRun; a checkpoint stays if any of these words keeps it.

    What each word means, and where the meaning comes from, stands in `pruning`.
    """

    last: fields.Count | None = None
    """The newest N that can be restored."""
    every_n_steps: fields.Count | None = None
    """The oldest, and each that is at least N steps after the last one that this word kept."""
    every_n_hours: fields.Hours | None = None
    """The oldest, and each that was written at least N hours after the last one that this word kept."""

    @model_validator(mode="after")
    def _keeps_something(self) -> CheckpointRule:
        if all(getattr(self, word) is None for word in type(self).model_fields):
            raise wrong(f"expected at least one of {', '.join(type(self).model_fields)}, got none")
        return self


class Rule(_Words):
    """What happens to the artifacts that match; with `checkpoints` and no `keep` none of them is deleted."""

    name: fields.Name
    """Unique in the policy; plans and reasons refer to it."""
    match: Match
    group_by: fields.Groups = GROUPS
    """What splits the matched artifacts into groups that are judged each alone: pipeline, node, output or
    properties.NAME; [] makes one group of all."""
    keep: Keep | None = None
    """What stays of each group. Not said: the artifacts all stay."""
    checkpoints: CheckpointRule | None = None
    """What stays inside each ModelRun that itself stays. Not said: its checkpoints all stay."""
    unsafe_delete_all: fields.Flag = False
    """Must be true for a rule whose `keep` is empty: it lets go of everything that no hold holds."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Rule:
        if self.unsafe_delete_all:
            self._refuse_contradictions()
        elif self.keep is not None and self.keep.is_empty:
            raise wrong(
                "expected something to keep, got nothing: the rule would delete all that it matches; "
                "say what to keep, such as last: 3, or add unsafe_delete_all: true to the rule",
                "keep",
            )
        if self.keep is None and self.checkpoints is None:
            raise wrong("the rule asks for nothing; give it keep, checkpoints or both")
        if self.checkpoints is not None and not _fits(self.match.type, "ModelRun"):
            types = " or ".join(self.match.type)
            raise wrong(
                f"useless on artifacts of type {types}: checkpoints lie in a ModelRun; match type: ModelRun",
                "checkpoints",
            )
        if self.keep is None and self.group_by != GROUPS:
            raise wrong("useless without keep; checkpoints are judged directory by directory", "group_by")
        self._refuse_words_that_never_keep()
        return self

    def _refuse_contradictions(self) -> None:
        if self.keep is None:
            raise wrong("unsafe_delete_all needs keep: {} beside it, to say that nothing is kept")
        if not self.keep.is_empty:
            words = ", ".join(word for word in Keep.model_fields if getattr(self.keep, word) is not None)
            raise wrong(f"contradicts unsafe_delete_all: true, but keeps {words}; remove one of them", "keep")
        if self.checkpoints is not None:
            raise wrong(
                "contradicts unsafe_delete_all: true, which deletes the whole ModelRun; remove one of them",
                "checkpoints",
            )

    def _refuse_words_that_never_keep(self) -> None:
        if self.keep is None or not _DATA_TYPES.issuperset(self.match.type):
            return
        for word in ("blessed", "pushed"):
            if getattr(self.keep, word) is not None:
                types = " or ".join(self.match.type)
                raise wrong(f"can never keep anything: nothing of type {types} is ever {word}", "keep", word)

    def group_of(
        self, pipeline: str | None, node: str | None, output: str | None, properties: Mapping[str, object]
    ) -> tuple[object, ...]:
        """The key of an artifact's group under this rule: None stands for a missing value."""
        named = dict(zip(GROUPS, (pipeline, node, output), strict=True))
        return tuple(
            named[part] if part in named else properties.get(part.removeprefix(PROPERTY))
            for part in self.group_by
        )


def _fits(patterns: Iterable[str], value: str | None) -> bool:
    return any(pattern == "*" or (value is not None and fnmatchcase(value, pattern)) for pattern in patterns)
