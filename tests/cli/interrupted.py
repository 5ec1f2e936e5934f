"""A command that gets signals at a chosen instant, in a process of its own, as from a shell or a supervisor.

    done = interrupted(history, "gc", "--policy", policy, at="rename", by=signal.SIGTERM)

The process signals itself in the middle of something, and goes on only when it has taken notice. So nothing
depends on who is faster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.builders import History
from tfx_janitor import effects
from tfx_janitor.cli import acting, main
from tfx_janitor.effects import Effect
from tfx_janitor.survey import look

STARTING, VERIFYING, TELLING = "starting", "verifying", "telling"
"""Before anything is read, before a model is verified, and before it is told what was done; all other
instants are effects, by their kind or call."""


def interrupted(
    history: History, *arguments: object, at: str, by: signal.Signals, times: int = 1
) -> subprocess.CompletedProcess[str]:
    """Runs a command on a history's store.

    Args:
      at: the instant; the first of its kind.
      by: the signal that comes then.
      times: how often it comes.
    """
    command = [sys.executable, "-m", "tests.cli.interrupted", at, by.name, times]
    command += ["--metadata", history.url, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


def _interrupt(number: signal.Signals, times: int) -> None:
    for _ in range(times):
        os.kill(os.getpid(), number)
        while signal.getsignal(number) is not signal.SIG_DFL:
            time.sleep(0.001)


def _run(at: str, number: signal.Signals, times: int, arguments: list[str]) -> None:
    pending = [at]

    def interrupt(now: str) -> None:
        if now in pending:
            pending.remove(now)
            _interrupt(number, times)

    def watcher(effect: Effect, change: Callable[[], Any]) -> Any:
        interrupt(effect.subject if effect.kind == "mlmd" else effect.kind)
        return change()

    verify = look.verify_model

    def verify_model(order: look.ModelOrder) -> Any:
        interrupt(VERIFYING)
        return verify(order)

    show = acting.show

    def tell(*parts: Any) -> None:
        interrupt(TELLING)
        show(*parts)

    measured, opened = acting.measured, acting.opened

    def measure(*given: Any, **options: Any) -> Any:
        interrupt(STARTING)
        return measured(*given, **options)

    def open_store(*given: Any, **options: Any) -> Any:
        interrupt(STARTING)  # of commands that have no metrics
        return opened(*given, **options)

    look.verify_model, acting.show = verify_model, tell
    acting.measured, acting.opened = measure, open_store
    with effects.watched(watcher):
        main(arguments)


if __name__ == "__main__":
    _run(sys.argv[1], signal.Signals[sys.argv[2]], int(sys.argv[3]), sys.argv[4:])
