"""What a rule keeps: the words of `keep`, one field each, and how they are put together.

What each word means for a group of artifacts stands in `retention.keeps` and the modules that it names;
docs/policy.md tells it to users.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import model_validator

from tfx_janitor.policy import fields
from tfx_janitor.policy.errors import wrong
from tfx_janitor.policy.part import Words

Selector = Literal["model", "blessed", "pushed", "served", "pinned"]
"""What `ancestors_of` and `descendants_of` walk from; `lineage_words` says what each stands for."""

LINEAGE_WORDS = ("ancestors_of", "descendants_of")
"""The words that depend on what else stays."""

COMBINATORS = ("any_of", "all_of", "unless")


class Best(Words):
    """The N artifacts with the best value of a metric."""

    metric: fields.Text
    """Name of a property, or of a metric in an evaluation's payload, such as accuracy or accuracy@hour:5."""
    count: fields.Count
    """How many."""
    mode: Literal["max", "min"]
    """Whether the largest or the smallest value is the best."""


class Grouping(Words):
    """One step of TFX's KeepPropertyValueGroups: splits every group by a property's value."""

    property: fields.Text
    """Name of a property or custom property."""
    keep: fields.Count | None = None
    """Of how many values the groups stay. Not said: of all."""
    order: Literal["largest", "smallest"] = "largest"
    """Whether the largest or the smallest values stay."""


class Keep(Words):
    """What a rule keeps of each group; an artifact stays if any of these words keeps it.

    Each word is one field here and one entry in `retention.keeps`.
    """

    last: fields.Count | None = None
    """The newest N."""
    first: fields.Count | None = None
    """The oldest N."""
    within: fields.PositiveDuration | None = None
    """All that are at most this much older than the newest of the group, however long ago that was."""
    newer_than: fields.PositiveDuration | None = None
    """All that are younger than this, measured from now."""
    hourly: fields.Count | None = None
    """The newest of each of the newest N hours that have any."""
    daily: fields.Count | None = None
    """The same by days."""
    weekly: fields.Count | None = None
    """The same by ISO weeks."""
    monthly: fields.Count | None = None
    """The same by months."""
    quarterly: fields.Count | None = None
    """The same by quarters."""
    yearly: fields.Count | None = None
    """The same by years."""
    best: Best | None = None
    """The N with the best value of a metric."""
    blessed: fields.Count | None = None
    """The newest N that are blessed."""
    pushed: fields.Count | None = None
    """The newest N that were pushed."""
    tagged: fields.Tags | None = None
    """All that carry one of these tags."""
    groups: fields.Some[Grouping] | None = None
    """Those with the largest (smallest) values of properties, as TFX's KeepPropertyValueGroups."""
    used_by: fields.Texts | None = None
    """All that a pipeline that fits one of these patterns ever took as input."""
    ancestors_of: fields.Selectors[Selector] | None = None
    """All that something which stays was made from: model, blessed, pushed, served, pinned."""
    descendants_of: fields.Selectors[Selector] | None = None
    """All that was made from something which stays."""
    ids: fields.Ids | None = None
    """The artifacts with these MLMD ids."""
    any_of: fields.Several[Keep] | None = None
    """What any of these keeps."""
    all_of: fields.Several[Keep] | None = None
    """What each of these keeps."""
    unless: Keep | None = None
    """Of what the other words keep, not what these keep."""
    max_bytes: fields.Budget | None = None
    """Fills up what room the other words leave in this many bytes, newest first."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self.said

    @property
    def said(self) -> tuple[str, ...]:
        """The words that are said, in the schema's order."""
        return tuple(word for word in type(self).model_fields if getattr(self, word) is not None)

    def nested(self) -> Iterator[tuple[tuple[str | int, ...], Keep]]:
        """The keeps that this one holds directly, each with the field that holds it."""
        for word in ("any_of", "all_of"):
            for index, inner in enumerate(getattr(self, word) or ()):
                yield (word, index), inner
        if self.unless is not None:
            yield ("unless",), self.unless

    def walk(self, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Keep]]:
        """This keep and all below it, each with the field that holds it."""
        yield at, self
        for below, inner in self.nested():
            yield from inner.walk((*at, *below))

    @model_validator(mode="after")
    def _makes_sense(self) -> Keep:
        for at, inner in self.nested():
            if inner.is_empty:
                does = "take away" if at == ("unless",) else "keep"
                raise wrong(f"expected something to {does}, got nothing; say what, or remove it", *at)
            if inner.max_bytes is not None:
                raise wrong(
                    "a budget is for the whole group; put max_bytes beside the other words of keep",
                    *at,
                    "max_bytes",
                )
        if self.said == ("unless",):
            raise wrong(
                "can never keep anything: unless takes away from what the words beside it keep, and there "
                "are none; add one, such as last: 3",
                "unless",
            )
        for at, inner in self.unless.walk() if self.unless is not None else ():
            for word in (*LINEAGE_WORDS, "unless"):
                if getattr(inner, word) is not None:
                    why = (
                        "there is no unless of an unless" if word == "unless" else "it depends on what stays"
                    )
                    raise wrong(f"not possible inside unless: {why}; remove it", "unless", *at, word)
        return self


Keep.model_rebuild()
