"""Who does the work on payloads: threads here, a Beam pipeline in `transforms`. Both answer item by item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong with one item, in words; the other items are not concerned.

    Attributes:
      begun: False if nobody ever laid a hand on it, as when the crew was told to stop.
    """

    error: str
    begun: bool = True


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
        with ThreadPoolExecutor(min(self._workers, len(items))) as pool:
            for answer in pool.map(lambda item: attempt(work, item), items):
                answers.append(answer)
                self._progress(task, len(answers), len(items))
        return answers


def attempt(work: Callable[[Item], Done], item: Item) -> Done | Failed:
    """One item's answer, or its failure as a value.

    Whatever goes wrong with one payload must neither hide the others nor end the run, so everything but the
    end of the process is caught here, and nowhere else.
    """
    try:
        return work(item)
    except Exception as error:
        return Failed(_words(error))


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__
