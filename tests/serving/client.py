"""Clients of a model server: one request, or requests without a pause."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answers:
    """What a client that never pauses was told.

    Attributes:
      versions: the version behind each answer, in order, without repetitions.
      count: number of answers.
      failures: what went wrong, if anything did.
    """

    versions: list[int] = field(default_factory=list)
    count: int = 0
    failures: list[str] = field(default_factory=list)


def predict(
    address: str, model_name: str = "inception", *, version: int | None = None, inputs: Mapping[str, Any] = {}
) -> Any:
    """Sends one request and returns the PredictResponse.

    Args:
      version: asks for this one; None for the latest.
      inputs: TensorProtos by name.
    """
    import grpc

    with grpc.insecure_channel(address) as channel:
        return _predict(channel, model_name, version, inputs)


@contextlib.contextmanager
def keep_predicting(
    address: str, model_name: str = "inception", *, inputs: Mapping[str, Any] = {}
) -> Iterator[Answers]:
    """Sends one request after the other while the block runs; the first has its answer before that."""
    import grpc

    answers, done, begun = Answers(), threading.Event(), threading.Event()

    def send() -> None:
        with grpc.insecure_channel(address) as channel:
            while not done.is_set():
                try:
                    version = _predict(channel, model_name, None, inputs).model_spec.version.value
                except grpc.RpcError as error:
                    answers.failures.append(str(error))
                else:
                    answers.count += 1
                    if answers.versions[-1:] != [version]:
                        answers.versions.append(version)
                begun.set()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    begun.wait()
    try:
        yield answers
    finally:
        done.set()
        sender.join()


def _predict(channel: Any, model_name: str, version: int | None, inputs: Mapping[str, Any]) -> Any:
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()  # pyright: ignore[reportAttributeAccessIssue]
    request.model_spec.name = model_name
    if version is not None:
        request.model_spec.version.value = version
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tensor)
    return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)
