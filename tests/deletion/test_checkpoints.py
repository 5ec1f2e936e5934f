"""Pruning inside a directory: literal names, the state file first, the index before the shards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import write_checkpoints
from tfx_janitor.deletion import checkpoints
from tfx_janitor.deletion.checkpoints import PruneOrder, prune, state_after
from tfx_janitor.deletion.remove import RemovalError
from tfx_janitor.payload.checkpoints import Checkpoint, CheckpointState, read_directory
from tfx_janitor.payload.places import Place


def order(directory: Path, *names: str, not_restorable: tuple[str, ...] = ()) -> PruneOrder:
    return PruneOrder(str(directory), names, not_restorable, (Place("file", str(directory.resolve())),))


def indexes(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.index"))


def test_names_are_literal_not_prefixes(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path / "run[1]", (1, 10, 100))
    beside = write_checkpoints(tmp_path / "run1", (1, 10, 100))
    removed = prune(order(run, "ckpt-1"))
    assert removed.files == 2
    assert indexes(run) == ["ckpt-10.index", "ckpt-100.index"]
    assert len(indexes(beside)) == 3


def test_the_state_file_lists_what_is_left(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path, (1, 2, 3))
    prune(order(run, "ckpt-1"))
    state = read_directory(str(run)).state
    assert state is not None
    assert (state.latest, state.all) == ("ckpt-3", ("ckpt-2", "ckpt-3"))


def test_the_state_file_is_written_before_a_byte_goes_and_the_index_before_the_shards(
    tmp_path: Path, monkeypatch
) -> None:
    run = write_checkpoints(tmp_path, (1, 2))
    seen: list[tuple[str, list[str]]] = []

    def watch(_: int, names: list[str]):
        seen.append(((run / "checkpoint").read_text(), list(names)))
        return checkpoints.Removed()

    monkeypatch.setattr(checkpoints, "unlink_files", watch)
    prune(order(run, "ckpt-1"))
    ((text, names),) = seen
    assert "ckpt-1" not in text
    assert names == ["ckpt-1.index", "ckpt-1.data-00000-of-00001"]


def test_a_directory_without_state_file_gets_none(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path, (1, 2))
    (run / "checkpoint").unlink()
    prune(order(run, "ckpt-1"))
    assert indexes(run) == ["ckpt-2.index"]
    assert not (run / "checkpoint").exists()


def test_outside_its_roots_nothing_goes(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path / "run", (1, 2))
    with pytest.raises(RemovalError, match="not inside"):
        prune(PruneOrder(str(run), ("ckpt-1",), (), (Place("file", str(tmp_path / "other")),)))
    assert len(indexes(run)) == 2


def test_what_was_half_gone_and_is_whole_again_stays(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path, (1, 2, 3))
    (run / "ckpt-2.index").unlink()
    half_gone = ("ckpt-1", "ckpt-2")
    prune(PruneOrder(str(run), (), (), (Place("file", str(run.resolve())),), half_gone))
    assert sorted(path.name for path in run.iterdir() if path.name != "checkpoint") == [
        "ckpt-1.data-00000-of-00001",
        "ckpt-1.index",
        "ckpt-3.data-00000-of-00001",
        "ckpt-3.index",
    ]


def test_an_orbax_step_goes_as_a_whole(tmp_path: Path) -> None:
    for step in ("100", "200"):
        (tmp_path / step / "d").mkdir(parents=True)
        (tmp_path / step / "_CHECKPOINT_METADATA").write_text("{}")
        (tmp_path / step / "manifest.ocdbt").write_bytes(b"x")
        (tmp_path / step / "d" / "chunk").write_bytes(b"y")
    found = [checkpoint.name for checkpoint in read_directory(str(tmp_path)).checkpoints]
    assert found == ["100", "200"]
    prune(order(tmp_path, "100"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["200"]


def whole(name: str, *, modified_ms: int = 5000, complete: bool = True) -> Checkpoint:
    return Checkpoint(
        name=name,
        prefix="ckpt",
        step=int(name.rpartition("-")[2]),
        format="tf",
        files=(f"{name}.index",),
        bytes=1,
        modified_ms=modified_ms,
        complete=complete,
        problem=None if complete else "a shard is missing",
    )


SAVED = CheckpointState(latest="ckpt-3", all=("ckpt-3",), timestamps=(), last_preserved=None)


def test_what_plain_saves_left_unlisted_is_listed() -> None:
    after = state_after(SAVED, [whole("ckpt-2"), whole("ckpt-3")], ())
    assert after == CheckpointState("ckpt-3", ("ckpt-2", "ckpt-3"), (), None)


def test_what_a_manager_preserves_for_ever_is_not_handed_back_to_it() -> None:
    managed = CheckpointState("ckpt-3", ("ckpt-2", "ckpt-3"), (2.0, 3.0), last_preserved=1.0)
    after = state_after(managed, [whole("ckpt-1"), whole("ckpt-3")], ())
    assert after == CheckpointState("ckpt-3", ("ckpt-3",), (3.0,), 1.0)


def test_the_latest_is_the_newest_that_restores() -> None:
    staying = [whole("ckpt-1"), whole("ckpt-2"), whole("ckpt-3"), whole("ckpt-4", complete=False)]
    after = state_after(SAVED, staying, ("ckpt-3",))
    assert after.latest == "ckpt-2"
    assert after.all == ("ckpt-1", "ckpt-2", "ckpt-3")


def test_a_name_that_is_no_text_is_left_out_and_stops_nothing(tmp_path: Path) -> None:
    run = write_checkpoints(tmp_path, (1, 2))
    for path in list(run.glob("ckpt-2*")):
        path.with_name(os.fsdecode(os.fsencode(path.name).replace(b"ckpt", b"\xff"))).write_bytes(
            path.read_bytes()
        )
    prune(order(run, "ckpt-1"))
    state = read_directory(str(run)).state
    assert state is not None
    assert state.all == ("ckpt-2",)


def test_spellings_and_times_are_kept() -> None:
    state = CheckpointState("/abs/ckpt-2", ("/abs/ckpt-1", "/abs/ckpt-2"), (1.5, 2.5), None)
    after = state_after(state, [whole("ckpt-2"), whole("ckpt-3", modified_ms=9000)], ())
    assert after == CheckpointState("/abs/ckpt-2", ("/abs/ckpt-2", "ckpt-3"), (2.5, 9.0), None)


def test_nothing_left_is_an_empty_list() -> None:
    assert state_after(SAVED, [], ()) == CheckpointState(None, (), (), None)
