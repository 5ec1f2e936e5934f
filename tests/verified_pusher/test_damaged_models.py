"""A model that is damaged, before or by the copy, is refused, and the base directory stays as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.builders import flip_bit
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import copying
from tfx_janitor.verified_pusher.content import FoundFile
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError
from tfx_janitor.verified_pusher.options import PushOptions

from .conftest import Models, Pushes, everything, flipped_bit, only_the_corner

pytestmark = pytest.mark.tfx


def _emptied_variables(path: Path) -> None:
    for file in (path / "variables").iterdir():
        file.unlink()


def _missing_shard(path: Path) -> None:
    next((path / "variables").glob("*.data-*")).unlink()


def _truncated_shard(path: Path) -> None:
    shard = next((path / "variables").glob("*.data-*"))
    shard.write_bytes(shard.read_bytes()[:-100])


def _flipped_graph(path: Path) -> None:
    flip_bit(path / "saved_model.pb", 100)


def _no_graph(path: Path) -> None:
    (path / "saved_model.pb").unlink()


def _empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


def _missing(path: Path) -> None:
    shutil.rmtree(path)


def _link_outside(path: Path) -> None:
    (path / "assets" / "secrets").symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    os.mkfifo(path / "assets" / "pipe")


DAMAGES = [
    _emptied_variables,
    _missing_shard,
    _truncated_shard,
    flipped_bit,
    _flipped_graph,
    _no_graph,
    _empty,
    _missing,
    _link_outside,
    _pipe,
]


class TestADamagedModel:
    @pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
    def test_is_refused_and_what_is_served_stays_as_it_was(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path, damage: Callable[[Path], None]
    ) -> None:
        push_to(model("cats"))
        before = everything(base)
        source = model("dogs")
        damage(source)
        with pytest.raises(ModelRefused, match=source.name):
            push_to(source, archive=str(tmp_path / "archive"), options=PushOptions(keep_versions=1))
        assert everything(base) == before
        assert not (tmp_path / "archive").exists()

    def test_does_not_even_make_the_base_directory_if_a_look_is_enough(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        source = model("cats")
        _emptied_variables(source)
        with pytest.raises(ModelRefused):
            push_to(source)
        assert not base.exists()

    def test_leaves_nothing_staged_if_only_its_checksums_tell(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        source = model("cats")
        flipped_bit(source)
        with pytest.raises(ModelRefused, match=r"variables\.data-"):
            push_to(source)
        assert only_the_corner(base)

    def test_passes_where_only_its_structure_is_asked_for(self, model: Models, push_to: Pushes) -> None:
        source = model("cats")
        flipped_bit(source)
        assert push_to(source, options=PushOptions(Level.STRUCTURE)).is_new

    def test_is_refused_if_somebody_writes_into_it_meanwhile(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = model("cats")
        copy = copying.copy

        def copy_and_be_overtaken(files: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
            copy(files, target, unsynced)
            (source / "assets" / "vocabulary.txt").write_text("cat\ncow\n")

        monkeypatch.setattr(copying, "copy", copy_and_be_overtaken)
        with pytest.raises(ModelRefused, match=r"assets/vocabulary\.txt changed while it was copied"):
            push_to(source)
        assert only_the_corner(base)

    def test_is_found_in_the_copy_even_if_no_tensor_is_to_be_verified(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy, shard = copying.copy, Path("variables", "variables.data-00000-of-00001")

        def copy_badly(files: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
            copy(files, target, unsynced)
            flip_bit(target / shard)

        monkeypatch.setattr(copying, "copy", copy_badly)
        with pytest.raises(PushError, match=f"reads back differently: {shard}"):
            push_to(model("cats"), options=PushOptions(Level.STRUCTURE))

    @pytest.mark.parametrize(
        "damaged", ["assets/vocabulary.txt", "variables/variables.data-00000-of-00001", "saved_model.pb"]
    )
    def test_is_found_if_the_copy_is_what_is_damaged(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
    ) -> None:
        copy = copying._copy_bytes

        def copy_badly(
            size: int, source: int, target: int, path: str, grew: Callable[[str, int], None]
        ) -> None:
            copy(size, source, target, path, lambda path, written: None)
            if path.endswith(damaged):
                flip_bit(Path(path))
            grew(path, size)

        monkeypatch.setattr(copying, "_copy_bytes", copy_badly)
        with pytest.raises(PushError, match=f"reads back differently: {damaged}"):
            push_to(model("cats"))
        assert only_the_corner(base)
