"""Liveness: the safety reasons that no policy can override, one small piece per hold.

A lineage hold sees the case alone, a storage hold also what storage says. Each yields pairs of an artifact
row and a reason. Holds that depend on what else is deleted (`hold.shared-payload`, `hold.no-verified-
survivor`, `hold.newest-checkpoint`) are in `dependent_holds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from itertools import product

import numpy as np

from tfx_janitor.lineage.snapshot import OUTPUTS, SUCCESSFUL, ArtifactState, ExecutionState, state_name
from tfx_janitor.retention.case import INFRA_BLESSING, MODEL, PRESENT, Case
from tfx_janitor.retention.facts import StorageFacts
from tfx_janitor.retention.plan import Reason
from tfx_janitor.retention.timestamps import shown, to_ms

Held = Iterator[tuple[int, Reason]]

_Seen = tuple[str | None, ...]
"""What a resolver looks in: a pipeline; or a pipeline, a node there, and an output of it."""

_IMPORTERS = (".Importer", ".ImporterNode")
_RESOLVERS = (".Resolver", ".ResolverNode")


def active_execution(case: Case) -> Held:
    """Input or output of an execution that is NEW or RUNNING."""
    executions = case.snapshot.executions
    for execution in np.flatnonzero(case.active).tolist():
        state = ExecutionState(int(executions.state[execution])).name
        step = case.execution_step(execution)
        for row in case.uses(execution):
            yield (
                row,
                Reason(
                    "hold.active-execution",
                    f"used by execution {step[1]}, which is {state}",
                    path=(case.artifact_step(row), step),
                ),
            )


def active_run(case: Case) -> Held:
    """Produced or consumed in a pipeline run that is not over, or that the janitor itself is part of.

    Nothing in MLMD says that a run is over, and between two nodes none of its executions is active. So one
    that gave a sign of life within `min_age` is not taken to be over.
    """
    executions = case.snapshot.executions
    why: dict[int, tuple[str, int | None]] = {}
    for execution in np.flatnonzero(case.active & (executions.run >= 0)).tolist():
        run = int(executions.run[execution])
        detail = (
            f"run {executions.run_names[run]} is not over: execution {executions.id[execution]} is active"
        )
        why.setdefault(run, (detail, execution))
    minimum = to_ms(case.policy.min_age)
    fresh = (executions.updated_ms > case.now_ms - minimum) & ~case.snapshot.janitor_executions
    for execution in np.flatnonzero(fresh & (executions.run >= 0)).tolist():
        run, until = int(executions.run[execution]), shown(int(executions.updated_ms[execution]) + minimum)
        detail = (
            f"run {executions.run_names[run]} may not be over: execution {executions.id[execution]} was "
            f"active, and min_age holds what its run used until {until}"
        )
        why.setdefault(run, (detail, execution))
    if case.own_run >= 0:
        why[case.own_run] = (f"run {executions.run_names[case.own_run]} is the janitor's own", None)
    for execution in np.flatnonzero(np.isin(executions.run, list(why))).tolist():
        detail, active = why[int(executions.run[execution])]
        tail = () if active in (None, execution) else (case.execution_step(active),)
        for row in case.uses(execution):
            path = (case.artifact_step(row), case.execution_step(execution), *tail)
            yield row, Reason("hold.active-run", detail, path=path)


def newest(case: Case) -> Held:
    """An output of the newest successful execution of its node; without it TFX retrains and pushes again."""
    executions = case.snapshot.executions
    successful = np.isin(executions.state, SUCCESSFUL) & ~case.snapshot.janitor_executions
    latest: dict[tuple[int, int, int], int] = {}
    for execution in np.flatnonzero(successful).tolist():
        # A Resolver has no output events, for it does not own what it resolves, unless a partial run stood in
        # for it: what that wrote down holds until the Resolver runs again. Rows ascend with ids, so the last
        # one wins.
        if _is_resolver(case, execution) or case.snapshot.artifacts_of(execution, OUTPUTS):
            node = int(executions.node[execution])
            # What was written without contexts, by hand or by another tool, has its type for a node.
            kind = -1 if node >= 0 else int(executions.type[execution])
            latest[int(executions.pipeline[execution]), node, kind] = execution
    for (_, node, kind), execution in latest.items():
        name = executions.node_names[node] if kind < 0 else f"type {executions.type_names[kind]}"
        step = case.execution_step(execution)
        for row in dict.fromkeys(case.snapshot.artifacts_of(execution, OUTPUTS)):
            detail = f"output of execution {step[1]}, the newest successful one of {name}"
            yield row, Reason("hold.newest", detail, path=(case.artifact_step(row), step))


def _is_resolver(case: Case, execution: int) -> bool:
    executions = case.snapshot.executions
    return executions.type_names[executions.type[execution]].endswith(_RESOLVERS)


def latest_blessed(case: Case) -> Held:
    """The Model, and its ModelBlessing, that LatestBlessedModelStrategy would resolve for its pipeline.

    The strategy takes the highest Model id that has a blessing, among LIVE ones. The newest among LIVE and
    marked ones is held too, so that a mark does not survive the loss of the model that replaced it.
    """
    snapshot, states, put_out = case.snapshot, case.snapshot.artifacts.state, _put_out(case)
    blessed: list[tuple[int, int, bool, list[tuple[_Seen, _Seen]]]] = []
    for model, blessings in case.blessings.items():
        for blessing in blessings:
            # A resolver sees the models of one pipeline and the blessings of one, mostly its own, or what one
            # node there put out, if it was given a producer. It goes by ids. What it does not see, be it
            # newer, must not stand for what it does.
            by_id = snapshot.property(blessing, "current_model_id") == snapshot.artifacts.id[model]
            seen: list[tuple[_Seen, _Seen]] = [
                ((snapshot.pipeline_of(model),), (snapshot.pipeline_of(blessing),))
            ]
            if by_id:
                seen += product(put_out.get(model, ()), put_out.get(blessing, ()))
            blessed.append((model, blessing, bool(by_id), seen))
    told: set[tuple[int, int]] = set()
    for stays in (states == ArtifactState.LIVE, case.present):
        resolved: dict[tuple[_Seen, _Seen], tuple[bool, int, int]] = {}
        for model, blessing, by_id, seen in blessed:
            if stays[model] and stays[blessing]:
                found = (by_id, model, blessing)
                for seen_by in seen:
                    resolved[seen_by] = max(found, resolved.get(seen_by, found))
        # That of a whole pipeline says more than that of a node of it.
        for seen_by in sorted(resolved, key=lambda seen_by: len(seen_by[0])):
            _, model, blessing = resolved[seen_by]
            if (model, blessing) in told:
                continue
            told.add((model, blessing))
            # Where the blessing is not of an execution that took the model, it names it all the same.
            path = case.derivations.path(model, blessing, between=()) or (
                case.artifact_step(model),
                case.artifact_step(blessing),
            )
            detail = f"the {_latest('model', *seen_by)}, the baseline of its next run"
            yield model, Reason("hold.latest-blessed", detail, path=path)
            detail = f"the blessing of model {path[0][1]}, the {_latest('one', *seen_by)}"
            yield blessing, Reason("hold.latest-blessed", detail, path=tuple(reversed(path)))


def _put_out(case: Case) -> dict[int, list[_Seen]]:
    """Per artifact of a blessed pair: every output of a node that it ever was.

    An Importer also puts out what it re-uses. A partial run writes down what a Resolver had found as if the
    Resolver had put it out.
    """
    events, executions = case.snapshot.events, case.snapshot.executions
    wanted = np.zeros(len(case.snapshot.artifacts), bool)
    for model, blessings in case.blessings.items():
        wanted[[model, *blessings]] = True
    resolvers = [row for row, name in enumerate(executions.type_names) if name.endswith(_RESOLVERS)]
    own = np.isin(events.kind, OUTPUTS) & ~np.isin(executions.type, resolvers)[events.execution]
    own = np.flatnonzero(own & wanted[events.artifact])
    makers = events.execution[own]
    numbers = (executions.pipeline[makers], executions.node[makers], events.key[own])
    names = (executions.pipeline_names, executions.node_names, events.key_names)
    columns = (
        [known[at] if at >= 0 else None for at in n.tolist()] for n, known in zip(numbers, names, strict=True)
    )
    found: dict[int, dict[_Seen, None]] = defaultdict(dict)
    for row, *seen in zip(events.artifact[own].tolist(), *columns, strict=True):
        found[row][tuple(seen)] = None
    return {row: list(seen) for row, seen in found.items()}


def _latest(noun: str, maker: _Seen, judge: _Seen) -> str:
    if maker == judge:
        return f"latest blessed {noun} of {_in_words(maker)}"
    return f"latest {noun} of {_in_words(maker)} that {_in_words(judge)} blessed"


def _in_words(seen: _Seen) -> str:
    pipeline, *inside = seen
    found = pipeline or "no known pipeline"
    if inside:
        node, output = inside
        found = f"{node or 'no known node'} ({output or 'no known output'}) in {found}"
    return found


def pinned(case: Case) -> Held:
    """Pinned by a person."""
    for pin in case.snapshot.pins:
        row = case.snapshot.row(pin.artifact_id)
        if row is not None and pin.stands(case.now_ms):
            until = f" until {shown(pin.until_ms)}" if pin.until_ms is not None else ""
            detail = f"pinned by {pin.actor}{until}: {pin.reason}"
            yield (
                row,
                Reason("hold.pinned", detail, path=(case.artifact_step(row), ("context", pin.context_id))),
            )


def external(case: Case) -> Held:
    """Not made by a pipeline: `is_external`, or produced or re-used by an Importer."""
    snapshot = case.snapshot
    column = snapshot.artifacts.properties.get("is_external")
    for row, value in column.items() if column is not None else ():
        if value:
            yield row, Reason("hold.external", "is_external is set", path=(case.artifact_step(row),))
    importers = [i for i, name in enumerate(snapshot.executions.type_names) if name.endswith(_IMPORTERS)]
    for execution in np.flatnonzero(np.isin(snapshot.executions.type, importers)).tolist():
        for row in dict.fromkeys(snapshot.artifacts_of(execution, OUTPUTS)):
            step = case.execution_step(execution)
            detail = f"imported by execution {step[1]}"
            yield row, Reason("hold.external", detail, path=(case.artifact_step(row), step))


def too_young(case: Case) -> Held:
    """Younger than the policy's `min_age`; also what a clock ahead of ours made."""
    created = case.snapshot.artifacts.created_ms
    minimum = to_ms(case.policy.min_age)
    for row in np.flatnonzero(created > case.now_ms - minimum).tolist():
        if created[row] > case.now_ms:
            detail = f"created {shown(int(created[row]))}, later than the moment that is judged"
        else:
            detail = f"min_age protects it until {shown(int(created[row]) + minimum)}"
        yield row, Reason("hold.too-young", detail, path=(case.artifact_step(row),))


