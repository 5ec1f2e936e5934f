"""Payloads that could not be looked at: told once for each reason and place, however many they are."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tfx_janitor.audit.finding import Finding
from tfx_janitor.payload.presence import Unread


@dataclass(frozen=True, slots=True)
class Refusal:
    """A payload, or a version that is served, that could not be looked at.

    Attributes:
      payload: absolute path.
      unread: what cannot be read: the payload itself, something in it, or a directory around it.
      artifact_id: whose payload it is; None of a version that no lineage tells of.
    """

    payload: str
    unread: Unread
    artifact_id: int | None

    @property
    def is_around(self) -> bool:
        """Whether it is a directory around the payload that cannot be read."""
        return self.payload.startswith(f"{self.unread.path.rstrip('/')}/")

    @property
    def where(self) -> str:
        """What many may share: the directory around them that cannot be read, or that in which they lie."""
        return self.unread.path if self.is_around else os.path.dirname(self.payload)


def findings(refusals: Iterable[Refusal]) -> Iterator[Finding]:
    """One finding for all that lie in one directory and cannot be read for the same reason."""
    groups: dict[tuple[str, str], list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        groups[refusal.where, refusal.unread.problem].append(refusal)
    for (where, problem), group in groups.items():
        payloads = {refusal.payload: refusal for refusal in group}
        artifacts = sorted({one.artifact_id for one in group if one.artifact_id is not None})
        first = min(group, key=lambda refusal: (refusal.artifact_id or 0, refusal.unread.path))
        alone = len(payloads) == 1 and len(artifacts) < 2
        if alone:
            detail = str(first.unread)
        elif first.is_around:
            detail = f"{where} {problem}, and {len(payloads):,} payloads lie in it"
        else:
            some = f"of {len(payloads):,} payloads in {where} something"
            detail = f"{some} {problem}, first {first.unread.path}"
        if first.unread.forbidden:
            detail += "; audit as somebody who may"
        yield Finding(
            "unreadable-payload",
            detail,
            artifact_id=artifacts[0] if alone and artifacts else None,
            path=first.unread.path if alone else where,
            evidence={
                "problem": problem,
                "unread": first.unread.path,
                "payloads": len(payloads),
                "artifacts": artifacts,
            },
        )
