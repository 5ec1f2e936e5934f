"""Pushing real SavedModels; every refusal leaves the base directory as it was."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.payload.tables import table
from tfx_janitor import effects
from tfx_janitor.deletion import remove
from tfx_janitor.effects import Effect
from tfx_janitor.payload import protos, saved_model
from tfx_janitor.payload.sstable import read_table
from tfx_janitor.payload.tensor_bundle import Structure
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import content, copying, manifest, rename, versions
from tfx_janitor.verified_pusher.content import FoundFile
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError
from tfx_janitor.verified_pusher.growing import GrowingFiles
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import Push, push
from tfx_janitor.verified_pusher.versions import Versioning

from .conftest import NOON_MS, everything, flip_bit, version_names
from .small_models import content_of

pytestmark = pytest.mark.tfx

Pushes = Callable[..., Push]
Models = Callable[[str], Path]


def _content(version: Path | str) -> dict[str, bytes | None]:
    return {name: data for name, data in everything(Path(version)).items() if name != manifest.NAME}


def _no_clone(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def _only_the_corner(base: Path) -> bool:
    """Whether nothing but the pushers' own corner is in the base directory, and nothing is staged there."""
    corner = base / ".tfx-janitor-push"
    return os.listdir(base) == [corner.name] and os.listdir(corner / "staging") == []