def unknown_state(case: Case) -> Held:
    """A state that says neither that the payload is there nor that it is gone."""
    known = (*PRESENT, ArtifactState.DELETED)
    for row in np.flatnonzero(~np.isin(case.snapshot.artifacts.state, known)).tolist():
        name = state_name(int(case.snapshot.artifacts.state[row]))
        detail = f"state {name} says neither that the payload is there nor that it is gone"
        yield row, Reason("unknown.state", detail, path=(case.artifact_step(row),))


def no_producer(case: Case) -> Held:
    """No COMPLETE execution produced it: nobody knows whose it is, or whether it is finished."""
    for row in np.flatnonzero(case.snapshot.producer < 0).tolist():
        detail = "no COMPLETE execution has it as output"
        yield row, Reason("unknown.no-producer", detail, path=(case.artifact_step(row),))


def served(case: Case, facts: StorageFacts) -> Held:
    """The PushedModel whose destination still stands, and the Model that it came from."""
    standing = case.standing(facts)
    for model, pushes in case.pushes.items():
        for execution, pushed in pushes:
            if pushed in standing:
                # A Pusher that was given an InfraBlessing is one step further away. A rollback is an act, and
                # those are no steps.
                path = case.derivations.path(model, pushed, between=(INFRA_BLESSING,)) or (
                    case.artifact_step(model),
                    case.execution_step(execution),
                    case.artifact_step(pushed),
                )
                yield model, Reason("hold.served", _where(case, facts, pushed), path=path)
    for pushed in sorted(standing):
        yield (
            pushed,
            Reason("hold.served", _where(case, facts, pushed), path=(case.artifact_step(pushed),)),
        )


