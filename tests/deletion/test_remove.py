"""The lines that unlink: what they take away, and what they refuse to touch."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tfx_janitor import effects
from tfx_janitor.deletion import remove
from tfx_janitor.deletion.remove import (
    TRASH,
    RemovalError,
    Removed,
    finish,
    in_trash,
    is_tidy,
    opened,
    unlink_files,
    vanish,
)
from tfx_janitor.effects import Effect
from tfx_janitor.payload.places import Place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "root"
    (root / "model" / "7" / "variables").mkdir(parents=True)
    (root / "model" / "7" / "saved_model.pb").write_bytes(b"graph")
    (root / "model" / "7" / "variables" / "variables.index").write_bytes(b"index")
    (root / "model" / "8").mkdir()
    return root


def place(path: Path) -> Place:
    return Place("file", str(path))


@contextlib.contextmanager
def seen() -> Iterator[list[tuple[str, str]]]:
    """The changes to the disk that the block makes: kind and name of each, in their order."""
    made: list[tuple[str, str]] = []

    def watch(effect: Effect, change: Callable[[], Any]) -> Any:
        made.append((effect.kind, effect.subject))
        return change()

    with effects.watched(watch):
        yield made


def test_a_tree_is_gone_with_its_trash_and_nothing_beside_it(root: Path) -> None:
    assert vanish(str(root / "model/7"), "artifact-7", roots=[place(root)]) == Removed(10, 2)
    assert [path.name for path in (root / "model").iterdir()] == ["8"]


def test_both_ends_of_the_rename_are_on_disk_before_a_byte_goes(root: Path) -> None:
    """A power cut must not bring half a payload back to where it lay."""
    with seen() as made:
        vanish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    kinds = [kind for kind, _ in made]
    between = made[kinds.index("rename") + 1 : kinds.index("unlink")]
    assert between == [("fsync", TRASH), ("fsync", "..")]


def test_the_directory_is_on_disk_when_its_files_are_gone(root: Path) -> None:
    directory = root / "model/7"
    with seen() as made, opened(str(directory), roots=[place(root)]) as directory_fd:
        unlink_files(directory_fd, ["saved_model.pb"])
    assert made == [("unlink", "saved_model.pb"), ("fsync", ".")]


def test_what_is_not_there_is_no_error(root: Path) -> None:
    assert vanish(str(root / "model/9"), "artifact-9", roots=[place(root)]) == Removed()
    assert vanish(str(root / "nowhere/9"), "artifact-9", roots=[place(root)]) == Removed()
    assert not (root / "model" / TRASH).exists()


def test_links_are_removed_and_never_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"precious")
    (root / "model/7/variables/link").symlink_to(outside)
    (root / "model/7/loop").symlink_to(root / "model/7")
    vanish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    assert (outside / "precious").read_bytes() == b"precious"
    (root / "model/9").symlink_to(outside)
    vanish(str(root / "model/9"), "artifact-9", roots=[place(root)])
    assert not (root / "model/9").is_symlink()
    assert (outside / "precious").exists()


def test_a_link_on_the_way_that_leads_out_is_refused(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "7").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    with pytest.raises(RemovalError, match="not inside"):
        vanish(str(root / "link/7"), "artifact-7", roots=[place(root)])
    assert (outside / "7").exists()


@pytest.mark.parametrize(
    "path", ["{root}", "{root}/", "/", "{root}/..", "{root}/model/.", "{root}bc/7", "relative/7", ""]
)
def test_roots_what_is_around_them_and_what_is_no_path_are_refused(root: Path, path: str) -> None:
    (root.parent / "rootbc" / "7").mkdir(parents=True)
    with pytest.raises(RemovalError):
        vanish(path.format(root=root), "label", roots=[place(root)])
    assert (root / "model/7/saved_model.pb").exists()
    assert (root.parent / "rootbc/7").exists()


def test_no_roots_means_nothing_may_go(root: Path) -> None:
    with pytest.raises(RemovalError, match="nothing"):
        vanish(str(root / "model/7"), "label", roots=[])


def test_names_are_literal(root: Path) -> None:
    for name in ("run[1]", "run1", "run*", "a\nb", "$(touch x)", "-rf"):
        (root / name).mkdir()
    for name in ("run[1]", "run*", "a\nb", "$(touch x)", "-rf"):
        vanish(str(root / name), "label", roots=[place(root)])
    assert sorted(path.name for path in root.iterdir()) == ["model", "run1"]


def test_half_of_a_payload_is_never_seen_and_what_is_left_is_finished(root: Path, monkeypatch) -> None:
    path = root / "model/7"

    def fail(*_: object) -> Removed:
        assert not path.exists()  # it is out of sight before the first byte goes
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_unlink", fail)
        with pytest.raises(OSError, match="Input/output error"):
            vanish(str(path), "artifact-7", roots=[place(root)])
    assert not path.exists()
    assert in_trash(str(path), "artifact-7")
    assert not in_trash(str(path), "artifact-77")

    assert finish(str(path), "artifact-7", roots=[place(root)]) == Removed(10, 2)
    assert not in_trash(str(path), "artifact-7")
    assert not (root / "model" / TRASH).exists()


def test_a_second_payload_of_the_same_name_does_not_meet_the_first_in_the_trash(root: Path) -> None:
    trash = root / "model" / TRASH
    (trash / "artifact-7").mkdir(parents=True)
    (trash / "artifact-7" / "left").write_bytes(b"left")
    (trash / "artifact-70").mkdir()
    vanish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    assert sorted(path.name for path in trash.iterdir()) == ["artifact-7", "artifact-70"]
    finish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    assert [path.name for path in trash.iterdir()] == ["artifact-70"]


def test_all_that_is_left_of_one_label_is_finished(root: Path) -> None:
    path, trash = str(root / "model/7"), root / "model" / TRASH
    for entry in ("artifact-7~1", "artifact-7~2", "artifact-70"):
        (trash / entry).mkdir(parents=True)
        (trash / entry / "left").write_bytes(b"left")
    assert in_trash(path, "artifact-7")
    assert finish(path, "artifact-7", roots=[place(root)]) == Removed(8, 2)
    assert [path.name for path in trash.iterdir()] == ["artifact-70"]


def test_a_trash_that_cannot_be_removed_is_told_and_goes_the_next_time(root: Path) -> None:
    def broken(effect: Effect, change: Callable[[], Any]) -> Any:
        if effect == Effect("rmdir", TRASH):
            raise OSError(errno.EIO, "Input/output error")
        return change()

    path = str(root / "model/7")
    with effects.watched(broken), pytest.raises(OSError, match="Input/output error"):
        vanish(path, "artifact-7", roots=[place(root)])
    assert not is_tidy(path, "artifact-7")
    finish(path, "artifact-7", roots=[place(root)])
    assert is_tidy(path, "artifact-7")
    assert not (root / "model" / TRASH).exists()


def test_many_go_side_by_side_through_one_trash(root: Path) -> None:
    paths = [root / "many" / str(number) for number in range(200)]
    for path in paths:
        path.mkdir(parents=True)
        (path / "file").write_bytes(b"1")
    with ThreadPoolExecutor(8) as pool:
        removed = pool.map(lambda path: vanish(str(path), path.name, roots=[place(root)]), paths)
        assert list(removed) == [Removed(1, 1)] * 200
    assert list((root / "many").iterdir()) == []


def test_special_files_go_as_they_are(root: Path) -> None:
    os.mkfifo(root / "model/7/pipe")
    os.link(root / "model/7/saved_model.pb", root / "hard link")
    vanish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    assert (root / "hard link").read_bytes() == b"graph"


def test_a_trash_that_is_a_link_is_not_used(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / "model" / TRASH).symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"directory|symbolic"):
        vanish(str(root / "model/7"), "artifact-7", roots=[place(root)])
    assert (root / "model/7/saved_model.pb").exists()


def test_named_files_go_in_order_and_the_directory_stays(root: Path) -> None:
    directory = root / "run[1]"
    directory.mkdir()
    for name in ("ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-10.index"):
        (directory / name).write_bytes(b"12345")
    names = ["ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.meta"]
    with opened(str(directory), roots=[place(directory)]) as directory_fd:
        assert unlink_files(directory_fd, names) == Removed(10, 2)
    assert [path.name for path in directory.iterdir()] == ["ckpt-10.index"]


@pytest.mark.parametrize("name", ["../model", "a/b", "", ".", "..", "nul\0"])
def test_only_plain_names_are_unlinked(root: Path, name: str) -> None:
    plain = pytest.raises(RemovalError, match="plain file name")
    with opened(str(root), roots=[place(root)]) as directory_fd, plain:
        unlink_files(directory_fd, [name])


def test_a_directory_outside_the_roots_is_not_opened(root: Path) -> None:
    directory = opened(str(root / "model/7"), roots=[place(root / "model/8")])
    with pytest.raises(RemovalError, match="not inside"), directory:
        pass
