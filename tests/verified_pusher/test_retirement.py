from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfx_janitor.deletion import remove
from tfx_janitor.verified_pusher.retirement import Retirement, loaded_by_nobody, retire

from .conftest import version_names


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Five versions, and a directory that is none."""
    for name in ("8", "9", "10", "11", "12", "notes"):
        (tmp_path / name / "variables").mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").write_text(name)
    return tmp_path


def test_the_oldest_go_and_the_newest_stay(base: Path) -> None:
    assert retire(str(base), 2, pushed=12, in_use=loaded_by_nobody) == Retirement((8, 9, 10))
    assert sorted(os.listdir(base)) == ["11", "12", "notes"]


def test_without_a_number_all_stay(base: Path) -> None:
    assert retire(str(base), None, pushed=12, in_use=loaded_by_nobody) == Retirement()
    assert len(version_names(base)) == 5


def test_a_loaded_version_stays_until_it_is_unloaded(base: Path) -> None:
    assert retire(str(base), 1, pushed=12, in_use=lambda number: number == 9).retired == (8, 10, 11)
    assert retire(str(base), 1, pushed=12, in_use=loaded_by_nobody).retired == (9,)


def test_a_model_server_that_cannot_be_asked_keeps_everything(base: Path) -> None:
    def unreachable(_number: int) -> bool:
        raise ConnectionError("refused")

    outcome = retire(str(base), 1, pushed=12, in_use=unreachable)
    assert outcome == Retirement((), ("could not tell which versions may be retired: refused",))
    assert len(version_names(base)) == 5


def test_a_version_that_is_a_link_goes_without_what_it_points_to(
    base: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "saved_model.pb").write_text("")
    (base / "7").symlink_to(elsewhere)
    assert retire(str(base), 5, pushed=12, in_use=loaded_by_nobody).retired == (7,)
    assert (elsewhere / "saved_model.pb").exists()


def test_one_that_cannot_go_does_not_hold_up_the_others(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vanish = remove.vanish

    def refuse_nine(path: str, label: str, **others: object) -> remove.Removed:
        if path.endswith("/9"):
            raise PermissionError("not yours")
        return vanish(path, label, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(remove, "vanish", refuse_nine)
    outcome = retire(str(base), 2, pushed=12, in_use=loaded_by_nobody)
    assert outcome == Retirement((8, 10), ("could not retire 9: not yours",))


def test_no_half_removed_version_is_visible_and_the_next_push_finishes(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_after_the_rename(*_: object) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(remove, "_empty_entry", die_after_the_rename)
        retire(str(base), 4, pushed=12, in_use=loaded_by_nobody)
    assert version_names(base) == ["10", "11", "12", "9"]
    assert (base / remove.TRASH).exists()
    assert retire(str(base), None, pushed=12, in_use=loaded_by_nobody) == Retirement()
    assert not (base / remove.TRASH).exists()


def test_what_others_put_into_the_trash_is_not_touched(base: Path) -> None:
    (base / remove.TRASH / "artifact-7").mkdir(parents=True)
    retire(str(base), None, pushed=12, in_use=loaded_by_nobody)
    assert (base / remove.TRASH / "artifact-7").exists()
