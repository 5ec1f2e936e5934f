"""How the stand-in loads a version: by TensorFlow, or by its files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.builders import write_saved_model
from tfx_janitor.payload import saved_model, tensor_bundle
from tfx_janitor.payload.verification import Level

Predict = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Answers a request: name of the signature ("" for the default) and TensorProtos in, TensorProtos out."""

Load = Callable[[Path], Predict]
"""Loads a version directory into memory, or raises `LoadError`."""

_LABEL = Path("assets") / "vocabulary.txt"
_UNSERVABLE = Path("assets.extra") / "unservable"
_FLOAT, _STRING = 1, 7  # DataType of TensorFlow


class LoadError(Exception):
    """What the server says of a version that it cannot load."""


def unservable(model: Path, words: str) -> Path:
    """Makes a SavedModel one that the stand-in refuses with these words, though it is whole.

    As a real server does with an op that it was not built with, or a model too large for its memory.
    """
    (model / _UNSERVABLE).parent.mkdir(exist_ok=True)
    (model / _UNSERVABLE).write_text(words)
    return model


def labelled_model(path: Path, label: str) -> Path:
    """Writes a small, whole SavedModel that differs from others in its vocabulary alone."""
    write_saved_model(path)
    (path / _LABEL).write_text(label)
    return path


def label_of(response: Any) -> str:
    """The label of the model that answered, if `light_model` loaded it."""
    return response.outputs[_LABEL.name].string_val[0].decode()


def light_model(path: Path) -> Predict:
    """Verifies structure and checksums, and answers every request with the model's variables and assets."""
    _refuse_unservable(path)
    verification = saved_model.verify(str(path), Level.CHECKSUMS)
    if not verification.whole:
        raise LoadError(f"Data loss: {verification.damages[0]}")
    contents = {file.name: (_STRING, file.read_bytes()) for file in sorted((path / "assets").glob("*"))}
    index = tensor_bundle.read_index(str(path / "variables" / "variables.index"))
    for tensor in index.tensors:
        if tensor.dtype == _FLOAT:
            shard = tensor_bundle.shard_name("variables", tensor.shard, index.shards)
            data = (path / "variables" / shard).read_bytes()
            contents[tensor.key] = (_FLOAT, data[tensor.offset : tensor.offset + tensor.size])

    def answer(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: _tensor(kind, data) for name, (kind, data) in contents.items()}

    return answer


def tensorflow_model(path: Path) -> Predict:
    """Loads with TensorFlow, and answers by the model's signatures."""
    import tensorflow as tf

    _refuse_unservable(path)
    try:
        model = tf.saved_model.load(str(path), tags=["serve"])
    except Exception as error:  # whatever TensorFlow raises is what the server says
        raise LoadError(str(error)) from error

    def answer(signature: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        run = model.signatures[signature or "serving_default"]
        given = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in inputs.items()}
        return {name: tf.make_tensor_proto(tensor) for name, tensor in run(**given).items()}

    return answer


def _refuse_unservable(path: Path) -> None:
    if (path / _UNSERVABLE).exists():
        raise LoadError((path / _UNSERVABLE).read_text())


def _tensor(kind: int, data: bytes) -> Any:
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    tensor: Any = TensorProto()
    tensor.dtype = kind
    if kind == _STRING:
        tensor.string_val.append(data)
    else:
        tensor.tensor_content = data
        tensor.tensor_shape.dim.add().size = len(data) // 4
    return tensor
