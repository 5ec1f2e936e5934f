"""Who does the work on payloads: threads here, a Beam pipeline in `transforms`. Both answer item by item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tfx_janitor.errors import Stopped

Item = TypeVar("Item")
Done = TypeVar("Done")

STOPPED = "stopped while it was looking; the next run goes on"

_MOST_AT_ONCE, _TURNS = 16, 16
"""Items that a thread is given at once, at most, and how often each thread comes back for more, at least."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong with one item, in words; the other items are not concerned."""

    error: str


class Crew(Protocol):
    """Does one kind of work on many items."""

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """Applies `work` to every item.

        Args:
          task: what is being done, for progress and counters, such as "measure".
          work: a function at the top level of a module, so that it can travel.
          items: values that pickle.

        Returns:
          One answer for each item, in the order of the items.
        """
        ...


class Threads:
    """A crew of threads in this process: payload work waits for disks or releases the GIL."""

    def __init__(self, workers: int = 8, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Takes the number of threads, and who is told what is done: task, items done, items in all."""
        self._workers = workers
        self._progress = progress or (lambda *_: None)

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """See `Crew.run`."""
        answers: list[Done | Failed] = []
        if not items:
            return answers
        # Handing over one small look costs more than the look itself; of few items each is handed over alone.
        size = max(1, min(_MOST_AT_ONCE, len(items) // (self._workers * _TURNS)))
        pieces = [items[start : start + size] for start in range(0, len(items), size)]
        with ThreadPoolExecutor(min(self._workers, len(pieces))) as pool:
            for answered in pool.map(lambda piece: [attempt(work, item) for item in piece], pieces):
                answers += answered
                self._progress(task, len(answers), len(items))
        return answers


class Scouts:
    """A crew for looking, which gives up as soon as somebody wants to stop.

    What nobody looked at has no answer, and nothing is decided without. Who acts must not use it: what an act
    has in hand is brought to its end.
    """

    def __init__(self, crew: Crew, stopping: Callable[[], bool]) -> None:
        """Takes who does the work, and who tells whether to stop."""
        self._crew, self._stopping = crew, stopping

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """See `Crew.run`.

        Raises:
          Stopped: somebody wants to stop; what is under way was brought to its end.
        """

        def look(item: Item) -> Done:
            if self._stopping():
                raise Stopped(STOPPED)
            return work(item)

        return self._crew.run(task, look, items)


def attempt(work: Callable[[Item], Done], item: Item) -> Done | Failed:
    """One item's answer, or its failure as a value.

    Whatever goes wrong with one payload must neither hide the others nor end the run, so everything but the
    end of the process, and the wish for it, is caught here, and nowhere else.
    """
    try:
        return work(item)
    except Stopped:
        raise
    except Exception as error:
        return Failed(_words(error))


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__
