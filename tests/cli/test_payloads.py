"""`verify` and `checkpoints`: payloads without a metadata store."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    damage_checkpoint,
    damage_saved_model,
    flip_bit,
    write_checkpoints,
    write_saved_model,
)
from tests.cli.conftest import Call
from tests.deletion.surroundings import closed
from tfx_janitor.effects import Effect, watched
from tfx_janitor.payload.checkpoints import read_directory, read_state

STEPS = (1, 2, 3, 10, 11, 12, 100)


def names(directory: Path) -> list[str]:
    return [checkpoint.name for checkpoint in read_directory(str(directory)).checkpoints]


def ckpts(*steps: int) -> list[str]:
    return [f"ckpt-{step}" for step in steps]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_checkpoints(tmp_path / "run", STEPS)


def test_whole_payloads_are_0(call: Call, run: Path, tmp_path: Path):
    model = write_saved_model(tmp_path / "model")
    answer = call("verify", model, run)
    assert answer.code == 0
    assert f"whole    SavedModel {model}  (14.5 kB, 5 files, 3 tensors)" in answer.out
    assert answer.out.count("whole    TF checkpoint") == len(STEPS)


def test_damage_is_1_and_is_told_by_file_and_tensor(call: Call, run: Path, tmp_path: Path):
    model = write_saved_model(tmp_path / "model")
    shard = damage_saved_model(model)
    answer = call("verify", model, run)
    assert answer.code == 1
    assert "DAMAGED  SavedModel" in answer.out
    assert str(shard.relative_to(model)) in answer.out
    (damage,) = call("verify", model, "--format", "json").json["payloads"][0]["damages"]
    assert damage["tensor"]
    assert damage["file"] == "variables/variables.data-00000-of-00001"


def test_a_level_that_looks_less_deep(call: Call, tmp_path: Path):
    model = write_saved_model(tmp_path / "model")
    damage_saved_model(model)
    assert call("verify", model, "--level", "structure").code == 0
    assert call("verify", model, "--level", "checksums").code == 1


@pytest.mark.tfx
def test_a_model_is_asked_before_it_is_served(call: Call, run: Path, tmp_path: Path):
    model = write_saved_model(tmp_path / "model")
    silent = call("verify", model, "--level", "smoke")
    assert silent.code == 1
    assert "assets.extra/tf_serving_warmup_requests is missing or empty" in silent.out

    examples = tmp_path / "examples.json"
    examples.write_text('{"images": [[1, 2, 3, 4]]}')
    asked = call("verify", model, run, "--level", "smoke", "--examples", examples)
    assert (asked.code, asked.out.count("whole ")) == (0, 1 + len(STEPS))

    other = call("verify", model, "--level", "smoke", "--examples", examples, "--signature", "classify")
    assert other.code == 1
    assert "has no signature classify" in other.out
    gone = call("verify", model, "--level", "smoke", "--examples", tmp_path / "gone.json")
    assert gone.code == 2
    assert "it is missing" in gone.err


@pytest.mark.parametrize("level", ["load", "smoke"])
def test_without_tensorflow_it_is_2_and_says_what_to_install(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    answer = call("verify", write_saved_model(tmp_path / "model"), "--level", level)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "tfx-janitor: loading a payload takes tensorflow, which is not installed here; "
        'pip install "tfx-janitor[tfx]" brings it, and the level checksums does without\n'
    )


@pytest.mark.parametrize("option", ["--examples", "--signature"])
def test_only_the_level_smoke_asks(call: Call, tmp_path: Path, option: str):
    answer = call("verify", tmp_path, option, "x")
    assert (answer.code, answer.out) == (2, "")
    assert "only with --level smoke, got checksums" in answer.err


def test_nothing_to_verify_is_2_but_beside_others_it_is_a_finding(call: Call, run: Path, tmp_path: Path):
    alone = call("verify", tmp_path / "none")
    assert (alone.code, alone.out) == (2, "")
    beside = call("verify", tmp_path / "none", run)
    assert beside.code == 1
    assert "not verified: " in beside.out
    document = call("verify", tmp_path / "none", run, "--format", "json").json
    assert document["summary"] == {"payloads": 7, "whole": 7, "damaged": 0}
    assert [error["path"] for error in document["errors"]] == [str(tmp_path / "none")]


def test_without_delete_it_is_only_told(call: Call, run: Path):
    answer = call("checkpoints", run, "--last", 6)
    assert answer.code == 0
    assert "1 checkpoint would be deleted, 626 bytes; 6 would be left" in answer.out
    assert names(run) == ckpts(*STEPS)


def test_last_counts_by_step(call: Call, run: Path):
    assert call("checkpoints", run, "--last", 6, "--delete").code == 0
    assert names(run) == ckpts(2, 3, 10, 11, 12, 100)
    state = read_state(str(run))
    assert state is not None
    assert (state.latest, list(state.all)) == ("ckpt-100", ckpts(2, 3, 10, 11, 12, 100))


def test_only_the_named_directory_is_touched(call: Call, tmp_path: Path):
    meant = write_checkpoints(tmp_path / "run[1]", (1, 2))
    beside = write_checkpoints(tmp_path / "run1", (1, 2))
    below = write_checkpoints(meant / "sub", (1, 2))
    assert call("checkpoints", meant, "--last", 1, "--delete").code == 0
    assert (names(meant), names(beside), names(below)) == (ckpts(2), ckpts(1, 2), ckpts(1, 2))


def test_a_damaged_newest_does_not_count_and_is_1(call: Call, run: Path):
    damage_checkpoint(run, "ckpt-100")
    answer = call("checkpoints", run, "--last", 1, "--delete")
    assert answer.code == 1
    assert "1 checkpoint damaged or not understood: kept; --broken lets go" in answer.out
    assert names(run) == ckpts(12, 100)
    state = read_state(str(run))
    assert state is not None
    assert state.latest == "ckpt-12"


def test_what_is_not_verified_is_found_by_looking_deeper(call: Call, run: Path):
    damage_checkpoint(run, "ckpt-100")
    answer = call("checkpoints", run, "--last", 1, "--verify", "structure")
    assert (answer.code, "6 checkpoints would be deleted" in answer.out) == (0, True)


def test_with_nothing_whole_nothing_goes(call: Call, tmp_path: Path):
    run = write_checkpoints(tmp_path / "run", (1, 2))
    for name in ckpts(1, 2):
        flip_bit(run / f"{name}.index", 3)
    assert call("checkpoints", run, "--last", 1, "--delete").code == 1
    assert names(run) == ckpts(1, 2)


def test_the_words_of_a_rule(call: Call, run: Path):
    for at, step in enumerate(STEPS):
        for file in run.glob(f"ckpt-{step}.*"):
            os.utime(file, (at * 3600, at * 3600))
    document = call("checkpoints", run, "--every-n-steps", 9, "--every-n-hours", 5, "--format", "json").json
    kept = [c["name"] for c in document["checkpoints"] if c["verdict"] == "keep"]
    assert kept == ckpts(1, 10, 12, 100)
    assert document["summary"] == {
        "checkpoints": 7,
        "keep": 4,
        "delete": 3,
        "unknown": 0,
        "bytes_reclaimable": 3 * 626,
        "bytes_freed": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "at least one of --last"),
        (["run", "--last", "0"], "--last"),
        (["run", "--every-n-hours", "0"], "every_n_hours"),
        (["none", "--last", "1"], "expected a directory of checkpoints"),
        (["model/variables", "--last", "1"], "holds the variables of a SavedModel"),
    ],
)
def test_bad_input_is_2(
    call: Call, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
):
    write_saved_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    answer = call("checkpoints", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert names(run) == ckpts(*STEPS)


def test_a_directory_without_checkpoints(call: Call, tmp_path: Path):
    answer = call("checkpoints", tmp_path, "--last", 1, "--delete")
    assert answer.code == 0
    assert answer.out == f"no checkpoints directly in {tmp_path}\n"


class TestBroken:
    """`checkpoints --broken`: only what was verified to be broken goes, and the state file is mended."""

    @pytest.fixture
    def old(self, run: Path) -> Path:
        for path in run.iterdir():
            os.utime(path, (1_000_000_000, 1_000_000_000))
        return run

    def test_what_cannot_be_restored_from_goes(self, call: Call, old: Path) -> None:
        shard = damage_checkpoint(old, "ckpt-3")
        os.utime(shard, (1_000_000_000, 1_000_000_000))
        told = call("checkpoints", old, "--broken")
        assert "1 checkpoint would be deleted" in told.out
        assert names(old) == ckpts(*STEPS)
        assert call("checkpoints", old, "--broken", "--delete").code == 0
        assert names(old) == ckpts(1, 2, 10, 11, 12, 100)

    @pytest.mark.parametrize("file", ["ckpt-3.index", "ckpt-3.data-00000-of-00001"])
    def test_what_cannot_be_read_may_be_whole_and_stays(self, call: Call, old: Path, file: str) -> None:
        with closed(old / file):
            answer = call("checkpoints", old, "--broken", "--delete")
        assert answer.code == 1
        assert "cannot be read: permission denied" in answer.out
        assert names(old) == ckpts(*STEPS)

    def test_what_may_still_be_being_written_stays(self, call: Call, run: Path) -> None:
        (run / "ckpt-100.index").unlink()
        answer = call("checkpoints", run, "--broken", "--delete")
        assert answer.code == 1
        assert "it may still be being written" in answer.out
        assert names(run) == ckpts(*STEPS)

    def test_a_state_file_that_nobody_can_read_breaks_no_checkpoint(self, call: Call, old: Path) -> None:
        (old / "checkpoint").write_bytes(b"\xff{")
        done = call("checkpoints", old, "--broken", "--delete")
        assert done.code == 0
        assert done.out.endswith("0 bytes freed; 7 left\nthe `checkpoint` file was mended\n")
        assert "mended" not in call("checkpoints", old, "--broken", "--delete").out
        assert names(old) == ckpts(*STEPS)
        state = read_state(str(old))
        assert state is not None
        assert state.latest == "ckpt-100"

    def test_a_state_file_that_names_what_is_gone_is_told_of(self, call: Call, old: Path) -> None:
        assert "next:" not in call("checkpoints", old, "--broken").out
        for file in old.glob("ckpt-100.*"):
            file.unlink()
        told = call("checkpoints", old, "--broken").out
        assert "0 checkpoints would be deleted" in told
        assert told.endswith("the `checkpoint` file would be mended\nnext: the same with --delete\n")
        thinned = call("checkpoints", old, "--last", 9, "--delete", "--format", "json")
        assert thinned.json["rewrites_state"] is False  # it is not thinning's business
        assert call("checkpoints", old, "--last", 9, "--delete").out.endswith("freed; 6 left\n")
        for rewrites in (True, False):
            done = call("checkpoints", old, "--broken", "--delete", "--format", "json")
            assert done.json["rewrites_state"] is rewrites

    def test_what_the_file_system_refuses_is_1(
        self, call: Call, old: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (old / "ckpt-1.index").unlink()

        def refuse(effect: Effect, change: Callable[[], Any]) -> Any:
            if effect.kind == "unlink":
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), effect.subject)
            return change()

        with watched(refuse):
            answer = call("checkpoints", old, "--broken", "--delete")
        assert answer.code == 1
        assert "not all could be deleted" in answer.err and "Permission denied" in answer.err

    def test_it_goes_with_no_rule(self, call: Call, run: Path) -> None:
        assert call("checkpoints", run, "--broken", "--last", 1).code == 2
