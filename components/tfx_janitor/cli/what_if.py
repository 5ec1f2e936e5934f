"""What `plan` tells beside a plan: how two policies differ, and what a policy would have done so far.

Policies are called by their files. The first is the one in question, a second one is what it is compared to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfx_janitor.cli.exits import finish
from tfx_janitor.cli.options import Format
from tfx_janitor.cli.printing import print_json, print_pieces, show
from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from tfx_janitor.deletion.site import Site
    from tfx_janitor.lineage.snapshot import Snapshot
    from tfx_janitor.policy.schema import RetentionPolicy
    from tfx_janitor.rehearsal.replayed import Replay
    from tfx_janitor.retention.plan import Plan


def plans(
    site: Site, snapshot: Snapshot, policies: Mapping[str, RetentionPolicy], *, measure_all: bool
) -> dict[str, Plan]:
    """A plan under each policy, all on the same snapshot; of several, also on one look at storage.

    Raises:
      NotInstalled: a policy asks for payloads to be loaded, and there is no TensorFlow: no purge could judge
        what the plan lets go.
    """
    from tfx_janitor.deletion import doubts, loader
    from tfx_janitor.survey.one_look import OneLook
    from tfx_janitor.survey.survey import make_plan

    crew = site.crew if len(policies) == 1 else OneLook(site.crew)
    for policy in policies.values():
        loader.check(policy)
    doubted = doubts.read(site.store)
    return {
        name: make_plan(
            site.case(snapshot, policy),
            crew,
            metadata=site.metadata,
            created_ms=site.now_ms,
            measure_all=measure_all,
            doubted=doubted,
        )
        for name, policy in policies.items()
    }


def tell_policy(policy: RetentionPolicy, format: Format) -> None:
    """Prints what a policy does, and what it would take for it to delete something that was ever pushed."""
    from tfx_janitor.report.policy_explanation import explain_policy, policy_lines

    explanation = explain_policy(policy)
    if format is Format.JSON:
        print_json(explanation.to_dict())
    else:
        show(*policy_lines(explanation))


def tell_comparison(made: Mapping[str, Plan], format: Format, *, list_all: bool) -> None:
    """Prints on what two plans differ."""
    from tfx_janitor.rehearsal.comparison import Comparison
    from tfx_janitor.report.comparison_text import MOST, comparison_lines

    (new, plan), (old, before) = made.items()
    comparison = Comparison(before, plan)
    if format is Format.JSON:
        print_pieces(comparison.to_json())
    else:
        show(*comparison_lines(comparison, old=old, new=new, most=None if list_all else MOST))


def replays(site: Site, snapshot: Snapshot, policies: Mapping[str, RetentionPolicy]) -> dict[str, Replay]:
    """What each policy would have done over the store's history, up to the moment of the site.

    Raises:
      JanitorError: the store had nothing in it yet.
    """
    from tfx_janitor.lineage.timeline import as_of
    from tfx_janitor.rehearsal.replay import replay
    from tfx_janitor.survey.one_look import OneLook
    from tfx_janitor.survey.past import look_back

    history = as_of(snapshot, site.now_ms)
    if not len(history.artifacts):
        raise JanitorError("there is no history to replay: the store has no artifacts up to this moment")
    crew = OneLook(site.crew)
    return {
        name: replay(
            history,
            policy,
            look_back(site.case(history, policy), crew),
            now_ms=site.now_ms,
            only_pipeline=site.only_pipeline,
            progress=site.progress,
        )
        for name, policy in policies.items()
    }


def tell_replays(tried: Mapping[str, Replay], format: Format, *, metadata: str, list_all: bool) -> None:
    """Prints what the policies would have done.

    Raises:
      Exit: with 1, if the first would have deleted something that was used later.
    """
    from tfx_janitor.report.replay_text import MOST, replay_lines

    (name, first), *others = tried.items()
    other = others[0] if others else None
    if format is Format.JSON:
        print_json(first.document(other and other[1], metadata=metadata))
    else:
        show(*replay_lines(first, name=name, other=other, most=None if list_all else MOST))
    finish(not first.regretted)
