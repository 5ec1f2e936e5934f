"""A policy that is complete but for its roots, and the root that it gets: the pipeline's own.

Nodes do not know their pipeline's root when the pipeline is written. It shows when it runs, in where the
orchestrator puts a node's outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload.places import Place, parse
from tfx_janitor.policy.schema import RetentionPolicy

_SOME_ROOT = "/pipeline-root"
"""Stands for the root while everything else is checked."""


@dataclass(frozen=True, slots=True)
class UnrootedPolicy:
    """What only a root makes a policy. Nothing can be wrong with it but that root."""

    _checked: RetentionPolicy

    @classmethod
    def from_tfx(cls, policies: Any) -> UnrootedPolicy:
        """As `RetentionPolicy.from_tfx`, without roots.

        Raises:
          PolicyError: names all that cannot be converted.
        """
        return cls(RetentionPolicy.from_tfx(policies, roots=[_SOME_ROOT]))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, source: str) -> UnrootedPolicy:
        """Reads what `to_dict` gave; `source` names it in messages."""
        return cls(RetentionPolicy.from_dict(mapping, source=source, roots=[_SOME_ROOT]))

    def to_dict(self) -> dict[str, Any]:
        """As the policy's own, with null for the roots, which no policy with roots has."""
        return {**self._checked.to_dict(), "roots": None}

    def rooted_in(self, root: str) -> RetentionPolicy:
        """The policy.

        Raises:
          PolicyError: nothing may be deleted there: it is a whole file system or bucket.
        """
        return RetentionPolicy.from_dict(self.to_dict(), source="the pipeline root", roots=[root])


def pipeline_root(uri: str, *, node: str | None, output: str, execution: int) -> str:
    """The pipeline's root, from where an output of this execution lies: `<root>/<node>/<output>/<execution>`.

    Args:
      uri: of the output.
      node: the node that the orchestrator says this is, if it says.

    Raises:
      JanitorError: it lies elsewhere; so nobody knows where the others lie.
    """
    place = parse(uri)
    parts = place.path.split("/")
    if len(parts) > 3 and node in (None, parts[-3]) and parts[-2:] == [output, str(execution)]:
        return str(Place(place.scheme, "/".join(parts[:-3]) or "/"))
    raise JanitorError(
        f"expected its own output at <pipeline root>/{node or '<node>'}/{output}/{execution}, got {uri}; "
        "tell CheckpointJanitor where the pipeline's outputs lie, with roots=[...]"
    )
