"""Pruning in a directory that somebody has prepared: links, look-alikes, another directory in its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders import History, prune_checkpoints, write_checkpoints
from tests.deletion.surroundings import just_before, picture, swap_for_a_link
from tfx_janitor.deletion import checkpoints, remove
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.remove import TRASH, RemovalError, Removed
from tfx_janitor.payload.checkpoints import StateError, list_checkpoints
from tfx_janitor.payload.places import Place

SHARD = "data-00000-of-00001"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    root.mkdir()
    return root


@pytest.fixture
def run(root: Path) -> Path:
    return write_checkpoints(root / "model_run" / "7", (1, 2, 10))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Another run, with checkpoints of the same names."""
    return write_checkpoints(tmp_path.resolve() / "outside", (1, 2, 10))


@pytest.fixture(autouse=True)
def untouched(outside: Path) -> Iterator[None]:
    before = picture(outside)
    yield
    assert picture(outside) == before


@pytest.fixture
def prune_it(root: Path) -> Callable[..., Removed]:
    """`prune_it(run, "ckpt-1")`."""

    def prune_some(directory: Path, *names: str, half_gone: tuple[str, ...] = ()) -> Removed:
        return prune(PruneOrder(str(directory), names, (), (Place("file", str(root)),), half_gone))

    return prune_some


def names(directory: Path) -> list[str]:
    return [checkpoint.name for checkpoint in list_checkpoints(str(directory))]


@pytest.mark.parametrize(
    "prefix",
    [
        "run[1]/ckpt",
        "*/ckpt",
        "?/ckpt",
        "two\nlines/ckpt",
        "$(id)/ckpt",
        "-rf/ckpt",
        "n/[ab]",
        "n/*",
        "n/a\nb",
    ],
)
def test_names_are_literal(prefix: str, root: Path, prune_it: Callable[..., Removed]) -> None:
    directory, _, name = prefix.partition("/")
    run = write_checkpoints(root / directory, (1, 10), prefix=name)
    write_checkpoints(run, (1,), prefix="ckpt-1")
    write_checkpoints(run, (1,), prefix="a")
    beside = picture(write_checkpoints(root / "run1", (1, 10)))
    assert prune_it(run, f"{name}-1").files == 2
    assert sorted(names(run)) == sorted([f"{name}-10", "ckpt-1-1", "a-1"])
    assert picture(root / "run1") == beside


def test_a_checkpoint_of_links_goes_as_links(
    run: Path, outside: Path, prune_it: Callable[..., Removed]
) -> None:
    for name in ("ckpt-1.index", f"ckpt-1.{SHARD}"):
        (run / name).unlink()
        (run / name).symlink_to(outside / name)
    assert prune_it(run, "ckpt-1").files == 2
    assert names(run) == ["ckpt-2", "ckpt-10"]


def test_a_checkpoint_of_hard_links_leaves_their_other_names(
    run: Path, tmp_path: Path, prune_it: Callable[..., Removed]
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    for name in ("ckpt-1.index", f"ckpt-1.{SHARD}"):
        (backup / name).hardlink_to(run / name)
    prune_it(run, "ckpt-1")
    assert names(run) == ["ckpt-2", "ckpt-10"]
    assert names(backup) == ["ckpt-1"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "garbage"])
def test_a_state_file_that_is_none_stops_everything(
    kind: str, run: Path, outside: Path, prune_it: Callable[..., Removed]
) -> None:
    state = run / "checkpoint"
    state.unlink()
    {
        "link": lambda: state.symlink_to(outside / "checkpoint"),
        "dangling link": lambda: state.symlink_to(outside / "nowhere"),
        "fifo": lambda: os.mkfifo(state),
        "garbage": lambda: state.write_bytes(b"\xff{"),
    }[kind]()
    before = picture(run)
    with pytest.raises(StateError, match="checkpoint"):
        prune_it(run, "ckpt-1")
    assert picture(run) == before


