"""Ctrl-C and `kill`: the first one asks a command to end between two items, the next one ends it at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from tfx_janitor.cli.saying import spelled

_STANDARD_ERROR = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TOLD = "stopping after what is under way; once more ends it at once, which is safe too"


@contextlib.contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """While the block runs, the first SIGINT or SIGTERM is a wish, and the next one ends the process.

    A signal that is ignored, as under `nohup`, stays so. What was there before is put back at the end.

    Yields:
      Who tells whether somebody wishes to stop.
    """
    asked = False
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for known in ours:
            # The system ends it then, whatever it is doing; the protocol is safe at every instant.
            signal.signal(known, signal.SIG_DFL)
        # Not by print: the signal may have come in the middle of one.
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR, f"{spelled(_TOLD, 'warning')}\n".encode())

    for number in ours:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number in ours:
            signal.signal(number, before[number])