def _where(case: Case, facts: StorageFacts, pushed: int) -> str:
    destination = case.snapshot.property(pushed, "pushed_destination")
    if pushed in facts.destinations and pushed not in facts.unseen:
        return f"served at {destination}"
    return f"pushed to {destination}, of which nobody here can tell whether it still stands"


def outside_roots(case: Case, facts: StorageFacts) -> Held:
    """Payload not strictly inside one of the policy's roots, links resolved."""
    for row in case.governed:
        place = facts.places.get(row)
        if place is not None and not any(root.contains(place) for root in facts.roots):
            detail = f"{place} is not inside any root of the policy"
            yield row, Reason("hold.outside-roots", detail, path=(case.artifact_step(row),))


def not_understood(case: Case, facts: StorageFacts) -> Held:
    """A URI that cannot be read, or whose scheme has no handler; a payload that cannot be looked into."""
    for row, problem in facts.not_understood.items():
        yield row, Reason("unknown.uri", problem, path=(case.artifact_step(row),))
    for row, problem in facts.unreadable.items():
        yield row, Reason("unknown.payload", problem, path=(case.artifact_step(row),))


def unverified_sibling(case: Case, facts: StorageFacts, row: int, deletions: Collection[int]) -> str | None:
    """Why a ModelRun's newest checkpoint is still needed.

    Args:
      row: the ModelRun.
      deletions: rows that are being deleted; a Model that goes in good order needs no checkpoint behind it.

    Returns:
      What is wrong with the sibling Model; None if it is verified, or gone or going in good order.
    """
    models = case.snapshot.siblings(row, MODEL)
    if not models:
        return "no Model came of the same execution"
    for model in models:
        if case.snapshot.artifacts.state[model] == ArtifactState.DELETED or model in deletions:
            continue
        verified = facts.verified.get(model)
        if verified is None or not verified.whole:
            detail = "not verified" if verified is None else verified.detail
            return f"model {case.snapshot.artifacts.id[model]} of the same execution: {detail}"
    return None


