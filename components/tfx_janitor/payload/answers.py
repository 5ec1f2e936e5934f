"""Asking a SavedModel as a model server would, and judging its answers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tfx_janitor.payload import loading, requests
from tfx_janitor.payload.loading import Tags
from tfx_janitor.payload.requests import THE_ONLY_INPUT, Request, WarmUpError
from tfx_janitor.payload.smoke import Bounds, SmokeTest
from tfx_janitor.payload.verification import Damage


class _Bad(Exception):
    """What is wrong with a model or an answer of its, as the end of a sentence about the model."""


def ask(path: str, tag_sets: Collection[Tags], test: SmokeTest) -> Damage | None:
    """Loads the graph that model servers load, on the CPU, and lets it answer the requests of a smoke test.

    Args:
      path: a SavedModel's directory; it has no other damages.
      tag_sets: the tags of each of its graphs.
      test: what is asked, and what the answers must be like.

    Returns:
      The first thing that is wrong; None if every request was answered well.

    Raises:
      SmokeTestError: the examples cannot be read or understood.
    """
    with loading.tensorflow() as tf:
        try:
            asked = _requests(tf, path, test)
            # The model must outlive the last question: its signatures do not hold its variables.
            model = _loaded(tf, path, tag_sets)
            with tf.device("CPU:0"):
                _hear(tf, model.signatures, asked, test.bounds)
        except WarmUpError as error:
            return Damage(requests.FILE, str(error))
        except _Bad as error:
            return Damage(".", str(error))
    return None


def _requests(tf: Any, path: str, test: SmokeTest) -> Iterator[Request]:
    given = [] if test.examples is None else [requests.of_examples(tf, test.examples, test.signature)]
    # The warm-up requests in any case: a model server asks them, and does not serve a model that fails.
    asked = itertools.chain(requests.of_model(tf, path), given)
    first = next(asked, None)
    if first is None:
        raise WarmUpError(
            "is missing or empty, and no examples were given: there is nothing to ask the model"
        )
    return itertools.chain([first], asked)


def _loaded(tf: Any, path: str, tag_sets: Collection[Tags]) -> Any:
    if loading.SERVED not in tag_sets:
        there = "; ".join(sorted(map(_names, tag_sets)))
        raise _Bad(f"has no graph with the one tag serve, which is what model servers load, but {there}")
    try:
        return loading.restore(tf, path, loading.SERVED)
    # As for the level `load`: whatever TensorFlow says is the finding.
    except Exception as error:
        raise _Bad(f"is not loaded by TensorFlow: {loading.told(error)}") from error


def _hear(
    tf: Any, signatures: Mapping[str, Any], asked: Iterable[Request], bounds: Mapping[str, Bounds]
) -> None:
    given: set[str] = set()
    for request in asked:
        answer = _answer(tf, signatures, request)
        for name, value in answer.items():
            for problem in _problems(tf, value, bounds.get(name)):
                raise _Bad(f"answers {request.name} with {problem} in its output {name}")
        given |= set(answer)
    if unseen := set(bounds) - given:
        raise _Bad(f"has bounds for {_names(unseen)}, but it answers with {_names(given)}")


def _answer(tf: Any, signatures: Mapping[str, Any], request: Request) -> dict[str, Any]:
    signature = signatures.get(request.signature)
    if signature is None:
        raise _Bad(f"has no signature {request.signature} for {request.name}, but {_names(signatures)}")
    inputs = _inputs(tf, signature.structured_input_signature[1], request)
    try:
        answer = signature(**inputs)
    # A model fails with whatever its operations raise.
    except Exception as error:
        raise _Bad(f"does not answer {request.name}: {loading.told(error)}") from error
    if missing := set(request.outputs) - set(answer):
        raise _Bad(f"does not give {_names(missing)} to {request.name}, but {_names(answer)}")
    return {name: answer[name] for name in request.outputs or answer}


def _inputs(tf: Any, wanted: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """The tensors of a request, which are just those that the signature takes."""
    given = dict(request.inputs)
    if set(given) == {THE_ONLY_INPUT} and len(wanted) == 1:
        given = dict.fromkeys(wanted, given[THE_ONLY_INPUT])
    if set(given) != set(wanted):
        came = "one input without a name" if set(given) == {THE_ONLY_INPUT} else _names(given)
        raise _Bad(
            f"takes {_names(wanted)} in its signature {request.signature}, but {request.name} gives {came}"
        )
    return {name: _tensor(tf, name, given[name], spec, request) for name, spec in wanted.items()}


def _tensor(tf: Any, name: str, value: Any, spec: Any, request: Request) -> Any:
    misfit = f"takes {spec.dtype.name} {spec.shape} as {name}, but {request.name} gives"
    if (number := _beyond_type(tf, value, spec.dtype)) is not None:
        raise _Bad(f"{misfit} {number}")
    try:
        tensor = tf.constant(value, None if hasattr(value, "dtype") else spec.dtype)
    except (TypeError, ValueError) as error:
        raise _Bad(f"{misfit} something else: {loading.told(error)}") from error
    if tensor.dtype != spec.dtype or not spec.shape.is_compatible_with(tensor.shape):
        raise _Bad(f"{misfit} {tensor.dtype.name} {tensor.shape}")
    return tensor


def _beyond_type(tf: Any, value: Any, dtype: Any) -> int | None:
    """A whole number that a type cannot hold: TensorFlow would make another one of it, without a word."""
    if not dtype.is_integer or hasattr(value, "dtype"):
        return None
    numbers = (one for one in tf.nest.flatten(value) if isinstance(one, int))
    return next((one for one in numbers if not dtype.min <= one <= dtype.max), None)


def _problems(tf: Any, value: Any, bounds: Bounds | None) -> Iterable[str]:
    """What is wrong with one output, as nouns."""
    for tensor in tf.nest.flatten(value, expand_composites=True):
        dtype = tensor.dtype
        if dtype.is_floating or dtype.is_complex or dtype.is_integer:
            parts = [tf.math.real(tensor), tf.math.imag(tensor)] if dtype.is_complex else [tensor]
            numbers = tf.stack([tf.cast(part, tf.float64) for part in parts])
            if tf.reduce_any(tf.math.is_nan(numbers)):
                yield "NaN"
            elif tf.reduce_any(tf.math.is_inf(numbers)):
                yield "an infinite number"
            elif bounds is not None and tf.size(numbers):
                yield from _beyond(float(tf.reduce_min(numbers)), float(tf.reduce_max(numbers)), *bounds)
        if bounds is not None and not (dtype.is_floating or dtype.is_integer):
            yield f"{dtype.name}, which has no bounds,"


def _beyond(low: float, high: float, least: float | None, greatest: float | None) -> Iterable[str]:
    if least is not None and low < least:
        yield f"{low:g}, which is less than {least:g}"
    if greatest is not None and high > greatest:
        yield f"{high:g}, which is more than {greatest:g}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
