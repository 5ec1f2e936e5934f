"""The hashes that acts carry: of a beginning, which names the acts before it, and of an end.

An act is written twice, so it is sealed twice. The hash of its beginning is over all that is known before its
first effect, and over the hashes of the acts before it; the hash of its end is over that and what became of
its items. An act that never ended has a beginning alone.

Several janitors may begin at the same time, and do not see each other then: two acts name the same one before
them. So an act names all that it sees and that nobody has named yet, mostly one; what forked comes together
again with the next act.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfx_janitor.deletion.act import Act, Link, Outcome

if TYPE_CHECKING:
    from tfx_janitor.retention.plan import Decision, Orphan

ALTERED = "act {}, which marked it, is not as it was written: see tfx-janitor history --verify"
"""Why nothing is purged that such an act marked."""


def beginning(act: Act, previous: Sequence[Link]) -> str:
    """Hash of the beginning of an act that names these before it; its id and its end are no part of it."""
    content = {
        "kind": act.kind,
        "at_ms": act.at_ms,
        "actor": act.actor,
        "version": act.version,
        "details": act.details,
        "touches": sorted([touch.artifact_id, touch.what] for touch in act.touches),
        "previous": previous,
    }
    return _hash("tfx-janitor/act-begun/v1", content)


def as_written(act: Act) -> bool:
    """Whether the beginning of an act has the hash that it carries; an act of old carries none."""
    return act.seal is None or beginning(act, act.seal.previous) == act.seal.begun


def end(begun: str, outcomes: Iterable[Outcome]) -> str:
    """Hash of the end of an act, from that of its beginning."""
    rows = [outcome.row for outcome in outcomes]
    return _hash("tfx-janitor/act-ended/v1", {"begun": begun, "outcomes": rows})


def decided(decisions: Iterable[Decision | Orphan]) -> str:
    """Hash of some of a plan's decisions with all their reasons, in the order given."""
    return _hash("tfx-janitor/decided/v1", [decision.to_dict() for decision in decisions])


def plain(value: object) -> str:
    """`sha256:` and the hash of a JSON value's canonical form, as policies are hashed."""
    return f"sha256:{hashlib.sha256(_canonical(value)).hexdigest()}"


def _hash(schema: str, content: object) -> str:
    digest = hashlib.sha256(f"{schema}\n".encode())
    digest.update(_canonical(content))
    return f"sha256:{digest.hexdigest()}"


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
