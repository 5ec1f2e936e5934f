"""What a purge took back for damage that a plan does not see, as the acts tell it.

A plan looks at the structure of what must survive, a purge at its checksums. What the purge alone finds
damaged would let every plan mark, and have every purge take back, the same artifacts for ever. So what was
taken back for that is in doubt: plans look at what it depends on as deep as a purge does, until one lets it
go all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfx_janitor.deletion import acts
from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.marks import closings, names_by_artifact

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

_ON_WHOLENESS = ("hold.newest-checkpoint: ", "hold.no-verified-survivor: ")
"""How the detail of a rescue begins whose reason the depth of a look can change."""


def read(store: MetadataStore, *, until_ms: int | None = None) -> frozenset[int]:
    """The ids of what is in doubt in a store; an act whose record cannot be read tells of none.

    Args:
      until_ms: only acts up to this moment count.
    """
    known = acts.read(store, kinds=("apply", "purge", "rescue"), damaged=True)
    return doubted(act for act in known if until_ms is None or act.at_ms <= until_ms)


def doubted(known: Iterable[Act]) -> frozenset[int]:
    """The ids of artifacts that were taken back for damage, or inside which not all marked checkpoints went.

    They are in doubt until they are marked again, or checkpoints inside them are.

    Args:
      known: acts in the order in which they were begun.
    """
    found: set[int] = set()
    marked = {}
    for act in known:
        if act.kind == "apply":
            marked[act.id] = names_by_artifact(act)
            found -= {outcome.artifact_id for outcome in act.outcomes if outcome.done == "marked"}
        elif act.kind == "rescue":
            found |= {
                outcome.artifact_id
                for outcome in act.outcomes
                if outcome.done == "rescued" and outcome.detail.startswith(_ON_WHOLENESS)
            }
        elif act.kind == "purge" and act.ended:
            went = names_by_artifact(act)
            for made_by, artifact_id in closings([act]):
                names = marked.get(made_by, {}).get(artifact_id, frozenset())
                if names - went.get(artifact_id, frozenset()):
                    found.add(artifact_id)
    return frozenset(found)
