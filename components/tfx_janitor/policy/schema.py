"""What to keep and what may go: the schema of a policy, and everything that it refuses.

A policy is a value: it reads no clock and no store, and it deletes nothing. The vocabulary of its rules
stands in `rules` and `keep`, the kinds of values in `fields`.

Whatever looks like a mistake is refused rather than guessed at, for a wrong guess costs a model: unknown
keys, keys without a value, words that can keep nothing, rules that contradict themselves.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from pydantic import (
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema
from ruamel.yaml import YAML

from tfx_janitor.payload.places import parse
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy import fields, from_tfx
from tfx_janitor.policy import file as policy_file
from tfx_janitor.policy.durations import format_duration
from tfx_janitor.policy.errors import all_wrong, policy_error, shown, wrong
from tfx_janitor.policy.file import Document, FieldPath, Format, PolicyError, Problem
from tfx_janitor.policy.keep import Best, Grouping, Keep
from tfx_janitor.policy.lint import refusals
from tfx_janitor.policy.part import Part
from tfx_janitor.policy.rules import CheckpointRule, Match, Rule

__all__ = [
    "CheckpointRule",
    "Keep",
    "Limits",
    "Match",
    "Orphans",
    "PolicyError",
    "RetentionPolicy",
    "Rule",
    "json_schema",
]

_RECORD = "record"
"""Context in which a policy is read back that was good when it was written down."""


class Limits(Part):
    """How much one plan may delete before a person must approve it by its id; null: as much as there is."""

    max_fraction: fields.Fraction | None = 0.5
    """Of the governed artifacts, more than 0 and at most 1."""
    max_items: fields.Limit | None = None
    """Artifacts and checkpoints together; 0: everything wants approval."""
    max_bytes: fields.Bytes | None = None
    """Bytes that the plan would free."""


class Orphans(Part):
    """Directories that no artifact claims: what executions left behind that died or failed."""

    older_than: fields.Days
    """For so long nothing was written in any directory of the execution, and its run gave no sign of life."""


class RetentionPolicy(Part):
    """A whole policy: where deletion may happen at all, how carefully, and by which rules.

    Equal policies have equal digests. `RetentionPolicy.from_dict(policy.to_dict())` is the same policy.
    """

    version: Literal[1]
    """Version of this schema."""
    roots: fields.Directories
    """Directories, absolute or as URIs. Only payloads strictly inside one of them may ever be deleted."""
    serving: fields.Directories = ()
    """Base directories that model servers watch."""
    min_age: fields.Duration = timedelta(days=1)
    """Nothing younger is deleted."""
    grace: fields.Duration = timedelta(days=7)
    """Time between mark and purge, in which everything can be restored."""
    stale_after: fields.PositiveDuration | None = None
    """A RUNNING execution without news for this long holds nothing any more; null: it holds for ever."""
    verify: fields.SurvivorLevel = Level.CHECKSUMS
    """How deep surviving models are verified before others are deleted."""
    limits: Limits = Limits()
    orphans: Orphans | None = None
    """Directories that no artifact claims; null: nobody looks for them."""
    rules: tuple[Rule, ...]
    """What several rules match is deleted only if all let it go; what none matches is never touched."""

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool) and value == 1:
            return value
        raise wrong(f"expected 1, the version that this tfx-janitor understands, got {shown(value)}")

    @field_validator("roots")
    @classmethod
    def _roots(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        if not roots:
            raise wrong(
                "expected at least one directory, got none; nothing outside the roots is ever deleted"
            )
        places = [parse(root) for root in roots]
        for index, inner in enumerate(places):
            for outer in places:
                if outer.contains(inner):
                    raise wrong(
                        f'"{inner}" is useless, for it lies inside "{outer}"; remove one of them', index
                    )
        return roots

    @field_validator("rules")
    @classmethod
    def _rules(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if not rules:
            raise wrong("expected at least one rule, got none; what no rule matches is never touched")
        first: dict[str, int] = {}
        for index, rule in enumerate(rules):
            if first.setdefault(rule.name, index) != index:
                message = f'the name "{rule.name}" is taken by rules[{first[rule.name]}]; names are unique'
                raise wrong(message, index, "name")
        return rules

    @model_validator(mode="after")
    def _has_effect(self, info: ValidationInfo) -> RetentionPolicy:
        if info.context == _RECORD:
            return self
        quiet = None if self.orphans is None else self.orphans.older_than
        found = tuple(refusals(self.rules, min_age=self.min_age, orphans_older_than=quiet))
        if found:
            raise all_wrong(found)
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Plans and acts of before the section came carry digests of policies without it.
        said = handler(self)
        return {key: value for key, value in said.items() if key != "orphans" or value is not None}

    @classmethod
    def from_yaml(
        cls,
        path: str | os.PathLike[str],
        *,
        roots: Sequence[str] | None = None,
        serving: Sequence[str] | None = None,
    ) -> RetentionPolicy:
        """Reads a policy from a YAML 1.2 file.

        Args:
          path: the file, in UTF-8.
          roots: used instead of the file's roots, which may then be missing.
          serving: used instead of the file's serving directories.

        Raises:
          PolicyError: names file, line and field of everything that is wrong.
        """
        return cls._from_document(policy_file.read(path, format="yaml"), roots, serving)

    @classmethod
    def from_json(
        cls,
        path: str | os.PathLike[str],
        *,
        roots: Sequence[str] | None = None,
        serving: Sequence[str] | None = None,
    ) -> RetentionPolicy:
        """Reads a policy from a JSON file; otherwise as `from_yaml`."""
        return cls._from_document(policy_file.read(path, format="json"), roots, serving)

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        source: str = "policy",
        format: Format = "yaml",
        roots: Sequence[str] | None = None,
        serving: Sequence[str] | None = None,
    ) -> RetentionPolicy:
        """Reads a policy from YAML or JSON text; `source` names it in messages."""
        return cls._from_document(policy_file.parse(text, source=source, format=format), roots, serving)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, Any],
        *,
        source: str = "policy",
        roots: Sequence[str] | None = None,
        serving: Sequence[str] | None = None,
    ) -> RetentionPolicy:
        """Reads a policy from plain values, shaped as the file is; `source` names it in messages."""
        return cls._from_document(Document(source, mapping), roots, serving)

    @classmethod
    def from_tfx(
        cls,
        policies: from_tfx.GarbageCollectionPolicy
        | Mapping[from_tfx.Output, from_tfx.GarbageCollectionPolicy],
        *,
        roots: Sequence[str],
        match: Mapping[str, Any] | None = None,
        unsafe_delete_all: bool = False,
        **others: Any,
    ) -> RetentionPolicy:
        """Converts TFX's own `GarbageCollectionPolicy`, whose collector TFX removed.

        Args:
          policies: one message, or the messages of several outputs by (node id, output key).
          roots: only payloads strictly inside these may ever be deleted.
          match: which artifacts the one message governs; with several, what these must fit besides, such as
            `{"pipeline": "inception"}`.
          unsafe_delete_all: takes a `num_artifacts` of zero or less at its word, as TFX did: keep nothing.
          **others: the other fields of a policy, such as `grace="3d"`, as `from_dict` takes them.

        Raises:
          PolicyError: names all that cannot be converted, or is no policy.
        """
        rules = from_tfx.rules(policies, match=match, unsafe_delete_all=unsafe_delete_all)
        return cls.from_dict(dict(version=1, rules=rules, **others), source="from_tfx", roots=roots)

    @classmethod
    def from_record(cls, mapping: Mapping[str, Any], *, source: str) -> RetentionPolicy:
        """Reads back what `to_dict` wrote into a plan or an act, also if it would be refused by now.

        A policy that merely says something useless must not stand in the way of what was marked under it.

        Raises:
          PolicyError: this is no policy.
        """
        return cls._from_document(Document(source, mapping), None, None, context=_RECORD)

    @classmethod
    def _from_document(
        cls,
        document: Document,
        roots: Sequence[str] | None,
        serving: Sequence[str] | None,
        context: str = "file",
    ) -> RetentionPolicy:
        if not isinstance(document.data, Mapping):
            expected = "expected a mapping with version, roots and rules"
            problem = Problem(f"{expected}, got {shown(document.data)}", line=document.line_of(()))
            raise PolicyError(document.source, (problem,))
        given = {"roots": roots, "serving": serving}
        overrides = {key: value for key, value in given.items() if value is not None}

        def line_of(at: FieldPath) -> int | None:
            return None if at and at[0] in overrides else document.line_of(at)

        try:
            return cls.model_validate({**document.data, **overrides}, context=context)
        except ValidationError as error:
            raise policy_error(error, document.source, keys=_KEYS, line_of=line_of) from None

    def to_dict(self) -> dict[str, Any]:
        """The canonical form, ready for JSON: defaults included, durations as text, sizes as bytes."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The canonical form as YAML that `from_text` reads back to the same policy."""
        text = io.StringIO()
        writer = YAML()
        writer.indent(mapping=2, sequence=4, offset=2)
        writer.dump(self.to_dict(), text)
        return text.getvalue()

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical form; the same for every spelling of the same policy."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


_KEYS: Mapping[str, Iterable[str]] = {
    "": RetentionPolicy.model_fields,
    "limits": Limits.model_fields,
    "orphans": Orphans.model_fields,
    "rules": Rule.model_fields,
    "match": Match.model_fields,
    "keep": Keep.model_fields,
    "any_of": Keep.model_fields,
    "all_of": Keep.model_fields,
    "unless": Keep.model_fields,
    "best": Best.model_fields,
    "groups": Grouping.model_fields,
    "checkpoints": CheckpointRule.model_fields,
}


def json_schema() -> dict[str, Any]:
    """JSON schema of the policy file, for editors that complete and check as one types."""
    return RetentionPolicy.model_json_schema(schema_generator=_SchemaOfTheFile)


class _SchemaOfTheFile(GenerateJsonSchema):
    """Shows default durations as a file writes them, `7d`, where pydantic would say `P7D`."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
