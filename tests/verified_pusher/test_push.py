"""Pushing whole SavedModels: what a version and its archive hold, and which places are refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.builders import flip_bit
from tfx_janitor.payload import saved_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Source
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.push import push

from .conftest import Models, Pushes, everything, files_of, only_the_corner, version_names
from .small_models import NOON_MS

pytestmark = pytest.mark.tfx


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
        assert files_of(done.destination) == everything(source)

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
        assert files_of(push_to(source).destination) == everything(source)

    def test_may_lie_below_a_path_that_contains_the_name_of_the_graph(
        self, model: Models, push_to: Pushes, tmp_path: Path
    ) -> None:
        source = shutil.move(model("cats"), tmp_path / "saved_model.pb_x")
        assert files_of(push_to(source).destination) == everything(tmp_path / "saved_model.pb_x")

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
        assert only_the_corner(base)

    def test_a_base_directory_that_is_a_file_is_refused(
        self, model: Models, push_to: Pushes, base: Path
    ) -> None:
        base.write_text("mine")
        with pytest.raises(PushError, match="nothing became visible"):
            push_to(model("cats"))
        assert base.read_text() == "mine"

    def test_a_base_directory_may_be_reached_through_a_link(
        self, model: Models, push_to: Pushes, base: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "disk").mkdir()
        base.symlink_to(tmp_path / "disk")
        assert push_to(model("cats")).destination == str(base / "1700000000")
        assert version_names(tmp_path / "disk") == ["1700000000"]