LINEAGE_HOLDS: tuple[Callable[[Case], Held], ...] = (
    active_execution,
    active_run,
    newest,
    latest_blessed,
    pinned,
    external,
    too_young,
    unknown_state,
    no_producer,
)

STORAGE_HOLDS: tuple[Callable[[Case, StorageFacts], Held], ...] = (
    served,
    outside_roots,
    not_understood,
)


def held_by_lineage(case: Case) -> dict[int, list[Reason]]:
    """All lineage holds by row, in the order of `LINEAGE_HOLDS`."""
    return _collect(hold(case) for hold in LINEAGE_HOLDS)


def held_by_storage(case: Case, facts: StorageFacts) -> dict[int, list[Reason]]:
    """All storage holds by row, in the order of `STORAGE_HOLDS`."""
    return _collect(hold(case, facts) for hold in STORAGE_HOLDS)


def _collect(holds: Iterator[Held]) -> dict[int, list[Reason]]:
    reasons: defaultdict[int, list[Reason]] = defaultdict(list)
    for held in holds:
        seen: set[tuple[int, str]] = set()
        for row, reason in held:
            # One reason a code is enough to hold; the first is the one that the hold finds most telling.
            if (row, reason.code) not in seen:
                seen.add((row, reason.code))
                reasons[row].append(reason)
    return reasons