class TestAWholeModel:
    @pytest.mark.parametrize("name", ["cats", "sharded"])
    def test_becomes_a_version_with_all_its_files(
        self, model: Models, push_to: Pushes, base: Path, name: str
    ) -> None:
        source = model(name)
        done = push_to(source)
        assert done.destination == str(base / "1700000000")
        assert (done.version, done.is_new) == (1_700_000_000, True)
        assert version_names(base) == ["1700000000"]
        assert _content(done.destination) == everything(source)

    def test_is_loaded_and_answers(self, model: Models, push_to: Pushes) -> None:
        import tensorflow as tf

        loaded = tf.saved_model.load(push_to(model("dogs")).destination)
        scores = loaded.signatures["serving_default"](x=tf.ones([1, 256]))["scores"]
        assert scores.numpy().tolist() == [[512.0] * 8]

    def test_keeps_what_the_stock_pusher_loses(self, model: Models, push_to: Pushes) -> None:
        source = model("cats")
        (source / "assets.extra" / "empty").mkdir(parents=True)
        (source / "assets.extra" / "saved_model.pb.sig").write_text("signature")
        (source / "assets" / "saved_model.pbtxt").write_text("text")
        (source / "keras_metadata.pb").write_text("keras")
        assert _content(push_to(source).destination) == everything(source)

    def test_may_lie_below_a_path_that_contains_the_name_of_the_graph(
        self, model: Models, push_to: Pushes, tmp_path: Path
    ) -> None:
        source = shutil.move(model("cats"), tmp_path / "saved_model.pb_x")
        assert _content(push_to(source).destination) == everything(tmp_path / "saved_model.pb_x")

    def test_may_hold_links_to_its_own_files(self, model: Models, push_to: Pushes) -> None:
        source = model("cats")
        (source / "assets" / "labels.txt").symlink_to("vocabulary.txt")
        version = Path(push_to(source).destination)
        assert not (version / "assets" / "labels.txt").is_symlink()
        assert (version / "assets" / "labels.txt").read_text() == "cat\ndog\n"

    def test_carries_a_manifest_that_fits(self, model: Models, push_to: Pushes) -> None:
        source = model("cats")
        done = push_to(source)
        assert manifest.check(done.destination) == ()
        written = manifest.read(done.destination)
        assert done.manifest == os.path.join(done.destination, "tfx_janitor_manifest.json")
        assert (written.version, written.created_at_ms) == (1_700_000_000, NOON_MS)
        assert written.source == Source(str(source), 12, "Model")
        assert written.execution == Execution(34, "digits", "run-5", "Pusher")
        assert (written.verified.level, written.verified.tensors > 0) == ("checksums", True)
        assert written.content_digest == done.content_digest

    def test_may_be_a_served_version_whose_old_manifest_is_left_behind(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        first = push_to(model("cats"))
        push_to(model("dogs"))
        again = push_to(Path(first.destination))
        assert again.content_digest == first.content_digest
        assert manifest.read(again.destination).version == again.version == 1_700_000_002
        assert len(version_names(base)) == 3

    def test_is_archived_without_manifest(self, model: Models, push_to: Pushes, tmp_path: Path) -> None:
        source = model("cats")
        archive = tmp_path / "pushed_model" / "7"
        archive.mkdir(parents=True)
        done = push_to(source, archive=str(archive))
        assert everything(archive) == everything(source)
        assert done.archived is Archive.LINK
        shard = Path("variables", "variables.data-00000-of-00001")
        assert (archive / shard).samefile(Path(done.destination) / shard)
        assert not (archive / shard).samefile(source / shard)

    def test_is_archived_as_asked_for(self, model: Models, push_to: Pushes, tmp_path: Path) -> None:
        source, archive = model("cats"), tmp_path / "archive"
        done = push_to(source, archive=str(archive), options=PushOptions(archive=Archive.NONE))
        assert (done.archived, archive.exists()) == (Archive.NONE, False)
        done = push_to(source, archive=str(archive), options=PushOptions(archive=Archive.COPY))
        assert (done.archived, everything(archive)) == (Archive.COPY, everything(source))
        flip_bit(Path(done.destination) / "saved_model.pb")
        assert everything(archive) == everything(source)

    def test_has_an_archive_that_outlives_its_version(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path
    ) -> None:
        push_to(model("cats"), archive=str(tmp_path / "archive"))
        push_to(model("dogs"), options=PushOptions(keep_versions=1))
        assert version_names(base) == ["1700000001"]
        assert everything(tmp_path / "archive") == everything(model("cats"))
        assert saved_model.verify(str(tmp_path / "archive"), Level.CHECKSUMS).whole

    def test_that_is_served_already_is_archived_all_the_same(
        self, model: Models, push_to: Pushes, tmp_path: Path
    ) -> None:
        push_to(model("cats"))
        assert not push_to(model("cats"), archive=str(tmp_path / "archive")).is_new
        assert everything(tmp_path / "archive") == everything(model("cats"))

    @pytest.mark.parametrize("level", [level for level in Level if level is not Level.SMOKE])
    def test_is_verified_at_the_level_asked_for(self, model: Models, push_to: Pushes, level: Level) -> None:
        done = push_to(model("cats"), options=PushOptions(level))
        assert manifest.read(done.destination).verified.level == level.value

    def test_may_be_pushed_to_a_relative_directory_or_a_file_uri(
        self, model: Models, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        base.mkdir()
        monkeypatch.chdir(base.parent)
        for spelled in ("serving", f"file://{base}/"):
            done = push(
                str(model("cats")),
                spelled,
                source=Source("uri"),
                execution=Execution(),
                now_ms=NOON_MS,
                options=PushOptions(),
            )
            assert done.destination == str(base / "1700000000")


def _emptied_variables(path: Path) -> None:
    for file in (path / "variables").iterdir():
        file.unlink()


def _missing_shard(path: Path) -> None:
    next((path / "variables").glob("*.data-*")).unlink()


def _truncated_shard(path: Path) -> None:
    shard = next((path / "variables").glob("*.data-*"))
    shard.write_bytes(shard.read_bytes()[:-100])


def _flipped_bit(path: Path) -> None:
    flip_bit(next((path / "variables").glob("*.data-*")), 100)


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
    _flipped_bit,
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
        _flipped_bit(source)
        with pytest.raises(ModelRefused, match=r"variables\.data-"):
            push_to(source)
        assert _only_the_corner(base)

    def test_passes_where_only_its_structure_is_asked_for(self, model: Models, push_to: Pushes) -> None:
        source = model("cats")
        _flipped_bit(source)
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
        assert _only_the_corner(base)

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
        assert _only_the_corner(base)


class TestAModelThatIsVerifiedWhileItIsCopied:
    @pytest.fixture(autouse=True)
    def in_small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(copying, "_STEP", 100_000)
        monkeypatch.setattr(copying, "_PIECE", 100_000)

    def test_is_what_its_manifest_says(self, model: Models, push_to: Pushes) -> None:
        source = model("large")
        done = push_to(source)
        assert done.content_digest == manifest.read(done.destination).content_digest == content_of(source)
        assert _content(done.destination) == everything(source)

    def test_needs_no_second_look_at_what_its_checksums_prove(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[str] = []
        digest_file = content.digest_file
        monkeypatch.setattr(content, "digest_file", lambda file: read.append(file.path) or digest_file(file))
        push_to(model("sharded"))
        assert sum(path == "variables/variables.index" for path in read) == 2
        assert not any(".data-" in path for path in read)

    @pytest.mark.parametrize("name", ["large", "sharded"])
    def test_is_refused_if_it_is_cut_short_meanwhile(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        source = model(name)
        shard = max(source.glob("variables/*.data-*"))
        size = shard.stat().st_size
        lay_out = copying.lay_out

        def lay_out_and_be_overtaken(*arguments: Any) -> None:
            lay_out(*arguments)
            os.truncate(shard, size // 2)

        monkeypatch.setattr(copying, "lay_out", lay_out_and_be_overtaken)
        with pytest.raises(ModelRefused, match=f"{shard.name} changed while it was copied"):
            push_to(source)
        assert _only_the_corner(base)

    def test_is_not_blamed_for_a_disk_that_fails_once(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, read, calls = model("large"), GrowingFiles.read, []

        def fail_once(growing: GrowingFiles, *arguments: Any) -> int:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(growing, *arguments)

        monkeypatch.setattr(GrowingFiles, "read", fail_once)
        assert push_to(source).content_digest == content_of(source)
        assert len(calls) >= 2

    def test_is_no_more_waited_for_when_the_disk_is_full(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_hand = copying._step_by_hand

        def until_full(source: int, target: int, position: int, path: str, buffer: memoryview) -> int:
            if ".data-" in path and position >= 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return by_hand(source, target, position, path, buffer)

        monkeypatch.setattr(copying, "_file_system", lambda device: "ext4")
        monkeypatch.setattr(copying, "_step_by_hand", until_full)
        monkeypatch.setattr(effects, "clone", _no_clone)
        with pytest.raises(PushError, match=r"No space left on device: .*; nothing became visible"):
            push_to(model("large"))
        assert _only_the_corner(base)

    def test_may_have_a_shard_with_a_gap(self, model: Models, push_to: Pushes) -> None:
        source = model("sharded")
        shifted = max(source.glob("variables/*.data-*"))
        number = int(shifted.name[-14:-9])
        shifted.write_bytes(bytes(8) + shifted.read_bytes())
        index = source / "variables" / "variables.index"
        head, *rows = read_table(index.read_bytes())
        entries = [(key, protos.BundleEntry.FromString(row)) for key, row in rows]
        for _, entry in entries:
            if entry.shard_id == number:
                entry.offset += 8
        index.write_bytes(table([head, *((key, entry.SerializeToString()) for key, entry in entries)]))
        (source / "fingerprint.pb").unlink()
        done = push_to(source)
        assert done.content_digest == content_of(source)
        flip_bit(shifted)
        with pytest.raises(ModelRefused, match=f"{shifted.name}.*do not match their checksum"):
            push_to(source)

    def test_is_compared_with_the_original_if_not_all_of_it_was_read(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = model("cats")
        monkeypatch.setattr(GrowingFiles, "digest", lambda *_: None)
        assert push_to(source).content_digest == content_of(source)

    def test_with_bytes_that_no_checksum_covers_is_compared(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = model("cats")
        structure = replace(saved_model.look(str(source)), variables=Structure())
        monkeypatch.setattr(saved_model, "look", lambda path: structure)
        copy = copying.copy

        def copy_badly(files: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
            copy(files, target, unsynced)
            flip_bit(Path(target) / "variables" / "variables.data-00000-of-00001")

        monkeypatch.setattr(copying, "copy", copy_badly)
        with pytest.raises(PushError, match=r"reads back differently: variables/variables\.data-"):
            push_to(source)


class TestAPlaceThatDoesNotFit:
    @pytest.mark.parametrize("spelled", ["", "gs://bucket/serving"])
    def test_a_base_directory_that_is_not_local_is_refused(self, model: Models, spelled: str) -> None:
        with pytest.raises(PushError, match="base directory"):
            push(
                str(model("cats")),
                spelled,
                source=Source("uri"),
                execution=Execution(),
                now_ms=NOON_MS,
                options=PushOptions(),
            )

    def test_a_base_directory_inside_the_model_is_refused(self, model: Models) -> None:
        source = model("cats")
        before = everything(source)
        with pytest.raises(PushError, match="outside the model"):
            push(
                str(source),
                str(source / "serving"),
                source=Source("uri"),
                execution=Execution(),
                now_ms=NOON_MS,
                options=PushOptions(),
            )
        assert everything(source) == before

    def test_an_archive_that_holds_something_is_refused_before_anything_is_visible(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "archive").mkdir()
        (tmp_path / "archive" / "mine").write_text("")
        with pytest.raises(PushError, match="empty directory"):
            push_to(model("cats"), archive=str(tmp_path / "archive"))
        assert _only_the_corner(base)

    def test_a_base_directory_that_is_a_file_is_refused(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        base.write_text("")
        with pytest.raises(PushError, match="nothing became visible"):
            push_to(model("cats"))

    def test_a_base_directory_may_be_reached_through_a_link(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "disk").mkdir()
        base.symlink_to(tmp_path / "disk")
        assert push_to(model("cats")).destination == str(base / "1700000000")
        assert version_names(tmp_path / "disk") == ["1700000000"]


class TestVersions:
    def test_the_same_model_again_is_the_same_version(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        first = push_to(model("cats"))
        again = push_to(model("cats"), now_ms=NOON_MS + 60_000)
        assert not again.is_new
        assert (again.version, again.destination, again.manifest) == (
            first.version,
            first.destination,
            first.manifest,
        )
        assert version_names(base) == ["1700000000"]
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == []

    def test_two_models_in_one_second_are_two_versions_and_the_later_is_newer(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        push_to(model("cats"))
        newest = push_to(model("dogs"))
        assert version_names(base) == ["1700000000", "1700000001"]
        assert _content(base / "1700000001") == everything(model("dogs"))
        assert newest.version == 1_700_000_001

    def test_a_clock_that_goes_back_makes_no_older_version(self, model: Models, push_to: Pushes) -> None:
        push_to(model("cats"))
        assert push_to(model("dogs"), now_ms=NOON_MS - 3_600_000).version == 1_700_000_001

    def test_may_be_numbered_by_the_execution_that_pushes(self, model: Models, push_to: Pushes) -> None:
        by_execution = PushOptions(versioning=Versioning.EXECUTION_ID)
        assert push_to(model("cats"), options=by_execution).version == 34
        assert push_to(model("dogs"), options=by_execution).version == 35
        assert push_to(model("birds")).version == 1_700_000_000
        assert push_to(model("cats"), options=by_execution).version == 1_700_000_001

    def test_a_model_that_was_served_before_the_newest_comes_back_as_the_newest(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        for name in ("cats", "dogs", "cats"):
            done = push_to(model(name))
        assert done.is_new
        assert version_names(base) == ["1700000000", "1700000001", "1700000002"]

    def test_a_number_is_not_used_again_after_its_version_is_gone(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        shutil.rmtree(push_to(model("cats")).destination)
        assert push_to(model("cats")).version == 1_700_000_001
        assert version_names(base) == ["1700000001"]

    def test_a_served_copy_that_was_damaged_is_not_taken_for_the_model(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        _flipped_bit(Path(push_to(model("cats")).destination))
        again = push_to(model("cats"))
        assert (again.is_new, again.version) == (True, 1_700_000_001)
        assert manifest.check(again.destination) == ()

    def test_a_version_of_the_stock_pusher_with_the_same_files_is_the_same_version(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        shutil.copytree(model("cats"), base / "1600000000")
        done = push_to(model("cats"))
        assert (done.version, done.is_new, done.manifest) == (1_600_000_000, False, None)
        assert version_names(base) == ["1600000000"]

    def test_a_version_of_the_stock_pusher_with_other_files_is_not(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        shutil.copytree(model("dogs"), base / "1600000000")
        assert push_to(model("cats")).is_new
        assert version_names(base) == ["1600000000", "1700000000"]

    def test_a_number_that_another_program_takes_in_the_last_moment_is_left_to_it(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to_free_name = rename.to_free_name
        stock = base / "1700000000"

        def rename_after_the_stock_pusher_began(source: str, target: str) -> None:
            stock.mkdir(exist_ok=True)
            to_free_name(source, target)

        monkeypatch.setattr(rename, "to_free_name", rename_after_the_stock_pusher_began)
        done = push_to(model("cats"))
        assert os.listdir(stock) == []
        assert done.version == manifest.read(done.destination).version == 1_700_000_001


class TestKeepVersions:
    def test_retires_the_oldest(self, model: Models, push_to: Pushes, base: Path) -> None:
        options = PushOptions(keep_versions=2)
        done = [push_to(model(name), options=options) for name in ("cats", "dogs", "birds")]
        assert [push.retirement.retired for push in done] == [(), (), (1_700_000_000,)]
        assert version_names(base) == ["1700000001", "1700000002"]
        assert not (base / remove.TRASH).exists()

    def test_that_was_lowered_catches_up_even_if_the_model_is_the_same(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        for name in ("cats", "dogs", "birds"):
            push_to(model(name))
        done = push_to(model("birds"), options=PushOptions(keep_versions=1))
        assert (done.is_new, done.retirement.retired) == (False, (1_700_000_000, 1_700_000_001))
        assert version_names(base) == ["1700000002"]

    def test_never_gives_the_number_of_a_retired_version_again(self, model: Models, push_to: Pushes) -> None:
        options = PushOptions(keep_versions=1)
        numbers = [push_to(model(name), options=options).version for name in ("cats", "dogs", "cats")]
        assert numbers == [1_700_000_000, 1_700_000_001, 1_700_000_002]

    def test_spares_what_a_model_server_has_loaded(self, model: Models, push_to: Pushes, base: Path) -> None:
        push_to(model("cats"))
        push_to(
            model("dogs"), options=PushOptions(keep_versions=1), in_use=lambda number: number == 1_700_000_000
        )
        assert version_names(base) == ["1700000000", "1700000001"]

    def test_that_fails_does_not_fail_the_push(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push_to(model("cats"))
        vanish = remove.vanish

        def refuse_versions(path: str, label: str, **others: object) -> remove.Removed:
            if path.endswith("1700000000"):
                raise PermissionError("not yours")
            return vanish(path, label, **others)  # type: ignore[arg-type]

        monkeypatch.setattr(remove, "vanish", refuse_versions)
        done = push_to(model("dogs"), options=PushOptions(keep_versions=1))
        assert done.is_new
        assert done.retirement.problems == ("could not retire 1700000000: not yours",)


def _push_in_a_process(model_path: str, base: str) -> None:
    push(
        model_path,
        base,
        source=Source(model_path),
        execution=Execution(),
        now_ms=NOON_MS,
        options=PushOptions(),
    )


def _die_at_the_rename(model_path: str, base: str) -> None:
    rename.to_free_name = lambda source, target: os._exit(9)
    _push_in_a_process(model_path, base)


class TestAPowerCut:
    @pytest.mark.parametrize("way", list(Archive))
    def test_finds_all_of_a_version_on_disk_from_the_moment_it_shows(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path, way: Archive
    ) -> None:
        unsynced: set[str] = set()
        when_it_shows: set[str] = set()

        def watch(effect: Effect, change: Callable[[], Any]) -> Any:
            if effect.kind == "rename" and "/staging/stage-" in effect.subject:
                when_it_shows.update(unsynced)
            result = change()
            if effect.kind == "fsync":
                unsynced.discard(effect.subject)
            elif "lock" not in effect.subject:
                if effect.kind not in ("rename", "link"):
                    unsynced.add(effect.subject)
                if effect.kind not in ("write", "copy"):
                    unsynced.add(os.path.dirname(effect.subject))
            return result

        archive = str(tmp_path / "pushed_model" / "8")
        with effects.watched(watch):
            push_to(model("sharded"), archive=archive, options=PushOptions(archive=way))
        assert os.path.isdir(archive) == (way is not Archive.NONE)
        # Of the record of numbers the content is on disk, and its new name with the version's own.
        assert when_it_shows == {str(base / ".tfx-janitor-push")}


class TestADyingPush:
    def test_leaves_nothing_visible_and_the_next_one_clears_it_away(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=_die_at_the_rename, args=(str(model("cats")), str(base))
        )
        process.start()
        process.join()
        assert process.exitcode == 9
        assert version_names(base) == []
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == ["stage-1"]

        assert push_to(model("cats")).version == 1_700_000_001
        assert version_names(base) == ["1700000001"]
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == []

    def test_that_fails_at_the_rename_has_left_only_an_archive(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(source: str, target: str) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(rename, "to_free_name", fail)
        with pytest.raises(PushError, match="No space left on device; nothing became visible"):
            push_to(model("cats"), archive=str(tmp_path / "archive"))
        assert version_names(base) == []
        assert os.listdir(base / ".tfx-janitor-push" / "staging") == []
        assert everything(tmp_path / "archive") == everything(model("cats"))

    def test_that_fails_after_the_rename_says_that_the_version_is_visible(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to_free_name = rename.to_free_name

        def rename_and_lose_the_disk(source: str, target: str) -> None:
            to_free_name(source, target)
            patch.setattr(effects, "fsync", lose)

        def lose(descriptor: int, name: str) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(rename, "to_free_name", rename_and_lose_the_disk)
            with pytest.raises(PushError, match=r"is visible and whole, but .* may not survive a power cut"):
                push_to(model("cats"))
        assert push_to(model("cats")).is_new is False
        assert version_names(base) == ["1700000000"]


class TestTwoPushersAtOnce:
    def test_exclude_each_other_from_numbering_to_retiring(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push_to(model("cats"))
        asked = []

        def excluding(act: Callable[..., object]) -> Callable[..., object]:
            def checked(*arguments: object, **others: object) -> object:
                asked.append(act.__name__)
                with open(base / ".tfx-janitor-push" / "lock") as lock, pytest.raises(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return act(*arguments, **others)

            return checked

        for module, name in (
            (versions, "following"),
            (versions, "write_highest"),
            (rename, "to_free_name"),
            (remove, "vanish"),
        ):
            monkeypatch.setattr(module, name, excluding(getattr(module, name)))
        push_to(model("dogs"), options=PushOptions(keep_versions=1))
        assert asked == ["following", "write_highest", "to_free_name", "vanish"]

    def test_in_threads_make_as_many_versions_as_models(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        names = ["cats", "dogs", "birds", "sharded"]
        start = threading.Barrier(len(names))
        done: dict[str, Push] = {}

        def run(name: str) -> None:
            start.wait()
            done[name] = push_to(exported[name])

        threads = [threading.Thread(target=run, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert version_names(base) == [str(1_700_000_000 + n) for n in range(4)]
        for name in names:
            assert _content(done[name].destination) == everything(exported[name])
            assert manifest.check(done[name].destination) == ()

    def test_in_processes_make_as_many_versions_as_models(
        self, exported: dict[str, Path], base: Path
    ) -> None:
        names = ["cats", "dogs", "birds"]
        spawn = multiprocessing.get_context("spawn")
        processes = [
            spawn.Process(target=_push_in_a_process, args=(str(exported[name]), str(base))) for name in names
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        pushed = [_content(base / name) for name in version_names(base)]
        assert len(pushed) == 3
        assert all(everything(exported[name]) in pushed for name in names)

    def test_with_the_same_model_make_one_version(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        start = threading.Barrier(3)
        done: list[Push] = []

        def run() -> None:
            start.wait()
            done.append(push_to(exported["cats"]))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(push.is_new for push in done) == [False, False, True]
        assert {push.version for push in done} == {1_700_000_000}
        assert version_names(base) == ["1700000000"]


class TestAReaderThatWatches:
    def test_never_sees_a_version_that_is_not_whole(
        self, exported: dict[str, Path], push_to: Pushes, base: Path
    ) -> None:
        expected = _sizes(exported["large"])
        assert sum(expected.values()) > 40 << 20
        base.mkdir()
        looked = threading.Condition()
        looks: list[list[dict[str, int]]] = []
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                seen = [_sizes(base / name) for name in version_names(base)]
                with looked:
                    looks.append(seen)
                    looked.notify_all()

        def change_while_watched(effect: Effect, change: Callable[[], Any]) -> Any:
            done = change()
            with looked:
                # The look that is under way may have begun before; the one after it did not.
                last = len(looks) + 2
                assert looked.wait_for(lambda: len(looks) >= last, timeout=30)
            return done

        reader = threading.Thread(target=watch)
        reader.start()
        try:
            with effects.watched(change_while_watched):
                done = push_to(exported["large"])
        finally:
            over.set()
            reader.join()
        assert looks[0] == []
        assert looks[-1] == [expected]
        assert all(look in ([], [expected]) for look in looks)
        assert saved_model.verify(done.destination, Level.CHECKSUMS).whole


def _sizes(model: Path) -> dict[str, int]:
    """Size of every file of a model, by its path."""
    return {
        str(path.relative_to(model)): path.stat().st_size
        for path in model.rglob("*")
        if path.is_file() and path.name != manifest.NAME
    }
