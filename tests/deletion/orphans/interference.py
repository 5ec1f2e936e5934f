"""What comes between a janitor and its work: its end, a refusal, or somebody who acts meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tfx_janitor import effects
from tfx_janitor.effects import Effect
from tfx_janitor.survey.crew import Done, Failed, Item, Threads, attempt


class Dies(BaseException):
    """The end of a process."""


class Alone(Threads):
    """A crew of one: what ends the process ends it at once."""

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        return [attempt(work, item) for item in items]


@contextmanager
def dying_before(kind: str, subject: str) -> Iterator[None]:
    """The process ends before its first effect of a kind on a name."""

    def watch(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == kind and effect.subject == subject:
            raise Dies
        return change()

    with effects.watched(watch), pytest.raises(Dies):
        yield


class Dying:
    """The process ends before or after its nth effect, well or not as that ends."""

    def __init__(self, fatal: int, after: bool) -> None:
        self._left, self._after = fatal, after

    def __call__(self, effect: Effect, change: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left != -1:
            return change()
        try:
            if self._after:
                change()
        finally:
            raise Dies


def refuse(effect: Effect, change: Callable[[], Any]) -> Any:
    """Where nothing may be renamed, nothing can be removed."""
    if effect.kind == "rename":
        raise PermissionError(13, "Permission denied", effect.subject)
    return change()


def at_task(awaited: str, act: Callable[[], object]) -> Threads:
    """A crew before whose work somebody acts."""

    class Meddled(Threads):
        def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
            if task == awaited:
                act()
            return super().run(task, work, items)

    return Meddled(2)