def test_a_state_file_that_becomes_a_link_is_replaced_as_one(
    run: Path, outside: Path, prune_it: Callable[..., Removed], monkeypatch
) -> None:
    """Between its reading and its writing."""
    real = checkpoints.state_after

    def meddle(*arguments):
        (run / "checkpoint").unlink()
        (run / "checkpoint").symlink_to(outside / "checkpoint")
        return real(*arguments)

    monkeypatch.setattr(checkpoints, "state_after", meddle)
    prune_it(run, "ckpt-1")
    assert stat.S_ISREG(os.lstat(run / "checkpoint").st_mode)
    assert '"ckpt-1"' not in (run / "checkpoint").read_text()


def test_a_state_file_with_paths_of_elsewhere_leads_nowhere(
    run: Path, outside: Path, prune_it: Callable[..., Removed]
) -> None:
    """What it names is compared by its last part; it is never opened, and never removed."""
    lines = [f'model_checkpoint_path: "{outside}/ckpt-10"']
    lines += [f'all_model_checkpoint_paths: "{outside}/ckpt-{step}"' for step in (1, 2, 10)]
    (run / "checkpoint").write_text("\n".join(lines))
    assert prune_it(run, "ckpt-1", "../../outside/ckpt-2", f"{outside}/ckpt-2").files == 2
    assert names(run) == ["ckpt-2", "ckpt-10"]


def test_a_directory_in_place_of_a_shard_is_no_shard(run: Path, prune_it: Callable[..., Removed]) -> None:
    (run / f"ckpt-1.{SHARD}").unlink()
    (run / f"ckpt-1.{SHARD}" / "inside").mkdir(parents=True)
    prune_it(run, "ckpt-1")
    assert (run / f"ckpt-1.{SHARD}" / "inside").exists()


def test_a_shard_that_turns_into_a_directory_stays(
    run: Path, prune_it: Callable[..., Removed], monkeypatch
) -> None:
    shard = run / f"ckpt-1.{SHARD}"

    def turn() -> None:
        shard.unlink()
        (shard / "inside").mkdir(parents=True)

    just_before(monkeypatch, "unlink", shard.name, turn)
    with pytest.raises(OSError, match="directory"):
        prune_it(run, "ckpt-1")
    assert (shard / "inside").exists()


@pytest.mark.parametrize("path", ["to outside", "to inside/7", "../outside", "model_run/../../outside"])
def test_another_directory_is_not_even_written_to(
    path: str, root: Path, run: Path, outside: Path, prune_it: Callable[..., Removed]
) -> None:
    (root / "to outside").symlink_to(outside)
    (root / "to inside").symlink_to(run.parent)  # whose checkpoints were never judged by this name
    before = picture(root)
    with pytest.raises(RemovalError, match=r"is a link or a file|is not inside"):
        prune_it(root / path, "ckpt-1")
    assert picture(root) == before


