"""What all mappings of a policy have in common: they never change, and have no room for unknown keys."""

from __future__ import annotations

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from tfx_janitor.policy.errors import wrong


class Part(BaseModel):
    """A mapping of the policy: immutable, and without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Words(Part):
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
