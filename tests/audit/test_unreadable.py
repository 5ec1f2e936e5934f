"""What an audit cannot look at: it says so, once for all that one obstacle hides, and concludes nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import History, Retraining, write_saved_model
from tests.deletion.surroundings import closed, unreadable
from tfx_janitor.audit import looks
from tfx_janitor.audit.audit import audit
from tfx_janitor.audit.finding import Finding
from tfx_janitor.payload.verification import Level
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.survey.crew import Threads
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.rollback_act import roll_back

CODE = "unreadable-payload"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def runs(history: History) -> list[Retraining]:
    pipeline = history.pipeline()
    return [pipeline.retrain(steps=(1, 2, 3)) for _ in range(3)]


def found(
    history: History, policy: RetentionPolicy | None = None, *, days: float = 0, **site: Any
) -> list[Finding]:
    given = history.site(now_ms=history.later(days=days), crew=Threads(2), **site)
    return list(audit(given, policy or history.policy(), Level.CHECKSUMS).findings)


def test_one_directory_around_all_of_them_is_one_finding(history: History, runs: list[Retraining]) -> None:
    history.set_state(runs[0].examples, "DELETED")  # nobody can tell whether its bytes are gone
    lying_there = [id for id, uri in _uris(history) if Path(uri).is_relative_to(history.root)]
    assert len(lying_there) > 10
    with closed(history.root):
        (finding,) = found(history)
    assert (finding.code, finding.path, finding.artifact_id) == (CODE, str(history.root), None)
    assert finding.evidence == {
        "problem": "cannot be read: permission denied",
        "unread": str(history.root),
        "payloads": len(lying_there),
        "artifacts": lying_there,
    }
    assert finding.detail == (
        f"{history.root} cannot be read: permission denied, and {len(lying_there)} payloads lie in it; "
        "audit as somebody who may"
    )


def test_many_side_by_side_are_one_finding(history: History, runs: list[Retraining]) -> None:
    with closed(*(run.model.path for run in runs)):
        (finding,) = found(history)
    assert (finding.code, finding.path) == (CODE, str(runs[0].model.path.parent))
    assert finding.evidence["artifacts"] == [run.model.id for run in runs]
    assert f"first {runs[0].model.path}" in finding.detail


@pytest.mark.parametrize(
    "part",
    [
        ".",
        "Format-Serving",
        "Format-Serving/saved_model.pb",
        "Format-Serving/variables",
        "Format-Serving/variables/variables.index",
        "Format-Serving/variables/variables.data-00000-of-00001",
    ],
)
def test_a_model_that_cannot_be_read_is_neither_sound_nor_damaged(
    history: History, runs: list[Retraining], part: str
) -> None:
    with closed(runs[1].model.path / part):
        (finding,) = found(history)
    assert (finding.code, finding.artifact_id, finding.mend) == (CODE, runs[1].model.id, ())
    assert finding.path == str(runs[1].model.path / part)


@pytest.mark.parametrize("part", [".", "checkpoint", "ckpt-1.index", "ckpt-3.data-00000-of-00001"])
def test_checkpoints_that_cannot_be_read_are_not_broken(
    history: History, runs: list[Retraining], part: str
) -> None:
    """A broken one may be deleted; and a `checkpoint` file that names one that may be whole is not stale."""
    with closed(runs[1].model_run.path / part):
        (finding,) = found(history)
    assert (finding.code, finding.artifact_id, finding.mend) == (CODE, runs[1].model_run.id, ())
    assert finding.path == str(runs[1].model_run.path / part)


def test_a_file_of_an_orbax_step_is_named(history: History, runs: list[Retraining]) -> None:
    step = runs[1].model_run.path / "7"
    step.mkdir()
    (step / "_CHECKPOINT_METADATA").write_text("{}")
    with closed(step / "_CHECKPOINT_METADATA"):
        (finding,) = found(history)
    assert (finding.code, finding.path) == (CODE, str(step / "_CHECKPOINT_METADATA"))


def test_a_directory_deep_in_a_model_run_is_named(history: History, runs: list[Retraining]) -> None:
    deep = runs[1].model_run.path / "fold" / "1"
    deep.mkdir(parents=True)
    with closed(deep):
        (finding,) = found(history)
    assert (finding.code, finding.path) == (CODE, str(deep))


@pytest.mark.parametrize("part", [".", "variables", "saved_model.pb", "assets.extra/note", manifest.NAME])
def test_a_version_that_cannot_be_read(history: History, runs: list[Retraining], part: str) -> None:
    version = runs[1].push.destination
    if not (version / part).exists():
        (version / part).parent.mkdir(exist_ok=True)
        (version / part).write_text("{}")
    with closed(version / part):
        (finding,) = found(history)
    assert (finding.code, finding.path) == (CODE, str(version / part))
    assert finding.artifact_id == runs[1].push.pushed_model.id
    assert finding.mend == ()


def test_a_manifest_that_cannot_be_read_is_not_a_missing_one(
    history: History, runs: list[Retraining]
) -> None:
    """Without reading tensors nothing else would tell whether the version is what was pushed."""
    path = runs[1].push.destination / manifest.NAME
    path.write_text("{}")
    with closed(path):
        (finding,) = audit(history.site(), history.policy(), Level.STRUCTURE).findings
    assert (finding.code, finding.path) == (CODE, str(path))


def test_a_version_that_is_a_payload_is_told_once(history: History, runs: list[Retraining]) -> None:
    (runs[2].push.destination / "assets" / "vocabulary.txt").write_text("other")
    base, number = str(runs[0].push.destination.parent), int(runs[0].push.destination.name)
    done = roll_back(history.site(), base, level=Level.STRUCTURE, to=number)
    with closed(Path(done.push.destination)):
        (finding,) = (one for one in found(history) if one.code == CODE)
    assert (finding.artifact_id, finding.path) == (done.pushed_model_id, done.push.destination)
    assert finding.evidence["payloads"] == 1


def test_a_version_that_nobody_recorded_is_not_taken_away_unseen(
    history: History, runs: list[Retraining]
) -> None:
    stray = write_saved_model(runs[0].push.destination.parent / "7")
    with closed(stray):
        findings = found(history)
    assert [(one.code, one.path, one.mend) for one in findings] == [
        (CODE, str(stray), ()),
        ("unaccounted-version", str(stray), ()),
    ]


@pytest.mark.parametrize("mode", [0o000, 0o644])
def test_a_serving_directory_that_may_not_be_searched_is_bad_input(
    history: History, runs: list[Retraining], mode: int
) -> None:
    with (
        closed(runs[0].push.destination.parent, mode=mode),
        pytest.raises(Exception, match=r"expected to list .* which model servers watch"),
    ):
        found(history)


def test_a_number_that_is_a_link_to_itself_is_no_version(history: History, runs: list[Retraining]) -> None:
    (runs[0].push.destination.parent / "7").symlink_to("7")
    assert found(history) == []


def test_what_a_trainer_left_and_nobody_may_read(history: History, runs: list[Retraining]) -> None:
    execution = history.pipeline().run().start_training(steps=(1, 2))
    policy = history.policy(orphans={"older_than": "14d"}, stale_after="1d")
    left = next(history.root.rglob(f"model_run/{execution}"))
    with closed(left):
        findings = [one for one in found(history, policy, days=30) if one.code == CODE]
    assert [(one.execution_id, one.path) for one in findings] == [(execution, str(left))]
    assert CODE not in [one.code for one in found(history, policy, days=30)]


def test_only_what_is_of_the_pipeline_is_told(history: History, runs: list[Retraining]) -> None:
    theirs = history.pipeline("theirs").retrain()
    with closed(runs[0].model.path, theirs.model.path, theirs.push.destination):
        ours = found(history, only_pipeline="inception")
        others = found(history, only_pipeline="theirs")
    assert [one.artifact_id for one in ours] == [runs[0].model.id]
    assert [one.artifact_id for one in others] == [theirs.model.id, theirs.push.pushed_model.id]


def test_what_lies_in_a_bucket_is_not_looked_at(history: History, runs: list[Retraining]) -> None:
    history.pipeline().run().import_model("gs://bucket/models/1")
    assert found(history) == []


def test_a_disk_that_fails(history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable(monkeypatch, runs[0].model.path, errno.EIO)
    (finding,) = found(history)
    assert (finding.code, finding.path) == (CODE, str(runs[0].model.path))
    assert finding.detail == f"{runs[0].model.path} cannot be read: {os.strerror(errno.EIO)}"


@pytest.mark.parametrize("look", ["see", "inspect_models", "inspect_checkpoints"])
def test_a_look_that_fails_in_a_way_that_nobody_foresaw_is_told(
    history: History, runs: list[Retraining], monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    real: Callable[[Any], Any] = getattr(looks, look)
    mine = {str(runs[0].model.path), str(runs[0].model_run.path)}

    def failing(order: Any) -> Any:
        if (order if isinstance(order, str) else order.uri) in mine:
            raise RuntimeError("no such wire")
        return real(order)

    monkeypatch.setattr(looks, look, failing)
    findings = found(history)
    assert {one.code for one in findings} == {CODE}
    assert len(findings) == (2 if look == "see" else 1)
    assert all("could not be looked at: no such wire" in one.detail for one in findings)


def _uris(history: History) -> list[tuple[int, str]]:
    artifacts = history.snapshot().artifacts
    return list(zip(artifacts.id.tolist(), artifacts.uri, strict=True))


def test_where_nobody_can_look_for_what_no_artifact_claims(history: History, runs: list[Retraining]) -> None:
    history.pipeline().run().start_training(steps=(1,))
    node = runs[0].model.path.parents[1]
    with closed(node, mode=0o300):  # what artifacts claim in it is found by its name
        (finding,) = (one for one in found(history, days=15) if one.code == CODE)
    assert (finding.path, finding.mend) == (str(node), ())
    assert finding.detail == (
        f"{node} cannot be read: permission denied, and what no artifact claims may lie there; "
        "audit as somebody who may"
    )
    with closed(node):  # what hides payloads as well is told once
        (finding,) = (one for one in found(history, days=15) if one.code == CODE)
    assert finding.path == str(node) and finding.evidence["payloads"] == 6
