"""TFX's own GarbageCollectionPolicy as rules of ours.

TFX lost its garbage collector; the message with which authors told it what to keep of an output channel still
ships (`tfx.proto.orchestration.garbage_collection_policy_pb2`). It is read here by its fields alone, so that
nobody has to import TFX to have a policy. What stays the same and what is safer: docs/coming-from-tfx.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from tfx_janitor.policy.errors import shown
from tfx_janitor.policy.file import FieldPath, PolicyError, Problem

Output = tuple[str, str]
"""A node's id and the key of one of its outputs."""

_MESSAGE = "tfx.orchestration.GarbageCollectionPolicy"
_SOURCE = "GarbageCollectionPolicy"

_RECENT = "keep_most_recently_published"
_GROUPS = "keep_property_value_groups"
_USED = "keep_if_used_in_pipeline_groups"

_ORDERS = ("largest", "largest", "smallest")
"""By the numbers of KEEP_ORDER_UNSPECIFIED, KEEP_ORDER_LARGEST, KEEP_ORDER_SMALLEST."""


class GarbageCollectionPolicy(Protocol):
    """What is read of TFX's message."""

    keep_most_recently_published: Any
    keep_property_value_groups: Any
    keep_if_used_in_pipeline_groups: Any

    def WhichOneof(self, oneof_group: str) -> str | None:
        """The field of `policy` that is set."""
        ...


def rules(
    policies: GarbageCollectionPolicy | Mapping[Output, GarbageCollectionPolicy],
    *,
    match: Mapping[str, Any] | None = None,
    unsafe_delete_all: bool = False,
) -> list[dict[str, Any]]:
    """Converts messages to rules as a policy file has them, one rule each.

    Args:
      policies: one message, or the messages of several outputs.
      match: which artifacts the one message governs; with several, what these must fit besides, such as
        `{"pipeline": "inception"}`.
      unsafe_delete_all: takes a `num_artifacts` of zero or less at its word.

    Raises:
      PolicyError: names all that cannot be converted, by the message's own fields.
    """
    converted: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for at, where, policy in _governing(policies, match):
        try:
            keep = dict(_words(at, policy, unsafe_delete_all))
        except PolicyError as error:
            problems += error.problems
            continue
        name = _unused(".".join(map(str, at)) or "garbage-collection", converted)
        converted[name] = {"name": name, "match": where, "keep": keep}
        if not keep:
            converted[name]["unsafe_delete_all"] = True
    if problems:
        raise PolicyError(_SOURCE, tuple(problems))
    return list(converted.values())


def _governing(
    policies: GarbageCollectionPolicy | Mapping[Output, GarbageCollectionPolicy],
    match: Mapping[str, Any] | None,
) -> Iterator[tuple[FieldPath, Mapping[str, Any], GarbageCollectionPolicy]]:
    """Each message with what it governs, and with how messages call it."""
    if not isinstance(policies, Mapping):
        if not match:
            raise _refusal(
                (), 'expected match beside it, such as match={"node": "Trainer", "output": "model"}'
            )
        yield (), match, policies
        return
    for key, policy in policies.items():
        if not (isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)):
            raise _refusal((), f"expected pairs (node id, output key) to say whose it is, got {shown(key)}")
        where = dict(zip(("node", "output"), map(_literally, key), strict=True))
        for said in where.keys() & (match or {}).keys():
            raise _refusal(("match", said), f"the {said} of each is known already; remove it")
        yield key, {**where, **(match or {})}, policy


def _words(at: FieldPath, policy: GarbageCollectionPolicy, unsafe: bool) -> Iterator[tuple[str, Any]]:
    """The words of `keep`; TFX keeps what any part of the message keeps, and so does a rule."""
    name = getattr(getattr(policy, "DESCRIPTOR", None), "full_name", None)
    if name != _MESSAGE:
        raise _refusal(at, f"expected the message {_MESSAGE}, got {shown(policy)}")
    used_in = policy.keep_if_used_in_pipeline_groups
    kind = policy.WhichOneof("policy")
    if kind is None:
        # TFX took such a message for a policy that it does not know, and deleted nothing.
        alone = f"says only {_USED}" if used_in else "says nothing"
        raise _refusal(at, f"{alone}, with which TFX deletes nothing; set {_RECENT} or {_GROUPS} too")
    if kind == _RECENT:
        count = policy.keep_most_recently_published.num_artifacts
        if count > 0:
            yield "last", count
        elif not unsafe:
            raise _refusal(
                (*at, _RECENT, "num_artifacts"),
                f"expected at least 1, got {count}, with which TFX keeps nothing; say how many to keep, or "
                "pass unsafe_delete_all=True",
            )
    if kind == _GROUPS:
        groupings = policy.keep_property_value_groups.groupings
        if not groupings:
            raise _refusal(
                (*at, _GROUPS, "groupings"), "expected at least one, got none, which keeps everything"
            )
        yield "groups", [_grouping((*at, _GROUPS, "groupings", n), g) for n, g in enumerate(groupings)]
    if used_in:
        names = (_pipeline((*at, _USED, number), group) for number, group in enumerate(used_in))
        yield "used_by", list(dict.fromkeys(names))


def _grouping(at: FieldPath, grouping: Any) -> dict[str, Any]:
    if not grouping.property_name:
        raise _refusal((*at, "property_name"), "expected the name of a property, got an empty one")
    # The enumeration is open: a newer message may hold a number that nobody here knows.
    if not 0 <= grouping.keep_order < len(_ORDERS):
        raise _refusal(
            (*at, "keep_order"), f"expected KEEP_ORDER_LARGEST or _SMALLEST, got {grouping.keep_order}"
        )
    limit = {"keep": grouping.keep_num} if grouping.keep_num > 0 else {}
    return {"property": grouping.property_name, **limit, "order": _ORDERS[grouping.keep_order]}


def _pipeline(at: FieldPath, group: Any) -> str:
    """The pattern of a pipeline. MLMD knows no owners: a pipeline of that name counts, whosever it is."""
    if not group.name:
        raise _refusal(
            (*at, "name"),
            "expected the name of a pipeline, got none; MLMD does not know which pipelines an owner has",
        )
    return _literally(group.name)


def _literally(name: str) -> str:
    """The shell-like pattern that fits this name alone."""
    return re.sub(r"[*?[]", r"[\g<0>]", name)


def _unused(text: str, taken: Mapping[str, object]) -> str:
    """A rule's name made of a text, different from those taken."""
    name = re.sub(r"[^a-z0-9_.-]+", "-", text.lower())
    return next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)


def _refusal(at: FieldPath, message: str) -> PolicyError:
    return PolicyError(_SOURCE, (Problem(message, at),))
