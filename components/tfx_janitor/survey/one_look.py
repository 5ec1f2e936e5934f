"""A crew that looks once: the same question about the same payload gets the answer of its first asking.

So several policies are judged on the same storage, and what they both ask is read only once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, cast

from tfx_janitor.survey.crew import Crew, Done, Failed, Item


class OneLook:
    """Lets another crew work, and remembers its answers; failures too."""

    def __init__(self, crew: Crew) -> None:
        """Takes the crew that does the work."""
        self._crew = crew
        self._answers: dict[Hashable, Any] = {}

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        """See `Crew.run`; items must be hashable, and work must only look."""
        keys = [(work, cast(Hashable, item)) for item in items]
        new = {key: item for key, item in zip(keys, items, strict=True) if key not in self._answers}
        answers = self._crew.run(task, work, list(new.values()))
        self._answers.update(zip(new, answers, strict=True))
        return [self._answers[key] for key in keys]
