"""The stand-in does what the tests that use it rely on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.builders import flip_bit
from tests.serving import ModelServer, label_of, labelled_model, predict, unservable
from tests.serving.model_server import AVAILABLE, END, LOADING, START, UNLOADING


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ModelServer]:
    """Looks at its base directory only when it is told to."""
    (tmp_path / "base").mkdir()
    with ModelServer(tmp_path / "base", poll_seconds=None) as server:
        yield server


def serve(server: ModelServer, *names: str) -> None:
    for name in names:
        labelled_model(server.base / name, name)
    server.poll()


def test_it_serves_the_newest_and_ignores_what_is_no_version(server: ModelServer) -> None:
    serve(server, "9", "10", "-11", "12x", ".tfx-janitor-push", "1e3")
    assert server.available == [10]
    assert label_of(predict(server.address)) == "10"


def test_all_versions_can_be_served(tmp_path: Path) -> None:
    for name in ("1", "2"):
        labelled_model(tmp_path / name, name)
    with ModelServer(tmp_path, latest=None, poll_seconds=None) as server:
        assert server.available == [1, 2]
        assert label_of(predict(server.address, version=1)) == "1"


def test_the_new_one_is_loaded_before_the_old_one_is_unloaded(server: ModelServer) -> None:
    serve(server, "1")
    serve(server, "2")
    assert server.seen[3:] == [(2, START), (2, LOADING), (2, AVAILABLE), (1, UNLOADING), (1, END)]


def test_the_old_one_stays_while_the_new_one_does_not_load(server: ModelServer) -> None:
    serve(server, "1")
    unservable(labelled_model(server.base.parent / "2", "2"), "no such op: Foo").rename(server.base / "2")
    server.poll()
    server.poll()
    assert (server.available, server.refused) == ([1], {2: "no such op: Foo"})
    assert server.seen.count((2, LOADING)) == 1


def test_a_damaged_model_is_refused(server: ModelServer) -> None:
    labelled_model(server.base / "1", "1")
    flip_bit(server.base / "1" / "variables" / "variables.data-00000-of-00001", 0)
    server.poll()
    assert server.available == []
    assert server.refused[1].startswith("Data loss: variables/variables.data-00000-of-00001")


def test_a_version_whose_directory_vanished_is_unloaded(server: ModelServer) -> None:
    serve(server, "1")
    shutil.rmtree(server.base / "1")
    server.poll()
    assert server.available == []
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Latest\(inception\)"):
        predict(server.address)
