"""A push with `keep_versions` retires the oldest versions, and nothing that is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfx_janitor.deletion import remove
from tfx_janitor.verified_pusher.options import PushOptions

from .conftest import Models, Pushes, version_names

pytestmark = pytest.mark.tfx


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
