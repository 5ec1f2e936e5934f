"""What the pusher asks model servers, and what it makes of the answers; against a stand-in on a real port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.serving import ModelServer as StandIn
from tests.serving import labelled_model, unservable
from tfx_janitor.verified_pusher.serving import (
    ModelServer,
    ServerSilent,
    VersionStatus,
    in_use_by_any,
    statuses,
)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """Serves version 7, and looks for others when it is told to."""
    labelled_model(tmp_path / "7", "seven")
    with StandIn(tmp_path, poll_seconds=None) as server:
        yield server


@pytest.fixture
def server(stand_in: StandIn) -> ModelServer:
    return ModelServer(stand_in.address, "inception")


def nobody() -> ModelServer:
    """A server that is not there: its port was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return ModelServer(f"127.0.0.1:{port}", "inception")


def test_a_server_tells_its_versions(stand_in: StandIn, server: ModelServer, tmp_path: Path) -> None:
    assert statuses(server) == (VersionStatus(7, "AVAILABLE"),)
    unservable(labelled_model(tmp_path / "8", "eight"), "no such op: Foo")
    stand_in.poll()
    assert statuses(server) == (VersionStatus(8, "END", "no such op: Foo"), VersionStatus(7, "AVAILABLE"))


def test_a_servers_words_are_told_on_one_line(stand_in: StandIn, server: ModelServer, tmp_path: Path) -> None:
    unservable(labelled_model(tmp_path / "8", "eight"), "no such op:\n\t" + "Foo " * 1000)
    stand_in.poll()
    (refused, _) = statuses(server)
    assert refused.problem.startswith("no such op: Foo Foo")
    assert refused.problem.endswith(" ...")
    assert len(refused.problem) < 600


def test_what_was_unloaded_is_not_in_use(stand_in: StandIn, server: ModelServer, tmp_path: Path) -> None:
    in_use = in_use_by_any([server])
    assert in_use(7)
    labelled_model(tmp_path / "8", "eight")
    stand_in.poll()
    assert not in_use(7)
    assert in_use(8)
    assert not in_use(9)


@pytest.mark.parametrize("state", ["START", "LOADING", "AVAILABLE", "UNLOADING", "UNKNOWN", "STATE_OF_2030"])
def test_every_state_but_the_end_is_in_use(state: str) -> None:
    def ask(_: ModelServer) -> list[VersionStatus]:
        return [VersionStatus(7, state)]

    assert in_use_by_any([ModelServer("a:1", "m")], ask)(7)


def test_in_use_by_any_of_several(server: ModelServer) -> None:
    other = ModelServer("other:8500", "inception")
    answers = {server: [VersionStatus(7, "END")], other: [VersionStatus(7, "AVAILABLE")]}
    assert in_use_by_any([server, other], answers.__getitem__)(7)
    assert not in_use_by_any([server], answers.__getitem__)(7)


def test_without_servers_nothing_is_in_use() -> None:
    assert not in_use_by_any([])(7)


def test_a_server_that_is_not_there_is_an_error_in_words() -> None:
    absent = nobody()
    with pytest.raises(ServerSilent, match=f"model server {absent} does not tell its versions: UNAVAILABLE"):
        statuses(absent)


def test_one_that_is_silent_counts_more_than_one_that_has_it_loaded(server: ModelServer) -> None:
    with pytest.raises(ServerSilent):
        in_use_by_any([server, nobody()])(7)


def test_a_name_that_the_server_does_not_know_is_no_answer(stand_in: StandIn) -> None:
    misspelled = ModelServer(stand_in.address, "inceptoin")
    with pytest.raises(ServerSilent, match="NOT_FOUND: Could not find any versions of model inceptoin"):
        statuses(misspelled)


class AnswersWithNothing:
    """A service that does not say NOT_FOUND of a model that it does not know."""

    def __call__(self, request: Any, context: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2 as api

        return api.GetModelStatusResponse()  # pyright: ignore[reportAttributeAccessIssue]


class FailsFirst:
    """A service that cannot answer the first times that it is asked."""

    def __init__(self, code: grpc.StatusCode, times: int) -> None:
        self.code, self.left, self.asked = code, times, 0

    def __call__(self, request: Any, context: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2 as api

        self.asked += 1
        self.left -= 1
        if self.left >= 0:
            context.abort(self.code, "not now")
        response = api.GetModelStatusResponse()  # pyright: ignore[reportAttributeAccessIssue]
        response.model_version_status.add(version=7, state=30)
        return response


@pytest.fixture
def answering() -> Iterator[Any]:
    """`answering(service)` gives a model server that answers so."""
    from tensorflow_serving.apis import model_service_pb2_grpc

    running = []

    def serve(service: Callable[[Any, Any], Any]) -> ModelServer:
        servicer = model_service_pb2_grpc.ModelServiceServicer()
        servicer.GetModelStatus = service  # pyright: ignore[reportAttributeAccessIssue]
        services = grpc.server(ThreadPoolExecutor(1))
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, services)
        port = services.add_insecure_port("127.0.0.1:0")
        services.start()
        running.append(services)
        return ModelServer(f"127.0.0.1:{port}", "inception")

    yield serve
    for services in running:
        services.stop(None).wait()


def test_no_version_at_all_is_no_answer_that_anything_could_be_retired_by(answering: Any) -> None:
    server = answering(AnswersWithNothing())
    with pytest.raises(ServerSilent, match="it answers with none at all"):
        in_use_by_any([server])(7)


def test_a_server_that_is_busy_is_asked_again(answering: Any) -> None:
    service = FailsFirst(grpc.StatusCode.UNAVAILABLE, times=2)
    assert statuses(answering(service)) == (VersionStatus(7, "AVAILABLE"),)
    assert service.asked == 3


def test_but_not_for_ever(answering: Any) -> None:
    service = FailsFirst(grpc.StatusCode.UNAVAILABLE, times=9)
    with pytest.raises(ServerSilent, match="UNAVAILABLE: not now"):
        statuses(answering(service))
    assert service.asked == 3


def test_a_server_may_say_no_more_than_a_code(answering: Any) -> None:
    def abort(_: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    server = answering(abort)
    with pytest.raises(ServerSilent) as silent:
        statuses(server)
    assert str(silent.value) == f"model server {server} does not tell its versions: UNIMPLEMENTED"


def test_what_will_not_get_better_is_asked_once(answering: Any) -> None:
    service = FailsFirst(grpc.StatusCode.PERMISSION_DENIED, times=9)
    with pytest.raises(ServerSilent, match="PERMISSION_DENIED: not now"):
        statuses(answering(service))
    assert service.asked == 1