@pytest.mark.parametrize("moment", ["read_directory", "state_after", "write_state", "unlink_files"])
def test_a_directory_that_becomes_a_link_meanwhile(
    moment: str,
    run: Path,
    outside: Path,
    tmp_path: Path,
    prune_it: Callable[..., Removed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was opened first is what is read, written and pruned, wherever its path leads to by now."""
    aside = tmp_path / "aside"
    module = checkpoints.checkpoints if moment in ("read_directory", "write_state") else checkpoints
    real = getattr(module, moment)

    def meddle(*arguments: object) -> object:
        if not aside.exists():
            swap_for_a_link(run, outside, aside=aside)()
        return real(*arguments)

    monkeypatch.setattr(module, moment, meddle)
    assert prune_it(run, "ckpt-1").files == 2
    assert names(aside) == ["ckpt-2", "ckpt-10"]
    assert '"ckpt-1"' not in (aside / "checkpoint").read_text()


def orbax_steps(directory: Path, *steps: str) -> Path:
    for step in steps:
        (directory / step / "d").mkdir(parents=True)
        (directory / step / "_CHECKPOINT_METADATA").write_text("{}")
        (directory / step / "manifest.ocdbt").write_bytes(b"x")
        (directory / step / "d" / "chunk").write_bytes(b"y")
    return directory


def test_an_orbax_step_with_links_and_one_that_becomes_a_link(
    root: Path,
    outside: Path,
    tmp_path: Path,
    prune_it: Callable[..., Removed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = orbax_steps(root / "orbax", "100", "200", "300")
    (run / "100" / "d" / "link").symlink_to(outside)
    swap = swap_for_a_link(run / "200", outside, aside=tmp_path / "aside")
    just_before(monkeypatch, "rename", "200", swap)
    prune_it(run, "100", "200")
    assert os.listdir(run) == ["300"]


def test_an_orbax_step_that_was_half_gone_is_finished(
    root: Path, prune_it: Callable[..., Removed], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = orbax_steps(root / "orbax", "100", "1000", "200")

    def fail(*_: object) -> Removed:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_unlink", fail)
        for step in ("100", "1000"):
            with pytest.raises(OSError, match="Input/output"):
                prune_it(run, step)
    assert prune_it(run, half_gone=("100",)).files == 3
    assert os.listdir(run / TRASH) == ["1000"]
    prune_it(run, half_gone=("1000",))
    assert os.listdir(run) == ["200"]


# The whole way.


def pruned_by_the_policy(history: History) -> list[tuple[str, str]]:
    collected = collect(history.site(), history.policy(rules=[prune_checkpoints(last=1)]))
    return [(outcome.done, outcome.detail) for outcome in collected.purged]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


def test_a_checkpoint_of_links_is_reported_and_stays(history: History, outside: Path) -> None:
    run = history.pipeline().retrain(steps=(1, 2, 3)).model_run.path
    (run / f"ckpt-1.{SHARD}").unlink()
    (run / f"ckpt-1.{SHARD}").symlink_to(outside / f"ckpt-1.{SHARD}")
    assert pruned_by_the_policy(history) == [("pruned", "checkpoints ckpt-2")]
    assert names(run) == ["ckpt-1", "ckpt-3"]


def test_a_run_whose_state_file_is_a_link_is_not_understood(history: History, outside: Path) -> None:
    made = history.pipeline().retrain(steps=(1, 2, 3)).model_run
    (made.path / "checkpoint").unlink()
    (made.path / "checkpoint").symlink_to(outside / "checkpoint")
    before = picture(made.path)
    collected = collect(history.site(), history.policy(rules=[prune_checkpoints(last=1)]))
    decision = collected.plan.decision(made.id)
    assert decision is not None
    assert decision.verdict == "unknown"
    assert "unknown.payload" in [reason.code for reason in decision.reasons]
    assert picture(made.path) == before


def test_links_to_other_directories_are_not_descended(history: History, outside: Path) -> None:
    run = history.pipeline().retrain(steps=(1, 2)).model_run.path
    (run / "eval").symlink_to(outside)
    (run / "loop").symlink_to(run)
    assert pruned_by_the_policy(history) == [("pruned", "checkpoints ckpt-1")]


@pytest.mark.parametrize("name", [b"\xff", b"two\nlines", b"\x1b[2J", b"$(id)", b"*"], ids=ascii)
def test_checkpoints_and_directories_of_any_name(name: bytes, history: History) -> None:
    run = history.pipeline().retrain(steps=(1, 2)).model_run.path
    hostile = write_checkpoints(run / os.fsdecode(name), (1, 2))
    (hostile / "checkpoint").unlink()
    for file in list(hostile.iterdir()):
        file.rename(hostile / file.name.replace("ckpt", os.fsdecode(name)))
    assert pruned_by_the_policy(history) == [
        ("pruned", "checkpoints ckpt-1"),
        ("pruned", f"checkpoints {os.fsdecode(name)}-1"),
    ]
    assert names(run) == ["ckpt-2"]
    assert names(hostile) == [f"{os.fsdecode(name)}-2"]
