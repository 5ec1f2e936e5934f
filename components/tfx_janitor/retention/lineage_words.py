"""`ancestors_of` and `descendants_of`: what is kept because of something else that stays.

Data is kept while a model that was trained on it stays, and evaluations while the model that they judge does.
What stays depends on what is deleted, so these words are asked again in every round of `settle`: each round
deletes less, so more stays, and what was reached once stays reached.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tfx_janitor.lineage.paths import Walk
from tfx_janitor.lineage.snapshot import ArtifactState
from tfx_janitor.retention.case import MODEL, Case
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.plan import Reason


@dataclass(frozen=True)
class Reach:
    """What the lineage words find, given what is deleted.

    Attributes:
      deletions: rows that the plan would delete; what is DELETED already stays no more than these.
    """

    case: Case
    facts: StorageFacts
    deletions: Collection[int]
    _walks: dict[tuple[str, tuple[str, ...]], Walk] = field(default_factory=dict, repr=False, compare=False)
    _sources: dict[str, frozenset[int]] = field(default_factory=dict, repr=False, compare=False)

    def finds(self, word: str, selectors: tuple[str, ...], row: int) -> bool:
        """Whether a word with these selectors keeps an artifact."""
        return row in self._walk(word, selectors)

    def reason(self, word: str, selectors: tuple[str, ...], row: int, rule: str) -> Reason:
        """Why a word keeps an artifact, or that it does not."""
        walk, up = self._walk(word, selectors), word == "ancestors_of"
        if row not in walk:
            which = " or ".join(_SHOWN[selector] for selector in selectors)
            missed = f"nothing that {which} was made from it" if up else f"made from nothing that {which}"
            return Reason(f"expire.{word}", missed, rule)
        path = walk.path(row)
        source = self.case.snapshot.row(path[-1][1])
        assert source is not None  # the walk began there
        why = " and ".join(_SHOWN[selector] for selector in selectors if source in self._from(selector))
        named = f"{self.case.snapshot.type_of(source)} {path[-1][1]}, which {why}"
        return Reason(
            f"keep.{word}", f"{named}, was made from it" if up else f"made from {named}", rule, path
        )

    def stays(self, row: int) -> bool:
        """Whether an artifact is neither DELETED nor deleted by this plan."""
        state = self.case.snapshot.artifacts.state[row]
        return bool(state != ArtifactState.DELETED) and row not in self.deletions

    def _from(self, selector: str) -> frozenset[int]:
        known = self._sources.get(selector)
        if known is None:
            known = self._sources[selector] = frozenset(_SOURCES[selector](self))
        return known

    def _walk(self, word: str, selectors: tuple[str, ...]) -> Walk:
        known = self._walks.get((word, selectors))
        if known is None:
            sources = sorted(frozenset[int]().union(*map(self._from, selectors)))
            derivations = self.case.derivations
            search = derivations.ancestors if word == "ancestors_of" else derivations.descendants
            known = self._walks[word, selectors] = search(sources)
        return known


def _models(reach: Reach) -> Iterator[int]:
    yield from filter(reach.stays, reach.case.snapshot.rows_of_type(MODEL))


def _blessed(reach: Reach) -> Iterator[int]:
    yield from filter(reach.stays, reach.case.blessings)


def _pushed(reach: Reach) -> Iterator[int]:
    for model, pushes in reach.case.pushes.items():
        if reach.stays(model) or any(reach.stays(pushed) for _, pushed in pushes):
            yield model


def _served(reach: Reach) -> Iterator[int]:
    standing = reach.case.standing(reach.facts)
    for model, pushes in reach.case.pushes.items():
        if any(pushed in standing for _, pushed in pushes):
            yield model


def _pinned(reach: Reach) -> Iterator[int]:
    for pin in reach.case.snapshot.pins:
        row = reach.case.snapshot.row(pin.artifact_id)
        if row is not None and pin.stands(reach.case.now_ms):
            yield row


_SOURCES: Mapping[str, Callable[[Reach], Iterator[int]]] = {
    "model": _models,
    "blessed": _blessed,
    "pushed": _pushed,
    "served": _served,
    "pinned": _pinned,
}
"""What each selector of `policy.keep.Selector` walks from."""

_SHOWN = {
    "model": "is a model that stays",
    "blessed": "is blessed and stays",
    "pushed": "was pushed and stays",
    "served": "is served",
    "pinned": "is pinned",
}
