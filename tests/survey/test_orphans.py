"""Which directories that no artifact claims are found on a disk, and which are never touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import TRAINER, History, Output, write_checkpoints
from tests.deletion.surroundings import mounted
from tfx_janitor.retention.plan import Orphan
from tfx_janitor.survey import orphans as survey
from tfx_janitor.survey.crew import Done, Failed, Item, Threads
from tfx_janitor.survey.orphans import find_orphans


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


class Noting(Threads):
    """A crew that notes what it is asked to look at."""

    def __init__(self) -> None:
        super().__init__(2)
        self.noted: dict[str, list[Any]] = {}

    def run(self, task: str, work: Callable[[Item], Done], items: Sequence[Item]) -> list[Done | Failed]:
        self.noted.setdefault(task, []).extend(items)
        return super().run(task, work, items)


def found(history: History, crew: Threads | None = None, *, days: float = 15, **fields: Any) -> list[Orphan]:
    """What is found some days later."""
    case = {name: fields.pop(name) for name in ("own_execution", "only_pipeline") if name in fields}
    policy = history.policy(**{"orphans": {"older_than": "14d"}, **fields})
    search = find_orphans(history.case(policy, now_ms=history.later(days=days), **case), crew or Threads(2))
    assert search is not None
    return list(search.orphans)


def verdicts(orphans: Sequence[Orphan]) -> dict[str, str]:
    """By node, output and execution."""
    return {"/".join(orphan.path.split("/")[-3:]): orphan.verdict for orphan in orphans}


def codes(orphans: Sequence[Orphan]) -> set[str]:
    return {reason.code for orphan in orphans for reason in orphan.reasons}


def crashed(history: History, *, pipeline: str = "inception") -> int:
    """A run that went well, and a training whose process died. Returns the latter's execution."""
    inception = history.pipeline(pipeline)
    inception.retrain()
    run = inception.run()
    run.ingest()
    return run.start_training(steps=(100, 200))


def await_later(directory: Path, ms: int) -> None:
    """Until the file system's clock, which moves in ticks of some milliseconds, is beyond a time."""
    probe = directory / "probe"
    probe.touch()
    while probe.stat().st_ctime_ns // 1_000_000 <= ms:
        os.utime(probe)


def test_a_policy_without_the_section_looks_nowhere(history: History):
    crashed(history)
    crew = Noting()
    assert find_orphans(history.case(history.policy(), now_ms=history.later(days=15)), crew) is None
    assert crew.noted == {}


def test_the_directories_of_a_crashed_trainer(history: History):
    died = crashed(history)
    orphans = found(history)
    assert verdicts(orphans) == {f"Trainer/model/{died}": "delete", f"Trainer/model_run/{died}": "delete"}
    model, model_run = orphans
    assert (model.bytes, model.files) == (0, 0)
    assert model_run.bytes == sum(f.stat().st_size for f in Path(model_run.path).iterdir())
    assert model_run.files == 5 and model_run.inode == os.stat(model_run.path).st_ino
    assert (model_run.pipeline, model_run.run) == ("inception", "inception-run-2")


def test_what_was_claimed_is_never_entered(history: History):
    died = crashed(history)
    crew = Noting()
    found(history, crew)
    assert [order.path for order in crew.noted["look for orphans"]] == [
        str(history.root / "inception" / "Trainer")
    ]
    assert [path.split("/")[-1] for path in crew.noted["look into orphans"]] == [str(died)] * 2


def test_a_training_in_flight(history: History):
    began = crashed(history)
    orphans = found(history, days=13)
    assert set(verdicts(orphans).values()) == {"keep"} and codes(orphans) == {"keep.older-than"}
    # What is written anywhere in it keeps all of it, and so does what comes, goes or changes.
    written = history.root / "inception" / "Trainer" / "model" / str(began) / "note"
    written.touch()
    os.utime(written, (0, history.later(days=14) / 1000))
    assert set(verdicts(found(history)).values()) == {"keep"}


def test_what_has_an_old_time_of_writing_has_come_lately_all_the_same(history: History):
    began = crashed(history)
    model = history.root / "inception" / "Trainer" / "model" / str(began)
    before = found(history)[0].newest_ms
    assert before is not None
    written_ns = model.stat().st_mtime_ns
    await_later(history.home, before)
    for path in (model / "copied", model):
        path.touch()
        os.utime(path, ns=(0, written_ns))
    after = found(history)[0].newest_ms
    assert after is not None and after > before


def test_users_own_directories_are_none(history: History):
    died = crashed(history)
    trainer = history.root / "inception" / "Trainer"
    number = str(died)
    for mine in (
        history.root / number,
        history.root / "inception" / number,
        trainer / number,
        trainer / "logs" / number,
        trainer / "model_run" / f"0{number}",
        trainer / "model_run" / f"{number}.bak",
        trainer / "model_run" / "best" / number,
        history.root / "inception" / "Tuner" / "model" / number,
        history.root / "mine" / "Trainer" / "model" / number,
        history.home / "Trainer" / "model" / number,
    ):
        write_checkpoints(mine, (1,))
    assert set(verdicts(found(history))) == {f"Trainer/model/{number}", f"Trainer/model_run/{number}"}


def test_links_are_none(history: History):
    died = crashed(history)
    trainer = history.root / "inception" / "Trainer"
    elsewhere = history.home / "elsewhere"
    shutil.move(trainer / "model" / str(died), elsewhere)
    (trainer / "model" / str(died)).symlink_to(elsewhere)
    assert set(verdicts(found(history))) == {f"Trainer/model_run/{died}"}
    shutil.move(trainer, history.home / "moved")
    trainer.symlink_to(history.home / "moved")
    assert found(history) == []


