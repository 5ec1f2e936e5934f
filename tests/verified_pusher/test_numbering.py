"""Which number a push gives to a model, and when that is the number of a version that stands already."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tfx_janitor.verified_pusher import manifest, rename
from tfx_janitor.verified_pusher.options import PushOptions
from tfx_janitor.verified_pusher.versions import Versioning

from .conftest import Models, Pushes, everything, files_of, flipped_bit, version_names
from .small_models import NOON_MS

pytestmark = pytest.mark.tfx


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
        assert files_of(base / "1700000001") == everything(model("dogs"))
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
        self, model: Models, push_to: Pushes
    ) -> None:
        flipped_bit(Path(push_to(model("cats")).destination))
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
