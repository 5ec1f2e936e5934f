"""What model servers say of the versions of a model: the question that TensorFlow Serving answers over gRPC.

The stubs of tensorflow-serving-api come with TFX. Importing them imports TensorFlow, which a Pusher's process
has loaded anyway, so they are imported when a server is asked and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tenacity

from tfx_janitor.errors import JanitorError

DEADLINE_S = 5.0
"""Seconds that a server has for one answer."""

ATTEMPTS = 3
"""How often a server that does not answer is asked, where no more than the answer is waited for."""

_WORDS_LIMIT = 500
"""A server's words may quote a whole graph, and become an error message and a property in MLMD."""

AVAILABLE, UNLOADING, END = "AVAILABLE", "UNLOADING", "END"


class ServerSilent(JanitorError):
    """A model server that does not answer, or knows no version of the model."""


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A model server that watches a base directory.

    Attributes:
      address: `host:port` of its gRPC port, or anything else that gRPC takes for a target.
      model_name: what the server calls the model.
    """

    address: str
    model_name: str

    def __str__(self) -> str:
        return f"{self.address}/{self.model_name}"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What a server says of one version.

    Attributes:
      state: START, LOADING, AVAILABLE, UNLOADING, END or UNKNOWN.
      problem: the server's words on what went wrong; "" if nothing did.
    """

    version: int
    state: str
    problem: str = ""

    @property
    def in_use(self) -> bool:
        """Whether the server has the version loaded, or is about to, or will not say."""
        return self.state != END

    @property
    def refused(self) -> bool:
        """Whether the server could not load the version, and has given it up."""
        return self.state == END and bool(self.problem)


Ask = Callable[[ModelServer], Sequence[VersionStatus]]
"""Asks a server for the versions that it knows, those that it has unloaded included; or `ServerSilent`."""


def statuses(
    server: ModelServer, *, deadline_s: float = DEADLINE_S, attempts: int = ATTEMPTS
) -> tuple[VersionStatus, ...]:
    """Asks a model server for all versions of the model that it knows.

    Args:
      server: whom to ask.
      deadline_s: seconds until an answer is no longer waited for, at each attempt.
      attempts: how often to ask a server that does not answer.

    Returns:
      At least one version. A server goes on telling of versions that it has unloaded.

    Raises:
      ServerSilent: no answer, or the server knows no version of a model of this name.
    """
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc as service
    from tensorflow_serving.apis.get_model_status_pb2 import (
        GetModelStatusRequest,  # pyright: ignore[reportAttributeAccessIssue]
    )

    transient = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

    def is_transient(error: BaseException) -> bool:
        return isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call) and error.code() in transient

    patience = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_after_attempt(attempts),
        reraise=True,
    )
    request = GetModelStatusRequest()
    request.model_spec.name = server.model_name
    with grpc.insecure_channel(server.address) as channel:
        stub = service.ModelServiceStub(channel)
        try:
            response = patience(stub.GetModelStatus, request, timeout=deadline_s)
        except grpc.RpcError as error:
            raise ServerSilent(_silence(server, error)) from None
    if not response.model_version_status:
        # TensorFlow Serving says NOT_FOUND. Taken for an answer, this would say that nothing is loaded.
        raise ServerSilent(f"model server {server} does not tell its versions: it answers with none at all")
    return tuple(_status(one) for one in response.model_version_status)


def in_use_by_any(servers: Sequence[ModelServer], ask: Ask = statuses) -> Callable[[int], bool]:
    """Makes the question whether any of the servers has a version in use.

    Each time it is asked, so are all servers: one may have loaded the version since. It raises `ServerSilent`
    if one of them cannot tell.
    """

    def in_use(version: int) -> bool:
        # All are asked: one that is silent counts more than one that says no.
        said = [status for server in servers for status in ask(server)]
        return any(status.version == version and status.in_use for status in said)

    return in_use


def _status(answer: Any) -> VersionStatus:
    names = answer.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
    state = names[answer.state].name if answer.state in names else "UNKNOWN"
    code = answer.status.error_code
    problem = (_one_line(answer.status.error_message) or f"error {code}") if code else ""
    return VersionStatus(answer.version, state, problem)


def _silence(server: ModelServer, error: Exception) -> str:
    code = getattr(error, "code", lambda: None)()
    if code is None:
        words = f"no answer: {_one_line(str(error))}"
    else:
        details = _one_line(getattr(error, "details", lambda: None)() or "")
        words = f"{code.name}: {details}" if details else code.name
    return f"model server {server} does not tell its versions: {words}"


def _one_line(words: str) -> str:
    line = " ".join(words.split())
    return f"{line[:_WORDS_LIMIT]} ..." if len(line) > _WORDS_LIMIT else line
