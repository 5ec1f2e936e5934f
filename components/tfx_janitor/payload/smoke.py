"""A smoke test: what a SavedModel is asked before anybody serves it, and what its answers must be like."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfx_janitor.errors import JanitorError

SIGNATURE = "serving_default"
"""The signature that model servers take where a request names none."""

Bounds = tuple[float | None, float | None]
"""The least and the greatest number that an output may hold; None where it may go on."""

_EXAMPLES = (
    'a path, {"input": [value, ...]} or [{"input": value}, ...]; in JSON, bytes are {"b64": "..."} of base64'
)


class SmokeTestError(JanitorError):
    """A smoke test that is not understood, or examples that cannot be read; the model is not to blame."""


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """What is asked, and what is expected. That every number is finite is always expected.

    Attributes:
      examples: what the model is asked, in one batch. As in TensorFlow Serving's REST API either columns, a
        mapping from each input to a list, or rows, a list of mappings (of bare values, if the signature has
        but one input). A text is the path of a `.json` file with either, or of a TFRecord file (gzipped if it
        ends in `.gz`) whose first records are given as they are: serialized examples, as TFX keeps them. The
        model's own warm-up requests are asked in any case; without examples it must have some.
      signature: whom the examples are for; warm-up requests say it themselves.
      bounds: least and greatest number, by the name of the output.
    """

    examples: str | list[Any] | Mapping[str, Any] | None = None
    signature: str = SIGNATURE
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    @staticmethod
    def of(value: object) -> SmokeTest:
        """Reads a smoke test from a mapping with the attributes' names as keys, or from such a one as JSON.

        Raises:
          SmokeTestError: it is not understood.
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise SmokeTestError(f"expected a smoke test as JSON, got {value!r}: {error}") from error
        if not isinstance(value, Mapping):
            raise SmokeTestError(
                f"expected a smoke test such as {{'bounds': {{'scores': [0, 1]}}}}, got {value!r}"
            )
        if unknown := sorted(map(str, set(value) - {"examples", "signature", "bounds"})):
            raise SmokeTestError(
                f"expected 'examples', 'signature' or 'bounds' in a smoke test, got {unknown[0]!r}"
            )
        examples = value.get("examples")
        if examples is not None and not (examples and isinstance(examples, (str, list, Mapping))):
            raise SmokeTestError(f"expected the examples of a smoke test as {_EXAMPLES}; got {examples!r}")
        return SmokeTest(examples, _signature(value.get("signature"), examples), _bounds(value.get("bounds")))


WARM_UP = SmokeTest()
"""Asks what the model's own warm-up requests ask, and nothing else."""


def _signature(value: object, examples: object) -> str:
    if value is None:
        return SIGNATURE
    if not (value and isinstance(value, str)):
        raise SmokeTestError(f"expected the name of a signature in a smoke test, got {value!r}")
    if examples is None:
        raise SmokeTestError(
            f"expected examples for the signature {value!r} of a smoke test, got none; warm-up requests name "
            "their signature themselves"
        )
    return value


def _bounds(value: object) -> dict[str, Bounds]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SmokeTestError(
            f"expected the bounds of a smoke test by output, such as {{'scores': [0, 1]}}, got {value!r}"
        )
    return {str(output): _least_and_greatest(output, ends) for output, ends in value.items()}


def _least_and_greatest(output: object, ends: object) -> Bounds:
    if isinstance(ends, (list, tuple)) and len(ends) == 2 and all(map(_is_end, ends)):
        least, greatest = ends
        if least is None or greatest is None or least <= greatest:
            return least, greatest
    raise SmokeTestError(
        f"expected [least, greatest] as bounds of the output {output!r}, finite numbers, None where there is "
        f"no end; got {ends!r}"
    )


def _is_end(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value is None
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
