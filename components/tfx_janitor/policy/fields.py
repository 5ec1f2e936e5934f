"""The kinds of values that a policy holds, each with its refusals."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    WithJsonSchema,
)

from tfx_janitor.payload.places import PlaceError, parse
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy import durations, sizes
from tfx_janitor.policy.errors import shown, wrong

Item = TypeVar("Item")

Scalar = str | int | float | bool
"""The values that MLMD properties have. MLMD keeps flags as integers: `true` equals 1."""

GROUPS = ("pipeline", "node", "output")
PROPERTY = "properties."
"""How `group_by` names a property: `properties.span`."""

_NAME = re.compile(r"[a-z0-9_.-]+")


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        try:
            durations.format_duration(value)
        except ValueError as error:
            raise wrong(str(error)) from None
        return value
    if isinstance(value, str):
        try:
            return durations.parse_duration(value)
        except ValueError as error:
            raise wrong(str(error)) from None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    advice = f"; write {value}d for days" if number and isinstance(value, int) and value > 0 else ""
    came = f"the bare number {value}" if number else shown(value)
    raise wrong(f"expected a duration such as {durations.EXAMPLES}, got {came}{advice}")


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise wrong("expected a duration longer than zero, got 0s")
    return value


def _a_day(value: timedelta) -> timedelta:
    if value < timedelta(days=1):
        raise wrong(
            f"expected at least 1d, got {durations.format_duration(value)}; a training that writes a "
            "checkpoint every few hours looks dead in between"
        )
    return value


def _size(value: object) -> object:
    try:
        return sizes.parse_size(value) if isinstance(value, str) else value
    except ValueError as error:
        raise wrong(str(error)) from None


def _scalar(value: object) -> Scalar:
    if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
        raise wrong(f"expected a text, a finite number, true or false, got {shown(value)}")
    return value


def _level(value: object) -> Level:
    if value in ("structure", "checksums", "load"):
        return Level(value)
    why = "; models are asked before they are served, by VerifiedPusher" if value == "smoke" else ""
    raise wrong(f"expected structure, checksums or load, got {shown(value)}{why}")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise wrong("expected at least one, got an empty list")
    return values


def _several(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(values) < 2:
        came = "one; write its words directly" if values else "an empty list; remove it"
        raise wrong(f"expected at least two to put together, got {came}")
    return values


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise wrong(f"{shown(value)} is given twice; remove one", index)
    return values


def _directory(uri: str) -> str:
    try:
        place = parse(uri)
    except PlaceError as error:
        raise wrong(str(error)) from None
    parts = [part for part in place.path.split("/") if part]
    if not parts:
        raise wrong(
            f'expected a directory, got "{uri}", which is the whole file system; name a directory in it'
        )
    if place.scheme != "file" and len(parts) < 2:
        raise wrong(f'expected a directory, got "{uri}", which is a whole bucket; name a directory in it')
    return str(place)


def _group(value: str) -> str:
    if value in GROUPS or (value.startswith(PROPERTY) and value != PROPERTY):
        return value
    raise wrong(f"expected pipeline, node, output or properties.NAME, got {shown(value)}")


def _tag(value: str) -> str:
    if "," in value or len(value.split()) != 1:
        raise wrong(f"expected a tag without blanks and commas, got {shown(value)}; no artifact can carry it")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise wrong(f"expected a name of the letters a-z, digits and - _ . only, got {shown(value)}")
    return value


_TEXT_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_BYTES = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": sizes.PATTERN}]}

Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(durations.format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": durations.PATTERN}),
]
"""Written as text, such as `7d`; zero or more whole milliseconds."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]

Days = Annotated[Duration, AfterValidator(_a_day)]
"""As `Duration`, and at least a day."""

SurvivorLevel = Annotated[Literal[Level.STRUCTURE, Level.CHECKSUMS, Level.LOAD], BeforeValidator(_level)]
"""A level that needs nothing but the payload."""

Count = Annotated[int, Strict(), Field(ge=1)]
Limit = Annotated[int, Strict(), Field(ge=0)]
Bytes = Annotated[int, Strict(), Field(ge=0), BeforeValidator(_size), WithJsonSchema(_BYTES)]
"""Written as a number of bytes or a size such as `10GB`."""

Fraction = Annotated[float, Strict(), Field(gt=0, le=1, allow_inf_nan=False)]
Hours = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(min_length=1)]
Name = Annotated[str, Strict(), AfterValidator(_name)]
Property = Annotated[
    Scalar, PlainValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})
]

Texts = Annotated[
    tuple[Text, ...],
    AfterValidator(_distinct),
    AfterValidator(_some),
    BeforeValidator(_listed),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""One text or a list of them; always a tuple afterwards, never empty, without repetitions."""

Tags = Annotated[
    tuple[Annotated[Text, AfterValidator(_tag)], ...],
    AfterValidator(_distinct),
    AfterValidator(_some),
    BeforeValidator(_listed),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""One tag or a list of them."""

Some = Annotated[tuple[Item, ...], AfterValidator(_some)]
"""A list that is not empty."""

Several = Annotated[tuple[Item, ...], AfterValidator(_several)]
"""A list of two or more: one alone needs no list."""

Selectors = Annotated[
    tuple[Item, ...], AfterValidator(_distinct), AfterValidator(_some), BeforeValidator(_listed)
]
"""One of some known words, or a list of them."""

Budget = Annotated[int, Strict(), Field(ge=1), BeforeValidator(_size), WithJsonSchema(_BYTES)]
"""As `Bytes`, and not zero."""

Ids = Annotated[tuple[Count, ...], AfterValidator(_distinct), AfterValidator(_some)]
Groups = Annotated[tuple[Annotated[Text, AfterValidator(_group)], ...], AfterValidator(_distinct)]
Directories = Annotated[
    tuple[Annotated[Text, AfterValidator(_directory)], ...],
    AfterValidator(_distinct),
    BeforeValidator(_listed),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""Absolute paths or URIs, normalised."""
