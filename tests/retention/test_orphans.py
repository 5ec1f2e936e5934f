"""What claims a directory, what shows that its execution is alive, and what shows that it is another's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.retention.pure_histories import (
    CACHED,
    DAY,
    FAILED,
    FIRST_EXECUTION,
    HOUR,
    RUNNING,
    PureHistory,
    keep,
    on_day,
    spelled,
)
from tfx_janitor.lineage.snapshot import ArtifactState, EventKind, ExecutionState
from tfx_janitor.payload.places import parse
from tfx_janitor.retention import orphans
from tfx_janitor.retention.orphans import Contents, LaidOut, claimed, homes, judge, outputs, suspects
from tfx_janitor.retention.plan import Orphan

MODEL_RUN = "/pipelines/inception/Trainer/model_run/7"


@dataclass
class Past(PureHistory):
    """A history in which the Trainer of inception has trained once, on day 0, and recorded what it made."""

    def __post_init__(self) -> None:
        self.run().train()

    def orphans(
        self,
        *directories: LaidOut,
        written: float = 10,
        since: float | None = None,
        policy: dict[str, Any] | None = None,
        claims: dict[str, int] | None = None,
        unreadable: dict[str, str] | None = None,
        **case: Any,
    ) -> tuple[Orphan, ...]:
        """Verdicts on directories in which something was written from one day to another."""
        first, last = on_day(written if since is None else since), on_day(written)
        said = {"orphans": {"older_than": "14d"}, **(policy or {})}
        told = [d.path for d in directories if d.path not in {**(claims or {}), **(unreadable or {})}]
        return judge(
            self.case(rules=[keep("Model", last=1)], policy=said, **case),
            directories,
            contents={path: Contents(3, first, last, 100, 2) for path in told},
            unreadable=unreadable or {},
            claims=claims or {},
        )


def laid_out(execution: int, output: str | None = "model_run", **fields: Any) -> LaidOut:
    part = output or ".system/executor_execution"
    return LaidOut(
        f"/pipelines/inception/Trainer/{part}/{execution}", execution - FIRST_EXECUTION, output, **fields
    )


def verdicts(orphans: Sequence[Orphan]) -> list[str]:
    return [orphan.verdict for orphan in orphans]


def codes(orphans: Sequence[Orphan]) -> set[str]:
    return {reason.code for orphan in orphans for reason in orphan.reasons}


@pytest.fixture
def past() -> Past:
    return Past(now=100)


def test_what_a_dead_execution_left_may_go(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    (orphan,) = past.orphans(laid_out(died), written=11)
    assert (orphan.path, orphan.execution) == (f"/pipelines/inception/Trainer/model_run/{died}", died)
    assert (orphan.pipeline, orphan.run, orphan.node) == ("inception", "second", "Trainer")
    assert (orphan.output, orphan.bytes, orphan.files) == ("model_run", 100, 2)
    assert orphan.verdict == "delete"
    assert [spelled(reason) for reason in orphan.reasons] == [
        f"expire.older-than: execution {died} is RUNNING, and was last heard of at 2026-01-16 00:00:00 UTC; "
        f"keeps for 14d [execution {died}]"
    ]


# Whether it is alive.


def test_fourteen_days_to_the_millisecond(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    assert verdicts(past.orphans(laid_out(died), since=80, written=86 - 1 / DAY)) == ["delete"]
    alive = past.orphans(laid_out(died), since=80, written=86)
    assert (verdicts(alive), codes(alive)) == (["keep"], {"keep.older-than"})


def test_what_is_written_in_one_directory_keeps_all_of_the_execution(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    case = past.case(rules=[keep("Model", last=1)], policy={"orphans": {"older_than": "14d"}})
    model, model_run = laid_out(died, "model"), laid_out(died)
    quiet, written = (Contents(1, on_day(10), on_day(day), 0, 0) for day in (20, 90))
    found = judge(case, [model, model_run], {model.path: quiet, model_run.path: written}, {}, {})
    assert verdicts(found) == ["keep", "keep"]


def test_the_row_of_the_execution_is_a_sign_of_life_as_well(past: Past):
    began = past.run("second", day=90).execute("Trainer", state=RUNNING)
    orphans = past.orphans(laid_out(began), written=90)
    assert (verdicts(orphans), codes(orphans)) == (["keep"], {"keep.older-than"})


def test_another_node_at_work_keeps_the_run(past: Past):
    run = past.run("second", day=10)
    died = run.execute("Trainer", state=RUNNING)
    run.execute("BulkInferrer", state=RUNNING, day=95)
    orphans = past.orphans(laid_out(died))
    assert codes(orphans) == {"hold.active-run"}
    assert orphans[0].reasons[0].detail == (
        "in run second execution 503 was at work at 2026-04-10 00:00:00 UTC"
    )


def test_another_run_at_work_does_not(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    past.run("third", day=99).execute("Trainer", state=RUNNING)
    assert verdicts(past.orphans(laid_out(died))) == ["delete"]


def test_what_another_dead_execution_of_the_run_wrote_lately_keeps_it_too(past: Past):
    run = past.run("second", day=10)
    first, second = (run.execute(node, state=RUNNING) for node in ("Trainer", "Tuner"))
    past.run("third").execute("Tuner", outputs={"model": past.artifact("Model")})
    case = past.case(rules=[keep("Model", last=1)], policy={"orphans": {"older_than": "14d"}})
    directories = [laid_out(first), laid_out(second, "model")]
    contents = {
        directories[0].path: Contents(1, on_day(10), on_day(11), 0, 0),
        directories[1].path: Contents(2, on_day(10), on_day(95), 0, 0),
    }
    tuned, trained = sorted(
        judge(case, directories, contents, {}, {}), key=lambda orphan: orphan.output or ""
    )
    assert codes([trained]) == {"hold.active-run"} and codes([tuned]) == {"keep.older-than"}


def test_stale_after_holds_a_running_execution_for_longer(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    assert codes(past.orphans(laid_out(died), policy={"stale_after": "200d"})) == {"hold.active-execution"}
    assert verdicts(past.orphans(laid_out(died), policy={"stale_after": "30d"})) == ["delete"]


def test_the_janitors_own_run_stays(past: Past):
    run = past.run("second", day=10)
    died = run.execute("Trainer", state=RUNNING)
    own = run.execute("CheckpointJanitor", state=RUNNING)
    assert codes(past.orphans(laid_out(died), own_execution=own)) == {"hold.active-run"}


# Whether it is what it looks like.


@pytest.mark.parametrize(("hours", "verdict"), [(-1, "unknown"), (-0.1, "delete")])
def test_what_was_written_before_the_execution_began_is_anothers(past: Past, hours: float, verdict: str):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    orphans = past.orphans(laid_out(died), since=10 + hours / 24)
    assert verdicts(orphans) == [verdict]
    assert verdict == "delete" or codes(orphans) == {"unknown.written-before"}


@pytest.mark.parametrize(("state", "verdict"), [(FAILED, "unknown"), (RUNNING, "delete")])
def test_what_was_written_after_the_execution_ended_is_anothers(
    past: Past, state: ExecutionState, verdict: str
):
    ended = past.run("second", day=10).execute("Trainer", state=state)
    orphans = past.orphans(laid_out(ended), since=10, written=10 + HOUR / DAY)
    assert verdicts(orphans) == [verdict]
    assert verdict == "delete" or codes(orphans) == {"unknown.written-after"}


def test_a_number_that_no_execution_has_shows_another_store(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    orphans = past.orphans(laid_out(died), laid_out(died, "model", stranger=12))
    assert verdicts(orphans) == ["unknown", "unknown"]
    assert codes(orphans) == {"unknown.other-store"}


def test_where_no_execution_of_the_type_ever_recorded_an_output_nobody_knows_its_directories(past: Past):
    died = past.run("second", day=10).execute("Trainer", type="my.Trainer", state=RUNNING)
    assert codes(past.orphans(laid_out(died))) == {"unknown.output"}


def test_a_state_that_says_nothing_is_not_understood(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=ExecutionState.UNKNOWN)
    assert codes(past.orphans(laid_out(died))) == {"unknown.state"}


def test_one_directory_that_cannot_be_read_keeps_all_of_the_execution(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    model = laid_out(died, "model")
    orphans = past.orphans(laid_out(died), model, unreadable={model.path: "it is a mount point"})
    assert verdicts(orphans) == ["unknown", "unknown"]
    assert codes(orphans) == {"unknown.payload"}
    assert [orphan.bytes for orphan in orphans] == [None, 100]


def test_one_directory_that_is_claimed_keeps_the_others(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    model = laid_out(died, "model")
    (left,) = past.orphans(laid_out(died), model, claims={model.path: 0})
    assert (left.output, left.verdict) == ("model_run", "keep")
    assert spelled(left.reasons[0]).startswith("hold.claimed: artifact 101 claims ")


def test_a_working_directory_goes_along_and_alone_is_nothing(past: Past):
    died = past.run("second", day=10).execute("Trainer", state=RUNNING)
    assert verdicts(past.orphans(laid_out(died), laid_out(died, None))) == ["delete", "delete"]
    assert past.orphans(laid_out(died, None)) == ()


# Who may have left something behind.


def suspected(past: Past, **fields: Any) -> list[int]:
    return [row + FIRST_EXECUTION for row in suspects(past.case(rules=[keep("Model", last=1)], **fields))]


def test_executions_that_succeeded_or_recorded_anything_left_nothing_behind(past: Past):
    run = past.run("second", day=10)
    dead = [run.execute("Trainer", state=state) for state in (RUNNING, FAILED, ExecutionState.CANCELED)]
    run.execute("Trainer", state=CACHED)
    recorded = run.execute("Trainer", state=FAILED, outputs={"model": past.artifact("Model")})
    pending = run.execute("Trainer", state=RUNNING)
    past.link(pending, EventKind.PENDING_OUTPUT, {"model": past.artifact("Model")})
    assert suspected(past) == dead
    assert recorded not in suspected(past)


def test_neither_does_the_janitor_nor_what_belongs_to_no_pipeline(past: Past):
    own = past.run("second").execute("CheckpointJanitor", state=RUNNING)
    past.execution("tfx_janitor.act.apply", state=RUNNING)
    past.execution("Trainer", state=RUNNING)
    past.run("third").execute("../Trainer", state=RUNNING)
    assert suspected(past) == [own]
    assert suspected(past, own_execution=own) == []


def test_of_one_pipeline_alone(past: Past):
    past.run("second", pipeline="other").execute("Trainer", state=RUNNING)
    mine = past.run("third").execute("Trainer", state=RUNNING)
    assert suspected(past, only_pipeline="inception") == [mine]


def test_a_pipelines_home_is_told_by_what_it_made(past: Past):
    for uri in (
        "/pipelines/inception/Trainer/model/{}",
        "/pipelines/inception//Trainer/model/{}/",
        "/elsewhere/Trainer/model/{}/value",
        "/odd/Trainer/model_run/{}",
        "/odd/Trainer/model/1{}",
        "Trainer/model/{}",
    ):
        made = past.artifact("Model")
        number = past.run("second").execute("Trainer", outputs={"model": made})
        past.change(made, uri=uri.format(number))
    past.run("third", pipeline="other").train()
    assert homes(past.snapshot(), {"inception"}) == {
        "inception": {"/pipelines/inception", "/pipelines/inception/", "/elsewhere"}
    }


def test_the_outputs_of_a_type_are_those_it_ever_recorded(past: Past):
    past.run("second").execute("Trainer", state=RUNNING)
    kind = past.snapshot().executions.type_names.index("Trainer")
    assert outputs(past.snapshot(), {kind}) == {kind: {"model", "model_run"}}


# What claims a directory.


@pytest.mark.parametrize(
    "claim",
    [
        MODEL_RUN,
        f"{MODEL_RUN}/logs/train",
        "/pipelines/inception",
        "/",
    ],
    ids=["at", "in", "around", "all"],
)
def test_what_lies_at_in_or_around_a_directory_claims_it(claim: str):
    assert claimed([MODEL_RUN], [(3, parse(claim))], []) == {MODEL_RUN: 3}


@pytest.mark.parametrize(
    "claim", [f"{MODEL_RUN}0", "/pipelines/inception/Trainer/model/7", "gs://pipelines/inception"]
)
def test_what_lies_beside_it_does_not(claim: str):
    assert claimed([MODEL_RUN], [(3, parse(claim))], []) == {}


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/inception/Trainer/model_run/7",
        "Trainer/model_run/7",
        "../Trainer/model_run/7/checkpoints",
    ],
)
def test_a_uri_that_names_no_local_place_claims_what_it_may_well_be(uri: str):
    assert claimed([MODEL_RUN], [], [(3, uri)]) == {MODEL_RUN: 3}
    assert claimed([MODEL_RUN], [], [(3, uri.replace("7", "77"))]) == {}


def test_each_directory_is_claimed_by_itself():
    other = "/pipelines/inception/Trainer/model/7"
    claims = [(0, parse(f"{other}/Format-Serving")), (1, parse("/pipelines/inception/Pusher"))]
    assert claimed([MODEL_RUN, other], claims, []) == {other: 0}


def test_a_deleted_artifact_is_an_artifact(past: Past):
    # The state is nobody's business here: `claimed` knows none.
    gone = past.artifact("Model", uri=MODEL_RUN, state=ArtifactState.DELETED)
    places = enumerate(map(parse, past.snapshot().artifacts.uri))
    assert claimed([MODEL_RUN], places, []) == {MODEL_RUN: gone - 101}


def test_every_reason_is_in_the_documentation():
    source = Path(orphans.__file__).read_text(encoding="utf-8")
    made = set(re.findall(r'"((?:hold|keep|expire|unknown)\.[a-z-]+)"', source))
    documentation = Path(__file__).parents[2] / "docs" / "policy.md"
    section = documentation.read_text(encoding="utf-8").split("## Directories that no artifact claims")[1]
    told = set(re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", section.split("\n## ")[0], re.MULTILINE))
    assert told == made
