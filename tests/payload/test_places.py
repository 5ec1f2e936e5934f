from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_janitor.payload.places import Place, PlaceError, parse, resolve


@pytest.mark.parametrize(
    "uri",
    [
        "/data/models/1",
        "/data/models/1/",
        "//data//models///1",
        "/data/./models/../models/1",
        "/../data/models/1",
        "file:///data/models/1",
        "file://localhost/data/models/1/",
        "FILE:///data/models/1",
    ],
)
def test_every_spelling_of_a_local_directory_is_one_place(uri: str) -> None:
    assert parse(uri) == Place("file", "/data/models/1")
    assert str(parse(uri)) == "/data/models/1"


def test_remote_places_keep_their_scheme_and_bucket() -> None:
    assert parse("gs://bucket/models//1/") == Place("gs", "bucket/models/1")
    assert str(parse("s3://Bucket/x/./y")) == "s3://Bucket/x/y"
    assert parse("gs://bucket/x") != parse("s3://bucket/x")


def test_names_that_only_look_encoded_are_left_alone() -> None:
    assert parse("file:///a%20b/c d").path == "/a%20b/c d"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "  ",
        "models/1",
        "./models",
        "~/models",
        "file://server/share",
        "file://",
        "file://localhost",
        "gs://",
        "gs:///",
        "gs://bucket/../other",
        "gs://../x",
        "/a\0b",
        "file:/a",
    ],
)
def test_what_names_no_place_is_refused(uri: str) -> None:
    with pytest.raises(PlaceError):
        parse(uri)
    with pytest.raises(PlaceError):
        resolve(uri)


def test_contains_goes_by_components() -> None:
    root = parse("/a/b")
    assert root.contains(parse("/a/b/c"))
    assert not root.contains(parse("/a/bc"))
    assert not root.contains(parse("/a/b/"))
    assert not root.contains(parse("/a"))
    assert not root.contains(parse("gs://a/b/c"))
    assert parse("/").contains(root)
    assert not parse("/").contains(parse("/"))
    assert parse("gs://bucket").contains(parse("gs://bucket/x"))
    assert not parse("gs://bucket").contains(parse("gs://bucket2/x"))


def test_resolve_follows_links_before_it_climbs(tmp_path: Path) -> None:
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far" / "inner")
    climbed = f"{tmp_path}/near/link/../model"
    assert resolve(climbed).path == str(tmp_path.resolve() / "far" / "model")
    assert parse(climbed).path == f"{tmp_path}/near/model"


def test_resolve_works_for_what_is_not_there_yet(tmp_path: Path) -> None:
    assert resolve(f"file://{tmp_path}/not/yet/").path == f"{tmp_path.resolve()}/not/yet"


@given(st.text(min_size=1))
def test_parsing_is_total_and_settles(text: str) -> None:
    try:
        place = parse(text)
    except PlaceError:
        return
    assert parse(str(place)) == place
    assert not place.contains(place)
