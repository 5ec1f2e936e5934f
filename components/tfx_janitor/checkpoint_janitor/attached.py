"""The policies that authors attached to the outputs of their nodes, and which policy then counts.

TFX has no public call to attach a GarbageCollectionPolicy, and no longer a collector that obeys one. Its
compiler still takes it from `OutputChannel._garbage_collection_policy`; so does this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_node
from tfx.types import channel

from tfx_janitor.checkpoint_janitor.options import OptionError
from tfx_janitor.checkpoint_janitor.unrooted import UnrootedPolicy
from tfx_janitor.policy.schema import RetentionPolicy, Rule

Attached = Mapping[tuple[str, str], Any]
"""GarbageCollectionPolicy messages by node id and output key."""


def attached_to(channels: Iterable[types.BaseChannel], nodes: Iterable[base_node.BaseNode]) -> Attached:
    """The policies attached to these channels, and to all outputs of these nodes."""
    outputs: list[Any] = [output for node in nodes for output in node.outputs.values()]
    for given in channels:
        outputs += given.channels if isinstance(given, channel.UnionChannel) else [given]
    return {
        (output.producer_component_id, output.output_key): output._garbage_collection_policy
        for output in outputs
        if getattr(output, "_garbage_collection_policy", None) is not None
    }


def policy_in_force(
    given: RetentionPolicy | None, attached: Attached, roots: Sequence[str] | None
) -> RetentionPolicy | UnrootedPolicy:
    """The policy that was given, or else what the attached ones say together.

    Raises:
      OptionError: there is none, or one given and one attached that do not agree.
      PolicyError: an attached one cannot be converted.
    """
    if given is None:
        if not attached:
            raise OptionError(
                "expected a policy, got none, and none is attached to an output that the janitor was given; "
                "pass policy=RetentionPolicy.from_yaml(path), or attach a GarbageCollectionPolicy before, as "
                'trainer.outputs["model"]._garbage_collection_policy'
            )
        if roots is None:
            return UnrootedPolicy.from_tfx(attached)
        return RetentionPolicy.from_tfx(attached, roots=roots)
    if roots is not None:
        raise OptionError("expected no roots beside a policy, which has its own; remove them here")
    if attached and isinstance(given, RetentionPolicy):
        _refuse_to_choose(given, attached)
    return given


def _refuse_to_choose(given: RetentionPolicy, attached: Attached) -> None:
    """Somebody wanted kept what each of them keeps: letting one win would delete what the other keeps."""
    promised = RetentionPolicy.from_tfx(attached, roots=given.roots, unsafe_delete_all=True).rules
    for (node, output), rule in zip(attached, promised, strict=True):
        if not any(_same(rule, own) for own in given.rules):
            raise OptionError(
                f"expected the policy to have the rule of the GarbageCollectionPolicy that is attached to "
                f"output {output} of {node}, got none like it; leave policy out, make it with "
                "RetentionPolicy.from_tfx, or take the attached one off the output"
            )


def _same(attached: Rule, given: Rule) -> bool:
    # The attached one is for its own pipeline, whose name nobody knows yet.
    unnamed = {
        "name": attached.name,
        "match": given.match.model_copy(update={"pipeline": attached.match.pipeline}),
    }
    return given.model_copy(update=unnamed) == attached
