"""Ctrl-C in a process that lives on, such as a notebook: no file stays open, and no lock is held."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor.verified_pusher import content, staging
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.staging import Corner, stage


def interrupted(real: Callable[..., Any], time: int) -> Callable[..., Any]:
    """A function in which Ctrl-C comes at its nth call, once it is done."""
    calls = iter(range(1, 1000))

    def call(*args: Any) -> Any:
        answer = real(*args)
        if next(calls) == time:
            raise KeyboardInterrupt
        return answer

    return call


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("time", [1, 2], ids=["lock of the base", "lock of the stage"])
def test_while_a_lock_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: int):
    corner = Corner(str(tmp_path))
    with stage(corner, Unsynced()):
        pass
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(staging, "_lock_now", interrupted(staging._lock_now, time))
        with pytest.raises(KeyboardInterrupt), stage(corner, Unsynced()):
            pytest.fail("nothing is built")
    assert descriptors() == before
    with stage(corner, Unsynced()) as staged:
        assert os.path.basename(staged) == "stage-1"  # a lock that is held would make it stage-2


def test_while_a_file_of_the_model_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "saved_model.pb").touch()
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(content.os, "fstat", interrupted(os.fstat, 1))
        with pytest.raises(KeyboardInterrupt):
            content.open_regular(str(tmp_path / "saved_model.pb"))
    assert descriptors() == before
