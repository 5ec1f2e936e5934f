"""Pipelines that run while `tfx-janitor gc` runs in a loop beside them, with a grace of two seconds.

The pipelines run in this process, one run after the other, and the janitor in one of its own, which never
rests. The policy keeps as much as the Resolvers and the cache of a run reach back, and lets go all the rest:
two of everything, for what a run has found, and is no longer the newest, is marked between two of its nodes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History
from tests.deletion.janitor_process import MEANWHILE
from tests.deletion.live import pipelines
from tfx_janitor.deletion import acts, history
from tfx_janitor.deletion.remove import TRASH

pytestmark = [pytest.mark.tfx, pytest.mark.e2e]

ROUNDS = 16
"""At least, of two runs each; more where they are so fast that the grace of little is over."""

MOST_ROUNDS = 100

CYCLE = 4
"""Rounds after which the nightly pipeline has used up its two spans."""

ENOUGH = 60
"""Artifacts that must be gone at the end."""

KEEP = {
    "Model": {"last": 2, "blessed": 2},
    "ModelRun": {"last": 2},
    "ModelBlessing": {"last": 2, "blessed": 2},
    "Examples": {"last": 2},
    "PushedModel": {"last": 2},
}

EXPECTED = ("COMPLETE", "CACHED")


@dataclass(frozen=True)
class Told:
    """What was seen.

    Attributes:
      rounds: number of runs of each pipeline.
      collections: what each `gc` printed, with its exit code as `exit`.
      said: what the janitor's process wrote on standard error.
    """

    past: History
    rounds: int
    collections: list[dict[str, Any]]
    said: str

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """Of all collections."""
        return [outcome for collection in self.collections for outcome in collection["outcomes"]]

    def executions(self, pipeline: str) -> dict[str, list[tuple[str, str]]]:
        """Nodes and states of the executions of each run of a pipeline."""
        store = self.past.store
        (context,) = [c for c in store.get_contexts_by_type("pipeline") if c.name == pipeline]
        node_of = {
            execution.id: node.name.removeprefix(f"{pipeline}.")
            for node in store.get_contexts_by_type("node")
            if node.name.startswith(f"{pipeline}.")
            for execution in store.get_executions_by_context(node.id)
        }
        return {
            run.name: [
                (node_of[execution.id], mlmd.Execution.State.Name(execution.last_known_state))
                for execution in sorted(store.get_executions_by_context(run.id), key=lambda row: row.id)
            ]
            for run in store.get_children_contexts_by_context(context.id)
        }


def run_both(home: Path, count: int) -> None:
    """One round."""
    good = count % 3 != 1
    # 0 1 0 1 2 3 2 3: each span comes back once, and is in the cache then.
    span = count // CYCLE * 2 + count % 2
    pipelines.run(home, "nightly", span, good=good, goes_on=False)
    pipelines.run(home, "hourly", count, good=good, goes_on=count > 0)


def deleted(past: History) -> int:
    """How many artifacts are DELETED by now."""
    return sum(row.state == mlmd.Artifact.DELETED for row in past.store.get_artifacts())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What was seen of all runs."""
    home = tmp_path_factory.mktemp("live")
    past = History(home)
    rules = [{"name": kind.lower(), "match": {"type": kind}, "keep": keep} for kind, keep in KEEP.items()]
    rules += [{"name": "checkpoints", "match": {"type": "ModelRun"}, "checkpoints": {"last": 1}}]
    policy = past.policy_file(rules=rules, grace="2s")
    command = [sys.executable, "-m", "tests.deletion.live.gc_in_a_loop", "--metadata", past.url]
    command += ["gc", "--policy", str(policy)]
    printed, said = home / "collections.jsonl", home / "said.txt"
    with (
        printed.open("w") as out,
        said.open("w") as err,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err) as janitor,
    ):
        rounds = 0
        while rounds < ROUNDS or (rounds < MOST_ROUNDS and deleted(past) < ENOUGH):
            rounds += CYCLE
            for count in range(rounds - CYCLE, rounds):
                run_both(past.home, count)
        janitor.communicate(timeout=60)
    collections = [json.loads(line) for line in printed.read_text().splitlines()]
    return Told(past, rounds, collections, said.read_text())


def test_every_node_of_every_run_succeeded(told: Told) -> None:
    for pipeline, nodes in (("nightly", pipelines.NIGHTLY), ("hourly", pipelines.HOURLY)):
        runs = told.executions(pipeline)
        assert len(runs) == told.rounds
        first = next(iter(runs))
        for run, executions in runs.items():
            expected = pipelines.FIRST_HOURLY if (pipeline, run) == ("hourly", first) else nodes
            assert sorted(node for node, _ in executions) == sorted(expected)
            assert {state for _, state in executions} <= set(EXPECTED), (run, executions)


def test_the_cache_was_hit_although_much_was_deleted(told: Told) -> None:
    states = Counter(pair for executions in told.executions("nightly").values() for pair in executions)
    for node in ("Generate", "Train"):
        assert states[node, "COMPLETE"] == states[node, "CACHED"] == told.rounds // 2


def test_the_janitor_never_failed_and_left_only_what_changed_meanwhile(told: Told) -> None:
    assert {collection["exit"] for collection in told.collections} <= {0, 1}, told.said
    # It may have had to wait for a pipeline's writing: that is told, and no failure.
    assert [line for line in told.said.splitlines() if "the metadata store is busy" not in line] == []
    assert [
        outcome
        for outcome in told.outcomes
        if outcome["done"] == "failed"
        or (outcome["done"] == "skipped" and not MEANWHILE.fullmatch(outcome["detail"]))
    ] == []


def test_what_stays_is_whole_and_what_went_went_once(told: Told) -> None:
    from tests.deletion.live.stages import read_all, read_newest_checkpoint

    purged = Counter(
        outcome.artifact_id
        for act in acts.read(told.past.store)
        for outcome in act.outcomes
        if outcome.done == "purged"
    )
    states: Counter[str] = Counter()
    for artifact in told.past.store.get_artifacts():
        state, path = mlmd.Artifact.State.Name(artifact.state), Path(artifact.uri)
        states[state] += 1
        assert purged[artifact.id] == (state == "DELETED"), (artifact.id, artifact.type, state)
        if state == "DELETED":
            assert not path.exists()
        elif artifact.type == "ModelRun":
            read_newest_checkpoint(path)
        elif artifact.type == "PushedModel":
            assert path.is_dir()
        else:
            read_all(path)
    assert states["DELETED"] >= ENOUGH
    assert not list(told.past.root.rglob(TRASH))
    became = Counter(outcome["done"] for outcome in told.outcomes)
    print(f"\n{2 * told.rounds} runs, {len(told.collections)} collections: {dict(became)}; {dict(states)}")


def test_its_history_is_as_it_was_written(told: Told) -> None:
    assert history.verify(told.past.store).findings == ()
