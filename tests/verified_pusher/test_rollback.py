"""Rolling back on a plain directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.serving import labelled_model
from tfx_janitor.payload.verification import Level
from tfx_janitor.verified_pusher import manifest, rollback
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.manifest import Execution, Rollback
from tfx_janitor.verified_pusher.rollback import RollbackError

from .conftest import everything, version_names
from .rolling_back import Base, three_pushes


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return three_pushes(tmp_path)


def test_the_version_before_is_served_again_as_the_newest(base: Base) -> None:
    before = everything(base.path / "2")
    back = base.back()
    assert (back.version, base.served) == (4, "dogs")
    assert version_names(base.path) == ["1", "2", "3", "4"]
    assert everything(base.path / "2") == before
    assert manifest.check(str(base.path / "4")) == ()
    recorded = manifest.read(str(base.path / "4"))
    assert recorded.rollback == Rollback(version=2, instead_of=3)
    assert recorded.source == manifest.read(str(base.path / "2")).source


def test_whoever_rolls_back_again_goes_further_back(base: Base) -> None:
    base.back()
    base.back()
    assert base.served == "cats"
    with pytest.raises(RollbackError, match="nothing to roll back to"):
        base.back()


def test_what_was_rolled_back_from_is_passed_by_later_too(base: Base) -> None:
    base.back()  # 4 is dogs; 3, birds, was bad
    base.push("fish")
    base.damage(4)
    base.back()
    assert base.served == "dogs"


def test_what_was_put_back_is_put_back_from_its_push_once_more(base: Base) -> None:
    """Else each of a row of versions put back from each other would keep the one before it."""
    base.back()
    base.push("fish")
    assert base.back().version == 6
    assert manifest.read(str(base.path / "6")).rollback == Rollback(version=2, instead_of=5)
    base.push("frogs")
    (base.path / "2" / manifest.NAME).unlink()
    base.damage(2)
    assert base.back().version == 8
    assert manifest.read(str(base.path / "8")).rollback == Rollback(version=6, instead_of=7)
    assert base.served == "dogs"


def test_any_version_can_be_asked_for(base: Base) -> None:
    base.back(to=1)
    assert base.served == "cats"
    base.back(to=3)
    assert base.served == "birds"


def test_a_push_after_a_rollback_is_a_push_like_any_other(base: Base) -> None:
    base.back()
    assert base.push("dogs") == 4, "the same model is the same version"
    assert base.push("fish") == 5
    assert base.back().version == 6
    assert base.served == "dogs"


def test_a_damaged_version_is_passed_over(base: Base) -> None:
    base.damage(2)
    choice = rollback.choose(str(base.path), level=Level.CHECKSUMS)
    assert choice.target.version == 1
    (over,) = choice.passed_over
    assert (over.version, over.damaged) == (2, True)
    assert "variables.data-00000-of-00001" in over.why


def test_a_file_that_no_checksum_of_the_model_covers_may_not_differ_either(base: Base) -> None:
    (base.path / "2" / "assets" / "vocabulary.txt").write_text("dogz")
    assert rollback.choose(str(base.path), level=Level.CHECKSUMS).target.version == 1
    with pytest.raises(RollbackError, match=r"version 2 .* holds other bytes than were pushed"):
        base.back(to=2)


def test_the_same_content_elsewhere_serves_for_a_damaged_version(base: Base) -> None:
    assert base.push("dogs") == 4
    base.push("fish")
    base.damage(2)
    target = rollback.choose(str(base.path), level=Level.CHECKSUMS, to=2).target
    assert (target.version, target.path) == (2, str(base.path / "4"))


def test_a_damaged_newest_version_can_be_replaced_by_its_own_content(base: Base) -> None:
    base.push("dogs")
    base.damage(4)
    base.back(to=2)
    assert base.served == "dogs"
    assert manifest.check(str(base.path / "5")) == ()


def test_the_same_content_is_nothing_to_roll_back_to(tmp_path: Path) -> None:
    base = Base(tmp_path)
    for name in ("1", "2"):  # a stock Pusher does this
        labelled_model(base.path / name, "cats")
    with pytest.raises(RollbackError, match="version 1 holds the same as version 2"):
        base.back()


def test_versions_of_the_stock_pusher_are_as_good(tmp_path: Path) -> None:
    base = Base(tmp_path)
    for name in ("1700000000", "1700000100"):
        labelled_model(base.path / name, name)
    assert base.back().version == 1700000101
    assert base.served == "1700000000"


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (7, "expected a version of .*, got 7; known are 1, 2, 3"),
        (3, "version 3 is the newest"),
        (2, "cannot roll back to version 2 .* is damaged at"),
    ],
)
def test_a_version_that_cannot_be_put_back_is_an_error(base: Base, to: int, told: str) -> None:
    base.damage(2)
    before = everything(base.path)
    with pytest.raises(RollbackError, match=told):
        base.back(to=to)
    assert everything(base.path) == before


def test_a_single_version_has_none_before_it(tmp_path: Path) -> None:
    base = Base(tmp_path)
    base.push("cats")
    with pytest.raises(RollbackError, match="there is no version before version 1"):
        base.back()


def test_an_empty_directory_has_nothing(tmp_path: Path) -> None:
    with pytest.raises(RollbackError, match="there is no version"):
        Base(tmp_path / "x").path.mkdir(parents=True)
        Base(tmp_path / "x").back()


def test_a_version_that_became_the_newest_meanwhile_is_not_overruled(base: Base) -> None:
    choice = rollback.choose(str(base.path), level=Level.CHECKSUMS)
    base.push("fish")
    with pytest.raises(PushError, match=r"expected version 3 to be the newest .* but 4 is"):
        rollback.put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)
    assert base.served == "fish"


def test_what_is_taken_away_before_it_is_put_back_is_said_so(base: Base) -> None:
    choice = rollback.choose(str(base.path), level=Level.CHECKSUMS)
    shutil.rmtree(choice.target.path)
    with pytest.raises(PushError, match="was taken away meanwhile; roll back again"):
        rollback.put_back(choice, execution=Execution(), now_ms=0, level=Level.CHECKSUMS)
