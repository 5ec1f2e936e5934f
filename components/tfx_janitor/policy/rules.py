"""One rule of a policy: which artifacts it governs, how it groups them, and what stays.

The words of a `keep` stand in `keep`; what those of `CheckpointRule` mean for a directory stands in
`retention.pruning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from tfx_janitor.policy import fields
from tfx_janitor.policy.errors import wrong
from tfx_janitor.policy.fields import GROUPS, PROPERTY
from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.part import Words

_DATA_TYPES = frozenset(
    {"Examples", "ExampleAnomalies", "ExampleStatistics", "ExampleValidationMetrics", "ExamplesDiff"}
    | {"Schema", "TransformCache", "TransformGraph", "ModelEvaluation", "HyperParameters", "TunerResults"}
)
"""TFX's own types that nothing ever blesses or pushes."""


class Match(Words):
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
            fits(self.type, type)
            and fits(self.pipeline, pipeline)
            and fits(self.node, node)
            and fits(self.output, output)
            and all(key in properties and properties[key] == value for key, value in self.properties.items())
        )


class CheckpointRule(Words):
    """Which checkpoints stay inside a ModelRun; a checkpoint stays if any of these words keeps it.

    What each word means, and where the meaning comes from, stands in `retention.pruning`.
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


class Rule(Words):
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
        if self.checkpoints is not None and not fits(self.match.type, "ModelRun"):
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
            words = ", ".join(self.keep.said)
            raise wrong(f"contradicts unsafe_delete_all: true, but keeps {words}; remove one of them", "keep")
        if self.checkpoints is not None:
            raise wrong(
                "contradicts unsafe_delete_all: true, which deletes the whole ModelRun; remove one of them",
                "checkpoints",
            )

    def _refuse_words_that_never_keep(self) -> None:
        if self.keep is None or not _DATA_TYPES.issuperset(self.match.type):
            return
        types = " or ".join(self.match.type)
        for at, keep in self.keep.walk():
            for word in ("blessed", "pushed"):
                if getattr(keep, word) is not None:
                    message = f"can never keep anything: nothing of type {types} is ever {word}"
                    raise wrong(message, "keep", *at, word)

    def group_of(
        self,
        pipeline: str | None,
        node: str | None,
        output: str | None,
        property_of: Callable[[str], object],
    ) -> tuple[object, ...]:
        """The key of an artifact's group under this rule: None stands for a missing value."""
        named = dict(zip(GROUPS, (pipeline, node, output), strict=True))
        return tuple(
            named[part] if part in named else property_of(part.removeprefix(PROPERTY))
            for part in self.group_by
        )


def fits(patterns: Iterable[str], value: str | None) -> bool:
    """Whether one of the shell-like patterns fits; `*` alone also fits None."""
    return any(pattern == "*" or (value is not None and fnmatchcase(value, pattern)) for pattern in patterns)
