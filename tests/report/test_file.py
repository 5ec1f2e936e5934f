"""Documents that are put in their places: all of one, or what was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.full_disk import largest_file
from tfx_janitor.report import file


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_it_is_written_in_place_of_the_old_one_with_its_mode(place: Path):
    file.put(str(place), ["old", " and longer"])
    place.chmod(0o640)
    file.put(str(place), ["n\xe9w"])
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("n\xe9w", 0o640)


@pytest.mark.parametrize("before", [None, "whole"])
def test_what_does_not_fit_leaves_what_was_there(place: Path, before: str | None):
    if before is not None:
        place.write_text(before)
    with largest_file(1 << 20), pytest.raises(OSError, match="File too large"):
        file.put(str(place), ["x" * 1000] * 3000)
    assert [path.read_text() for path in place.parent.iterdir()] == ([] if before is None else [before])


def test_pieces_that_cannot_be_made_leave_what_was_there(place: Path):
    def pieces():
        yield "half"
        raise ValueError("lost")

    place.write_text("whole")
    with pytest.raises(ValueError, match="lost"):
        file.put(str(place), pieces())
    assert [path.read_text() for path in place.parent.iterdir()] == ["whole"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(place: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    place.symlink_to(target)
    file.put(str(place), ["one"])
    file.put(str(place), ["two"])
    assert (place.is_symlink(), target.read_text()) == (True, "two")


def test_a_pipe_is_written_to(place: Path):
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        file.put(str(place), ["all of it"])
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
    assert place.is_fifo()


def test_where_no_file_can_be_made_the_old_one_is_written_to(place: Path, monkeypatch: pytest.MonkeyPatch):
    place.write_text("old")
    number = place.stat().st_ino
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(place.parent))
    file.put(str(place), ["new"])
    assert (place.read_text(), place.stat().st_ino) == ("new", number)