def test_a_link_in_it_is_not_followed(history: History):
    died = crashed(history)
    model = history.root / "inception" / "Trainer" / "model" / str(died)
    (model / "all").symlink_to(history.root)
    assert (found(history)[0].files, found(history)[0].verdict) == (1, "delete")


def test_outside_the_roots_nothing_is_found(history: History):
    crashed(history)
    (history.root / "other").mkdir()
    assert found(history, roots=[str(history.root / "other")]) == []
    assert len(found(history, roots=[str(history.root / "inception")])) == 2


def test_a_pipeline_that_never_made_anything_has_no_home(history: History):
    history.pipeline("first").run().start_training(steps=(1,))
    assert found(history) == []


def test_a_node_that_never_made_anything(history: History):
    run = history.pipeline().run()
    run.ingest()
    run.start_training(steps=(1,))
    assert codes(found(history)) == {"unknown.output"}


def test_only_of_one_pipeline(history: History):
    crashed(history, pipeline="inception")
    mine = crashed(history, pipeline="other")
    assert len(found(history)) == 4
    assert {orphan.execution for orphan in found(history, only_pipeline="other")} == {mine}


def test_its_working_directory_goes_along_and_counts(history: History):
    died = crashed(history)
    working = history.root / "inception" / "Trainer" / ".system" / "executor_execution"
    for number in (died, died - 1):
        (working / str(number) / ".temp").mkdir(parents=True)
    assert verdicts(found(history)) == {
        f".system/executor_execution/{died}": "delete",
        f"Trainer/model/{died}": "delete",
        f"Trainer/model_run/{died}": "delete",
    }
    os.utime(working / str(died) / ".temp", (0, history.later(days=10) / 1000))
    assert set(verdicts(found(history)).values()) == {"keep"}


# Two stores in one root.


def test_a_number_of_another_store_makes_all_beside_it_doubtful(history: History):
    died = crashed(history)
    (history.root / "inception" / "Trainer" / "model" / "4711").mkdir()
    orphans = found(history)
    assert set(verdicts(orphans).values()) == {"unknown"} and codes(orphans) == {"unknown.other-store"}
    assert {orphan.execution for orphan in orphans} == {died}


def test_a_run_that_began_since_the_store_was_read_is_no_other_store(history: History):
    died = crashed(history)
    case = history.case(history.policy(orphans={"older_than": "14d"}), now_ms=history.later(days=15))
    history.pipeline("inception").run().start_training(steps=(1,))
    search = find_orphans(case, Threads(2))
    assert search is not None
    assert verdicts(search.orphans) == {
        f"Trainer/model/{died}": "delete",
        f"Trainer/model_run/{died}": "delete",
    }


def test_a_store_that_counts_from_1_again_takes_no_older_directory_for_its_own(history: History):
    died = crashed(history)
    shard = history.root / "inception" / "Trainer" / "model_run" / str(died) / "ckpt-100.index"
    hour_ago = history.now_ms / 1000 - 3600
    os.utime(shard, (hour_ago, hour_ago))
    orphans = found(history)
    assert set(verdicts(orphans).values()) == {"unknown"} and codes(orphans) == {"unknown.written-before"}


# Claims.


@pytest.mark.parametrize("state", ["LIVE", "MARKED_FOR_DELETION", "DELETED", "PENDING", "ABANDONED"])
def test_an_artifact_in_any_state_claims_what_lies_at_its_uri(history: History, state: str):
    died = crashed(history)
    path = history.root / "inception" / "Trainer" / "model_run" / str(died)
    imported = history.pipeline("importing").run().import_model(f"{path}/ckpt-100")
    history.set_state(imported, state)
    (left,) = found(history)
    assert (left.output, left.verdict, codes([left])) == ("model", "keep", {"hold.claimed"})


def test_through_a_link_as_well(history: History):
    died = crashed(history)
    link = history.home / "link"
    link.symlink_to(history.root / "inception")
    importing = history.pipeline("importing").run()
    importing.import_model(link / "Trainer" / "model_run" / str(died))
    importing.import_model(f"gs://bucket/inception/Trainer/model/{died}")
    assert found(history) == []


def test_what_was_pushed_there_claims_it(history: History):
    died = crashed(history)
    path = history.root / "inception" / "Trainer" / "model" / str(died)
    run = history.pipeline("serving").run()
    run.train()
    run.push(base=path)
    assert codes(found(history)) == {"hold.claimed"}


def test_an_execution_that_recorded_an_output_left_nothing_behind(history: History):
    inception = history.pipeline()
    inception.retrain()
    execution, _ = inception.run().execute(TRAINER, outputs={"model": Output("Model")}, state="FAILED")
    write_checkpoints(inception.root / "Trainer" / "model_run" / str(execution), (1,))
    assert found(history) == []


# What cannot be looked at.


def test_a_mount_in_it(history: History):
    died = crashed(history)
    inside = history.root / "inception" / "Trainer" / "model" / str(died) / "with a blank"
    inside.mkdir()
    kept = history.home / "kept"
    kept.mkdir()
    with mounted("--bind", str(kept), target=inside, below=history.home):
        orphans = found(history)
        assert set(verdicts(orphans).values()) == {"unknown"} and codes(orphans) == {"unknown.payload"}
        assert orphans[0].reasons[0].detail == f"{inside} is a mount point; unmount it first"
    assert set(verdicts(found(history)).values()) == {"delete"}


def test_what_cannot_be_listed(history: History, monkeypatch: pytest.MonkeyPatch):
    died = crashed(history)
    real = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith(f"model_run/{died}"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(survey.os, "scandir", refuse)
    assert codes(found(history)) == {"unknown.payload"}
